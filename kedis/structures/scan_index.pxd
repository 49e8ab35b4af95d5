"""The scan index in C, for the other compiled structures and the native path."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t

cdef enum:
    #: Bytes of a key in a bucket: its address, its number where each has one, and its tag.
    PLAIN = 9
    NUMBERED = 17
    #: LOAD of scan_index.py.
    load = 20


cdef struct Bucket:
    char* block
    unsigned int size
    unsigned int room


cdef Py_ssize_t place_of(Bucket* bucket, bytes key, Py_ssize_t width) noexcept
cdef int64_t* numbers_in(Bucket* bucket) noexcept


cdef class ScanIndex:
    cdef Bucket* buckets
    #: Number of buckets, and of those that the directory has room for.
    cdef Py_ssize_t count, places
    #: As in scan_index.py.
    cdef Py_ssize_t low, high, room, slack, bound, rejected
    #: PLAIN or NUMBERED.
    cdef Py_ssize_t width

    cdef void drop(self) noexcept
    cdef void pop_bucket(self) noexcept
    cdef bint have_places(self, Py_ssize_t count) noexcept
    cdef void give_back_places(self, Py_ssize_t places) noexcept
    cdef Bucket* bucket_of(self, bytes key) noexcept
    cdef int append(self, Bucket* bucket, bytes key) except -1
    cdef int _fill(self, list keys) except -1
    cdef void settle(self, Bucket* bucket) noexcept
    cdef void remove_from(self, Bucket* bucket, Py_ssize_t at) noexcept
    cdef list keys_of(self, Py_ssize_t number)
    cdef void split(self) noexcept
    cdef void merge(self) noexcept
    cpdef add(self, bytes key)
    cpdef discard(self, bytes key)
    cpdef bytes held(self, bytes key)
    cpdef ScanIndex copy(self)
    cpdef tuple scan(self, unsigned long long cursor, Py_ssize_t count)
    cpdef bytes random(self, rng)


cdef class DeferredIndex(ScanIndex):
    cpdef add(self, bytes key)
    cpdef discard(self, bytes key)
    cpdef bytes held(self, bytes key)
