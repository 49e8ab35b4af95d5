# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, binding=True
"""The numbers of keys in C: a scan index whose buckets have a number beside each key. See key_numbers.py."""

from kedis.structures.scan_index cimport NUMBERED, load, Bucket, ScanIndex, numbers_in, place_of
from libc.stdint cimport int64_t


cdef class KeyNumbers(ScanIndex):
    """A mapping of bytes keys to integers of 64 bits with sign. See key_numbers.py."""

    def __cinit__(self):
        self.width = NUMBERED

    cdef bint is_empty(self) noexcept:
        return self.room == load * self.count

    cdef bint find(self, bytes key, int64_t* number) noexcept:
        """Whether ``key`` is there; its number then."""
        cdef Bucket* bucket = self.bucket_of(key)
        cdef Py_ssize_t at = place_of(bucket, key, NUMBERED)
        if at < 0:
            return False
        number[0] = numbers_in(bucket)[at]
        return True

    cdef int put(self, bytes key, int64_t number) except -1:
        """Set the number of ``key``, which is kept as it is if it is new."""
        cdef Bucket* bucket = self.bucket_of(key)
        cdef Py_ssize_t at = place_of(bucket, key, NUMBERED)
        if at >= 0:
            numbers_in(bucket)[at] = number
            return 0
        self.append(bucket, key)
        numbers_in(bucket)[bucket.size - 1] = number
        self.settle(bucket)
        return 0

    def __contains__(self, bytes key not None):
        cdef int64_t number = 0
        return self.find(key, &number)

    def __getitem__(self, bytes key not None):
        cdef int64_t number = 0
        if not self.find(key, &number):
            raise KeyError(key)
        return number

    def __setitem__(self, bytes key not None, int64_t number):
        self.put(key, number)

    def __delitem__(self, bytes key not None):
        cdef Bucket* bucket = self.bucket_of(key)
        cdef Py_ssize_t at = place_of(bucket, key, NUMBERED)
        if at < 0:
            raise KeyError(key)
        self.remove_from(bucket, at)

    def get(self, bytes key not None, default=None):
        """The number of ``key``, or ``default``."""
        cdef int64_t number = 0
        return number if self.find(key, &number) else default

    def keys(self):
        """All keys. O(N)."""
        return iter(self)

    def items(self):
        """All keys with their numbers. O(N)."""
        return ((key, self[key]) for key in self)
