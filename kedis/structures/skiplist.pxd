"""The compiled skip list: see skiplist.pyx."""

from cpython.object cimport PyObject


cdef struct Block:
    # What a search reads, first.
    double next_score  # NaN at the end, which no comparison passes
    PyObject* next_member  # borrowed from the next block
    Block* next
    double* scores
    PyObject** members
    int size, room
    double low_score
    PyObject* low_member


cdef struct Link:
    double next_score
    PyObject* next_member
    Link* next
    Py_ssize_t span
    Link* down
    Block* block


cdef class SkipList:
    cdef Block head
    cdef Link* top
    cdef Py_ssize_t size

    cpdef insert(self, double score, bytes member)
    cpdef bytes delete(self, double score, bytes member)
    cpdef move(self, double score, double to, bytes member)
    cdef void fetch(self, double score) noexcept
    cpdef Py_ssize_t rank(self, double score, bytes member) except -1
    cpdef Py_ssize_t rank_of_score(self, double score, bint after) except -1
    cpdef Py_ssize_t rank_of_member(self, bytes member, bint after) except -1
    cpdef tuple at(self, Py_ssize_t rank)
    cpdef list pairs(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef list members(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef tuple columns(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef list delete_ranks(self, Py_ssize_t start, Py_ssize_t stop)

    cdef int require(self, Py_ssize_t start, Py_ssize_t stop) except -1
    cdef Block* locate(self, Py_ssize_t* rank) noexcept
    cdef int path_to_key(self, double score, PyObject* member, Link** path, Py_ssize_t* begins, Block** block, Py_ssize_t* begin) noexcept
    cdef int path_to_rank(self, Py_ssize_t rank, Link** path, Py_ssize_t* begins, Block** block, Py_ssize_t* begin) noexcept
    cdef int split(self, Block* block, int cut) noexcept
    cdef Block* join(self, Block* block) noexcept
    cdef bint absorb_next(self, Block* block) noexcept
    cdef void free_levels(self) noexcept
    cdef void restore_spans(self, double score, PyObject* member, int change) noexcept
    cdef void drop_empty_levels(self) noexcept
    cdef int check_levels(self, dict begins) except -1
