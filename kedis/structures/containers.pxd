"""What containers.py is when it is compiled: its classes in C, the types of attributes and of hot variables."""

cimport cython
from kedis.structures.scan_index cimport ScanIndex

cdef long long CONTAINER, DICT_ENTRY, INDEX_ENTRY


cdef class Hash(dict):
    cdef public ScanIndex index
    cdef public object packed
    cdef public long long accounted_bytes, elements_bytes, footprint

    cpdef _measure(self)

    @cython.locals(before=Py_ssize_t, size=Py_ssize_t, grown=Py_ssize_t)
    cpdef bint put(self, bytes field, bytes value) except -1

    cpdef bint remove(self, bytes field, bint measure=*) except -1

    cpdef Py_ssize_t remove_many(self, fields) except -1


cdef class Set(set):
    cdef public ScanIndex index
    cdef public object packed
    cdef public long long accounted_bytes, elements_bytes, footprint

    cpdef _measure(self)

    @cython.locals(before=Py_ssize_t)
    cpdef bint insert(self, bytes member, bint measure=*) except -1

    @cython.locals(before=Py_ssize_t)
    cpdef bint remove_member(self, bytes member, bint measure=*) except -1

    cpdef Py_ssize_t remove_many(self, members) except -1

    cpdef bytes pop_random(self, rng)
