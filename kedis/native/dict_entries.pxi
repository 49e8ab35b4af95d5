# Pages of a dict in which all entries are of removed keys.
#
# A dict keeps its entries in the order in which they came, and what a removed key leaves is an entry without key and
# value; it is never written again, and never read but for that. So a page of such entries may as well hold zeros, which
# takes no memory. The layout is that of CPython 3.11 to 3.14 (``Include/internal/pycore_dict.h``), and is compared with
# what the dict says of its own size before anything is given back.

cdef struct Keys:
    # The table of a dict, as far as its indices, which are followed by its entries.
    Py_ssize_t references
    unsigned char log2_size
    unsigned char log2_index_bytes
    unsigned char kind
    unsigned int version
    Py_ssize_t usable
    Py_ssize_t entries

cdef struct Entry:
    Py_ssize_t hash_value
    PyObject *key
    PyObject *value

cdef enum:
    # Tables below this many entries are not worth it. Entries that a step looks at, 1 ms.
    FEW_ENTRIES = 1 << 15
    ENTRIES_STEP = 1 << 17
    # Keys of any kind, as opposed to texts alone.
    GENERAL = 0


cdef Entry *entries_of(dict table) except? NULL:
    """The entries of ``table``, whose number is in its keys; NULL where they are not as they must be."""
    cdef Keys *keys = <Keys *> (<PyDictObject *> table).ma_keys
    cdef Py_ssize_t size
    if (<PyDictObject *> table).ma_values != NULL or keys.references != 1 or keys.kind != GENERAL:
        return NULL
    if not 3 <= keys.log2_size <= 40 or not keys.log2_size <= keys.log2_index_bytes <= keys.log2_size + 3:
        return NULL
    size = (<Py_ssize_t> 2 << keys.log2_size) // 3
    if keys.entries + keys.usable != size or not len(table) <= keys.entries <= size:
        return NULL
    if table.__sizeof__() != sizeof(PyDictObject) + sizeof(Keys) + (<Py_ssize_t> 1 << keys.log2_index_bytes) + (
        size * <Py_ssize_t> sizeof(Entry)
    ):
        return NULL
    return <Entry *> (<char *> keys + sizeof(Keys) + (<size_t> 1 << keys.log2_index_bytes))


def places(dict table not None):
    """How many keys more ``table`` takes before it needs memory; -1 where that cannot be known."""
    return -1 if entries_of(table) == NULL else (<Keys *> (<PyDictObject *> table).ma_keys).usable


cdef void give_back_pages(char *begin, char *end) noexcept:
    """Give back the whole pages from ``begin`` to before ``end``."""
    cdef uintptr_t first = (<uintptr_t> begin + page_size - 1) & ~(<uintptr_t> page_size - 1)
    cdef uintptr_t last = <uintptr_t> end & ~(<uintptr_t> page_size - 1)
    if first < last:
        madvise(<void *> first, last - first, MADV_DONTNEED)


def release_entries(dict table not None, Py_ssize_t begin=0):
    """Give back pages of ``table`` in which all entries are of removed keys. A step looks at 2 ** 17 entries, 1 ms.

    Args:
        begin: the entry that the step begins with.

    Returns:
        the one that the next step begins with; 0 at the end, and where it is not worth it.
    """
    cdef Entry *entries = entries_of(table)
    cdef Py_ssize_t count, at, end, dead = begin
    cdef PyObject *found
    if entries == NULL:
        return 0
    count = (<Keys *> (<PyDictObject *> table).ma_keys).entries
    if count < FEW_ENTRIES or len(table) * 8 > count * 7 or begin < 0:
        return 0
    end = min(begin + ENTRIES_STEP, count)
    for at in range(begin, end):
        if entries[at].value == NULL:
            if entries[at].key != NULL:
                return 0
            continue
        if at - dead >= page_size // <Py_ssize_t> sizeof(Entry):
            found = PyDict_GetItem(table, <object> entries[at].key)
            if found != entries[at].value:
                return 0
            give_back_pages(<char *> (entries + dead), <char *> (entries + at))
        dead = at + 1
    give_back_pages(<char *> (entries + dead), <char *> (entries + max(end, dead)))
    return end if end < count else 0
