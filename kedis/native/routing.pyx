# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The hot path of the router in C: kedis.router.python_flow, with the same names.

Plain requests (canonical arrays of bulks, of commands with one key at a fixed place, or for one server that has all
keys) go from their bytes to the stream of their node without the parser; replies are framed where they were received,
and copied once, to the client's output. Whatever is in doubt is left to the Python path, on the same bytes.
"""

cimport cython
from cpython.array cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport uint16_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcpy, memmove

from kedis.native.path cimport Peer

from kedis.engine.client import Client
from kedis.engine.counters import Counters
from kedis.engine.table import Command
from kedis.resp.reply_framing import FramingError
from kedis.structures.histogram import Histogram

cdef extern from "slots.h" nogil:
    Py_ssize_t slot_offset(object descriptor) except -1
    PyObject* slot_get(object owner, Py_ssize_t offset)
    int slot_add(object owner, Py_ssize_t offset, long long amount) except -1
    int binary_digits(unsigned long long number)

cdef extern from "Python.h":
    Py_ssize_t Py_SIZE(object)

cdef enum:
    SLOTS = 16384
    #: Of a request that is taken here.
    MOST_WORDS = 64
    NAME = 20
    #: kedis.router.python_flow
    REPLY_BYTES = 4194304
    FIRST_LIMIT = 32
    MOST_PENDING = 1024
    #: What kedis.router.routed_connection bounds, too.
    PENDING_BYTES = 1048576
    FULL_BYTES = 4194304
    LONGEST_LINE = 1048576
    #: A buffer of this size is given back once it is empty.
    KEPT_BUFFER = 65536
    #: Of frame_item: nothing whole.
    CUT = -1
    WRONG = -2
    # kedis.engine.counters
    PRECISION = 8

cdef Py_ssize_t CLIENT_OUT = slot_offset(Client.out)
cdef Py_ssize_t COMMAND_COUNTERS = slot_offset(Command.counters)
cdef Py_ssize_t COUNTERS_HISTOGRAM = slot_offset(Counters.histogram)
cdef Py_ssize_t COUNTERS_LONGER = slot_offset(Counters.longer)
cdef Py_ssize_t COUNTERS_NANOSECONDS = slot_offset(Counters.nanoseconds)
cdef Py_ssize_t HISTOGRAM_COUNTS = slot_offset(Histogram.counts)
cdef Py_ssize_t HISTOGRAM_TOTAL = slot_offset(Histogram.total)

cdef uint16_t CRC[256]


cdef void fill_crc() noexcept:
    cdef int byte, bit
    cdef unsigned int value
    for byte in range(256):
        value = byte << 8
        for bit in range(8):
            value = (value << 1) ^ (0x1021 if value & 0x8000 else 0)
        CRC[byte] = value & 0xFFFF


fill_crc()


cdef int slot_of(const char* key, Py_ssize_t size) noexcept nogil:
    """kedis.router.hash_slots.key_slot."""
    cdef const char* opening = <const char*>memchr(key, b"{", size)
    cdef const char* closing
    cdef uint16_t crc = 0
    cdef Py_ssize_t at
    if opening != NULL:
        closing = <const char*>memchr(opening + 1, b"}", key + size - opening - 1)
        if closing != NULL and closing > opening + 1:
            key, size = opening + 1, closing - opening - 1
    for at in range(size):
        crc = <uint16_t>((crc << 8) ^ CRC[((crc >> 8) ^ <unsigned char>key[at]) & 0xFF])
    return crc & (SLOTS - 1)


def key_slot(bytes key):
    """The slot of ``key``, as kedis.router.hash_slots has it."""
    return slot_of(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))


cdef class Form:
    """How a plain request of a command is sent on: see kedis.router.python_flow."""

    cdef readonly object row
    cdef readonly Py_ssize_t key_at, least, most
    cdef readonly bint reads_only

    def __init__(self, row, Py_ssize_t key_at, bint reads_only, Py_ssize_t least, most):
        self.row = row
        self.key_at = key_at
        self.reads_only = reads_only
        self.least, self.most = least, min(most, MOST_WORDS)


@cython.freelist(256)
cdef class UpstreamRequest:
    """One request: see kedis.router.python_flow."""

    cdef public object sink, row, refusal, reply, own
    cdef public bytes wire
    cdef public int slot, resp, database, number, replies, expected
    cdef public bint reads_only, pinned, silent
    cdef public long long began_ns, deadline_ns, end
    #: The next one without a reply of the same connection, and of the same client.
    cdef UpstreamRequest next_flying, next_pending

    def __init__(self, sink, bytes wire, row, int slot, bint reads_only, long long began_ns):
        self.sink = sink
        self.wire = wire
        self.row = row
        self.slot = slot
        self.reads_only = reads_only
        self.began_ns = began_ns
        self.resp = 2
        self.replies = self.expected = 1


cdef class Flow:
    """The stream of a connection to a node: see kedis.router.python_flow."""

    cdef public object durations, at_end, flush, redirected, on_push
    cdef public list out
    cdef public long long appended, answered_bytes, progress_ns
    cdef public bint queued, opened
    cdef readonly Py_ssize_t flying
    cdef UpstreamRequest first, last
    cdef object clock, monotonic
    cdef char* buffer
    cdef Py_ssize_t size, room
    #: Of the reply at hand: up to where it is framed, items that are missing, bytes without which nothing is whole.
    cdef Py_ssize_t position, wanted
    cdef long long missing
    cdef long long now

    def __init__(self, durations, list at_end, clock, monotonic):
        self.durations = durations
        self.at_end = at_end
        self.clock = clock
        self.monotonic = monotonic
        self.out = []
        self.missing = 1
        self.progress_ns = monotonic()

    def __dealloc__(self):
        free(self.buffer)

    def submit(self, UpstreamRequest request):
        """Append ``request``; it is sent at the end of this turn."""
        self.append(request)

    cdef int append(self, UpstreamRequest request) except -1:
        if self.first is None:
            self.progress_ns = self.monotonic()
        self.out.append(request.wire)
        self.appended += PyBytes_GET_SIZE(request.wire)
        request.end = self.appended
        request.next_flying = None
        if self.first is None:
            self.first = request
        else:
            self.last.next_flying = request
        self.last = request
        self.flying += 1
        if not self.queued and self.opened:
            self.queued = True
            self.at_end.append(self.flush)
        return 0

    def take_flying(self):
        """The requests without a reply, in order, which are forgotten."""
        cdef UpstreamRequest request = self.first
        cdef UpstreamRequest after
        found = []
        self.first = self.last = None
        self.flying = 0
        while request is not None:
            after = request.next_flying
            request.next_flying = None
            found.append(request)
            request = after
        return found

    def feed(self, bytes data):
        """Take replies, and give each to the sink of its request. Raises FramingError."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t start
        self.now = self.clock()
        self.progress_ns = self.monotonic()
        if not self.size:
            start = self.frame(PyBytes_AS_STRING(data), size)
            self.keep(PyBytes_AS_STRING(data) + start, size - start)
            return
        self.keep(PyBytes_AS_STRING(data), size)
        if self.size < self.wanted:
            return
        start = self.frame(self.buffer, self.size)
        self.size -= start
        memmove(self.buffer, self.buffer + start, self.size)
        if not self.size and self.room > KEPT_BUFFER:
            free(self.buffer)
            self.buffer = NULL
            self.room = 0

    cdef int keep(self, const char* data, Py_ssize_t size) except -1:
        cdef char* grown
        cdef Py_ssize_t room
        if not size:
            return 0
        if self.size + size > self.room:
            room = max(max(self.size + size, 2 * self.room), 4096)
            if self.wanted > room:
                room = min(self.wanted, 2 * room)
            grown = <char*>realloc(self.buffer, room)
            if grown == NULL:
                raise MemoryError
            self.buffer, self.room = grown, room
        memcpy(self.buffer + self.size, data, size)
        self.size += size
        return 0

    cdef Py_ssize_t frame(self, const char* data, Py_ssize_t end) except -1:
        """Take the whole replies in ``data``; returns where the next one begins."""
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t position = self.position
        cdef Py_ssize_t stop
        cdef long long missing = self.missing
        cdef long long number = 0
        cdef char kind
        self.wanted = 0
        while position < end:
            stop = self.item_end(data, position, end, &number)
            if stop < 0:
                if stop == WRONG:
                    raise FramingError("no reply")
                if self.wanted:
                    self.wanted -= start
                break
            kind = data[position]
            if kind == c"*" or kind == c"~" or kind == c">":
                missing += max(number, 0) - 1
            elif kind == c"%":
                missing += 2 * max(number, 0) - 1
            elif kind == c"|":
                missing += 2 * max(number, 0)
            else:
                missing -= 1
            position = stop
            if not missing:
                # The state is whole before anybody is told, who may do anything.
                self.position, self.missing = 0, 1
                stop = start
                start, missing = position, 1
                self.take(data + stop, position - stop)
        self.position, self.missing = position - start, missing
        return start

    cdef Py_ssize_t item_end(self, const char* data, Py_ssize_t position, Py_ssize_t end, long long* number) noexcept:
        """kedis.resp.reply_framing.item_end; CUT where it is not whole, with ``wanted`` where that is known, or WRONG."""
        cdef char kind = data[position]
        cdef Py_ssize_t line = position + 1
        cdef const char* found
        cdef long long length = 0
        cdef bint negative = False
        cdef Py_ssize_t digits
        if kind == c"+" or kind == c"-" or kind == c":" or kind == c"_" or kind == c"#" or kind == c"," or kind == c"(":
            while True:
                found = <const char*>memchr(data + line, c"\r", end - line)
                if found == NULL or found + 1 >= data + end:
                    return WRONG if end - position > LONGEST_LINE else CUT
                line = found - data
                if data[line + 1] == c"\n":
                    return line + 2
                line += 1
        if kind != c"$" and kind != c"*" and kind != c"%" and kind != c"~" and kind != c">" and kind != c"=" \
                and kind != c"!" and kind != c"|":
            return WRONG
        if line < end and data[line] == c"-":
            negative = True
            line += 1
        digits = line
        while line < end and c"0" <= data[line] <= c"9":
            length = length * 10 + (data[line] - c"0")
            line += 1
            if line - digits > 12:
                return WRONG
        if line + 1 >= end:
            if line < end and data[line] != c"\r":
                return WRONG
            return CUT
        if line == digits or data[line] != c"\r" or data[line + 1] != c"\n" or (negative and length != 1):
            return WRONG
        if negative:
            length = -1
        number[0] = length
        line += 2
        if length < 0 or (kind != c"$" and kind != c"=" and kind != c"!"):
            return line
        if line + length + 2 > end:
            self.wanted = line + length + 2
            return CUT
        return line + length + 2

    cdef int take(self, const char* reply, Py_ssize_t size) except -1:
        cdef UpstreamRequest request = self.first
        cdef long long elapsed
        cdef object durations
        cdef bytes whole = None
        if request is None or reply[0] == c">":
            if self.on_push is not None:
                self.on_push(PyBytes_FromStringAndSize(reply, size))
            elif request is None:
                raise FramingError("a reply to no request")
            return 0
        if request.expected > 1:
            request.expected -= 1
            if reply[0] == c"-" and request.refusal is None:
                request.refusal = PyBytes_FromStringAndSize(reply, size)
            return 0
        self.first = request.next_flying
        if self.first is None:
            self.last = None
        request.next_flying = None
        self.flying -= 1
        self.answered_bytes = request.end
        elapsed = max(self.now - request.began_ns, 0)
        durations = self.durations
        (<array>slot_get(durations, HISTOGRAM_COUNTS)).data.as_longlongs[binary_digits(elapsed)] += 1
        slot_add(durations, HISTOGRAM_TOTAL, elapsed)
        if reply[0] == c"-" or request.refusal is not None:
            whole = PyBytes_FromStringAndSize(reply, size)
            if self.redirected(request, whole):
                return 0
        if type(request.sink) is Lane:
            (<Lane>request.sink).now = self.now
            (<Lane>request.sink).pass_on(request, reply, size)
        else:
            request.sink.deliver(request, PyBytes_FromStringAndSize(reply, size) if whole is None else whole)
        return 0


cdef class Lane:
    """The order of one client's replies: see kedis.router.python_flow."""

    cdef Peer peer
    cdef object engine, cycle
    cdef public object on_reply
    cdef readonly Py_ssize_t pending
    cdef public Py_ssize_t pending_bytes
    cdef readonly Py_ssize_t limit
    cdef Py_ssize_t reply_bytes
    cdef public bint paused
    cdef UpstreamRequest first, last
    cdef long long now
    #: Of the requests that are taken here: the protocol, the database, which shared connection.
    cdef public int resp, database, number
    #: The last request of :meth:`forward` was cut off; and the row of the last one taken.
    cdef readonly bint cut
    cdef readonly object last_row

    forwards = True

    def __init__(self, Peer peer, engine, cycle):
        self.peer = peer
        self.engine = engine
        self.cycle = cycle
        self.resp = 2
        self.limit = FIRST_LIMIT
        self.reply_bytes = REPLY_BYTES // FIRST_LIMIT

    @property
    def gone(self):
        """Whether the client has left."""
        return self.peer is None or self.peer.closed

    def close(self):
        """The client has left: replies are dropped."""
        cdef UpstreamRequest request = self.first
        cdef UpstreamRequest after
        self.peer = None
        self.on_reply = None
        self.first = self.last = None
        self.pending = 0
        while request is not None:  # one by one: a chain that is freed at once would recurse
            after = request.next_pending
            request.next_pending = None
            request = after

    def begin(self, UpstreamRequest request):
        """``request`` will be answered behind those before it."""
        self.enqueue(request)

    cdef int enqueue(self, UpstreamRequest request) except -1:
        if self.first is None:
            self.first = request
        else:
            self.last.next_pending = request
        self.last = request
        self.pending += 1
        self.pending_bytes += PyBytes_GET_SIZE(request.wire)
        return 0

    # -- requests -----------------------------------------------------------------------------------------

    def forward(self, bytes data, dict forms, list table, bint by_slot):
        """Take the plain requests at the start of ``data``; how many bytes of it were taken.

        It stops before a request that is not plain or not whole (``cut``), whose route is not open, or that would pass
        a bound.
        """
        cdef const char* start = PyBytes_AS_STRING(data)
        cdef const char* end = start + PyBytes_GET_SIZE(data)
        cdef const char* at = start
        cdef const char* next = NULL
        cdef const char* words[MOST_WORDS]
        cdef Py_ssize_t sizes[MOST_WORDS]
        cdef Py_ssize_t count
        cdef PyObject* found
        cdef Form form
        cdef UpstreamRequest request
        cdef Flow flow
        cdef int slot
        cdef long long now = self.engine.clock()
        self.cut = False
        while at < end:
            count = parse(at, end, words, sizes, &next)
            if count <= 0:
                self.cut = count == 0
                break
            if sizes[0] > NAME:
                break
            found = PyDict_GetItem(forms, PyBytes_FromStringAndSize(words[0], sizes[0]))
            if found == NULL:
                break
            form = <Form>found
            if not form.least <= count <= form.most:
                break
            slot = slot_of(words[form.key_at], sizes[form.key_at]) if by_slot else 0
            found = PyList_GET_ITEM(table, slot)
            if <object>found is None:
                break
            flow = <Flow?>found
            if (
                flow.appended - flow.answered_bytes > FULL_BYTES
                or self.pending >= self.limit
                or self.pending_bytes >= PENDING_BYTES
            ):
                break
            request = UpstreamRequest.__new__(UpstreamRequest)
            request.sink = self
            request.wire = PyBytes_FromStringAndSize(at, next - at)
            request.row = form.row
            request.slot = slot
            request.reads_only = form.reads_only
            request.began_ns = now
            request.resp, request.database, request.number = self.resp, self.database, self.number
            request.replies = request.expected = 1
            self.enqueue(request)
            flow.append(request)
            self.last_row = form.row
            at = next
        return at - start

    # -- replies ------------------------------------------------------------------------------------------

    def deliver(self, UpstreamRequest request, bytes reply):
        """Take the reply to ``request``."""
        self.now = self.engine.clock()
        self.pass_on(request, PyBytes_AS_STRING(reply), PyBytes_GET_SIZE(reply))

    cdef int pass_on(self, UpstreamRequest request, const char* reply, Py_ssize_t size) except -1:
        cdef Peer peer = self.peer
        cdef bytes waiting
        if peer is None or peer.closed:
            return 0
        if self.first is not request:
            request.reply = PyBytes_FromStringAndSize(reply, size)
            return 0
        self.leave(request)
        self.finish(request, reply, size)
        while self.first is not None and self.first.reply is not None:
            request = self.first
            waiting = request.reply
            self.leave(request)
            self.finish(request, PyBytes_AS_STRING(waiting), PyBytes_GET_SIZE(waiting))
        if self.paused:
            self.on_reply()
        if not peer.queued:
            peer.queued = True
            self.cycle.waiting.append(peer)
        return 0

    cdef int leave(self, UpstreamRequest request) except -1:
        """``request``, the first one, is answered."""
        self.first = request.next_pending
        if self.first is None:
            self.last = None
        request.next_pending = None
        self.pending -= 1
        self.pending_bytes -= PyBytes_GET_SIZE(request.wire)
        return 0

    cdef int finish(self, UpstreamRequest request, const char* reply, Py_ssize_t size) except -1:
        """Pass on the reply, and count."""
        cdef Peer peer = self.peer
        cdef object out
        cdef long long elapsed
        if request.row is not None:
            elapsed = self.now - request.began_ns
            count_call(<object>slot_get(request.row, COMMAND_COUNTERS), max(elapsed, 0))
            if reply[0] == c"-" or elapsed >= self.engine.slow_ns:
                peer.note(request, PyBytes_FromStringAndSize(reply, size), elapsed)
        self.reply_bytes = max(size, self.reply_bytes - (self.reply_bytes >> 3))
        self.limit = max(min(REPLY_BYTES // (self.reply_bytes + 1), MOST_PENDING), 1)
        if request.silent:
            return 0
        out = <object>slot_get(peer.client, CLIENT_OUT)
        if PyList_GET_SIZE(out):  # which the output here would go before
            (<list>out).append(PyBytes_FromStringAndSize(reply, size))
        else:
            peer.put(reply, size)
        return 0


cdef int count_call(counters, long long elapsed) except -1:
    """kedis.engine.counters.Counters.count, and the time."""
    cdef object histogram = <object>slot_get(counters, COUNTERS_HISTOGRAM)
    cdef object longer
    cdef long long units = elapsed >> 6
    cdef long long place
    cdef int digits
    slot_add(counters, COUNTERS_NANOSECONDS, elapsed)
    if units < Py_SIZE(histogram):
        (<array>histogram).data.as_longlongs[units] += 1
        return 0
    if Py_SIZE(histogram):
        longer = <object>slot_get(counters, COUNTERS_LONGER)
        digits = binary_digits(units)
        place = (digits - 10) * (1 << (PRECISION - 1)) + (units >> (digits - PRECISION)) - (1 << (PRECISION - 1))
        if place < Py_SIZE(longer):
            (<array>longer).data.as_longlongs[place] += 1
            return 0
    counters.count(elapsed)
    return 0


cdef Py_ssize_t parse(
    const char* at, const char* end, const char** words, Py_ssize_t* sizes, const char** next
) noexcept nogil:
    """Find the words of a canonical request; their number, 0 where it is not whole, -1 where it is not plain."""
    cdef Py_ssize_t count = 0
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t word
    cdef int outcome
    if at[0] != c"*":
        return -1
    at += 1
    outcome = number(&at, end, &count)
    if outcome <= 0:
        return outcome
    if count < 1 or count > MOST_WORDS:
        return -1
    for word in range(count):
        if at >= end:
            return 0
        if at[0] != c"$":
            return -1
        at += 1
        outcome = number(&at, end, &size)
        if outcome <= 0:
            return outcome
        if end - at < size + 2:
            return 0
        words[word], sizes[word] = at, size
        at += size
        if at[0] != c"\r" or at[1] != c"\n":
            return -1
        at += 2
    next[0] = at
    return count


cdef int number(const char** place, const char* end, Py_ssize_t* found) noexcept nogil:
    """Take digits without a leading zero, and CRLF; 0 where they are not whole, -1 where they are not that."""
    cdef const char* at = place[0]
    cdef Py_ssize_t value = 0
    cdef Py_ssize_t digits = 0
    while at < end and c"0" <= at[0] <= c"9":
        value = value * 10 + (at[0] - c"0")
        digits += 1
        if digits > 9:
            return -1
        at += 1
    if at >= end:
        return 0
    if digits == 0 or at[0] != c"\r" or (digits > 1 and place[0][0] == c"0"):
        return -1
    if at + 1 >= end:
        return 0
    if at[1] != c"\n":
        return -1
    place[0] = at + 2
    found[0] = value
    return 1
