# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Collections that are packed into one buffer while they are small: see kedis/structures/packed.py.

Each is one object of 64 to 80 bytes beside its buffer, unknown to the garbage collector, since there is nothing in it
that could form a cycle. Beyond its thresholds it holds the full structure instead, for good, and passes everything on.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.set cimport PySet_Contains
from libc.string cimport memcmp, memcpy, memmove

from kedis.structures.containers cimport Hash as FullHash
from kedis.structures.containers cimport Set as FullSet
from kedis.structures.sorted_set cimport SortedSet as FullSortedSet

from array import array
from collections import deque
from bisect import bisect_left, bisect_right

from kedis.structures import containers
from kedis.structures.lists import List as FullList
from kedis.structures.lists import _PLACE
from kedis.structures.sorted_set import ADDED as _ADDED, MOVED as _MOVED, UNCHANGED as _UNCHANGED
from kedis.structures.packing import Thresholds, are_integers

cdef extern from "Python.h":
    double PyFloat_AS_DOUBLE(object)

cdef extern from "slots.h" nogil:
    Py_ssize_t slot_offset(object descriptor) except -1
    long long slot_int(object owner, Py_ssize_t offset)
    int slot_add(object owner, Py_ssize_t offset, long long amount) except -1

include "words.pxi"

cdef int ADDED = _ADDED, MOVED = _MOVED, UNCHANGED = _UNCHANGED
cdef Py_ssize_t ENTRIES = slot_offset(Thresholds.entries)
cdef Py_ssize_t LONGEST = slot_offset(Thresholds.longest)
cdef Py_ssize_t LIST_FOOTPRINT = slot_offset(FullList.footprint)
cdef long long PLACE = _PLACE
# Called as functions, because the names are forbidden on a full list.
cdef object append_left = deque.appendleft, append_right = deque.append
cdef object take_left = deque.popleft, take_right = deque.pop

cdef enum:
    #: Bytes of a packed object beside its buffer; a set has 16 more.
    OBJECT = 64
    #: What a new collection may hold until its thresholds are known: Redis's defaults.
    FEW_PAIRS = 128
    FEW_INTEGERS = 512
    SHORT = 64
    #: Texts of a packed set. To clients it is none, so this is no setting: a search through so many takes 0.2 us.
    FEW_TEXTS = 64
    #: What a packed list holds, and the most bytes around a text.
    LIST_ELEMENTS = 256
    LIST_BYTES = 8192
    MOST_AROUND = 10


class CannotGrow(MemoryError):
    """A packed collection would exceed 4 GB."""


@cython.no_gc
cdef class Packed:
    """A buffer of words."""

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef int insert_bytes(self, Py_ssize_t at, Py_ssize_t size) except -1:
        """Make room for ``size`` bytes at ``at``."""
        cdef char* grown
        if size == 0:
            return 0
        if <long long>self.size + size > 0x7FFFFFFF:
            raise CannotGrow
        grown = <char*>PyMem_Realloc(self.data, self.size + size)
        if grown == NULL:
            raise MemoryError
        self.data = grown
        memmove(grown + at + size, grown + at, self.size - at)
        self.size += size
        return 0

    cdef int cut(self, Py_ssize_t at, Py_ssize_t size) except -1:
        """Remove ``size`` bytes at ``at``."""
        cdef char* shrunk
        memmove(self.data + at, self.data + at + size, self.size - at - size)
        self.size -= size
        if self.size == 0:
            PyMem_Free(self.data)
            self.data = NULL
            return 0
        shrunk = <char*>PyMem_Realloc(self.data, self.size)
        if shrunk != NULL:
            self.data = shrunk
        return 0

    cdef int insert_word(self, Py_ssize_t at, const char* text, Py_ssize_t size) except -1:
        cdef Word word
        spell(&word, text, size)
        self.insert_bytes(at, word.size)
        write_word(self.data + at, &word)
        return 0

    cdef int replace_word(self, Py_ssize_t at, const char* text, Py_ssize_t size) except -1:
        cdef Word word
        cdef Py_ssize_t old = word_size(self.data + at)
        spell(&word, text, size)
        if word.size > old:
            self.insert_bytes(at + old, word.size - old)
        elif word.size < old:
            self.cut(at + word.size, old - word.size)
        write_word(self.data + at, &word)
        return 0

    cdef void drop(self) noexcept:
        """Forget the words."""
        PyMem_Free(self.data)
        self.data = NULL
        self.size = self.count = 0


include "packed_hash.pxi"
include "packed_set.pxi"
include "packed_sorted_set.pxi"
include "packed_list.pxi"
include "packed_flat.pxi"
