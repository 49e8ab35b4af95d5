"""What scan_index.py is when it is compiled: its classes in C, the types of attributes and of hot variables."""

cimport cython


cdef class ScanIndex:
    cdef public list _buckets
    cdef Py_ssize_t _low, _high, _room, _slack, _bound, _rejected

    @cython.locals(index=Py_ssize_t, buckets=list, bucket=list, room=Py_ssize_t)
    cpdef add(self, bytes key)

    @cython.locals(index=Py_ssize_t, buckets=list, bucket=list)
    cpdef discard(self, bytes key)

    @cython.locals(buckets=list, by_address=list, bucket=list, high=Py_ssize_t)
    cpdef _fill(self, list keys)

    @cython.locals(twin=ScanIndex)
    cpdef ScanIndex copy(self)

    @cython.locals(buckets=list, bit=Py_ssize_t, source=Py_ssize_t, stays=list, moves=list)
    cpdef _split(self)

    @cython.locals(buckets=list, last=list, bucket=list)
    cpdef _merge(self)

    @cython.locals(buckets=list, low=Py_ssize_t, found=list, index=Py_ssize_t, bit=Py_ssize_t)
    cpdef tuple scan(self, unsigned long long cursor, Py_ssize_t count)

    @cython.locals(buckets=list, bucket=list, width=Py_ssize_t, places=Py_ssize_t, drawn=Py_ssize_t, slot=Py_ssize_t, index=Py_ssize_t)
    cpdef bytes random(self, rng)


cdef class DeferredIndex(ScanIndex):
    cpdef add(self, bytes key)
    cpdef discard(self, bytes key)
