# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
# cython: binding=True
"""Strings of a snapshot in C: read from its bytes, and put into a database that nobody sees yet.

Only what is most frequent, and certain: whole records of new keys whose values are strings, with a time to live or
without. At anything else, a record that is cut off or damaged included, the caller goes on.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_GetItem, PyDict_SetItem
from cpython.object cimport PyObject
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy

from kedis.structures.scan_index cimport ScanIndex

from kedis.store.account import _STRING, EXPIRY_ENTRY, Account
from kedis.store.key_table import KeyTable

cdef extern from "slots.h":
    Py_ssize_t slot_offset(object descriptor) except -1
    PyObject* slot_get(object owner, Py_ssize_t offset)
    int slot_add(object owner, Py_ssize_t offset, long long amount) except -1

cdef enum:
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
cdef Py_ssize_t DATABASE_VOLATILE = slot_offset(KeyTable.volatile)
cdef long long _NEW_STRING = _STRING
cdef long long _EXPIRY = EXPIRY_ENTRY


cdef bint read_length(const unsigned char** place, const unsigned char* end, Py_ssize_t* length, bint* encoded) noexcept nogil:
    """The length at ``place``, which then stands behind it; False where there is none that is served here."""
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
    return length[0] <= LONGEST


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


def put_strings(bytes data, Py_ssize_t position, Py_ssize_t end, database):
    """Put the records that begin at ``position`` into ``database``, as far as they are served here.

    Nothing else is told of them: the database is one that nobody sees. Returns the position behind the last, and how
    many there were. O(bytes).
    """
    cdef const unsigned char* start = <const unsigned char*>PyBytes_AS_STRING(data)
    cdef const unsigned char* stop = start + end
    cdef const unsigned char* place
    cdef dict values = <dict>slot_get(database, DATABASE_DATA)
    cdef dict expires = <dict>slot_get(database, DATABASE_EXPIRES)
    cdef ScanIndex index = <ScanIndex>slot_get(database, DATABASE_INDEX)
    cdef ScanIndex volatile_index = <ScanIndex>slot_get(database, DATABASE_VOLATILE)
    cdef long long used = 0
    cdef uint64_t bits = 0
    cdef Py_ssize_t count = 0, at
    cdef bint expiring
    cdef bytes key, value
    if slot_get(database, DATABASE_TRACKER) != <PyObject*>None:
        return position, 0
    try:
        while True:
            place = start + position
            expiring = place < stop and place[0] == EXPIRE_MS
            if expiring:
                if stop - place < 9:
                    break
                bits = 0
                for at in range(8, 0, -1):  # the lowest byte comes first
                    bits = bits << 8 | place[at]
                place += 9
            if place >= stop or place[0] != 0:
                break
            place += 1
            key = read_string(&place, stop)
            if key is None or PyDict_GetItem(values, key) != NULL:
                break
            value = read_string(&place, stop)
            if value is None:
                break
            index.add(key)
            PyDict_SetItem(values, key, value)
            used += (len(key) & -16) + (len(value) & -16) + _NEW_STRING
            if expiring:
                volatile_index.add(key)
                PyDict_SetItem(expires, key, <int64_t>bits)
                used += _EXPIRY
            position = place - start
            count += 1
    finally:
        slot_add(database.account, ACCOUNT_USED, used)
    return position, count
