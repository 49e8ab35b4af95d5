# Pools that are withheld from Python's allocator, so that not even a page of them is kept.
#
# An empty pool is in a list through its header, whose page therefore stays: 256 KB of an arena that is kept for one
# object. A *full* pool is in no list, and the allocator does not look at its header until one of its objects is freed.
# So two objects are made in each empty pool, the pool is made to look full, and all of its pages are given back. Nobody
# else has these two objects. Before they are freed again the header is written anew. The allocator serves a size from
# pools that have that size before it takes an empty one; so the size is one of which hardly a place is free.

cdef struct Withheld:
    Pool *pool
    # What the header says of the pool's place among the arenas.
    unsigned int arena
    unsigned int size_index

cdef enum:
    # The smallest size that is chosen for that, 144 bytes.
    FIRST_SIZE = 8
    # What a step may take: pools, and objects that come to stand in other pools: those in use, and those of arenas that
    # were there before any was known, perhaps so many of them.
    WITHHELD_STEP = 1 << 10
    MOST_FILLERS = 1 << 14
    UNKNOWN_POOLS = 1 << 8

cdef Withheld *withheld = NULL
cdef size_t withheld_count = 0, withheld_room = 0


cdef inline Pool *pool_of(char *address) noexcept:
    return <Pool *> (<uintptr_t> address & ~(<uintptr_t> POOL - 1))


cdef inline bint is_known(char *address) noexcept:
    """Whether ``address`` is in an arena that is known, and as it must be."""
    cdef size_t place = place_of(address + 1)
    return place != 0 and address < arenas[place - 1].address + ARENA and not arenas[place - 1].is_strange


cdef bint make_room() noexcept:
    global withheld, withheld_room
    cdef Withheld *larger
    if withheld_count < withheld_room:
        return True
    larger = <Withheld *> realloc(withheld, (2 * withheld_room + 1024) * sizeof(Withheld))
    if larger == NULL:
        return False
    withheld, withheld_room = larger, 2 * withheld_room + 1024
    return True


cdef unsigned int choose_size() noexcept:
    """The index of a size of which few objects fill all other pools; O(pools of known arenas).

    Empty pools are marked as new ones, as :func:`release` does: their lists of free places may be in any order.
    """
    cdef size_t places[SIZES]
    cdef size_t number
    cdef unsigned int index, best = FIRST_SIZE
    cdef Pool *pool
    cdef char *end
    memset(places, 0, sizeof(places))
    for number in range(count):
        pool = first_pool(&arenas[number])
        end = arenas[number].address + ARENA
        while not arenas[number].is_strange and <char *> pool + POOL <= end:
            if pool.last_offset and is_plausible(pool) and pool.size_index != NO_SIZE:
                if pool.count:
                    places[pool.size_index] += (POOL - sizeof(Pool)) // ((pool.size_index + 1) * 16) - pool.count
                else:
                    pool.size_index = NO_SIZE
            pool = <Pool *> (<char *> pool + POOL)
    for index in range(FIRST_SIZE, SIZES):
        places[index] += UNKNOWN_POOLS * ((POOL - sizeof(Pool)) // ((index + 1) * 16))
        if places[index] < places[best]:
            best = index
    return best


cdef bint take_out(char *first, unsigned int index) noexcept:
    """Withhold the pool in which ``first`` is the only object, and its first one; False where that cannot be."""
    global withheld_count
    cdef unsigned int size = (index + 1) * 16
    cdef Pool *pool = pool_of(first)
    cdef char *second
    if (
        not is_known(first) or first != <char *> pool + sizeof(Pool) or pool.count != 1
        or pool.size_index != index or pool.last_offset != POOL - size
        or pool.next_offset != sizeof(Pool) + 2 * size or not make_room()
    ):
        return False
    pool.next_offset = POOL  # no place behind the second
    second = <char *> PyObject_Malloc(size)
    if second != first + size or pool.free_block != NULL:
        pool.next_offset = sizeof(Pool) + 2 * size
        PyObject_Free(second)
        return False
    withheld[withheld_count].pool, withheld[withheld_count].arena = pool, pool.arena
    withheld[withheld_count].size_index = index
    withheld_count += 1
    madvise(pool, POOL, MADV_DONTNEED)
    return True


def withhold(bint whole=False):
    """Withhold pools in which nothing is left from the allocator, and give back all of their pages.

    What is made afterwards is made in new arenas. For a server that has just lost all data, until it gets others:
    :func:`put_back`. A step takes 2 ** 10 pools, 3 ms.

    Args:
        whole: take all at once.

    Returns:
        whether no more are left.
    """
    # Each holds the address of the one before.
    cdef char *fillers = NULL
    cdef char *former
    cdef size_t filled = 0, arenas_before = count
    cdef Py_ssize_t left = WITHHELD_STEP
    cdef char *made
    cdef bint ended = count == 0 or not 0 < page_size <= POOL
    cdef unsigned int index = choose_size()
    while not ended and (left > 0 or whole):
        made = <char *> PyObject_Malloc((index + 1) * 16)
        if made == NULL:
            ended = True
        elif count != arenas_before or filled == MOST_FILLERS:
            PyObject_Free(made)  # of a new arena, for no other has room
            ended = True
        elif take_out(made, index):
            left -= 1
        else:
            (<char **> made)[0] = fillers
            fillers = made
            filled += 1
    while fillers != NULL:
        former = (<char **> fillers)[0]
        PyObject_Free(fillers)
        fillers = former
    return ended


def put_back():
    """Give pools that were withheld to the allocator again, 2 ** 12 in a step of 2 ms; whether none is left."""
    global withheld_count
    cdef Py_ssize_t left = 4 * WITHHELD_STEP
    cdef Pool *pool
    cdef unsigned int index, size
    while withheld_count and left:
        withheld_count -= 1
        left -= 1
        pool, index = withheld[withheld_count].pool, withheld[withheld_count].size_index
        size = (index + 1) * 16
        pool.count = 2
        pool.free_block = NULL
        pool.next_pool = pool.previous_pool = NULL
        pool.arena = withheld[withheld_count].arena
        pool.size_index = index
        pool.next_offset = sizeof(Pool) + 2 * size
        pool.last_offset = POOL - size
        PyObject_Free(<char *> pool + sizeof(Pool))
        PyObject_Free(<char *> pool + sizeof(Pool) + size)
    return withheld_count == 0
