"""What consumer_groups.py is when it is compiled: its classes in C, the types of attributes."""

cimport cython
from kedis.structures.id_map cimport IdMap


cdef class Account:
    cdef public long long held


cdef class Pending:
    cdef public Consumer consumer
    cdef public object count, delivered_ms


cdef class Consumer:
    cdef public bytes name
    cdef public object seen_ms
    cdef public IdMap pending


cdef class Group:
    cdef public Account _account
    cdef public dict _consumers
    cdef public object last_id, entries_read
    cdef public IdMap pending

    cpdef Consumer consumer(self, bytes name)

    cpdef deliver_all(self, list stream_ids, Consumer consumer, now_ms)

    @cython.locals(pending=Pending, all_pending=IdMap, count=Py_ssize_t)
    cpdef Py_ssize_t acknowledge_all(self, stream_ids) except -1
