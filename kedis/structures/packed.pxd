"""The packed collections, for the native path."""

from kedis.structures.containers cimport Hash as FullHash
from kedis.structures.containers cimport Set as FullSet
from kedis.structures.sorted_set cimport SortedSet as FullSortedSet


cdef class Packed:
    #: Bytes that the account of the keyspace holds.
    cdef public long long accounted_bytes
    cdef object thresholds
    cdef char* data
    cdef unsigned int size, count

    cdef int insert_bytes(self, Py_ssize_t at, Py_ssize_t size) except -1
    cdef int cut(self, Py_ssize_t at, Py_ssize_t size) except -1
    cdef int replace_word(self, Py_ssize_t at, const char* text, Py_ssize_t size) except -1
    cdef int insert_word(self, Py_ssize_t at, const char* text, Py_ssize_t size) except -1
    cdef void drop(self) noexcept


cdef class Hash(Packed):
    cdef FullHash full

    cdef Py_ssize_t find(self, const char* text, Py_ssize_t size) noexcept
    cdef object look(self, const char* text, Py_ssize_t size)
    cdef FullHash expand(self)
    cdef Py_ssize_t remove_here(self, const char* text, Py_ssize_t size) except -1
    cdef int append_pair(self, bytes field, bytes value) except -1
    cpdef bint put(self, bytes field, bytes value) except -1
    cpdef Py_ssize_t remove_many(self, fields) except -1
    cdef Py_ssize_t length(self) noexcept
    cdef long long measure(self)


cdef class Set(Packed):
    cdef FullSet full
    cdef int width

    cdef FullSet expand(self)
    cdef Py_ssize_t find(self, const char* text, Py_ssize_t size) noexcept
    cdef bint has(self, const char* text, Py_ssize_t size) except -1
    cdef Py_ssize_t place_of(self, long long number, bint* found) noexcept
    cdef int widen(self, int width) except -1
    cdef int spell_out(self) except -1
    cdef bint insert_number(self, long long number) except -1
    cdef bint remove_here(self, bytes member) except -1
    cpdef bint insert(self, bytes member, bint measure=*) except -1
    cpdef bint remove_member(self, bytes member, bint measure=*) except -1
    cpdef Py_ssize_t remove_many(self, members) except -1
    cpdef bytes pop_random(self, rng)
    cdef Py_ssize_t length(self) noexcept
    cdef long long measure(self)


cdef class SortedSet(Packed):
    cdef FullSortedSet full

    cdef Py_ssize_t length(self) noexcept
    cdef long long measure(self)
    cdef FullSortedSet expand(self)
    cdef double score_at(self, Py_ssize_t rank) noexcept
    cdef char* word_at(self, Py_ssize_t rank) noexcept
    cdef Py_ssize_t find(self, const char* text, Py_ssize_t size) noexcept
    cdef Py_ssize_t find_again(self, Py_ssize_t rank)
    cdef bint look(self, const char* text, Py_ssize_t size, double* score) except -1
    cdef Py_ssize_t rank_of_score(self, double score, bint after) noexcept
    cdef Py_ssize_t place_for(self, double score, const char* text, Py_ssize_t size) noexcept
    cdef int insert_at(self, Py_ssize_t rank, double score, const char* text, Py_ssize_t size) except -1
    cdef int cut_ranks(self, Py_ssize_t start, Py_ssize_t stop) except -1
    cpdef rank(self, bytes member, bint reverse=*)
    cpdef list members(self, start, stop, bint reverse=*)
    cpdef int put(self, bytes member, double score) except -1
    cpdef bint remove(self, bytes member) except -1


cdef class List(Packed):
    cdef object full

    cdef Py_ssize_t length(self) noexcept
    cdef long long measure(self)
    cdef object expand(self)
    cdef bint has_room(self, Py_ssize_t size) noexcept
    cdef char* word_at(self, Py_ssize_t position) noexcept
    cdef int take_out(self, Py_ssize_t start, Py_ssize_t stop) except -1
    cdef Py_ssize_t found(self, Py_ssize_t position) except -1
    cdef list places(self, bytes value, Py_ssize_t start, Py_ssize_t stop)
    cpdef push_left(self, bytes value)
    cpdef push_right(self, bytes value)
    cpdef bytes pop_left(self)
    cpdef bytes pop_right(self)
    cpdef list slice(self, Py_ssize_t start, Py_ssize_t stop)


cdef void begin_flat() noexcept
cdef bint add_flat(const char* text, Py_ssize_t size) noexcept
cdef bint read_listpack(const unsigned char* data, Py_ssize_t size) noexcept
cdef Hash flat_hash(thresholds)
cdef List flat_list()
