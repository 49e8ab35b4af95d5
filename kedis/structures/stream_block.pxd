"""What stream_block.py is when it is compiled: its classes in C, the types of attributes and of hot variables."""

cimport cython
from kedis.structures.listpack_size cimport element_size, integer_size
from kedis.structures.stream_columns cimport Columns


cdef Py_ssize_t SHORT_TEXT, MOST_AROUND_SHORT_TEXT, MOST_AROUND_LONG_TEXT, _SMALL, _COUNTERS
cdef Py_ssize_t ENTRY, PLACE, ROW, VALUE, _BLOCK, FRAME


cdef class NodeLimits:
    cdef public Py_ssize_t entries, size, trimmed


cdef class Segment:
    cdef public tuple fields
    cdef public Py_ssize_t _start, _stop
    cdef public bytes _packed
    cdef public Columns _columns
    cdef public object _base_ms
    cdef public list _texts


cdef class Block:
    cdef public object base, last
    cdef public tuple fields
    cdef public Py_ssize_t count, live, begin
    cdef public set holes
    cdef public long long held
    cdef public long long _own, _size, _most, _fields_bytes, _frame
    cdef public Py_ssize_t _measured
    cdef public Columns _columns
    cdef public bytes _packed

    @cython.locals(columns=Columns, length=Py_ssize_t, added=Py_ssize_t, around=Py_ssize_t, value=bytes)
    cpdef bint add(
        self,
        stream_id,
        unsigned long long time,
        unsigned long long number,
        tuple fields,
        tuple values,
        NodeLimits limits,
    ) except -1

    @cython.locals(columns=Columns, grown="long long")
    cpdef _append(self, stream_id, row)

    cpdef bint delete(self, stream_id) except -1

    cpdef _mark(self, Py_ssize_t at)

    cpdef delete_first(self, Py_ssize_t count)

    cpdef position(self, stream_id)

    cpdef bint is_deleted(self, Py_ssize_t position) except -1

    cpdef Columns columns(self)

    @cython.locals(start=Py_ssize_t, stop=Py_ssize_t, begin=Py_ssize_t, end=Py_ssize_t)
    cpdef list between(self, low, high, Py_ssize_t count, bint reverse)

    cpdef pack(self)
