"""The numbers of keys in C, for the native path."""

from kedis.structures.scan_index cimport ScanIndex
from libc.stdint cimport int64_t


cdef class KeyNumbers(ScanIndex):
    cdef bint is_empty(self) noexcept
    cdef bint find(self, bytes key, int64_t* number) noexcept
    cdef int put(self, bytes key, int64_t number) except -1
