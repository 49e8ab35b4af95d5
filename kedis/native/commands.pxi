# -- commands in C ------------------------------------------------------------------------------------
# Each returns READ or WROTE after the reply has been appended, or DECLINED, with nothing changed.

# -- looking up ---------------------------------------------------------------------------------------


cdef inline bytes word(Path self, Py_ssize_t at):
    return PyBytes_FromStringAndSize(self.words[at], self.sizes[at])


cdef inline bint is_due(Path self, bytes key) except -1:
    """Whether the key has a time to live that has run out: then the handler removes it."""
    cdef KeyNumbers expires = <KeyNumbers>slot_get(self.database, DATABASE_EXPIRES)
    cdef int64_t at_ms
    if expires.is_empty() or self.replaying:
        return False
    return expires.find(key, &at_ms) and at_ms <= self.now // 1000000


cdef inline bint has_expiry(Path self, bytes key):
    cdef KeyNumbers expires = <KeyNumbers>slot_get(self.database, DATABASE_EXPIRES)
    cdef int64_t at_ms
    return not expires.is_empty() and expires.find(key, &at_ms)


cdef inline PyObject* value_of(Path self, bytes key):
    """The value of a key that is not due, borrowed; NULL if it does not exist."""
    return PyDict_GetItem(<dict>slot_get(self.database, DATABASE_DATA), key)


cdef inline int count_look(Path self, PyObject* value) except -1:
    return slot_add(self.keyspace, KEYSPACE_MISSES if value == NULL else KEYSPACE_HITS, 1)


cdef int touch(Path self, bytes key) except -1:
    """Note the access for LRU or LFU."""
    cdef object tracker = <object>slot_get(self.database, DATABASE_TRACKER)
    cdef KeyNumbers accesses
    cdef int64_t before
    if tracker is None:
        return 0
    if type(tracker) is not LruTracker:
        slot_set_int(self.keyspace, KEYSPACE_NOW_NS, self.now)
        tracker.touch(key)
        return 0
    accesses = <KeyNumbers>slot_get(tracker, TRACKER_LAST_ACCESS)
    if not accesses.find(key, &before):
        key = (<ScanIndex>slot_get(self.database, DATABASE_INDEX)).held(key)
        slot_add(self.account, ACCOUNT_USED, _ACCESS)
    accesses.put(key, self.now)
    return 0


cdef int length_of(Path self, kind) except -1:
    """LLEN, HLEN, SCARD, ZCARD."""
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* value = value_of(self, key)
    if value != NULL and type(<object>value) is not kind:
        return DECLINED
    count_look(self, value)
    if value == NULL:
        reply_integer(self, 0)
    else:
        touch(self, key)
        reply_integer(self, len(<object>value))
    return READ


cdef inline int container_changed(
    Path self, long long* accounted, long long footprint, long long changes
) except -1:
    """Keep the account and count the change, as kedis.store.database.Database.modified."""
    if footprint != accounted[0]:
        slot_add(self.account, ACCOUNT_USED, footprint - accounted[0])
        accounted[0] = footprint
    slot_add(self.keyspace, KEYSPACE_DIRTY, changes)
    return 0

