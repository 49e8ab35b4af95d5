"""What listpack_size.py is when it is compiled: its functions in C."""

cimport cython

cpdef Py_ssize_t integer_size(value) except -1

@cython.locals(length=Py_ssize_t, size=Py_ssize_t)
cpdef Py_ssize_t element_size(bytes text) except -1
