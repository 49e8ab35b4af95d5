# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=True
"""Pools of Python's allocator: gives those back to the system in which nothing is left.

CPython's allocator for small objects divides arenas of 1 MB into pools of 16 kB, each for one size. It gives an arena
back when no object is left in it, and never a single pool: one integer of the server that was made in the midst of the
data keeps 1 MB. After :func:`watch` the arenas are known, by the public hooks for an allocator of arenas, and
:func:`release` gives back the pages of empty pools.

The first page of a pool has its header and stays, unless the pool is withheld (withheld.pxi): 12 of 16 kB come back
where a page has 4. The kernel gives back whole pages, and takes a part of one for all of it: where a page is larger than
a pool (64 kB, as some kernels for ARM have it) pools are left alone.
The header says which size the pool had, so that it can be used again without being made anew; that is struck out first,
in the way in which the allocator itself marks a new pool. The layout is that of CPython 3.11 to 3.14
(``Objects/obmalloc.c``, ``Include/internal/pycore_obmalloc.h``). Each header is compared with what it must be before
anything is written, and an arena with one that is otherwise is left alone for good. From 3.11 on the same hooks serve
the stacks of Python's frames, by 16 kB and more; they are no arenas by their size. Where Python allocates in another way
(PYTHONMALLOC, builds without the GIL) there are none, and nothing happens.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.stdint cimport uintptr_t
from libc.stdlib cimport realloc
from libc.string cimport memmove, memset

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_DONTNEED

cdef extern from "<unistd.h>" nogil:
    long sysconf(int name)
    int _SC_PAGESIZE

cdef extern from "Python.h":
    ctypedef struct PyObjectArenaAllocator:
        void *ctx
        void *(*alloc)(void *ctx, size_t size)
        void (*free)(void *ctx, void *address, size_t size)
    void PyObject_GetArenaAllocator(PyObjectArenaAllocator *allocator)
    void PyObject_SetArenaAllocator(PyObjectArenaAllocator *allocator)
    void *PyObject_Malloc(size_t size)
    void PyObject_Free(void *address)
    ctypedef struct PyDictObject:
        void *ma_keys
        void *ma_values

cdef struct Pool:
    # The header. `count` is the number of objects in it; a pool in which there are none is in its arena's list.
    unsigned int count
    unsigned int padding
    void *free_block
    void *next_pool
    void *previous_pool
    unsigned int arena
    unsigned int size_index
    unsigned int next_offset
    unsigned int last_offset

cdef struct Arena:
    char *address
    # Whether it has a header that is not what it must be.
    bint is_strange

cdef enum:
    ARENA = 1 << 20
    POOL = 1 << 14
    SIZES = 32
    # Of a pool that has not been used for a size yet.
    NO_SIZE = 0xffff
    # What a step may cost, and a pool that is given back, in pools that are looked at.
    STEP = 1 << 15
    GIVEN = 31

#: Of the kernel.
cdef Py_ssize_t page_size = sysconf(_SC_PAGESIZE)
cdef PyObjectArenaAllocator before
# By address.
cdef Arena *arenas = NULL
cdef size_t count = 0, room = 0
cdef bint is_watching = False
# Where the next step begins.
cdef char *reached = NULL


cdef size_t place_of(char *address) noexcept:
    """The number of arenas that begin below ``address``."""
    cdef size_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) // 2
        if arenas[middle].address < address:
            low = middle + 1
        else:
            high = middle
    return low


cdef void *make_arena(void *context, size_t size) noexcept:
    global arenas, count, room
    cdef char *made = <char *> before.alloc(context, size)
    cdef size_t place
    cdef Arena *larger
    if made == NULL or size != ARENA:
        return made
    if count == room:
        larger = <Arena *> realloc(arenas, (2 * room + 64) * sizeof(Arena))
        if larger == NULL:
            return made  # one arena is not known
        arenas, room = larger, 2 * room + 64
    place = place_of(made)
    memmove(arenas + place + 1, arenas + place, (count - place) * sizeof(Arena))
    arenas[place].address, arenas[place].is_strange = made, False
    count += 1
    return made


cdef void free_arena(void *context, void *address, size_t size) noexcept:
    global count
    cdef size_t place = place_of(<char *> address)
    if place < count and arenas[place].address == address:
        count -= 1
        memmove(arenas + place, arenas + place + 1, (count - place) * sizeof(Arena))
    before.free(context, address, size)


def watch():
    """Know each arena that is made from now on. Idempotent."""
    global is_watching
    cdef PyObjectArenaAllocator ours
    if not is_watching:
        is_watching = True
        PyObject_GetArenaAllocator(&before)
        ours.ctx, ours.alloc, ours.free = before.ctx, make_arena, free_arena
        PyObject_SetArenaAllocator(&ours)


cdef inline bint is_plausible(Pool *pool) noexcept:
    """Whether this may be the header of a pool that has been used."""
    cdef unsigned int size
    if pool.size_index == NO_SIZE:
        return pool.count == 0
    size = (pool.size_index + 1) * 16
    return (
        pool.size_index < SIZES
        and pool.last_offset == POOL - size
        and pool.next_offset <= POOL
        and pool.count <= (POOL - sizeof(Pool)) // size
    )


cdef inline Pool *first_pool(Arena *arena) noexcept:
    return <Pool *> ((<uintptr_t> arena.address + POOL - 1) & ~(<uintptr_t> POOL - 1))


def release(bint whole=False):
    """Give back the pages of pools in which nothing is left, in one step of a round through all arenas.

    A step looks at 2 ** 15 pools, or gives back 2 ** 10 (12 MB), or as much in between: 1 to 3 ms. The next one goes
    on behind it.

    Args:
        whole: do a whole round at once.

    Returns:
        whether the round is at its end.
    """
    global reached
    cdef Py_ssize_t effort = STEP
    cdef size_t number
    cdef Pool *pool
    cdef char *end
    if not 0 < page_size < POOL:
        return True
    if whole:
        reached = NULL
    number = place_of(reached)
    while number < count:
        if effort <= 0 and not whole:
            reached = arenas[number].address
            return False
        pool = first_pool(&arenas[number])
        end = arenas[number].address + ARENA
        while not arenas[number].is_strange and <char *> pool + POOL <= end:
            if not pool.last_offset:
                pass  # it is withheld, or has not been cut from its arena yet
            elif not is_plausible(pool):
                arenas[number].is_strange = True
                break
            effort -= 1
            if pool.last_offset and pool.count == 0 and pool.size_index != NO_SIZE:
                pool.size_index = NO_SIZE
                madvise(<char *> pool + page_size, POOL - page_size, MADV_DONTNEED)
                effort -= GIVEN
            pool = <Pool *> (<char *> pool + POOL)
        number += 1
    reached = NULL
    return True


include "withheld.pxi"
include "dict_entries.pxi"


def is_sparse(object thing):
    """Whether ``thing`` is in a pool of a known arena that is filled to less than seven eighths. O(log arenas).

    A copy of such an object is probably made in a fuller one: the allocator fills one pool of a size after another.
    """
    cdef char *address = <char *> <void *> thing
    cdef Pool *pool = pool_of(address)
    if not is_known(address) or not is_known(<char *> pool) or not is_plausible(pool) or pool.size_index == NO_SIZE:
        return False
    return pool.count * (pool.size_index + 1) * 16 < POOL - POOL // 8


def copied(bytes text not None):
    """Another object with the same content. (``bytes(text)`` is ``text`` itself.) O(n)."""
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


def figures():
    """How the arenas are used, for the account of memory and for tests.

    Returns:
        the number of those that can be read, of their pools in use, and of the bytes of the objects in these.
    """
    cdef size_t number, known = 0, pools = 0, used = 0
    cdef Pool *pool
    cdef char *end
    for number in range(count):
        if arenas[number].is_strange:
            continue
        known += 1
        pool = first_pool(&arenas[number])
        end = arenas[number].address + ARENA
        while <char *> pool + POOL <= end:
            if pool.count and is_plausible(pool):
                pools += 1
                used += pool.count * (pool.size_index + 1) * 16
            pool = <Pool *> (<char *> pool + POOL)
    return known, pools, used
