# -- sorted sets --------------------------------------------------------------------------------------

cdef int ADDED = _ADDED, UNCHANGED = _UNCHANGED
cdef double[16] POWERS_OF_TEN
POWERS_OF_TEN[:] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]


cdef bint parse_score(const char* text, Py_ssize_t size, double* score) noexcept:
    """Read a decimal number, finite and of a normal size; False for all else, which the handler is to read.

    Up to 15 digits make an exact double, and so does a power of ten up to 1e22: their quotient is the nearest double to
    the number. Longer ones are left to the conversion that float() uses.
    """
    cdef long long digits = 0
    cdef Py_ssize_t at = 0, first, whole, count
    cdef char* end
    if size and (text[0] == 45 or text[0] == 43):  # - +
        at = 1
    first = at
    while at < size and 48 <= text[at] <= 57:
        if at - first < 15:
            digits = 10 * digits + (text[at] - 48)
        at += 1
    whole = count = at - first
    if not whole:
        return False
    if at + 1 < size and text[at] == 46:  # .
        at += 1
        while at < size and 48 <= text[at] <= 57:
            if count < 15:
                digits = 10 * digits + (text[at] - 48)
            count += 1
            at += 1
        if count == whole:
            return False
    if at == size and count <= 15:
        score[0] = <double>digits / POWERS_OF_TEN[count - whole]
        if text[0] == 45:
            score[0] = -score[0]
        return True
    if at < size:
        if not (text[at] | 32) == 101:  # e
            return False
        at += 1
        if at < size and (text[at] == 45 or text[at] == 43):
            at += 1
        if at == size:
            return False
        while at < size:
            if not 48 <= text[at] <= 57:
                return False
            at += 1
    # The line end stands behind the number.
    score[0] = PyOS_string_to_double(text, &end, NULL)
    return end == text + size and 1e-300 < fabs(score[0]) < INFINITY


cdef int zadd(Path self) except -1:
    """ZADD without options to an existing set."""
    cdef double scores[PAIRS]
    cdef Py_ssize_t at, added = 0, changes = 0
    cdef int change
    if self.count % 2:
        return DECLINED
    for at in range(2, self.count, 2):
        if not parse_score(self.words[at], self.sizes[at], &scores[at // 2 - 1]):
            return DECLINED
    cdef SortedSet members = container_to_write(self, word(self, 1), SortedSet)
    if members is None:
        return DECLINED
    for at in range(2, self.count, 2):
        change = members.put(word(self, at + 1), scores[at // 2 - 1] + 0.0)
        added += change == ADDED
        changes += change != UNCHANGED
    reply_integer(self, added)
    if not changes:
        return READ
    container_changed(self, &members.accounted_bytes, members.measure(), changes)
    return WROTE


cdef int zincrby(Path self) except -1:
    """ZINCRBY of an existing set."""
    cdef double total, old
    cdef bint there
    if not parse_score(self.words[2], self.sizes[2], &total):
        return DECLINED
    cdef bytes key = word(self, 1), member = word(self, 3)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not SortedSet:
        return DECLINED
    cdef SortedSet members = <SortedSet>found
    there = members.look(self.words[3], self.sizes[3], &old)
    if there:
        total += old  # finite and any score: never not-a-number
    touch(self, key)
    reply_double(self, total)
    if there and total == old:
        return READ
    members.put(member, total + 0.0)
    container_changed(self, &members.accounted_bytes, members.measure(), 1)
    return WROTE


cdef int zrem(Path self) except -1:
    """ZREM of fewer members than the set has: it does not become empty."""
    cdef Py_ssize_t at, removed = 0
    cdef SortedSet members = container_to_write(self, word(self, 1), SortedSet, self.count - 2)
    if members is None:
        return DECLINED
    for at in range(2, self.count):
        removed += members.remove(word(self, at))
    reply_integer(self, removed)
    if not removed:
        return READ
    container_changed(self, &members.accounted_bytes, members.measure(), removed)
    return WROTE


cdef int zscore(Path self) except -1:
    cdef PyObject* found
    cdef double score
    if not find_container(self, word(self, 1), SortedSet, &found):
        return DECLINED
    if found != NULL and (<SortedSet>found).look(self.words[2], self.sizes[2], &score):
        reply_double(self, score)
    else:
        reply_null(self)
    return READ


cdef int rank_of(Path self, bint reverse) except -1:
    """ZRANK or ZREVRANK."""
    cdef PyObject* found
    if not find_container(self, word(self, 1), SortedSet, &found):
        return DECLINED
    rank = None if found == NULL else (<SortedSet>found).rank(word(self, 2), reverse)
    if rank is None:
        reply_null(self)
    else:
        reply_integer(self, rank)
    return READ


cdef int range_by_rank(Path self, bint reverse) except -1:
    """ZRANGE or ZREVRANGE of ranks, without options."""
    cdef PyObject* found
    cdef long long start, stop
    cdef Py_ssize_t size
    cdef list members = []
    if self.count != 4:
        return DECLINED
    if not parse_integer(self.words[2], self.sizes[2], &start):
        return DECLINED
    if not parse_integer(self.words[3], self.sizes[3], &stop):
        return DECLINED
    if not find_container(self, word(self, 1), SortedSet, &found):
        return DECLINED
    if found != NULL:
        size = (<SortedSet>found).length()
        if start < 0:
            start = max(start + size, 0)
        if stop < 0:
            stop += size
        stop = min(stop, size - 1)
        if start <= stop:
            members = (<SortedSet>found).members(start, stop + 1, reverse)
    encode(self, members)
    return READ
