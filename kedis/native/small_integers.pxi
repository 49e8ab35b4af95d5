# Small integers as values, see kedis.structures.small_integers; for the modules that put strings into databases.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM

from kedis.structures.small_integers import SPELLED

cdef tuple _SPELLED = SPELLED


cdef inline bytes shared(bytes value):
    """kedis.structures.small_integers.shared."""
    cdef const char* text = PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value), at, number = 0
    if not 2 <= size <= 4 or text[0] == c"0":  # CPython itself shares texts of one byte
        return value
    for at in range(size):
        if not c"0" <= text[at] <= c"9":
            return value
        number = number * 10 + text[at] - c"0"
    return <bytes>PyTuple_GET_ITEM(_SPELLED, number)
