# -- streams ------------------------------------------------------------------------------------------

cdef extern from "stream_ids.h":
    object stream_id_of(unsigned long long ms, unsigned long long sequence)
    int stream_id_halves(object stream_id, unsigned long long* ms, unsigned long long* sequence) except -1

cdef enum:
    #: An id as clients see it takes this much at most, two numbers of 20 digits.
    ID_TEXT = 41
    #: Digits of half an id that certainly fits 64 bits.
    HALF_DIGITS = 19
    #: Entries that XREADGROUP delivers here at most: one XCLAIM records them.
    DELIVERED = 1000
    #: Bytes of a command that the handler has to look at: the limit of an entry is above that.
    LONGEST_ENTRY = 1 << 29

cdef long long _STREAM_BYTES = _STREAM
cdef object _ID_MAX = ID_MAX


cdef bint is_option(const char* text, Py_ssize_t size, const char* name, Py_ssize_t length) noexcept nogil:
    """Whether ``text`` is the option ``name``, upper-case letters, in any case."""
    cdef Py_ssize_t at
    if size != length:
        return False
    for at in range(size):
        if (text[at] & 0xDF) != name[at]:
            return False
    return True


# -- ids ----------------------------------------------------------------------------------------------


cdef int write_half(char* place, unsigned long long number) noexcept nogil:
    """As write_number, for a number without a sign."""
    if number < <unsigned long long>1 << 63:
        return write_number(place, <long long>number)
    cdef int size = write_number(place, <long long>(number // 10))
    place[size] = 48 + <char>(number % 10)
    return size + 1


cdef int write_id(char* place, unsigned long long ms, unsigned long long sequence) noexcept nogil:
    """Write an id as clients see it; returns how many bytes that takes, at most ``ID_TEXT``."""
    cdef int size = write_half(place, ms)
    place[size] = 45  # -
    return size + 1 + write_half(place + size + 1, sequence)


cdef bytes id_bytes(object stream_id):
    cdef char text[ID_TEXT]
    cdef unsigned long long ms, sequence
    stream_id_halves(stream_id, &ms, &sequence)
    return PyBytes_FromStringAndSize(text, write_id(text, ms, sequence))


cdef Py_ssize_t parse_half(const char* text, Py_ssize_t size, unsigned long long* number) noexcept nogil:
    """Read the digits that ``text`` begins with; returns how many, 0 where they may be too many."""
    cdef Py_ssize_t at = 0
    cdef unsigned long long value = 0
    while at < size and 48 <= text[at] <= 57:
        if at == HALF_DIGITS:
            return 0
        value = 10 * value + <unsigned long long>(text[at] - 48)
        at += 1
    number[0] = value
    return at


cdef bint parse_halves(
    const char* text, Py_ssize_t size, unsigned long long* ms, unsigned long long* sequence, bint* whole
) noexcept nogil:
    """Read ``ms-sequence``, or ``ms`` alone, which is not ``whole`` and leaves ``sequence``; False for all else."""
    cdef Py_ssize_t digits = parse_half(text, size, ms)
    whole[0] = False
    if not digits or digits == size:
        return digits != 0
    if text[digits] != 45:  # -
        return False
    digits += 1
    whole[0] = True
    return digits < size and parse_half(text + digits, size - digits, sequence) == size - digits


cdef object parse_id_word(Path self, Py_ssize_t at):
    """The id that the word spells; None where the handler has to read it."""
    cdef unsigned long long ms = 0, sequence = 0
    cdef bint whole
    if not parse_halves(self.words[at], self.sizes[at], &ms, &sequence, &whole):
        return None
    return stream_id_of(ms, sequence)


cdef object parse_bound(Path self, Py_ssize_t at, bint upper):
    """An end of an interval as an inclusive id; None where the handler has to read it."""
    cdef unsigned long long ms = 0, sequence = <unsigned long long>-1 if upper else 0
    cdef const char* text = self.words[at]
    cdef Py_ssize_t size = self.sizes[at]
    cdef bint whole, exclusive = size > 1 and text[0] == 40  # (
    if size == 1 and text[0] == 45:  # -
        return 0
    if size == 1 and text[0] == 43:  # +
        return _ID_MAX
    if not parse_halves(text + exclusive, size - exclusive, &ms, &sequence, &whole):
        return None
    cdef object stream_id = stream_id_of(ms, sequence)
    if not exclusive:
        return stream_id
    if upper:
        return stream_id - 1 if stream_id > 0 else None
    return stream_id + 1 if stream_id < _ID_MAX else None


# -- XADD ---------------------------------------------------------------------------------------------


cdef int xadd(Path self) except -1:
    """XADD to an existing stream, with an id of its own or a whole one, and MAXLEN without LIMIT if any."""
    cdef Py_ssize_t at = 2
    cdef long long most = -1
    cdef bint approximately = False
    if is_option(self.words[2], self.sizes[2], b"MAXLEN", 6):
        at = 3
        if self.sizes[3] == 1 and (self.words[3][0] == 126 or self.words[3][0] == 61):  # ~ =
            approximately = self.words[3][0] == 126
            at = 4
        if not parse_integer(self.words[at], self.sizes[at], &most) or most < 0:
            return DECLINED
        at += 1
    if self.count - at < 3 or (self.count - at) % 2 == 0:
        return DECLINED
    cdef unsigned long long ms = 0, sequence = 0
    cdef bint given = not (self.sizes[at] == 1 and self.words[at][0] == 42)  # *
    cdef bint whole = False
    if given and not (parse_halves(self.words[at], self.sizes[at], &ms, &sequence, &whole) and whole):
        return DECLINED
    cdef bytes key = word(self, 1)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not Stream:
        return DECLINED
    cdef Stream log = <Stream>found
    cdef object stream_id = new_id(self, log, given, &ms, &sequence)
    if stream_id is None:
        return DECLINED
    cdef NodeLimits limits = <NodeLimits>slot_get(self.keyspace, KEYSPACE_NODE_LIMITS)
    cdef tuple fields = fields_of(self, log.tail, at + 1)
    if fields is None:
        return DECLINED
    log.append_at(stream_id, ms, sequence, fields, every_second(self, at + 2), limits)
    touch(self, key)
    container_changed(self, &log.accounted_bytes, log._account.held + _STREAM_BYTES, 1)
    cdef Py_ssize_t limit = limits.trimmed if approximately and not self.client.trusted else 0
    if 0 <= most < log._length and log.trim(most, approximately, limit):
        container_changed(self, &log.accounted_bytes, log._account.held + _STREAM_BYTES, 0)
    cdef char text[ID_TEXT]
    cdef int size = write_id(text, ms, sequence)
    reply_bulk(self, text, size)
    if not given:
        return record_added(self, at, text, size, log._length if approximately else -1)
    if not approximately:
        return WROTE
    return record_added(self, at, self.words[at], self.sizes[at], log._length)


cdef object new_id(Path self, Stream log, bint given, unsigned long long* ms, unsigned long long* sequence):
    """The id of a new entry and its halves, which are ``given`` or to be found; None where there is none."""
    cdef unsigned long long last_ms, last_sequence
    stream_id_halves(log.last_id, &last_ms, &last_sequence)
    if given:
        if ms[0] < last_ms or (ms[0] == last_ms and sequence[0] <= last_sequence):
            return None
    else:
        ms[0] = self.now // 1000000
        sequence[0] = 0
        if ms[0] <= last_ms:
            if last_sequence == <unsigned long long>-1:
                return None
            ms[0] = last_ms
            sequence[0] = last_sequence + 1
    return stream_id_of(ms[0], sequence[0])


cdef tuple fields_of(Path self, Block tail, Py_ssize_t first):
    """The fields of the entry that begins at ``first``: the object of the last block's where they are those.

    None where the entry is so long that the handler has to look at it.
    """
    cdef Py_ssize_t at, count = (self.count - first) // 2
    cdef long long length = 0
    cdef tuple known
    cdef bytes field
    for at in range(first, self.count):
        length += self.sizes[at]
    if length > LONGEST_ENTRY:
        return None
    if tail is not None and len(tail.fields) == count:
        known = tail.fields
        for at in range(count):
            field = <bytes>known[at]
            if PyBytes_GET_SIZE(field) != self.sizes[first + 2 * at] or memcmp(
                PyBytes_AS_STRING(field), self.words[first + 2 * at], PyBytes_GET_SIZE(field)
            ):
                break
        else:
            return known
    return every_second(self, first)


cdef tuple every_second(Path self, Py_ssize_t first):
    """The words at ``first``, ``first + 2`` and so on."""
    cdef Py_ssize_t at, count = (self.count - first + 1) // 2
    cdef tuple words = PyTuple_New(count)
    cdef object element
    for at in range(count):
        element = PyBytes_FromStringAndSize(self.words[first + 2 * at], self.sizes[first + 2 * at])
        Py_INCREF(element)
        PyTuple_SET_ITEM(words, at, element)
    return words


cdef int record_added(Path self, Py_ssize_t at, const char* text, Py_ssize_t size, Py_ssize_t length) except -1:
    """Record XADD with the id ``text`` in place of the word ``at``; RECORDED.

    If ``length`` >= 0, ``~`` in front of the id becomes ``=`` and what it left.
    """
    cdef list words
    cdef char head[64]
    cdef int digits
    if self.as_value or self.note is not None:
        words = self.argv()
        words[at] = PyBytes_FromStringAndSize(text, size)
        if length >= 0:
            words[at - 2 : at] = [b"=", b"%d" % length]
        record_instead(self, words)
        return RECORDED
    begin_record(self)
    if not self.active:
        return RECORDED
    self.select()
    self.reserve(self.next - self.start + 2 * sizeof(head) + ID_TEXT)
    if length >= 0:
        self.journal_put(self.start, self.words[at - 2] - self.start)
        self.journal_put(b"=\r\n", 3)
        digits = write_number(head + 24, length)
        self.journal_put(head, write_header(head, 36, digits))
        self.journal_put(head + 24, digits)
        self.journal_put(b"\r\n", 2)
    else:
        self.journal_put(self.start, self.words[at - 1] + self.sizes[at - 1] + 2 - self.start)
    self.journal_put(head, write_header(head, 36, size))
    self.journal_put(text, size)
    # The line end behind the id, and what follows.
    self.journal_put(self.words[at] + self.sizes[at], self.next - self.words[at] - self.sizes[at])
    return RECORDED


cdef int begin_record(Path self) except -1:
    """What goes before the record of a change that a form records itself."""
    if slot_int(self.account, ACCOUNT_USED) > self.limit:
        self.fill_up()
    self.wrote = True
    slot_set(self.client, CLIENT_DIRTY_EPOCH, <object>slot_get(self.propagation, PROPAGATION_EPOCH))
    return 0


# -- reading ------------------------------------------------------------------------------------------


cdef int xlen(Path self) except -1:
    return length_of(self, Stream)


cdef int xrange_up(Path self) except -1:
    return range_of_entries(self, False)


cdef int xrange_down(Path self) except -1:
    return range_of_entries(self, True)


cdef int range_of_entries(Path self, bint reverse) except -1:
    """XRANGE and XREVRANGE."""
    cdef long long count = LLONG_MAX
    if self.as_value:
        return DECLINED
    if self.count != 4:
        if self.count != 6 or not is_option(self.words[4], self.sizes[4], b"COUNT", 5):
            return DECLINED
        if not parse_integer(self.words[5], self.sizes[5], &count) or count <= 0:
            return DECLINED
    cdef object low = parse_bound(self, 3 if reverse else 2, False)
    cdef object high = parse_bound(self, 2 if reverse else 3, True)
    if low is None or high is None:
        return DECLINED
    cdef bytes key = word(self, 1)
    cdef Stream log
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL:
        reply_header(self, 42, 0)
    elif type(<object>found) is not Stream:
        return DECLINED
    else:
        log = <Stream>found
        if not write_entries(self, log.read(low, high, count, reverse), reverse, PART):
            return DECLINED
        touch(self, key)
    count_look(self, found)
    return READ


cdef bint write_entries(Path self, list segments, bint reverse, Py_ssize_t most) except -1:
    """Append entries as a reply; False, with nothing appended, where they are more than ``most`` or one is long."""
    cdef Py_ssize_t total = 0, mark = self.peer.output_size
    cdef Segment segment
    for segment in segments:
        total += segment._stop - segment._start
    if total > most:
        return False
    reply_header(self, 42, total)
    for segment in segments:
        if not write_segment(self.peer, segment, reverse):
            self.peer.output_size = mark
            return False
    return True


cdef bint write_segment(Peer peer, Segment segment, bint reverse) except -1:
    """Append the entries of ``segment``, from the end if ``reverse``; False where one is long."""
    cdef Columns columns = segment.columns
    cdef Py_ssize_t at, field, width = columns.width, number = segment._start
    cdef unsigned long long base_ms = columns.base_ms
    cdef unsigned long long base_number = columns.base_number
    cdef char text[ID_TEXT]
    cdef char* place
    cdef int size
    cdef object row
    while number < segment._stop:
        at = segment._stop - 1 - (number - segment._start) if reverse else number
        number += 1
        size = write_id(text, base_ms + number_at(columns.times, at), base_number + number_at(columns.numbers, at))
        place = peer.room(ID_TEXT + 32)
        memcpy(place, b"*2\r\n", 4)
        place += 4
        place += write_header(place, 36, size)
        memcpy(place, text, size)
        place[size] = 13
        place[size + 1] = 10
        peer.output_size = place + size + 2 - peer.output
        if width:
            put_header(peer, 2 * width)
            for field in range(width):
                if not put_bulk(peer, <object>PyTuple_GET_ITEM(segment.fields, field)) or not put_bulk(
                    peer, <object>PyList_GET_ITEM(columns.values, at * width + field)
                ):
                    return False
        else:
            row = <object>PyList_GET_ITEM(columns.values, at)
            if not put_row(peer, segment.fields, row):
                return False
    return True


cdef bint put_row(Peer peer, tuple fields, object row) except -1:
    """Append the fields and values of an entry of a block in the mixed arrangement; False where one is long."""
    cdef Py_ssize_t at
    cdef bint own = type(row) is list
    put_header(peer, len(row) if own else 2 * len(row))
    for at in range(len(row)):
        if not own and not put_bulk(peer, fields[at]):
            return False
        if not put_bulk(peer, row[at]):
            return False
    return True


cdef inline int put_header(Peer peer, Py_ssize_t count) except -1:
    peer.output_size += write_header(peer.room(24), 42, count)
    return 0


cdef inline bint put_bulk(Peer peer, object text) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    if size > LONG_REPLY:
        return False
    cdef char* place = peer.room(size + 32)
    cdef int head = write_header(place, 36, size)
    memcpy(place + head, PyBytes_AS_STRING(text), size)
    place[head + size] = 13
    place[head + size + 1] = 10
    peer.output_size += head + size + 2
    return True


cdef inline unsigned long long number_at(array numbers, Py_ssize_t at):
    """An element of an array of machine integers, whatever their width."""
    cdef int width = numbers.itemsize
    if width == 8:
        return numbers.data.as_ulonglongs[at]
    if width == 1:
        return numbers.data.as_uchars[at]
    if width == 2:
        return numbers.data.as_ushorts[at]
    return numbers.data.as_uints[at]


# -- XREAD, XREADGROUP, XACK --------------------------------------------------------------------------


cdef bint asks_to_wait(Path self) noexcept:
    """Whether a word is BLOCK: the option, or, rarely, something else that is called so."""
    cdef Py_ssize_t at
    for at in range(1, self.count):
        if is_option(self.words[at], self.sizes[at], b"BLOCK", 5):
            return True
    return False


cdef bint parse_reading(
    Path self, bint of_group, long long* count, bint* waits, Py_ssize_t* group, Py_ssize_t* key
) noexcept:
    """Read the options of XREAD or XREADGROUP of one stream: the places of the group and the key; False for all else."""
    cdef Py_ssize_t at = 1, more
    cdef long long block_ms = 0
    cdef char* option
    cdef Py_ssize_t size
    count[0], waits[0], group[0] = LLONG_MAX, False, 0
    while at < self.count - 2:
        option, size, more = self.words[at], self.sizes[at], self.count - at - 1
        if is_option(option, size, b"STREAMS", 7):
            key[0] = at + 1
            return more == 2 and (group[0] != 0) == of_group
        if is_option(option, size, b"COUNT", 5):
            if not parse_integer(self.words[at + 1], self.sizes[at + 1], count) or count[0] <= 0:
                return False
            at += 2
        elif is_option(option, size, b"BLOCK", 5):
            if not parse_integer(self.words[at + 1], self.sizes[at + 1], &block_ms) or block_ms < 0:
                return False
            waits[0] = True
            at += 2
        elif of_group and is_option(option, size, b"GROUP", 5):
            group[0] = at + 1
            at += 3
        else:
            return False
    return False


cdef int look_twice(Path self, bytes key, PyObject* value) except -1:
    """Count as the handlers do, which look for the id first and then for the entries."""
    cdef int times
    for times in range(2):
        count_look(self, value)
        if value != NULL:
            touch(self, key)
    return 0


cdef int reply_nothing_new(Path self) except -1:
    if self.resp3:
        return self.peer.put(b"_\r\n", 3)
    return self.peer.put(b"*-1\r\n", 5)


cdef bint write_entries_of_key(Path self, bytes key, list segments, Py_ssize_t most) except -1:
    """As write_entries, as those of the only stream that was asked for."""
    cdef Py_ssize_t mark = self.peer.output_size
    if self.resp3:
        self.peer.put(b"%1\r\n", 4)
    else:
        self.peer.put(b"*1\r\n*2\r\n", 8)
    reply_bytes(self, key)
    if not write_entries(self, segments, False, most):
        self.peer.output_size = mark
        return False
    return True


cdef int xread(Path self) except -1:
    """XREAD of one stream behind an id, where there is something or nobody is to wait for it."""
    cdef long long count
    cdef bint waits
    cdef Py_ssize_t group, at
    if self.as_value or not parse_reading(self, False, &count, &waits, &group, &at):
        return DECLINED
    cdef object after = parse_id_word(self, at + 1)
    if after is None or after == _ID_MAX:
        return DECLINED
    cdef bytes key = word(self, at)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found != NULL and type(<object>found) is not Stream:
        return DECLINED
    cdef list segments = [] if found == NULL else (<Stream>found).read(after + 1, _ID_MAX, count, False)
    if segments:
        if not write_entries_of_key(self, key, segments, PART):
            return DECLINED
    elif waits:
        return DECLINED
    else:
        reply_nothing_new(self)
    look_twice(self, key, found)
    return READ


cdef int xreadgroup(Path self) except -1:
    """XREADGROUP of what is new in one stream, by a consumer that is known; recorded as XCLAIM."""
    cdef long long count
    cdef bint waits
    cdef Py_ssize_t names, at
    if self.as_value or not parse_reading(self, True, &count, &waits, &names, &at):
        return DECLINED
    if self.sizes[at + 1] != 1 or self.words[at + 1][0] != 62:  # >
        return DECLINED
    cdef bytes key = word(self, at)
    if is_due(self, key):
        return DECLINED
    cdef PyObject* found = value_of(self, key)
    if found == NULL or type(<object>found) is not Stream:
        return DECLINED
    cdef Stream log = <Stream>found
    cdef bytes name = word(self, names)
    cdef Group group = log.groups.get(name)
    if group is None:
        return DECLINED
    cdef Consumer consumer = group.consumer(word(self, names + 1))
    if not log._length or log.top_id <= group.last_id:
        if waits:
            return DECLINED
        look_twice(self, key, found)
        reply_nothing_new(self)
        return READ
    if consumer is None:
        return DECLINED
    cdef list segments = log.read(group.last_id + 1, _ID_MAX, count, False)
    if not write_entries_of_key(self, key, segments, DELIVERED):
        return DECLINED
    look_twice(self, key, found)
    cdef long long now_ms = self.now // 1000000
    deliver(log, group, consumer, segments, now_ms)
    container_changed(self, &log.accounted_bytes, log._account.held + _STREAM_BYTES, 1)
    record_instead(self, claim(key, name, consumer.name, segments, now_ms) if self.active else [])
    return RECORDED


cdef int deliver(Stream log, Group group, Consumer consumer, list segments, object now_ms) except -1:
    """As kedis.commands.stream_reading does."""
    cdef Segment segment
    cdef list ids
    consumer.seen_ms = now_ms
    for segment in segments:
        ids = ids_of(segment)
        log.advance(group, ids)
        group.deliver_all(ids, consumer, now_ms)
    return 0


cdef list ids_of(Segment segment):
    """kedis.structures.stream_block.Segment.ids"""
    cdef Columns columns = segment.columns
    cdef unsigned long long base_ms = columns.base_ms
    cdef unsigned long long base_number = columns.base_number
    cdef Py_ssize_t at
    cdef list ids = PyList_New(segment._stop - segment._start)
    cdef object stream_id
    for at in range(segment._start, segment._stop):
        stream_id = stream_id_of(
            base_ms + number_at(columns.times, at), base_number + number_at(columns.numbers, at)
        )
        Py_INCREF(stream_id)
        PyList_SET_ITEM(ids, at - segment._start, stream_id)
    return ids


cdef list claim(bytes key, bytes name, bytes consumer, list segments, long long now_ms):
    """The XCLAIM that records a delivery."""
    cdef list words = [b"XCLAIM", key, name, consumer, b"0"]
    cdef Segment segment
    cdef object last = None
    for segment in segments:
        for stream_id in ids_of(segment):
            last = id_bytes(stream_id)
            words.append(last)
    words += [b"TIME", b"%d" % now_ms, b"RETRYCOUNT", b"1", b"FORCE", b"JUSTID", b"LASTID", last]
    return words


cdef int xack(Path self) except -1:
    cdef Py_ssize_t at
    cdef PyObject* found
    cdef list ids = PyList_New(self.count - 3)
    cdef object stream_id
    for at in range(3, self.count):
        stream_id = parse_id_word(self, at)
        if stream_id is None:
            return DECLINED
        Py_INCREF(stream_id)
        PyList_SET_ITEM(ids, at - 3, stream_id)
    if not find_container(self, word(self, 1), Stream, &found):
        return DECLINED
    cdef Stream log = None if found == NULL else <Stream>found
    cdef Group group = None if log is None else log.groups.get(word(self, 2))
    cdef Py_ssize_t acknowledged = 0 if group is None else group.acknowledge_all(ids)
    reply_integer(self, acknowledged)
    if not acknowledged:
        return READ
    container_changed(self, &log.accounted_bytes, log._account.held + _STREAM_BYTES, acknowledged)
    return WROTE
