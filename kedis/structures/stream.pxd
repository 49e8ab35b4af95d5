"""What stream.py is when it is compiled: its class in C."""

cimport cython
from kedis.structures.consumer_groups cimport Account, Group
from kedis.structures.id_map cimport IdMap
from kedis.structures.stream_block cimport Block, NodeLimits, Segment

cdef long long ENTRY


cdef class Stream:
    cdef public IdMap blocks
    cdef public Block tail
    cdef public dict groups
    cdef public object last_id, max_deleted_id, entries_added
    cdef public long long accounted_bytes
    cdef public Py_ssize_t _length
    cdef public object _first_id
    cdef public Account _account

    @cython.locals(block=Block, before="long long", fits=cython.bint)
    cpdef append_at(
        self,
        stream_id,
        unsigned long long time,
        unsigned long long number,
        tuple fields,
        tuple values,
        NodeLimits limits,
    )

    @cython.locals(last=Block, before="long long")
    cpdef Block _next_block(self, base, tuple fields)

    cpdef add_block(self, Block block)

    cpdef _remove_block(self, Block block)

    @cython.locals(block=Block, segment=Segment, blocks=IdMap)
    cpdef list read(self, low, high, Py_ssize_t count=*, bint reverse=*)

    @cython.locals(block=Block, surplus=Py_ssize_t, removed=Py_ssize_t)
    cpdef Py_ssize_t trim(self, Py_ssize_t length, bint approximately, Py_ssize_t limit=*) except -1

    cpdef Block _oldest(self)

    cpdef Py_ssize_t _trimmed(self, Py_ssize_t removed) except -1

    cpdef Py_ssize_t _trim_block(self, Block block) except -1

    cpdef bint has_deleted_from(self, stream_id) except -1

    cpdef advance(self, Group group, ids)
