"""What stream_columns.py is when it is compiled: its class in C."""

cimport cpython.array


cdef class Columns:
    cdef public unsigned long long base_ms, base_number
    cdef public cpython.array.array times, numbers
    cdef public list values
    cdef public Py_ssize_t width

    cpdef id_at(self, Py_ssize_t position)

    cpdef append(self, stream_id, row)

    cpdef extend(self, unsigned long long time, unsigned long long number, tuple values)
