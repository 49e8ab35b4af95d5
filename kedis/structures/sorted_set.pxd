"""What sorted_set.py is when it is compiled: its class in C, the types of attributes and of hot variables."""

cimport cython
from kedis.structures.scan_index cimport ScanIndex
from kedis.structures.skiplist cimport SkipList
cdef long long CONTAINER, DICT_ENTRY, INDEX_ENTRY, _SCORE, _PLACE, _PARTS, _INDEXED


cdef class SortedSet:
    cdef public dict scores
    cdef public ScanIndex index
    cdef public SkipList _list
    cdef public object packed
    cdef public long long accounted_bytes, elements_bytes, footprint

    cpdef _measure(self)

    cpdef bint add(self, bytes member, double score) except -1

    @cython.locals(size=Py_ssize_t, scores=dict)
    cpdef int put(self, bytes member, double score) except -1

    cpdef bint remove(self, bytes member) except -1

    cpdef rank(self, bytes member, bint reverse=*)

    cpdef list members(self, Py_ssize_t start, Py_ssize_t stop, bint reverse=*)
