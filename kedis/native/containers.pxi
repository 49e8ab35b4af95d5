# -- lists --------------------------------------------------------------------------------------------


cdef int push_end(Path self, bint left) except -1:
    """LPUSH or RPUSH to an existing list."""
    cdef Py_ssize_t at
    cdef List values = container_to_write(self, word(self, 1), List)
    if values is None:
        return DECLINED
    for at in range(2, self.count):
        if left:
            values.push_left(word(self, at))
        else:
            values.push_right(word(self, at))
    container_changed(self, &values.accounted_bytes, values.measure(), self.count - 2)
    reply_integer(self, values.length())
    return WROTE


cdef int pop_end(Path self, bint left) except -1:
    """LPOP or RPOP of one element, not the last, of a list."""
    if self.count != 2:
        return DECLINED
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL:
        reply_null(self)
        return READ
    cdef List values = container_to_write(self, key, List, 1)
    if values is None:
        return DECLINED
    value = values.pop_left() if left else values.pop_right()
    container_changed(self, &values.accounted_bytes, values.measure(), 1)
    encode(self, value)
    return WROTE


cdef int lrange(Path self) except -1:
    """LRANGE of up to some hundred elements that begin near the head."""
    cdef long long start, stop, size
    if not parse_integer(self.words[2], self.sizes[2], &start):
        return DECLINED
    if not parse_integer(self.words[3], self.sizes[3], &stop):
        return DECLINED
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not List:
        return DECLINED
    cdef List values = <List>found
    cdef const char* first
    size = values.length()
    if start < 0:
        start = max(start + size, 0)
    if stop < 0:
        stop += size
    stop = max(min(stop, size - 1), -1)
    if start > NEAR_HEAD or stop - start >= PART:
        return DECLINED
    cdef Py_ssize_t mark = mark_reply(self)
    reply_header(self, 42, max(stop - start + 1, 0))
    if start <= stop and values.full is None:
        first = values.word_at(start)
        reply_words(self, first, values.word_at(stop + 1) - first)
    elif start <= stop:
        for value in values.full:
            if start > 0:
                start -= 1
            elif PyBytes_GET_SIZE(value) > LONG_REPLY:
                take_back_reply(self, mark)
                return DECLINED
            else:
                reply_bytes(self, <bytes>value)
            stop -= 1
            if stop < 0:
                break
    count_look(self, found)
    touch(self, key)
    return READ

# -- hashes -------------------------------------------------------------------------------------------


cdef int find_container(Path self, bytes key, kind, PyObject** found) except -1:
    """Look up a container to read; False where the handler must."""
    if is_due(self, key):
        return False
    found[0] = value_of(self, key)
    if found[0] != NULL and type(<object>found[0]) is not kind:
        return False
    count_look(self, found[0])
    if found[0] != NULL:
        touch(self, key)
    return True


cdef int hget(Path self) except -1:
    cdef PyObject* found
    if not find_container(self, word(self, 1), Hash, &found):
        return DECLINED
    value = None if found == NULL else (<Hash>found).look(self.words[2], self.sizes[2])
    if value is None:
        reply_null(self)
    else:
        encode(self, value)
    return READ


cdef int hmget(Path self) except -1:
    cdef PyObject* found
    cdef Py_ssize_t at
    cdef list values
    if not find_container(self, word(self, 1), Hash, &found):
        return DECLINED
    values = PyList_New(self.count - 2)
    for at in range(self.count - 2):
        value = None if found == NULL else (<Hash>found).look(self.words[at + 2], self.sizes[at + 2])
        Py_INCREF(value)
        PyList_SET_ITEM(values, at, value)
    encode(self, values)
    return READ


cdef int hexists(Path self) except -1:
    cdef PyObject* found
    if not find_container(self, word(self, 1), Hash, &found):
        return DECLINED
    reply_integer(self, found != NULL and (<Hash>found).look(self.words[2], self.sizes[2]) is not None)
    return READ


cdef int hgetall(Path self) except -1:
    cdef PyObject* found
    if not find_container(self, word(self, 1), Hash, &found):
        return DECLINED
    if found == NULL:
        encode(self, {})
    elif (<Hash>found).full is not None or self.as_value or (<Hash>found).size > LONG_REPLY:
        encode(self, (<Hash>found).as_dict())
    else:
        reply_header(self, 37 if self.resp3 else 42, (<Hash>found).count * (1 if self.resp3 else 2))
        reply_words(self, (<Hash>found).data, (<Hash>found).size)
    return READ


cdef object container_to_write(Path self, bytes key, kind, Py_ssize_t above=-1):
    """The container at ``key`` with more than ``above`` elements, noted as accessed; None: the handler must look."""
    if is_due(self, key):
        return None
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not kind or len(<object>found) <= above:
        return None
    touch(self, key)
    return <object>found


cdef int hset(Path self) except -1:
    """HSET of an existing hash."""
    cdef Py_ssize_t at
    cdef long long added = 0
    if self.count % 2:
        return DECLINED
    cdef Hash fields = container_to_write(self, word(self, 1), Hash)
    if fields is None:
        return DECLINED
    for at in range(2, self.count, 2):
        added += fields.put(word(self, at), word(self, at + 1))
    container_changed(self, &fields.accounted_bytes, fields.measure(), self.count // 2 - 1)
    reply_integer(self, added)
    return WROTE


cdef int hincrby(Path self) except -1:
    """HINCRBY of an existing hash."""
    cdef long long delta, number = 0
    cdef char digits[24]
    if not parse_integer(self.words[3], self.sizes[3], &delta):
        return DECLINED
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not Hash:
        return DECLINED
    cdef Hash fields = <Hash>found
    cdef bytes field = word(self, 2)
    old = fields.look(self.words[2], self.sizes[2])
    if old is not None and not parse_integer(PyBytes_AS_STRING(old), PyBytes_GET_SIZE(old), &number):
        return DECLINED
    if (delta > 0 and number > LLONG_MAX - delta) or (delta < 0 and number < LLONG_MIN - delta):
        return DECLINED
    number += delta
    touch(self, key)
    fields.put(field, PyBytes_FromStringAndSize(digits, write_number(digits, number)))
    container_changed(self, &fields.accounted_bytes, fields.measure(), 1)
    reply_integer(self, number)
    return WROTE


cdef int hdel(Path self) except -1:
    """HDEL of fewer fields than the hash has: it does not become empty."""
    cdef Hash fields = container_to_write(self, word(self, 1), Hash, self.count - 2)
    if fields is None:
        return DECLINED
    cdef Py_ssize_t removed = fields.remove_many(self.every_word(2, 1))
    reply_integer(self, removed)
    if not removed:
        return READ
    container_changed(self, &fields.accounted_bytes, fields.measure(), removed)
    return WROTE

# -- sets ---------------------------------------------------------------------------------------------


cdef int sadd(Path self) except -1:
    """SADD to an existing set."""
    cdef Py_ssize_t at, added = 0
    cdef Set members = container_to_write(self, word(self, 1), Set)
    if members is None:
        return DECLINED
    for at in range(2, self.count):
        added += members.insert(word(self, at), False)
    reply_integer(self, added)
    if not added:
        return READ
    cdef FullSet full = members.full
    if full is not None:
        # kedis.structures.containers.Set._measure, without a look-up of __sizeof__
        full.footprint = full.elements_bytes + set_bytes(full) + _CONTAINER
        if full.index is not None:
            full.footprint += _INDEX_ENTRY * PySet_GET_SIZE(full)
    container_changed(self, &members.accounted_bytes, members.measure(), added)
    return WROTE


cdef int srem(Path self) except -1:
    """SREM of fewer members than the set has: it does not become empty."""
    cdef Set members = container_to_write(self, word(self, 1), Set, self.count - 2)
    if members is None:
        return DECLINED
    cdef Py_ssize_t removed = members.remove_many(self.every_word(2, 1))
    reply_integer(self, removed)
    if not removed:
        return READ
    container_changed(self, &members.accounted_bytes, members.measure(), removed)
    return WROTE


cdef int spop(Path self) except -1:
    """SPOP of one member, not the last; recorded as the SREM of that member."""
    if self.count != 2:
        return DECLINED
    cdef bytes key = word(self, 1)
    cdef Set members = container_to_write(self, key, Set, 1)
    if members is None:
        return DECLINED
    cdef bytes member = members.pop_random(self.keyspace.random)
    container_changed(self, &members.accounted_bytes, members.measure(), 1)
    record_instead(self, [b"SREM", key, member])
    encode(self, member)
    return RECORDED


cdef int record_instead(Path self, list argv) except -1:
    """Record ``argv`` for the change that a form has made, in place of the request."""
    if slot_int(self.account, ACCOUNT_USED) > self.limit:
        self.fill_up()
    self.wrote = True
    slot_set(self.client, CLIENT_DIRTY_EPOCH, <object>slot_get(self.propagation, PROPAGATION_EPOCH))
    if self.as_value:
        return self.record_given(argv)
    if self.active:
        self.record_words((<object>slot_get(self.client, CLIENT_DATABASE), argv))
    return 0


cdef int sismember(Path self) except -1:
    cdef PyObject* found
    if not find_container(self, word(self, 1), Set, &found):
        return DECLINED
    reply_integer(self, found != NULL and (<Set>found).has(self.words[2], self.sizes[2]))
    return READ
