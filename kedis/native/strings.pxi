# -- strings and keys ---------------------------------------------------------------------------------


cdef int ping(Path self) except -1:
    # A client that has subscribed is served here in EXEC alone, and gets the answer in another form.
    if self.count > 1 or (self.as_value and self.client.subscriptions):
        return DECLINED
    reply_pong(self)
    return READ


cdef int echo(Path self) except -1:
    reply_bulk(self, self.words[1], self.sizes[1])
    return READ


cdef int get_string(Path self) except -1:
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* value = value_of(self, key)
    if value != NULL and (
        type(<object>value) is not bytes or PyBytes_GET_SIZE(<object>value) > LONG_REPLY
    ):
        return DECLINED
    count_look(self, value)
    if value == NULL:
        reply_null(self)
    else:
        reply_bytes(self, <bytes>value)
        touch(self, key)
    return READ


cdef int mget(Path self) except -1:
    cdef PyObject* value
    cdef list keys = self.every_word(1, 1)
    cdef Py_ssize_t size = 0
    for key in keys:
        if is_due(self, <bytes>key):
            return DECLINED
        value = value_of(self, <bytes>key)
        if value != NULL:
            if type(<object>value) is not bytes:
                return DECLINED
            size += PyBytes_GET_SIZE(<object>value)
    if size > LONG_REPLY:
        return DECLINED
    reply_header(self, 42, len(keys))
    for key in keys:
        value = value_of(self, <bytes>key)
        count_look(self, value)
        if value == NULL:
            reply_null(self)
        else:
            reply_bytes(self, <bytes>value)
            touch(self, <bytes>key)
    return READ


cdef inline bint is_replaceable(Path self, PyObject* value):
    """Whether a value may be overwritten here: a plain string, or none."""
    return value == NULL or type(<object>value) is bytes


cdef int store(Path self, bytes key, bytes value, PyObject* old) except -1:
    """Set a string in place of ``old``, a string or none; its time to live stays."""
    value = shared(value)
    if old != NULL:
        slot_add(
            self.account,
            ACCOUNT_USED,
            (len(value) & -16) - (PyBytes_GET_SIZE(<object>old) & -16),
        )
        PyDict_SetItem(<dict>slot_get(self.database, DATABASE_DATA), key, value)
    else:
        PyDict_SetItem(<dict>slot_get(self.database, DATABASE_DATA), key, value)
        (<ScanIndex>slot_get(self.database, DATABASE_INDEX)).add(key)
        slot_add(self.account, ACCOUNT_USED, (len(key) & -16) + (len(value) & -16) + _NEW_STRING)
    slot_add(self.keyspace, KEYSPACE_DIRTY, 1)
    return 0


cdef int set_string(Path self) except -1:
    if self.count == 5:
        return set_with_expiry(self)
    if self.count == 4:
        return set_on_condition(self)
    if self.count != 3:
        return DECLINED
    cdef bytes key = word(self, 1)
    cdef PyObject* old = value_of(self, key)
    if not is_replaceable(self, old) or has_expiry(self, key):
        return DECLINED
    store(self, key, word(self, 2), old)
    touch(self, key)
    reply_ok(self)
    return WROTE


cdef int set_on_condition(Path self) except -1:
    """SET key value NX, or XX."""
    cdef bint when_present
    if is_word(self.words[3], self.sizes[3], b"NX"):
        when_present = False
    elif is_word(self.words[3], self.sizes[3], b"XX"):
        when_present = True
    else:
        return DECLINED
    cdef bytes key = word(self, 1)
    if has_expiry(self, key):
        return DECLINED
    cdef PyObject* old = value_of(self, key)
    if (old != NULL) != when_present:
        reply_null(self)
        return READ
    if not is_replaceable(self, old):
        return DECLINED
    store(self, key, word(self, 2), old)
    touch(self, key)
    reply_ok(self)
    return WROTE


cdef inline bint is_pxat(const char* text, Py_ssize_t size) noexcept nogil:
    return size == 4 and memcmp(text, b"PXAT", 4) == 0


cdef int set_with_expiry(Path self) except -1:
    """SET key value EX seconds, or PX milliseconds; recorded with PXAT, which is read back here."""
    cdef long long amount, at_ms, unit
    if is_word(self.words[3], self.sizes[3], b"EX"):
        unit = 1000
    elif is_word(self.words[3], self.sizes[3], b"PX"):
        unit = 1
    elif self.replaying and is_pxat(self.words[3], self.sizes[3]):
        unit = 0
    else:
        return DECLINED
    if not parse_integer(self.words[4], self.sizes[4], &amount) or not 0 < amount < 1 << 50:
        return DECLINED
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* old = value_of(self, key)
    if not is_replaceable(self, old):
        return DECLINED
    at_ms = self.now // 1000000 + amount * unit if unit else amount
    store(self, key, word(self, 2), old)
    expire_at(self, key, at_ms)
    touch(self, key)
    reply_ok(self)
    record_expiring(self, at_ms)
    return RECORDED


cdef int expire_at(Path self, bytes key, long long at_ms) except -1:
    """kedis.store.key_table.KeyTable.set_expiry."""
    cdef KeyNumbers expires = <KeyNumbers>slot_get(self.database, DATABASE_EXPIRES)
    cdef int64_t before
    if not expires.find(key, &before):
        key = (<ScanIndex>slot_get(self.database, DATABASE_INDEX)).held(key)
        slot_add(self.account, ACCOUNT_USED, _EXPIRY)
    return expires.put(key, at_ms)


cdef int record_expiring(Path self, long long at_ms) except -1:
    cdef char text[96]
    cdef char digits[24]
    cdef int count, size
    if slot_int(self.account, ACCOUNT_USED) > self.limit:
        self.fill_up()
    self.wrote = True
    slot_set(self.client, CLIENT_DIRTY_EPOCH, <object>slot_get(self.propagation, PROPAGATION_EPOCH))
    if self.as_value:
        return self.record_given((b"SET", word(self, 1), word(self, 2), b"PXAT", b"%d" % at_ms))
    if not self.active:
        return 0
    count = write_number(digits, at_ms)
    if self.note is not None:
        self.note([b"SET", word(self, 1), word(self, 2), b"PXAT", PyBytes_FromStringAndSize(digits, count)])
    self.select()
    self.reserve(sizeof(text) + sizeof(text) + self.sizes[1] + self.sizes[2])
    self.journal_put(b"*5\r\n$3\r\nSET\r\n", 13)
    for at in (1, 2):
        self.journal_put(text, write_header(text, 36, self.sizes[at]))
        self.journal_put(self.words[at], self.sizes[at] + 2)
    self.journal_put(b"$4\r\nPXAT\r\n", 10)
    size = write_header(text, 36, count)
    memcpy(text + size, digits, count)
    text[size + count] = 13
    text[size + count + 1] = 10
    return self.journal_put(text, size + count + 2)


cdef int setnx(Path self) except -1:
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    if value_of(self, key) != NULL:
        reply_integer(self, 0)
        return READ
    store(self, key, word(self, 2), NULL)
    touch(self, key)
    reply_integer(self, 1)
    return WROTE


cdef int mset(Path self) except -1:
    cdef Py_ssize_t at
    if self.count % 2 == 0:
        return DECLINED
    cdef list keys = self.every_word(1, 2)
    for key in keys:
        if not is_replaceable(self, value_of(self, <bytes>key)) or has_expiry(self, <bytes>key):
            return DECLINED
    at = 2
    for key in keys:
        store(self, <bytes>key, word(self, at), value_of(self, <bytes>key))
        touch(self, <bytes>key)
        at += 2
    reply_ok(self)
    return WROTE


cdef int increase(Path self, bint negative) except -1:
    cdef long long delta
    if self.count != 3 or not parse_integer(self.words[2], self.sizes[2], &delta):
        return DECLINED
    if negative:
        if delta == LLONG_MIN:
            return DECLINED
        delta = -delta
    return add_to_number(self, delta)


cdef int add_to_number(Path self, long long delta) except -1:
    cdef bytes key = word(self, 1)
    cdef long long number = 0
    cdef char digits[24]
    cdef object tracker
    if is_due(self, key):
        return DECLINED
    cdef PyObject* old = value_of(self, key)
    if not is_replaceable(self, old):
        return DECLINED
    if old != NULL and not parse_integer(
        PyBytes_AS_STRING(<object>old), PyBytes_GET_SIZE(<object>old), &number
    ):
        return DECLINED
    if (delta > 0 and number > LLONG_MAX - delta) or (delta < 0 and number < LLONG_MIN - delta):
        return DECLINED
    number += delta
    store(self, key, PyBytes_FromStringAndSize(digits, write_number(digits, number)), old)
    tracker = <object>slot_get(self.database, DATABASE_TRACKER)
    if tracker is not None and key not in <KeyNumbers>slot_get(tracker, TRACKER_LAST_ACCESS):
        touch(self, key)
    reply_integer(self, number)
    return WROTE


cdef int append_string(Path self) except -1:
    """APPEND to a string that has been changed in place before, or to none."""
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* old = value_of(self, key)
    cdef Py_ssize_t size
    if old == NULL:
        store(self, key, word(self, 2), NULL)
        touch(self, key)
        reply_integer(self, self.sizes[2])
        return WROTE
    if type(<object>old) is not Buffer:
        return DECLINED
    buffer = <object>old
    size = PyByteArray_GET_SIZE(buffer)
    if size + self.sizes[2] > LONGEST_BUFFER:
        return DECLINED
    PyByteArray_Resize(buffer, size + self.sizes[2])
    memcpy(PyByteArray_AS_STRING(buffer) + size, self.words[2], self.sizes[2])
    self.account.update(buffer)
    slot_add(self.keyspace, KEYSPACE_DIRTY, 1)
    touch(self, key)
    reply_integer(self, size + self.sizes[2])
    return WROTE


cdef int expire(Path self, long long unit, bint relative) except -1:
    """EXPIRE and its kind without a condition; recorded with PEXPIREAT."""
    cdef long long amount, at_ms
    cdef long long now_ms = self.now // 1000000
    if self.count != 3 or not parse_integer(self.words[2], self.sizes[2], &amount) or not 0 < amount < 1 << 50:
        return DECLINED
    at_ms = amount * unit + (now_ms if relative else 0)
    if at_ms <= now_ms and not self.replaying:
        return DECLINED
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    if value_of(self, key) == NULL:
        reply_integer(self, 0)
        return READ
    expire_at(self, key, at_ms)
    slot_add(self.keyspace, KEYSPACE_DIRTY, 1)
    reply_integer(self, 1)
    if unit == 1 and not relative:
        return WROTE
    record_instead(self, [b"PEXPIREAT", key, b"%d" % at_ms])
    return RECORDED


cdef int exists(Path self) except -1:
    if self.count != 2:
        return DECLINED
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* value = value_of(self, key)
    count_look(self, value)
    reply_integer(self, value != NULL)
    return READ


cdef int delete(Path self) except -1:
    """DEL or UNLINK of one key with a string and no time to live, or of none."""
    if self.count != 2:
        return DECLINED
    cdef bytes key = word(self, 1)
    if has_expiry(self, key):
        return DECLINED
    cdef PyObject* value = value_of(self, key)
    if value == NULL:
        reply_integer(self, 0)
        return READ
    if type(<object>value) is not bytes:
        return DECLINED
    slot_set_int(self.keyspace, KEYSPACE_NOW_NS, self.now)
    self.database.remove(key)
    reply_integer(self, 1)
    return WROTE


cdef int ttl(Path self, long long unit) except -1:
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* value = value_of(self, key)
    cdef int64_t at_ms
    cdef long long rest
    count_look(self, value)
    if value == NULL:
        reply_integer(self, -2)
        return READ
    if not (<KeyNumbers>slot_get(self.database, DATABASE_EXPIRES)).find(key, &at_ms):
        reply_integer(self, -1)
        return READ
    rest = at_ms - self.now // 1000000
    reply_integer(self, (rest + 500) // 1000 if unit == 1000 else rest)
    return READ
