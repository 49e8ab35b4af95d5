# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
# cython: binding=True
"""Keys of a snapshot in C: read from its bytes, and put into a database.

Only what is most frequent, and certain: whole records of new keys, with what LRU and LFU know of them and a time to
live or without, whose values are strings, or small hashes and lists. At anything else, a record that is cut off or
damaged included, the caller goes on.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_SetItem
from cpython.object cimport PyObject
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy

from kedis.structures.key_numbers cimport KeyNumbers
from kedis.structures.packed cimport Packed, add_flat, begin_flat, flat_hash, flat_list, read_listpack
from kedis.structures.scan_index cimport ScanIndex

from kedis.store.access import LFU_BEGIN, AccessTracker, LfuTracker
from kedis.store.account import _KEY, ACCESS_ENTRY, EXPIRY_ENTRY, Account
from kedis.structures.footprint import BYTES
from kedis.structures.packing import Thresholds
from kedis.store.key_table import KeyTable
from kedis.store.state import KeyspaceState

include "small_integers.pxi"

cdef extern from "slots.h":
    Py_ssize_t slot_offset(object descriptor) except -1
    PyObject* slot_get(object owner, Py_ssize_t offset)
    long long slot_int(object owner, Py_ssize_t offset)
    int slot_add(object owner, Py_ssize_t offset, long long amount) except -1

cdef extern from "presize.h":
    int presize(dict keys, Py_ssize_t count) except -1

cdef enum:
    STRING = 0
    LIST = 1
    HASH = 4
    #: No packed collection has more elements.
    FEW = 8192
    HASH_LISTPACK = 16
    LIST_QUICKLIST_2 = 18
    #: A node of a quicklist that is a listpack.
    ONE_PIECE = 2
    IDLE = 0xF8
    FREQUENCY = 0xF9
    EXPIRE_MS = 0xFC
    #: A longer string is for the caller, which looks after its memory.
    LONGEST = 1 << 20
    #: Three bytes of LZF make 264 at most.
    MOST_GROWTH = 88

cdef Py_ssize_t ACCOUNT_USED = slot_offset(Account.used)
cdef Py_ssize_t DATABASE_DATA = slot_offset(KeyTable.data)
cdef Py_ssize_t DATABASE_EXPIRES = slot_offset(KeyTable.expires)
cdef Py_ssize_t DATABASE_INDEX = slot_offset(KeyTable.index)
cdef Py_ssize_t DATABASE_TRACKER = slot_offset(KeyTable.access_tracker)
cdef Py_ssize_t TRACKER_LAST_ACCESS = slot_offset(AccessTracker.last_access)
cdef Py_ssize_t KEYSPACE_NOW_NS = slot_offset(KeyspaceState.now_ns)
cdef Py_ssize_t LONGEST_PACKED = slot_offset(Thresholds.longest)
cdef long long _NEW_KEY = _KEY
cdef long long _BYTES = BYTES
cdef long long _EXPIRY = EXPIRY_ENTRY
cdef long long _ACCESS = ACCESS_ENTRY
cdef int _LFU_BEGIN = LFU_BEGIN


cdef struct Head:
    # What stands before the type of a record.
    int64_t expire_at_ms
    bint expires
    # The access that is noted of its key, as the tracker of the database notes it.
    int64_t access


cdef class Accesses:
    """What the eviction policy has noted of the keys of a database, if it notes anything (kedis.store.access)."""

    cdef KeyNumbers numbers
    cdef bint by_frequency
    cdef long long now_ns

    def __cinit__(self, tracker, long long now_ns):
        self.now_ns = now_ns
        self.by_frequency = isinstance(tracker, LfuTracker)
        self.numbers = None if tracker is None else <KeyNumbers>slot_get(tracker, TRACKER_LAST_ACCESS)

    cdef int64_t note(self, int64_t idle_seconds, int frequency) noexcept:
        """The note for a key that was used so many seconds ago (LRU), or has this counter (LFU)."""
        if self.by_frequency:
            return (self.now_ns // 1_000_000 << 8) | frequency
        return self.now_ns - idle_seconds * 1_000_000_000


cdef bint read_head(const unsigned char** place, const unsigned char* end, Accesses accesses, Head* head) noexcept:
    """What stands at ``place`` before a type, behind which it then stands; False where that is not for here."""
    cdef const unsigned char* position = place[0]
    cdef uint64_t bits
    cdef Py_ssize_t idle = 0, at
    cdef int frequency = _LFU_BEGIN
    cdef bint encoded
    head.expires = False
    head.expire_at_ms = -1
    while position < end:
        if position[0] == EXPIRE_MS and end - position >= 9:
            bits = 0
            for at in range(8, 0, -1):  # the lowest byte comes first
                bits = bits << 8 | position[at]
            head.expire_at_ms = <int64_t>bits
            head.expires = head.expire_at_ms != -1  # which Redis takes for none
            position += 9
        elif position[0] == FREQUENCY and end - position >= 2:
            frequency = position[1]
            position += 2
        elif position[0] == IDLE:
            position += 1
            if not read_number(&position, end, &idle, &encoded) or encoded:
                return False
        else:
            place[0] = position
            head.access = accesses.note(idle, frequency)
            return is_served(position[0])
    return False


cdef bint read_length(const unsigned char** place, const unsigned char* end, Py_ssize_t* length, bint* encoded) noexcept nogil:
    """The length at ``place``, which then stands behind it; False where there is none that is served here."""
    return read_number(place, end, length, encoded) and length[0] <= LONGEST


cdef bint read_number(const unsigned char** place, const unsigned char* end, Py_ssize_t* length, bint* encoded) noexcept nogil:
    """The number of up to 32 bits at ``place``, which then stands behind it; False where there is none."""
    cdef const unsigned char* position = place[0]
    cdef unsigned char first
    if position >= end:
        return False
    first = position[0]
    position += 1
    encoded[0] = False
    if first < 0x40:
        length[0] = first
    elif first < 0x80:
        if position >= end:
            return False
        length[0] = (first & 0x3F) << 8 | position[0]
        position += 1
    elif first >= 0xC0:
        encoded[0] = True
        length[0] = first & 0x3F
    elif first == 0x80 and end - position >= 4:
        length[0] = <Py_ssize_t>position[0] << 24 | <Py_ssize_t>position[1] << 16 | <Py_ssize_t>position[2] << 8 | position[3]
        position += 4
    else:
        return False
    place[0] = position
    return True


cdef bint decompress(const unsigned char* data, Py_ssize_t size, unsigned char* out, Py_ssize_t length) noexcept nogil:
    """kedis.rdb.lzf.decompress; False where the data are not ``length`` bytes."""
    cdef const unsigned char* end = data + size
    cdef Py_ssize_t done = 0, count, start
    cdef unsigned char control
    while data < end:
        control = data[0]
        data += 1
        if control < 32:
            count = control + 1
            if count > end - data or count > length - done:
                return False
            memcpy(out + done, data, count)
            data += count
            done += count
            continue
        count = (control >> 5) + 2
        if count == 9:
            if data >= end:
                return False
            count += data[0]
            data += 1
        if data >= end:
            return False
        start = done - (((control & 31) << 8) | data[0]) - 1
        data += 1
        if start < 0 or count > length - done:
            return False
        while count:  # byte by byte: it may repeat what it makes
            out[done] = out[start]
            done += 1
            start += 1
            count -= 1
    return done == length


cdef bytes read_string(const unsigned char** place, const unsigned char* end):
    """The string at ``place``, which then stands behind it; None where there is none that is served here."""
    cdef Py_ssize_t length, size
    cdef bint encoded, ignored
    cdef char digits[24]
    cdef const unsigned char* position
    cdef bytes made
    cdef int number
    if not read_length(place, end, &length, &encoded):
        return None
    position = place[0]
    if not encoded:
        if end - position < length:
            return None
        place[0] = position + length
        return PyBytes_FromStringAndSize(<const char*>position, length)
    if length == 3:
        if not read_length(place, end, &size, &ignored) or ignored:
            return None
        if not read_length(place, end, &length, &ignored) or ignored:
            return None
        position = place[0]
        if end - position < size or length > MOST_GROWTH * size:
            return None
        made = PyBytes_FromStringAndSize(NULL, length)
        if not decompress(position, size, <unsigned char*>PyBytes_AS_STRING(made), length):
            return None
        place[0] = position + size
        return made
    if length > 2 or end - position < 1 << length:
        return None
    if length == 0:
        number = <int8_t>position[0]
    elif length == 1:
        number = <int16_t>(position[0] | position[1] << 8)
    else:
        number = <int32_t>(<unsigned int>position[0] | <unsigned int>position[1] << 8 | <unsigned int>position[2] << 16 | <unsigned int>position[3] << 24)
    place[0] = position + (1 << length)
    return PyBytes_FromStringAndSize(digits, snprintf(digits, sizeof(digits), "%d", number))


cdef inline bint is_served(int kind) noexcept nogil:
    return kind == STRING or kind == LIST or kind == HASH or kind == HASH_LISTPACK or kind == LIST_QUICKLIST_2


cdef object read_value(int kind, const unsigned char** place, const unsigned char* end, thresholds):
    """The value of a type at ``place``, which then stands behind it; None where that is not for here."""
    cdef Py_ssize_t count
    cdef bint encoded
    if kind == STRING:
        return read_string(place, end)
    if kind == HASH_LISTPACK:
        return flat_hash(thresholds) if thresholds is not None and read_piece(place, end) else None
    if kind == LIST_QUICKLIST_2:
        if end - place[0] < 3 or place[0][0] != 1 or place[0][1] != ONE_PIECE:
            return None
        place[0] += 2
        return flat_list() if read_piece(place, end) else None
    if not read_length(place, end, &count, &encoded) or encoded or count > FEW:
        return None
    if kind == LIST:
        return flat_list() if read_elements(place, end, count, FEW) else None
    if thresholds is None or not read_elements(place, end, 2 * count, slot_int(thresholds, LONGEST_PACKED)):
        return None
    return flat_hash(thresholds)


cdef bint read_piece(const unsigned char** place, const unsigned char* end) except -1:
    """Read the elements in the listpack at ``place``; False where that is not for here."""
    cdef bytes text = read_string(place, end)
    return text is not None and read_listpack(<const unsigned char*>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cdef bint read_elements(
    const unsigned char** place, const unsigned char* end, Py_ssize_t count, Py_ssize_t longest
) except -1:
    """Read so many strings as the elements; False where that is not for here."""
    cdef bytes text
    cdef Py_ssize_t _
    begin_flat()
    for _ in range(count):
        text = read_string(place, end)
        if text is None or PyBytes_GET_SIZE(text) > longest or not add_flat(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)):
            return False
    return True


def make_room(database, Py_ssize_t count):
    """Have ``database``, if it is empty, take up to ``count`` keys without moving them.

    Raises MemoryError, and nothing has changed then. O(count), but 20 ms for a million, most of it the system's.
    """
    cdef dict values = <dict>slot_get(database, DATABASE_DATA)
    if not values:
        presize(values, count)


def put_records(data, Py_ssize_t position, Py_ssize_t end, database, thresholds, long long least_ms):
    """Put the records that begin at ``position`` into ``database``, as far as they are served here.

    Nothing else is told of them: nobody looks at the database yet.

    Args:
        data: the bytes, or an mmap.
        end: offset at which they end.
        thresholds: of packed hashes; None leaves hashes to the caller.
        least_ms: records of keys that expire before it are left to the caller, in ms since 1970.

    Returns the position behind the last, and how many there were. O(bytes).
    """
    cdef Py_buffer view
    if end <= position:
        return position, 0
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return put_from(<const unsigned char*>view.buf, position, end, database, thresholds, least_ms)
    finally:
        PyBuffer_Release(&view)


cdef tuple put_from(
    const unsigned char* start, Py_ssize_t position, Py_ssize_t end, database, thresholds, long long least_ms
):
    cdef const unsigned char* stop = start + end
    cdef const unsigned char* place
    cdef dict values = <dict>slot_get(database, DATABASE_DATA)
    cdef KeyNumbers expires = <KeyNumbers>slot_get(database, DATABASE_EXPIRES)
    cdef ScanIndex index = <ScanIndex>slot_get(database, DATABASE_INDEX)
    cdef Accesses accesses = Accesses(
        <object>slot_get(database, DATABASE_TRACKER), slot_int(database.keyspace, KEYSPACE_NOW_NS)
    )
    cdef long long used = 0
    cdef Py_ssize_t count = 0
    cdef const unsigned char* kind
    cdef Head head
    cdef bytes key
    cdef object value
    try:
        while True:
            place = start + position
            if not read_head(&place, stop, accesses, &head):
                break
            if head.expires and head.expire_at_ms < least_ms:
                break
            kind = place
            place += 1
            key = read_string(&place, stop)
            if key is None or place >= stop or PyDict_GetItem(values, key) != NULL:
                break
            value = read_value(kind[0], &place, stop, thresholds)
            if value is None:
                break
            index.add(key)
            used += (len(key) & -16) + _NEW_KEY
            if type(value) is bytes:
                value = shared(<bytes>value)
                used += (PyBytes_GET_SIZE(value) & -16) + _BYTES
            else:
                (<Packed>value).accounted_bytes = value.footprint
                used += (<Packed>value).accounted_bytes
            PyDict_SetItem(values, key, value)
            if head.expires:
                expires.put(key, head.expire_at_ms)
                used += _EXPIRY
            if accesses.numbers is not None:
                accesses.numbers.put(key, head.access)
                used += _ACCESS
            position = place - start
            count += 1
    finally:
        slot_add(database.account, ACCOUNT_USED, used)
    return position, count
