# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, binding=True
"""The skip list of skiplist.py in C: the same blocks, levels and separators, as structs and raw arrays.

skiplist.py explains the structure and is the reference: every method here does what the one of that name does there, and
the same tests run on both. What differs is the cost of a step: a link is one line of the cache, a comparison of
two scores one instruction, and bisection reads nothing but the raw doubles.

The cost grows as O(log N) in instructions, but what is felt is memory: at 1,000 elements everything is in the nearest
cache, at 1,000,000 each operation waits for some ten lines that are in none. On a busy machine, where a wait takes 180
ns, ops/bench/containers_in_process.py gives for a whole ZRANK 0.3 microseconds at 1,000 members, 1.1 at 100,000 and 2.0
at 1,000,000, and for a ZADD of another score 0.6, 1.6 and 2.7; the list in Python takes 1.8, 3.6 and 7.0, and 3.4, 5.5
and 11.8. Redis itself takes 5.4 and 10.6 microseconds for the two at 1,000,000 there.

It trusts its caller as the other does, but no call can make it read what it does not own: a key that is missing, or a
rank out of range, raises an exception, and an iteration goes by rank.
"""

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE, PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.math cimport INFINITY, NAN
from libc.string cimport memcmp, memcpy, memmove

from itertools import pairwise
from os import urandom

cdef extern from "Python.h":
    void Py_XDECREF(PyObject*)

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define KEDIS_PREFETCH(place) __builtin_prefetch(place)
    #else
    #define KEDIS_PREFETCH(place)
    #endif
    """
    void KEDIS_PREFETCH(const void*) noexcept nogil

BLOCK_MAX = 512
BLOCK_MIN = 64
MERGE_MAX = 384
BLOCK_FILL = 384
PROMOTE = 0.25
MAX_HEIGHT = 16

cdef enum:
    LEVELS = 64  # room for the links of a path

cdef int block_max, block_min, merge_max, block_fill, max_height
cdef unsigned long long promote_below
cdef unsigned long long coin = int.from_bytes(urandom(8), "little") | 1
cdef array _DOUBLES = array("d")


def shape(*, BLOCK_MAX=BLOCK_MAX, BLOCK_MIN=BLOCK_MIN, MERGE_MAX=MERGE_MAX, BLOCK_FILL=BLOCK_FILL, PROMOTE=PROMOTE, MAX_HEIGHT=MAX_HEIGHT):
    """Set the sizes of blocks and the heights of towers of all lists; without arguments, to the constants."""
    global block_max, block_min, merge_max, block_fill, max_height, promote_below
    assert 0 < MAX_HEIGHT < LEVELS
    block_max, block_min, merge_max, block_fill, max_height = BLOCK_MAX, BLOCK_MIN, MERGE_MAX, BLOCK_FILL, MAX_HEIGHT
    promote_below = int(PROMOTE * (1 << 32))


shape()


cdef inline int draw_height() noexcept:
    """The height of a new tower, by flips of a coin (xorshift64*)."""
    global coin
    cdef int height = 0
    while height < max_height:
        coin ^= coin >> 12
        coin ^= coin << 25
        coin ^= coin >> 27
        if (coin * <unsigned long long>2685821657736338717) >> 32 >= promote_below:
            break
        height += 1
    return height


# -- comparing and bisecting ------------------------------------------------------------------------------


cdef inline int compare(PyObject* left, PyObject* right) noexcept:
    """Negative, 0 or positive as ``left`` is below, equal to or above ``right``; both are bytes."""
    cdef Py_ssize_t left_size, right_size
    cdef int order
    if left == right:
        return 0
    left_size, right_size = PyBytes_GET_SIZE(<object>left), PyBytes_GET_SIZE(<object>right)
    order = memcmp(
        PyBytes_AS_STRING(<object>left),
        PyBytes_AS_STRING(<object>right),
        left_size if left_size < right_size else right_size,
    )
    if order:
        return order
    return (left_size > right_size) - (left_size < right_size)


cdef inline bint leads_to(double ahead, PyObject* ahead_member, double score, PyObject* member) noexcept:
    """Whether a separator is at or before a key."""
    return ahead <= score and (ahead < score or compare(ahead_member, member) <= 0)


cdef inline int score_left(const double* scores, int size, double score) noexcept:
    """bisect_left over ``scores``, without a branch that the processor could guess wrong."""
    cdef const double* base = scores
    cdef int half
    while size > 1:
        half = size >> 1
        KEDIS_PREFETCH(base + (half >> 1))
        KEDIS_PREFETCH(base + half + (half >> 1))
        base += half if base[half - 1] < score else 0
        size -= half
    return <int>(base - scores) + (size == 1 and base[0] < score)


cdef inline int score_right(const double* scores, int size, double score) noexcept:
    """bisect_right over ``scores``, likewise."""
    cdef const double* base = scores
    cdef int half
    while size > 1:
        half = size >> 1
        KEDIS_PREFETCH(base + (half >> 1))
        KEDIS_PREFETCH(base + half + (half >> 1))
        base += half if base[half - 1] <= score else 0
        size -= half
    return <int>(base - scores) + (size == 1 and base[0] <= score)


cdef inline int member_left(PyObject** members, PyObject* member, int low, int high) noexcept:
    """bisect_left over members[low:high]."""
    cdef int middle
    while low < high:
        middle = (low + high) >> 1
        if compare(members[middle], member) < 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline int member_right(PyObject** members, PyObject* member, int low, int high) noexcept:
    """bisect_right over members[low:high]."""
    cdef int middle
    while low < high:
        middle = (low + high) >> 1
        if compare(members[middle], member) <= 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline int place_of(Block* block, double score, PyObject* member) noexcept:
    """Where a key is in its block, or would be inserted."""
    cdef int size = block.size
    cdef int index = score_left(block.scores, size, score)
    if index < size and block.scores[index] == score and compare(block.members[index], member) < 0:
        index = member_left(
            block.members, member, index, index + score_right(block.scores + index, size - index, score)
        )
    return index


# -- blocks and links -------------------------------------------------------------------------------------


cdef inline void set_next_block(Block* block, Block* following) noexcept:
    block.next = following
    if following == NULL:
        block.next_score, block.next_member = NAN, NULL
    else:
        block.next_score, block.next_member = following.low_score, following.low_member


cdef inline void set_next_link(Link* link, Link* following) noexcept:
    link.next = following
    if following == NULL:
        link.next_score, link.next_member = NAN, NULL
    else:
        link.next_score, link.next_member = following.block.low_score, following.block.low_member


cdef Link* new_link(Block* block, Link* down, Py_ssize_t span) noexcept:
    cdef Link* link = <Link*>PyMem_Malloc(sizeof(Link))
    if link != NULL:
        link.block, link.down, link.span = block, down, span
        set_next_link(link, NULL)
    return link


cdef bint resize(Block* block, int room) noexcept:
    """Give the block's arrays ``room``; False, with the block as it was, where there is no memory.

    One that has got smaller is not to be used as before: where the other cannot, it keeps its memory, and is used less.
    """
    cdef double* scores
    cdef PyObject** members
    members = <PyObject**>PyMem_Realloc(block.members, room * sizeof(PyObject*))
    if members == NULL:
        return False
    block.members = members
    scores = <double*>PyMem_Realloc(block.scores, room * sizeof(double))
    if scores != NULL:
        block.scores = scores
    elif room > block.room:
        return False
    block.room = room
    return True


cdef Block* new_block(double low_score, PyObject* low_member, int room) noexcept:
    """An empty block with a separator; NULL where there is no memory."""
    cdef Block* block = <Block*>PyMem_Malloc(sizeof(Block))
    if block == NULL:
        return NULL
    block.scores, block.members, block.size, block.room = NULL, NULL, 0, 0
    if not resize(block, room):
        PyMem_Free(block.members)
        PyMem_Free(block)
        return NULL
    block.low_score, block.low_member = low_score, low_member
    Py_INCREF(<object>low_member)
    set_next_block(block, NULL)
    return block


cdef void free_block(Block* block) noexcept:
    """Free a block whose elements have gone."""
    PyMem_Free(block.scores)
    PyMem_Free(block.members)
    Py_DECREF(<object>block.low_member)
    PyMem_Free(block)


cdef inline void take_out(Block* block, int first, int last) noexcept:
    """Close the gap of elements first..last-1, of which the references have gone."""
    memmove(block.scores + first, block.scores + last, (block.size - last) * sizeof(double))
    memmove(block.members + first, block.members + last, (block.size - last) * sizeof(PyObject*))
    block.size -= last - first


cdef void shrink(Block* block) noexcept:
    """Give back room that is worth it."""
    if block.room > 16 and block.size < block.room // 2:
        resize(block, max(block.size, 4))


cdef void cut_level(Link* link, Py_ssize_t begin, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t last_begin) noexcept:
    """Remove ranks start..stop-1 from a level, as kedis.structures.skiplist_nodes.cut_level."""
    cdef Py_ssize_t end = begin + link.span
    cdef Link* following = link.next
    cdef Link* gone
    while following != NULL and end < last_begin:
        end += following.span
        gone = following
        following = following.next
        PyMem_Free(gone)
    link.span = end - begin - (min(stop, end) - start)
    set_next_link(link, following)
    if following != NULL and stop > end:
        following.span -= stop - end


class _BlockView:
    """What a block holds, for tests."""

    def __init__(self, scores, members):
        self.scores, self.members = scores, members


cdef class SkipList:
    """Pairs of (score, member) in order, with ranks: see kedis.structures.skiplist in Python."""

    def __cinit__(self):
        self.head.low_score, self.head.low_member = -INFINITY, NULL
        self.head.scores, self.head.members, self.head.size, self.head.room = NULL, NULL, 0, 0
        set_next_block(&self.head, NULL)
        self.top = NULL
        self.size = 0

    def __dealloc__(self):
        cdef Block* block = &self.head
        cdef Block* following
        cdef int index
        self.free_levels()
        while block != NULL:
            following = block.next
            for index in range(block.size):
                Py_DECREF(<object>block.members[index])
            if block == &self.head:
                PyMem_Free(block.scores)
                PyMem_Free(block.members)
            else:
                free_block(block)
            block = following

    cdef void free_levels(self) noexcept:
        cdef Link* level = self.top
        cdef Link* link
        cdef Link* following
        while level != NULL:
            link = level
            level = level.down
            while link != NULL:
                following = link.next
                PyMem_Free(link)
                link = following

    @classmethod
    def from_sorted(cls, array scores not None, list members not None):
        """Build from parallel sequences already in order and free of duplicates. O(N)."""
        cdef SkipList built = cls()
        cdef Py_ssize_t count = PyList_GET_SIZE(members), start
        cdef const double* given = scores.data.as_doubles
        cdef Block* block = &built.head
        cdef Block* right
        cdef Link* tails[LEVELS]
        cdef Link* down
        cdef int levels = 0, height, level, index, taken
        if scores.typecode != "d" or len(scores) != count:
            raise ValueError("members and scores do not match")
        for member in members:
            if type(member) is not bytes:
                raise TypeError("a member is not bytes")
        for start in range(0, count, block_fill):
            taken = min(count - start, block_fill)
            if start == 0:
                if not resize(block, taken):
                    raise MemoryError
            else:
                right = new_block(given[start], <PyObject*>PyList_GET_ITEM(members, start), taken)
                if right == NULL:
                    raise MemoryError
                set_next_block(block, right)
                block = right
                height = draw_height()
                while levels < height:
                    down = new_link(&built.head, built.top, start)
                    if down == NULL:
                        raise MemoryError
                    built.top = tails[levels] = down
                    levels += 1
                down = NULL
                for level in range(height):
                    down = new_link(right, down, 0)
                    if down == NULL:
                        raise MemoryError
                    set_next_link(tails[level], down)
                    tails[level] = down
                for level in range(levels):
                    tails[level].span += taken
            memcpy(block.scores, given + start, taken * sizeof(double))
            for index in range(taken):
                block.members[index] = <PyObject*>PyList_GET_ITEM(members, start + index)
                Py_INCREF(<object>block.members[index])
            block.size = taken
            built.size += taken
        return built

    def copy(self):
        """An independent copy. O(N)."""
        if not self.size:
            return SkipList()
        members, scores = self.columns(0, self.size)
        return SkipList.from_sorted(scores, members)

    def __len__(self):
        """Number of elements. O(1)."""
        return self.size

    def __sizeof__(self):
        """Bytes of the list and all its parts, without the members. O(N / BLOCK_MAX)."""
        cdef Block* block = &self.head
        cdef Link* level = self.top
        cdef Link* link
        cdef size_t size = object.__sizeof__(self)
        while block != NULL:
            size += block.room * (sizeof(double) + sizeof(PyObject*))
            if block != &self.head:
                size += sizeof(Block)
            block = block.next
        while level != NULL:
            link = level
            while link != NULL:
                size += sizeof(Link)
                link = link.next
            level = level.down
        return size

    def __iter__(self):
        """Yield (member, score) in order; should the list change meanwhile, by rank."""
        cdef Py_ssize_t start = 0, stop
        while start < self.size:
            stop = min(start + 512, self.size)
            members, scores = self.columns(start, stop)
            yield from zip(members, scores, strict=True)
            start = stop

    def _blocks(self):
        cdef Block* block = &self.head
        cdef Py_ssize_t begin = 0
        views = []
        while block != NULL:
            members, scores = self.columns(begin, begin + block.size) if block.size else ([], array("d"))
            views.append(_BlockView(scores, members))
            begin += block.size
            block = block.next
        return views

    @property
    def _top(self):
        """The number of levels, None if there are none."""
        cdef Link* link = self.top
        levels = 0
        while link != NULL:
            levels += 1
            link = link.down
        return levels or None

    cpdef insert(self, double score, bytes member):
        """Add a key that is not present. O(log N) expected."""
        cdef Link* link = self.top
        cdef Block* block = &self.head
        cdef PyObject* key = <PyObject*>member
        cdef int index, size
        if member is None:
            raise TypeError("a member is not bytes")
        if link != NULL:
            while True:
                while leads_to(link.next_score, link.next_member, score, key):
                    link = link.next
                link.span += 1
                if link.down == NULL:
                    break
                link = link.down
            block = link.block
        while leads_to(block.next_score, block.next_member, score, key):
            block = block.next
        size = block.size
        if size == block.room and not resize(block, size + (size >> 3) + 4):
            self.restore_spans(score, key, -1)
            raise MemoryError
        index = score_right(block.scores, size, score)
        if index and block.scores[index - 1] == score and compare(block.members[index - 1], key) > 0:
            index = member_left(block.members, key, score_left(block.scores, index, score), index)
        memmove(block.scores + index + 1, block.scores + index, (size - index) * sizeof(double))
        memmove(block.members + index + 1, block.members + index, (size - index) * sizeof(PyObject*))
        block.scores[index] = score
        block.members[index] = key
        Py_INCREF(member)
        block.size = size + 1
        self.size += 1
        if size + 1 > block_max:
            self.split(block, index if block.next == NULL and index == size else (size + 1) // 2)

    cdef void restore_spans(self, double score, PyObject* member, int change) noexcept:
        """Change the spans above a key, as insert and delete do on their way."""
        cdef Link* link = self.top
        while link != NULL:
            while leads_to(link.next_score, link.next_member, score, member):
                link = link.next
            link.span += change
            link = link.down

    cpdef bytes delete(self, double score, bytes member):
        """Remove a key that is present and return the list's own member object. O(log N) expected.

        KeyError if it is not there.
        """
        cdef Link* link = self.top
        cdef Block* block = &self.head
        cdef PyObject* key = <PyObject*>member
        cdef int index
        if member is None:
            raise TypeError("a member is not bytes")
        if link != NULL:
            while True:
                while leads_to(link.next_score, link.next_member, score, key):
                    link = link.next
                link.span -= 1
                if link.down == NULL:
                    break
                link = link.down
            block = link.block
        while leads_to(block.next_score, block.next_member, score, key):
            block = block.next
        index = place_of(block, score, key)
        if index == block.size or block.scores[index] != score or compare(block.members[index], key) != 0:
            self.restore_spans(score, key, 1)
            raise KeyError(member)
        found = <bytes>block.members[index]
        Py_DECREF(found)
        take_out(block, index, index + 1)
        self.size -= 1
        if block.size == block_min - 1 or not block.size:
            self.join(block)
        return found

    cpdef move(self, double score, double to, bytes member):
        """Give a key that is present another score; the member object stays. O(log N) expected.

        Memory is slow, not the search: what is needed of the second block is on its way while the first is changed.
        """
        self.fetch(to)
        self.insert(to, self.delete(score, member))

    cdef void fetch(self, double score) noexcept:
        """Have the processor load the scores of the block in which ``score`` belongs where bisection begins."""
        cdef Link* link = self.top
        cdef Block* block = &self.head
        cdef int quarter
        while link != NULL:
            while link.next_score < score:
                link = link.next
            block = link.block
            link = link.down
        while block.next_score < score:
            block = block.next
        quarter = block.size >> 2
        KEDIS_PREFETCH(block.scores + quarter)
        KEDIS_PREFETCH(block.scores + 2 * quarter)
        KEDIS_PREFETCH(block.scores + 3 * quarter)

    cpdef Py_ssize_t rank(self, double score, bytes member) except -1:
        """Number of keys before (score, member), which need not be present. O(log N) expected."""
        cdef Py_ssize_t rank = 0
        cdef Link* link = self.top
        cdef Block* block = &self.head
        cdef PyObject* key = <PyObject*>member
        if member is None:
            raise TypeError("a member is not bytes")
        if link != NULL:
            while True:
                while leads_to(link.next_score, link.next_member, score, key):
                    rank += link.span
                    link = link.next
                if link.down == NULL:
                    break
                link = link.down
            block = link.block
        while leads_to(block.next_score, block.next_member, score, key):
            rank += block.size
            block = block.next
        return rank + place_of(block, score, key)

    cpdef Py_ssize_t rank_of_score(self, double score, bint after) except -1:
        """Number of scores below `score`, or up to and with it when `after`. O(log N) expected."""
        cdef Py_ssize_t rank = 0
        cdef Link* link = self.top
        cdef Block* block = &self.head
        while link != NULL:
            while link.next_score < score or (after and link.next_score == score):
                rank += link.span
                link = link.next
            block = link.block
            link = link.down
        while block.next_score < score or (after and block.next_score == score):
            rank += block.size
            block = block.next
        if after:
            return rank + score_right(block.scores, block.size, score)
        return rank + score_left(block.scores, block.size, score)

    cpdef Py_ssize_t rank_of_member(self, bytes member, bint after) except -1:
        """As rank_of_score, by member alone: for lists in which all scores are equal. O(log N) expected."""
        cdef Py_ssize_t rank = 0
        cdef Link* link = self.top
        cdef Block* block = &self.head
        cdef PyObject* key = <PyObject*>member
        if member is None:
            raise TypeError("a member is not bytes")
        while link != NULL:
            while link.next != NULL and compare(link.next_member, key) <= 0:
                rank += link.span
                link = link.next
            block = link.block
            link = link.down
        while block.next != NULL and compare(block.next_member, key) <= 0:
            rank += block.size
            block = block.next
        if after:
            return rank + member_right(block.members, key, 0, block.size)
        return rank + member_left(block.members, key, 0, block.size)

    cdef int require(self, Py_ssize_t start, Py_ssize_t stop) except -1:
        """Raise IndexError unless ``start`` to ``stop`` is a range of ranks that is not empty."""
        if not 0 <= start < stop <= self.size:
            raise IndexError("rank out of range")
        return 0

    cdef Block* locate(self, Py_ssize_t* rank) noexcept:
        """The block that holds a position; ``rank`` becomes the place in it. O(log N) expected."""
        cdef Link* link = self.top
        cdef Block* block = &self.head
        while link != NULL:
            while rank[0] >= link.span:
                rank[0] -= link.span
                link = link.next
            block = link.block
            link = link.down
        while rank[0] >= block.size:
            rank[0] -= block.size
            block = block.next
        return block

    cpdef tuple at(self, Py_ssize_t rank):
        """The (member, score) at position `rank`, 0 <= rank < N. O(log N) expected."""
        self.require(rank, rank + 1)
        cdef Block* block = self.locate(&rank)
        return (<object>block.members[rank], block.scores[rank])

    cpdef list pairs(self, Py_ssize_t start, Py_ssize_t stop):
        """(member, score) of ranks start..stop-1, 0 <= start < stop <= N. O(log N + M)."""
        cdef Py_ssize_t at
        cdef Block* block
        self.require(start, stop)
        cdef list found = PyList_New(stop - start)
        stop -= start
        block = self.locate(&start)
        for at in range(stop):
            if start == block.size:
                block, start = block.next, 0
            pair = (<object>block.members[start], block.scores[start])
            Py_INCREF(pair)
            PyList_SET_ITEM(found, at, pair)
            start += 1
        return found

    cpdef list members(self, Py_ssize_t start, Py_ssize_t stop):
        """Members of ranks start..stop-1, 0 <= start < stop <= N. O(log N + M)."""
        cdef Py_ssize_t at
        cdef Block* block
        self.require(start, stop)
        cdef list found = PyList_New(stop - start)
        stop -= start
        block = self.locate(&start)
        for at in range(stop):
            if start == block.size:
                block, start = block.next, 0
            Py_INCREF(<object>block.members[start])
            PyList_SET_ITEM(found, at, <object>block.members[start])
            start += 1
        return found

    cpdef tuple columns(self, Py_ssize_t start, Py_ssize_t stop):
        """Members and scores of ranks start..stop-1 side by side, 0 <= start < stop <= N. O(log N + M), 2 ns each."""
        cdef list members = self.members(start, stop)
        cdef array scores = clone(_DOUBLES, stop - start, False)
        cdef double* place = scores.data.as_doubles
        cdef Py_ssize_t left = stop - start, taken
        cdef Block* block = self.locate(&start)
        while left:
            taken = min(left, block.size - start)
            memcpy(place, block.scores + start, taken * sizeof(double))
            place += taken
            left -= taken
            block, start = block.next, 0
        return members, scores

    # The following methods change the levels; they run once per few hundred changes of elements.

    cdef int path_to_key(self, double score, PyObject* member, Link** path, Py_ssize_t* begins, Block** block, Py_ssize_t* begin) noexcept:
        """The last link of each level, highest first, and the last block that begin before a key, with their ranks.

        Returns the number of levels.
        """
        cdef Py_ssize_t rank = 0
        cdef int levels = 0
        cdef Link* link = self.top
        cdef Block* place = &self.head
        while link != NULL:
            while link.next_score < score or (link.next_score == score and compare(link.next_member, member) < 0):
                rank += link.span
                link = link.next
            path[levels], begins[levels] = link, rank
            levels += 1
            place = link.block
            link = link.down
        while place.next_score < score or (place.next_score == score and compare(place.next_member, member) < 0):
            rank += place.size
            place = place.next
        block[0], begin[0] = place, rank
        return levels

    cdef int path_to_rank(self, Py_ssize_t rank, Link** path, Py_ssize_t* begins, Block** block, Py_ssize_t* begin) noexcept:
        """As path_to_key, for the last ones that begin at or before position ``rank`` < N."""
        cdef Py_ssize_t passed = 0
        cdef int levels = 0
        cdef Link* link = self.top
        cdef Block* place = &self.head
        while link != NULL:
            while rank - passed >= link.span:
                passed += link.span
                link = link.next
            path[levels], begins[levels] = link, passed
            levels += 1
            place = link.block
            link = link.down
        while rank - passed >= place.size:
            passed += place.size
            place = place.next
        block[0], begin[0] = place, passed
        return levels

    cdef int split(self, Block* block, int cut) noexcept:
        """Move the elements of ``block`` from index ``cut`` on to a new block with a tower of its own.

        Where there is no memory for it the block stays as it is, longer than wanted; the next insert tries again.
        """
        cdef Link* path[LEVELS]
        cdef Link* tower[LEVELS]
        cdef Py_ssize_t begins[LEVELS]
        cdef Py_ssize_t rank
        cdef Block* before
        cdef Block* right
        cdef Link* link
        cdef int height = draw_height(), levels, level, moved = block.size - cut
        right = new_block(block.scores[cut], block.members[cut], moved)
        if right == NULL:
            return 0
        levels = self.path_to_key(right.low_score, right.low_member, path, begins, &before, &rank)
        # The links of the new tower, and those of the head on levels that are new.
        for level in range(height):
            tower[level] = new_link(right, NULL if level == 0 else tower[level - 1], 0)
            if tower[level] == NULL:
                height = level
                break
        level = levels
        while level < height:
            link = new_link(&self.head, self.top, self.size)
            if link == NULL:
                while height > level:
                    height -= 1
                    PyMem_Free(tower[height])
                break
            self.top = link
            level += 1
        memcpy(right.scores, block.scores + cut, moved * sizeof(double))
        memcpy(right.members, block.members + cut, moved * sizeof(PyObject*))
        right.size = moved
        block.size = cut
        shrink(block)
        set_next_block(right, block.next)
        set_next_block(block, right)
        rank += cut
        link = self.top
        for level in range(levels, height):  # the new levels, of the head alone until now
            set_next_link(link, tower[height - 1 - (level - levels)])
            link.next.span = link.span - rank
            link.span = rank
            link = link.down
        for level in range(min(levels, height)):
            link = path[levels - 1 - level]
            tower[level].span = begins[levels - 1 - level] + link.span - rank
            set_next_link(tower[level], link.next)
            set_next_link(link, tower[level])
            link.span = rank - begins[levels - 1 - level]
        return 0

    cdef Block* join(self, Block* block) noexcept:
        """Join a small block to its neighbours while they fit; return the block it became part of."""
        cdef Link* path[LEVELS]
        cdef Py_ssize_t begins[LEVELS]
        cdef Py_ssize_t rank
        cdef Block* before
        while block.size < block_min:
            if block.next != NULL and fit(block, block.next):
                if not self.absorb_next(block):
                    break
                continue
            if block == &self.head:
                break
            self.path_to_key(block.low_score, block.low_member, path, begins, &before, &rank)
            if not fit(before, block) or not self.absorb_next(before):
                break
            block = before
        shrink(block)
        return block

    cdef bint absorb_next(self, Block* block) noexcept:
        """Append the next block's elements to ``block`` and remove the next block's tower from the levels.

        False, with nothing changed, where there is no memory.
        """
        cdef Link* path[LEVELS]
        cdef Py_ssize_t begins[LEVELS]
        cdef Py_ssize_t rank
        cdef Block* before
        cdef Link* link
        cdef Link* gone
        cdef Block* right = block.next
        cdef int levels, level, together = block.size + right.size
        if block.room < together and not resize(block, together):
            return False
        levels = self.path_to_key(right.low_score, right.low_member, path, begins, &before, &rank)
        for level in range(levels - 1, -1, -1):
            link = path[level]
            gone = link.next
            if gone == NULL or gone.block != right:
                break
            link.span += gone.span
            set_next_link(link, gone.next)
            PyMem_Free(gone)
        memcpy(block.scores + block.size, right.scores, right.size * sizeof(double))
        memcpy(block.members + block.size, right.members, right.size * sizeof(PyObject*))
        block.size = together
        set_next_block(block, right.next)
        free_block(right)
        self.drop_empty_levels()
        return True

    cdef void drop_empty_levels(self) noexcept:
        cdef Link* link
        while self.top != NULL and self.top.next == NULL:
            link = self.top
            self.top = link.down
            PyMem_Free(link)

    cpdef list delete_ranks(self, Py_ssize_t start, Py_ssize_t stop):
        """Remove ranks start..stop-1, 0 <= start < stop <= N, and return them. O(log N + M)."""
        cdef Link* path[LEVELS]
        cdef Py_ssize_t begins[LEVELS]
        cdef Py_ssize_t begin, last_begin
        cdef Block* first
        cdef Block* last
        cdef Block* gone
        cdef Block* following
        cdef int levels, level, index, end
        cdef list taken = self.pairs(start, stop)
        levels = self.path_to_rank(start, path, begins, &first, &begin)
        # `last` is the first block after `first` that keeps elements, `last_begin` its rank until now.
        last, last_begin = first.next, begin + first.size
        while last != NULL and last_begin + last.size <= stop:
            last_begin += last.size
            last = last.next
        for level in range(levels):
            cut_level(path[level], begins[level], start, stop, last_begin)
        gone = first.next
        index, end = <int>(start - begin), <int>min(first.size, stop - begin)
        drop_references(first, index, end)
        take_out(first, index, end)
        while gone != last:
            following = gone
            gone = gone.next
            drop_references(following, 0, following.size)
            free_block(following)
        if last != NULL and stop > last_begin:
            end = <int>(stop - last_begin)
            drop_references(last, 0, end)
            take_out(last, 0, end)
            shrink(last)
        set_next_block(first, last)
        self.size -= stop - start
        self.drop_empty_levels()
        first = self.join(first)
        if first.next != NULL:
            self.join(first.next)
        return taken

    def _check(self):
        """Assert every invariant: order, separators, block sizes, levels, spans. O(N)."""
        cdef Block* block = &self.head
        cdef Py_ssize_t position = 0
        cdef int last_size = block_min, index
        cdef dict begins = {}
        last_key = (-INFINITY, b"")
        while block != NULL:
            begins[<size_t>block] = position
            assert block.size <= block_max and block.size <= block.room
            assert max(block.size, last_size) >= block_min, "two small neighbours"
            assert block.size or (block == &self.head and block.next == NULL), "an empty block was left"
            keys = [(block.scores[index], <object>block.members[index]) for index in range(block.size)]
            low = (block.low_score, b"" if block.low_member == NULL else <object>block.low_member)
            assert all([low <= key for key in keys])
            assert block == &self.head or not position or last_key < low
            assert all([a < b for a, b in pairwise(keys)]), "wrong order"
            if block.next == NULL:
                assert block.next_score != block.next_score and block.next_member == NULL
            else:
                assert block.next_score == block.next.low_score and block.next_member == block.next.low_member
            position += block.size
            last_size = block.size
            last_key = keys[len(keys) - 1] if keys else last_key
            block = block.next
        assert self.size == position
        self.check_levels(begins)

    cdef int check_levels(self, dict begins) except -1:
        cdef Link* top = self.top
        cdef Link* link
        assert top == NULL or top.next != NULL, "an empty level was left"
        above = set()
        while top != NULL:
            assert top.block == &self.head
            here = set()
            link = top
            while link != NULL:
                here.add(<size_t>link.block)
                stop = self.size if link.next == NULL else begins[<size_t>link.next.block]
                assert link.span == stop - begins[<size_t>link.block], "wrong span"
                assert (link.down == NULL) == (top.down == NULL)
                assert link.down == NULL or link.down.block == link.block
                if link.next == NULL:
                    assert link.next_score != link.next_score and link.next_member == NULL
                else:
                    assert link.next_score == link.next.block.low_score
                    assert link.next_member == link.next.block.low_member
                link = link.next
            assert above <= here, "a tower with a missing storey"
            above, top = here, top.down
        return 0


cdef bint fit(Block* left, Block* right) noexcept:
    """Whether two neighbours may become one block. An empty block always does."""
    return left.size + right.size <= merge_max or not (left.size and right.size)


cdef void drop_references(Block* block, int first, int last) noexcept:
    cdef int index
    for index in range(first, last):
        Py_DECREF(<object>block.members[index])
