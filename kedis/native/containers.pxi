# -- lists --------------------------------------------------------------------------------------------


cdef int push_end(Path self, append) except -1:
    """LPUSH or RPUSH to an existing list."""
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not List:
        return DECLINED
    cdef object values = <object>found
    cdef Py_ssize_t at
    cdef long long size = 0
    for at in range(2, self.count):
        append(values, word(self, at))
        size += (self.sizes[at] + 48 & -16) + _LIST_PLACE
    slot_add(values, LIST_FOOTPRINT, size)
    container_changed(self, key, values, LIST_ACCOUNTED, LIST_FOOTPRINT, self.count - 2)
    touch(self, key)
    reply_integer(self, len(values))
    return WROTE


cdef int pop_end(Path self, take) except -1:
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
    if type(<object>found) is not List or len(<object>found) < 2:
        return DECLINED
    cdef object values = <object>found
    cdef object value = take(values)
    slot_add(values, LIST_FOOTPRINT, -((len(<bytes>value) + 48 & -16) + _LIST_PLACE))
    container_changed(self, key, values, LIST_ACCOUNTED, LIST_FOOTPRINT, 1)
    touch(self, key)
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
    size = len(<object>found)
    if start < 0:
        start = max(start + size, 0)
    if stop < 0:
        stop += size
    stop = max(min(stop, size - 1), -1)
    if start > NEAR_HEAD or stop - start >= PART:
        return DECLINED
    cdef Py_ssize_t mark = mark_reply(self)
    reply_header(self, 42, max(stop - start + 1, 0))
    if start <= stop:
        for value in <object>found:
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
    cdef PyObject* value
    if not find_container(self, word(self, 1), Hash, &found):
        return DECLINED
    value = NULL if found == NULL else PyDict_GetItem(<object>found, word(self, 2))
    if value == NULL:
        reply_null(self)
    else:
        encode(self, <object>value)
    return READ


cdef int hmget(Path self) except -1:
    cdef PyObject* found
    cdef PyObject* value
    cdef Py_ssize_t at
    cdef list values
    if not find_container(self, word(self, 1), Hash, &found):
        return DECLINED
    values = PyList_New(self.count - 2)
    for at in range(self.count - 2):
        value = NULL if found == NULL else PyDict_GetItem(<object>found, word(self, at + 2))
        if value == NULL:
            value = Py_None
        Py_INCREF(<object>value)
        PyList_SET_ITEM(values, at, <object>value)
    encode(self, values)
    return READ


cdef int hexists(Path self) except -1:
    cdef PyObject* found
    if not find_container(self, word(self, 1), Hash, &found):
        return DECLINED
    reply_integer(self, found != NULL and PyDict_GetItem(<object>found, word(self, 2)) != NULL)
    return READ


cdef int hgetall(Path self) except -1:
    cdef PyObject* found
    if not find_container(self, word(self, 1), Hash, &found):
        return DECLINED
    encode(self, {} if found == NULL else <object>found)
    return READ


cdef object container_to_write(Path self, bytes key, kind):
    """The container at ``key``, noted as accessed; None where the handler must look."""
    if is_due(self, key):
        return None
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not kind:
        return None
    touch(self, key)
    return <object>found


cdef int put_field(Path self, bytes key, object fields, bytes field, bytes value, PyObject* old) except -1:
    """kedis.structures.containers.Hash.put; returns whether the field is new."""
    cdef long long grown
    cdef bint added = old == NULL
    if added:
        fields.put(field, value)
    else:
        grown = (len(value) & -16) - (PyBytes_GET_SIZE(<object>old) & -16)
        if grown:
            slot_add(fields, HASH_ELEMENTS, grown)
            slot_add(fields, HASH_FOOTPRINT, grown)
        PyDict_SetItem(fields, field, value)
        packed = <object>slot_get(fields, HASH_PACKED)
        if packed is not None and (
            len(value) > packed.longest or len(field) > packed.longest or PyDict_Size(fields) > packed.entries
        ):  # the last two where the limits were lowered since
            slot_set(fields, HASH_PACKED, None)
    return added


cdef int hset(Path self) except -1:
    cdef Py_ssize_t at
    cdef long long added = 0
    if self.count % 2:
        return DECLINED
    cdef bytes key = word(self, 1)
    fields = container_to_write(self, key, Hash)
    if fields is None:
        return DECLINED
    for at in range(2, self.count, 2):
        field = word(self, at)
        added += put_field(self, key, fields, field, word(self, at + 1), PyDict_GetItem(fields, field))
    container_changed(self, key, fields, HASH_ACCOUNTED, HASH_FOOTPRINT, self.count // 2 - 1)
    reply_integer(self, added)
    return WROTE


cdef int hincrby(Path self) except -1:
    cdef long long delta, number
    cdef char digits[24]
    if not parse_integer(self.words[3], self.sizes[3], &delta):
        return DECLINED
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not Hash:
        return DECLINED
    cdef bytes field = word(self, 2)
    cdef PyObject* old = PyDict_GetItem(<object>found, field)
    if old == NULL or not parse_integer(
        PyBytes_AS_STRING(<object>old), PyBytes_GET_SIZE(<object>old), &number
    ):
        return DECLINED
    if (delta > 0 and number > LLONG_MAX - delta) or (delta < 0 and number < LLONG_MIN - delta):
        return DECLINED
    number += delta
    touch(self, key)
    put_field(
        self, key, <object>found, field, PyBytes_FromStringAndSize(digits, write_number(digits, number)), old
    )
    container_changed(self, key, <object>found, HASH_ACCOUNTED, HASH_FOOTPRINT, 1)
    reply_integer(self, number)
    return WROTE

# -- sets ---------------------------------------------------------------------------------------------


cdef int sadd(Path self) except -1:
    """SADD of one member to an existing set."""
    if self.count != 3:
        return DECLINED
    cdef bytes key = word(self, 1)
    cdef bytes member = word(self, 2)
    members = container_to_write(self, key, Set)
    if members is None:
        return DECLINED
    if PySet_Contains(members, member):
        reply_integer(self, 0)
        return READ
    members.insert(member)
    container_changed(self, key, members, SET_ACCOUNTED, SET_FOOTPRINT, 1)
    reply_integer(self, 1)
    return WROTE


cdef int sismember(Path self) except -1:
    cdef PyObject* found
    if not find_container(self, word(self, 1), Set, &found):
        return DECLINED
    reply_integer(self, found != NULL and PySet_Contains(<object>found, word(self, 2)))
    return READ

# -- sorted sets --------------------------------------------------------------------------------------


cdef int zadd(Path self) except -1:
    """ZADD of one member with a whole number for a score to an existing set."""
    cdef long long whole
    cdef double score
    cdef PyObject* old
    if self.count != 4 or self.sizes[2] > 15 or not parse_integer(self.words[2], self.sizes[2], &whole):
        return DECLINED
    score = <double>whole
    cdef bytes key = word(self, 1)
    members = container_to_write(self, key, SortedSet)
    if members is None:
        return DECLINED
    cdef bytes member = word(self, 3)
    old = PyDict_GetItem(<dict>slot_get(members, SORTED_SET_SCORES), member)
    cdef bint added = old == NULL
    if not added and <double><object>old == score:
        reply_integer(self, 0)
        return READ
    members.add(member, score)
    container_changed(self, key, members, SORTED_SET_ACCOUNTED, SORTED_SET_FOOTPRINT, 1)
    reply_integer(self, added)
    return WROTE


cdef int zscore(Path self) except -1:
    cdef PyObject* found
    cdef PyObject* score
    if not find_container(self, word(self, 1), SortedSet, &found):
        return DECLINED
    score = NULL
    if found != NULL:
        score = PyDict_GetItem(<dict>slot_get(<object>found, SORTED_SET_SCORES), word(self, 2))
    if score == NULL:
        reply_null(self)
    else:
        reply_double(self, <double><object>score)
    return READ
