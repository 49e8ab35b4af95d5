# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
# cython: binding=True
"""The path of a request in C: parse, admit, call, encode, journal, measure.

It serves *clean* requests, canonical arrays of bulk strings, of *plain* clients: those that need no checks
(``client.needs_checks``), or only that of their user's permissions, of a server that needs none. Everything else goes to the Python path on the same bytes. What
it does is what :meth:`kedis.engine.engine.Engine.run` does, in the same order; ``tests/native`` feeds both with the
same bytes and compares replies, journal, events, figures and keyspace.

A command runs in one of two ways: a frequent one in C (``strings.pxi``, ``containers.pxi``), over the keyspace's own
Python objects; any other through its handler. The C form of a command declines (``DECLINED``) before it has changed
anything whenever it is not sure: at an error, at a key that is due, while changes are observed (WATCH, notifications,
tracking, blocked clients). Its handler then does the work.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Next, PyDict_SetItem, PyDict_Size
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE, PyList_New, PyList_SET_ITEM
from cpython.object cimport PyObject, PyObject_Hash
from cpython.ref cimport Py_INCREF
from cpython.set cimport PySet_Contains, PySet_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_New, PyTuple_SET_ITEM
from libc.math cimport INFINITY, fabs, signbit
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from kedis.engine.call import fault, record, serve_blocked, take_back, unrecorded
from kedis.engine.client import Client
from kedis.process.clock import SYSTEM_CLOCKS
from kedis.engine.counters import Counters
from kedis.engine.flags import Flag
from kedis.engine.keyspec import access_of
from kedis.engine.propagation import Message, Propagation
from kedis.engine.table import Command
from kedis.engine.restrictions import Restrictions
from kedis.engine.users import User
from kedis.errors import CommandError
from kedis.resp.values import OK, PONG, OrderedSet
from kedis.store.access import AccessTracker, LruTracker
from kedis.store.account import _STRING, ACCESS_ENTRY, EXPIRY_ENTRY, Account
from kedis.store.database import Database
from kedis.store.key_table import KeyTable
from kedis.store.state import KeyspaceState
from kedis.structures.footprint import CONTAINER, INDEX_ENTRY
from kedis.structures.glob import segments_of
from kedis.structures.histogram import Histogram
from kedis.structures.strings import Buffer

from kedis.structures.containers cimport Hash as FullHash
from kedis.structures.containers cimport Set as FullSet
from kedis.structures.packed cimport Hash, List, Set, SortedSet
from kedis.structures.key_numbers cimport KeyNumbers
from kedis.structures.scan_index cimport ScanIndex
from kedis.structures.sorted_set import ADDED as _ADDED, UNCHANGED as _UNCHANGED
from kedis.structures.consumer_groups cimport Consumer, Group
from kedis.structures.stream cimport Stream
from kedis.structures.stream import _STREAM
from kedis.structures.stream_block cimport Block, NodeLimits, Segment
from kedis.structures.stream_columns cimport Columns
from kedis.structures.stream_id import ID_MAX

cdef extern from "slots.h" nogil:
    Py_ssize_t slot_offset(object descriptor) except -1
    PyObject* slot_get(object owner, Py_ssize_t offset)
    void slot_set(object owner, Py_ssize_t offset, object value)
    long long slot_int(object owner, Py_ssize_t offset)
    int slot_set_int(object owner, Py_ssize_t offset, long long number) except -1
    int slot_add(object owner, Py_ssize_t offset, long long amount) except -1
    int binary_digits(unsigned long long number)
    Py_ssize_t set_bytes(object)

cdef extern from "Python.h":
    PyObject* Py_True
    PyObject* Py_None
    int PyList_SetSlice(object, Py_ssize_t, Py_ssize_t, PyObject*) except -1
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1
    Py_ssize_t Py_SIZE(object)
    double PyFloat_AS_DOUBLE(object)
    double PyOS_string_to_double(const char*, char**, PyObject*) except? -1.0

cdef extern from "time.h" nogil:
    ctypedef long time_t
    struct timespec:
        time_t tv_sec
        long tv_nsec
    int clock_gettime(int, timespec*)
    int CLOCK_REALTIME

from cpython.array cimport array
from libc.limits cimport LLONG_MAX, LLONG_MIN

include "offsets.pxi"
include "small_integers.pxi"
include "../structures/words.pxi"

cdef enum:
    WORDS = 1024
    PAIRS = 512
    LONGEST_WORD = 65536
    #: A string of this size or more is sent from where it is (kedis.resp.long_replies).
    LONG_REPLY = 16384
    #: An aggregate of more elements is encoded in parts.
    PART = 4096
    #: A longer string is made by its handler, which knows the limit of the server (proto-max-bulk-len, 1 MB or more).
    LONGEST_BUFFER = 1 << 20
    #: Where in a list a range may begin to be read from its head.
    NEAR_HEAD = 512
    SHORT_OUTPUT = 512
    KEPT_OUTPUT = 16384
    SLOTS = 2048
    NAME = 24


include "peer.pxi"
include "encoding.pxi"


cdef bint is_word(const char* text, Py_ssize_t size, const char* word) noexcept nogil:
    """Whether ``text`` is the option ``word``, two upper-case letters, in any case."""
    return size == 2 and (text[0] & 0xDF) == word[0] and (text[1] & 0xDF) == word[1]


include "rows.pxi"
include "access.pxi"


# -- the path ---------------------------------------------------------------------------------------------


cdef class Path:
    """The native path of one engine.

    Attributes:
        taken: bytes that the last run has taken.
        commands: commands that have run here.
        wrote: the last run has changed something that is journalled.
        shows_only_durable: the replies of the last run depend on durable data alone; kept while ``selective``.
        waits, depths: where reads are counted (kedis.observability.turns).
        selective: whether replies may be sent before the sync that is due (appendfsync always); ``touches`` then tells
            whether a command shows data that are not durable yet.
    """

    def __cinit__(self):
        self.rows = malloc(SLOTS * sizeof(Name))
        if self.rows == NULL:
            raise MemoryError
        memset(self.rows, 0, SLOTS * sizeof(Name))
        self.words = <char**>malloc(WORDS * sizeof(char*))
        self.sizes = <Py_ssize_t*>malloc(WORDS * sizeof(Py_ssize_t))
        if self.words == NULL or self.sizes == NULL:
            raise MemoryError
        self.journal = NULL

    def __dealloc__(self):
        free(self.rows)
        free(self.words)
        free(self.sizes)
        free(self.journal)

    def __init__(self, engine):
        self.engine = engine
        self.keyspace = engine.keyspace
        self.account = engine.keyspace.account
        self.propagation = engine.propagation
        self.restrictions = engine.restrictions
        self.memory = engine.memory
        self.batch = engine.propagation.batch
        self.ready = engine.events.waiting.ready
        self.clock = engine.clock
        self.system_clock = engine.clock is SYSTEM_CLOCKS[0]
        self.kept_rows = []
        self.waits, self.depths = Histogram(), Histogram()
        for name, row in rows_of(engine.table).items():
            self._add_row(name, row)
        self.rows_by_command = {(<Row>row).command: row for row in self.kept_rows}

    def _add_row(self, bytes name, Row row):
        cdef Name* table = <Name*>self.rows
        cdef unsigned int place = hash_of(name, len(name)) % SLOTS
        while table[place].size:
            place = (place + 1) % SLOTS
        memcpy(table[place].letters, PyBytes_AS_STRING(name), len(name))
        table[place].size = <unsigned char>len(name)
        table[place].row = <PyObject*>row
        row.number = len(self.kept_rows)
        self.kept_rows.append(row)

    cdef PyObject* find_row(self, const char* name, Py_ssize_t size) noexcept:
        """The row of a name in any case, borrowed; NULL if it is not served here."""
        cdef Name* table = <Name*>self.rows
        cdef unsigned int place
        cdef Py_ssize_t at
        cdef unsigned char letter
        cdef bint equal
        if size >= NAME:
            return NULL
        place = hash_of(name, size) % SLOTS
        while table[place].size:
            if table[place].size == size:
                equal = True
                for at in range(size):
                    letter = <unsigned char>name[at]
                    if 97 <= letter <= 122:
                        letter -= 32
                    if letter != <unsigned char>table[place].letters[at]:
                        equal = False
                        break
                if equal:
                    return table[place].row
            place = (place + 1) % SLOTS
        return NULL

    cdef long long read_clock(self) except? -1:
        cdef timespec moment
        if self.system_clock:
            clock_gettime(CLOCK_REALTIME, &moment)
            return <long long>moment.tv_sec * 1000000000 + moment.tv_nsec
        return self.clock()

    cpdef bint serves(self, client):
        """Whether requests of ``client`` may be served here now."""
        return (
            (slot_get(client, CLIENT_NEEDS_CHECKS) != Py_True or slot_get(client, CLIENT_LIMITED) == Py_True)
            and slot_get(self.restrictions, RESTRICTIONS_NEEDS_CHECKS) != Py_True
            and slot_get(client, CLIENT_CLOSE_AFTER_REPLY) != Py_True
            and PyList_GET_SIZE(<object>slot_get(client, CLIENT_OUT)) == 0
        )

    cpdef begin_turn(self):
        """Read what does not change while commands run here; also after the Python path has run."""
        cdef object listener = <object>slot_get(self.propagation, PROPAGATION_LISTENER)
        self.active = slot_get(self.propagation, PROPAGATION_ACTIVE) == Py_True
        self.note = None if listener is None else listener.note
        self.read_only = slot_get(self.restrictions, RESTRICTIONS_READ_ONLY) == Py_True
        self.limit = self.memory.limit
        self.slow_ns = self.engine.slow_ns
        self.plain = (
            slot_get(self.keyspace, KEYSPACE_LOADING) != Py_True
            and slot_get(self.keyspace, KEYSPACE_NO_TOUCH) != Py_True
            and slot_get(self.keyspace, KEYSPACE_OWN_EXPIRIES) == Py_None
        )

    def feed(self, Peer peer, bytes data, long long budget_ns, long long turn_began_ns):
        """Run what can be run of ``data``, the next bytes of ``peer``, and no more than ``budget_ns`` long.

        Returns the bytes that are left and ``end``, ``more``, ``foreign`` or ``later``: all has run, the last command is not
        whole, the rest is for the Python path, the time is up. Replies are in the buffers of ``peer``.
        """
        self.begin_turn()
        outcome = self.run(peer, PyBytes_AS_STRING(data), len(data), budget_ns, turn_began_ns)
        self.settle()
        return data[self.taken:], ("end", "more", "foreign", "later")[outcome]

    cdef int run(
        self, Peer peer, char* data, Py_ssize_t size, long long budget_ns, long long turn_began_ns
    ) except -1:
        """As :meth:`feed`; returns an Outcome, and sets ``taken``. The turn has begun, and is settled by the caller."""
        cdef char* end = data + size
        cdef char* position = data
        cdef PyObject* found
        cdef Row row, ran_row = None
        cdef int outcome = FINISHED
        cdef Py_ssize_t ran = 0
        cdef long long began, then, waited
        cdef long long last = 0
        cdef object client = peer.client
        self.peer = peer
        self.client = client
        self.database = <object>slot_get(client, CLIENT_DB)
        self.resp3 = slot_int(client, CLIENT_RESP) == 3
        self.access = self.access_of(client) if slot_get(client, CLIENT_LIMITED) == Py_True else None
        self.leave = self.wrote = False
        self.shows_only_durable = True
        began = self.now = self.read_clock()
        while position < end:
            outcome = self.parse(position, end)
            if outcome != FINISHED:
                break
            found = self.find_row(self.words[0], self.sizes[0])
            if found == NULL:
                outcome = FOREIGN
                break
            row = <Row>found
            if not row.least <= self.count <= row.most or (row.writes and self.read_only):
                outcome = FOREIGN
                break
            if self.access is not None and not self.permits(self.access, row):
                outcome = FOREIGN  # where it is denied
                break
            self.start = position
            last = self.now
            if row is self.script_row:
                outcome = self.run_script()
                if outcome == FOREIGN:
                    break
            elif self.call(row):
                outcome = FOREIGN
                break
            position = self.next
            ran += 1
            ran_row = row
            then = self.read_clock()
            if outcome == ASIDE:
                break
            self.measure(row, then - self.now)
            if self.leave:
                outcome = FOREIGN if position < end else FINISHED
                break
            if position == end:
                break
            if then - began > budget_ns:
                outcome = LATER
                break
            self.now = then
        self.taken = position - data
        if ran:
            self.commands += ran
            slot_set(client, CLIENT_LAST_COMMAND, ran_row.command)
        else:
            last = began
        slot_set_int(self.keyspace, KEYSPACE_NOW_NS, last)
        ran += peer.commands_before
        if outcome == FOREIGN or outcome == LATER:  # whoever goes on with the read counts it
            peer.commands_before = ran
        elif ran:
            peer.commands_before = 0
            waited = last - turn_began_ns
            if waited < 0:
                waited = 0
            observe(self.waits, waited, 1)
            if ran > 1:
                observe(self.depths, ran, 1)
        self.last_ns = self.now
        self.peer = None
        self.client = self.database = self.given = self.access = None
        return outcome

    # -- permissions --------------------------------------------------------------------------------------

    cdef object access_of(self, client):
        """The permissions of the user of ``client``."""
        cdef object user = <object>slot_get(client, CLIENT_USER)
        cdef PyObject* found = slot_get(user, USER_COMPILED)
        if found == Py_None:
            access = Access(user, self.kept_rows)
            slot_set(user, USER_COMPILED, access)
            return access
        return <object>found

    cdef int locate_keys(self, Row row, Py_ssize_t* first, Py_ssize_t* last) noexcept:
        """Find the first and the last key of the request at hand: 1, or 0 where its handler is to say, -1 where there is none."""
        cdef Py_ssize_t at, count
        first[0] = row.key_first
        if row.key_places == FIXED:
            last[0] = row.key_first + row.key_last if row.key_last >= 0 else self.count + row.key_last
            return 1 if last[0] < self.count else -1
        if row.key_places == COUNTED:
            if row.key_count_at >= self.count or self.sizes[row.key_count_at] != 1:
                return 0
            count = self.words[row.key_count_at][0] - 48
            last[0] = row.key_first + (count - 1) * row.key_step
            return 1 if 1 <= count <= 9 and last[0] < self.count else 0
        for at in range(row.key_first, self.count - 1):
            if is_keyword(self.words[at], self.sizes[at], row.key_word):
                first[0] = at + 1
                last[0] = at + (self.count - at - 1) // 2
                return 1 if first[0] <= last[0] else 0
        return 0

    cdef bint permits(self, object permissions, Row row) except -1:
        """Whether ``permissions``, an Access, allow the request at hand.

        No change of the user comes between two requests of a run, nor between two calls of a script.
        """
        cdef Access access = <Access>permissions
        cdef list rules
        cdef Py_ssize_t at, first = 0, last = 0
        cdef int located, kind = ASK
        if row.number < PyBytes_GET_SIZE(access.kinds):  # EVALSHA may have come later
            kind = PyBytes_AS_STRING(access.kinds)[row.number]
        if kind == NOTHING:
            return True
        if kind == DENIED:
            return False
        if kind == KEYS:
            located = self.locate_keys(row, &first, &last)
            if located < 0:
                return True  # the handler refuses it
            if located:
                rules = <list>PyList_GET_ITEM(access.rules, row.number)
                for at in range(PyList_GET_SIZE(rules)):
                    if (<KeyRules>PyList_GET_ITEM(rules, at)).allow_all(self, row, first, last):
                        return True
                if not row.key_access_varies:
                    return False
        return access.user.may(row.command, self.argv())

    # -- parsing ------------------------------------------------------------------------------------------

    cdef int parse(self, char* position, char* end) noexcept:
        """Find the words of the request at ``position``: FINISHED, MORE where it is not whole, or FOREIGN."""
        cdef Py_ssize_t count, size, at
        if position[0] != 42:  # *
            return FOREIGN
        position += 1
        cdef int outcome = self.parse_number(&position, end, &count)
        if outcome != FINISHED:
            return outcome
        if not 0 < count <= WORDS:
            return FOREIGN
        for at in range(count):
            if position >= end:
                return MORE
            if position[0] != 36:  # $
                return FOREIGN
            position += 1
            outcome = self.parse_number(&position, end, &size)
            if outcome != FINISHED:
                return outcome
            if size > LONGEST_WORD:
                return FOREIGN
            if end - position < size + 2:
                return MORE
            self.words[at] = position
            self.sizes[at] = size
            position += size
            if position[0] != 13 or position[1] != 10:
                return FOREIGN
            position += 2
        self.count = count
        self.next = position
        return FINISHED

    cdef int parse_number(self, char** place, char* end, Py_ssize_t* number) noexcept:
        """The number of a header line, canonical and of up to seven digits; behind it stands the line end."""
        cdef char* position = place[0]
        cdef Py_ssize_t value = 0
        cdef int digits = 0
        while True:
            if position >= end:
                return MORE if digits <= 7 else FOREIGN
            if not 48 <= position[0] <= 57:
                break
            value = 10 * value + (position[0] - 48)
            digits += 1
            if digits > 7:
                return FOREIGN
            position += 1
        if digits == 0 or (digits > 1 and place[0][0] == 48) or position[0] != 13:
            return FOREIGN
        if position + 1 >= end:
            return MORE
        if position[1] != 10:
            return FOREIGN
        place[0] = position + 2
        number[0] = value
        return FINISHED

    # -- the call -----------------------------------------------------------------------------------------

    cdef int call(self, Row row) except -1:
        """Run the request; its reply is in the buffer, its effects in the journal. 1, and nothing is done, if it may wait."""
        cdef int result
        cdef Py_ssize_t mark = self.peer.output_size
        cdef long long before
        if row.form != NULL and self.plain and slot_get(row.command, COMMAND_FUNCTION) == <PyObject*>row.function and slot_get(self.keyspace, KEYSPACE_OBSERVED) != Py_True:
            before = slot_int(self.keyspace, KEYSPACE_DIRTY)
            try:
                result = row.form(self)
                if result == WROTE:
                    self.record_here()
            except Exception as error:
                result = READ
                self.fail_form(row, mark, slot_int(self.keyspace, KEYSPACE_DIRTY) != before, error)
            if result != DECLINED:
                if self.selective and self.shows_only_durable:
                    self.shows_only_durable = row.shows_named_keys and not self.touches(self.argv())
                return 0
        if row.may_wait and asks_to_wait(self):
            return 1
        return self.call_handler(row)

    cdef int fail_form(self, Row row, Py_ssize_t mark, bint changed, error) except -1:
        """A form in C has raised ``error``, perhaps in the middle of a change: it is answered, and not acknowledged."""
        self.take_back(mark)
        self.engine.durability.distrust(changed or row.writes)
        if changed and row.writes:
            error = unrecorded(self.client, row.command, error)
        else:
            error = fault(self.engine, row.command, error)
        return self.answer(error)

    cdef list argv(self):
        return self.every_word(0, 1)

    cdef list every_word(self, Py_ssize_t first, Py_ssize_t step):
        """The words at ``first``, ``first + step`` and so on.

        No comprehension: in what Cython 3.3.1 makes of it, an element is freed twice where the list cannot grow.
        """
        cdef Py_ssize_t at, count = (self.count - first + step - 1) // step
        cdef list words = PyList_New(count)
        cdef object element
        for at in range(count):
            element = PyBytes_FromStringAndSize(self.words[first + step * at], self.sizes[first + step * at])
            Py_INCREF(element)
            PyList_SET_ITEM(words, at, element)
        return words

    cdef int call_handler(self, Row row) except -1:
        """The steps of kedis.engine.engine.Engine.run."""
        cdef list argv = self.argv()
        cdef object client = self.client
        cdef Peer peer = self.peer
        cdef Py_ssize_t mark = peer.output_size
        cdef list out = <list>slot_get(client, CLIENT_OUT)
        cdef long long before
        cdef bint changed
        slot_set_int(self.keyspace, KEYSPACE_NOW_NS, self.now)
        before = slot_int(self.keyspace, KEYSPACE_DIRTY)
        try:
            value = (<object>slot_get(row.command, COMMAND_FUNCTION))(client, argv)
            self.answer(value)
        except CommandError as error:
            self.engine.count_error(row.command, error)
            self.answer(error)
        except Exception as error:
            self.take_back(mark)
            self.answer(fault(self.engine, row.command, error))
            self.engine.durability.distrust(slot_int(self.keyspace, KEYSPACE_DIRTY) != before or row.writes)
        changed = slot_int(self.keyspace, KEYSPACE_DIRTY) != before
        if PyList_GET_SIZE(self.batch) or (changed and row.writes):
            try:
                self.record_handler(row, argv, changed)
            except Exception as error:
                self.take_back(mark)
                self.answer(unrecorded(client, row.command, error))
        if PyDict_Size(self.ready):
            self.settle()
            serve_blocked(self.engine)
        if self.selective and self.shows_only_durable:
            self.shows_only_durable = row.shows_named_keys and not self.touches(argv)
        if PyList_GET_SIZE(out) or not self.serves(client):
            peer.surface()
            self.leave = True
        return 0

    def serve_scripts(self, scripts):
        """Have EVALSHA run by ``scripts`` from now on."""
        for name, command in self.engine.table.rows.items():
            if command.name == "evalsha" and len(name) < NAME and self.script_row is None:
                self.script_row = Row(command)
                self._add_row(name.upper(), self.script_row)
        self.scripts = scripts

    cdef int run_script(self) except -1:
        """Run the EVALSHA at hand, as :meth:`call_handler`: FINISHED, FOREIGN with nothing done, or ASIDE."""
        cdef Peer peer = self.peer
        cdef object client = self.client
        cdef object database = self.database
        cdef char* next = self.next
        cdef Py_ssize_t mark = peer.output_size
        cdef list argv
        if self.enter is None:
            return FOREIGN
        argv = self.argv()
        self.settle()
        slot_set_int(self.keyspace, KEYSPACE_NOW_NS, self.now)
        self.peer = None
        self.client = self.database = None
        try:
            value = self.scripts.serve(client, argv, self.script_row.command, self.enter)
        finally:
            self.peer = peer
            self.client, self.database = client, database
        self.set_words(argv)
        self.given = argv  # measure() may show the words
        self.next = next
        if value is NotImplemented:
            return FOREIGN
        if value is LEFT:
            return ASIDE
        try:
            self.answer(value)
        except Exception as error:
            self.take_back(mark)
            self.answer(fault(self.engine, self.script_row.command, error))
        self.shows_only_durable = False
        if PyList_GET_SIZE(<object>slot_get(client, CLIENT_OUT)) or not self.serves(client):
            peer.surface()
            self.leave = True
        return FINISHED

    cdef int set_words(self, list argv) except -1:
        """Make ``argv``, which its caller keeps, the words of the request."""
        cdef Py_ssize_t at
        self.count = PyList_GET_SIZE(argv)
        for at in range(self.count):
            self.words[at] = PyBytes_AS_STRING(<object>PyList_GET_ITEM(argv, at))
            self.sizes[at] = PyBytes_GET_SIZE(<object>PyList_GET_ITEM(argv, at))
        return 0

    def call_command(self, client, command, argv):
        """kedis.engine.call.call without hooks: run an admitted command of EXEC, a script or the program itself.

        Returns the value, a CommandError included, or NotImplemented where nothing was done and call() must.
        """
        cdef Py_ssize_t at = 0
        cdef Row row
        found = self.rows_by_command.get(command)
        if found is None or self.client is not None or len(argv) > WORDS:
            return NotImplemented
        row = <Row>found
        if row.may_wait:
            return NotImplemented
        for word in argv:
            if type(word) is not bytes:
                return NotImplemented
            self.words[at] = PyBytes_AS_STRING(word)
            self.sizes[at] = PyBytes_GET_SIZE(word)
            at += 1
        self.count = at
        self.begin_turn()
        execution = self.engine.execution
        self.client = client
        self.database = <object>slot_get(client, CLIENT_DB)
        self.given = argv
        self.effects = None if execution is None else execution.effects
        self.as_value = True
        self.now = slot_int(self.keyspace, KEYSPACE_NOW_NS)
        try:
            return self.call_given(row)
        finally:
            self.as_value = False
            self.client = self.database = self.given = self.effects = self.value = self.elements = None
            if execution is None and PyDict_Size(self.ready):
                serve_blocked(self.engine)

    cdef object call_words(self, Row row, client, effects):
        """As :meth:`call_command`, for a call of a script: the words stand in ``words``, and the turn has begun."""
        self.given = None
        self.client = client
        self.database = <object>slot_get(client, CLIENT_DB)
        self.effects = effects if self.active else None  # or nobody takes them
        self.as_value = True
        self.now = slot_int(self.keyspace, KEYSPACE_NOW_NS)
        try:
            return self.call_given(row)
        finally:
            self.as_value = False
            self.client = self.database = self.given = self.effects = self.value = self.elements = None

    cdef object call_given(self, Row row):
        cdef long long began = self.read_clock()
        cdef long long before
        cdef int result = DECLINED
        cdef object value = None
        if (
            row.form != NULL
            and self.plain
            and slot_get(row.command, COMMAND_FUNCTION) == <PyObject*>row.function
            and slot_get(self.keyspace, KEYSPACE_OBSERVED) != Py_True
        ):
            before = slot_int(self.keyspace, KEYSPACE_DIRTY)
            try:
                result = row.form(self)
                if result == WROTE:
                    self.record_here()
                if result != DECLINED:
                    value = self.value if self.elements is None else self.elements
            except Exception as error:
                result = READ
                value = self.fail_given(row, slot_int(self.keyspace, KEYSPACE_DIRTY) != before, error)
        if result == DECLINED:
            value = self.handle_given(row)
        self.measure(row, self.read_clock() - began)
        return value

    cdef object words_given(self):
        """The words of a call by :meth:`call_command` or :meth:`call_words`."""
        if self.given is None:
            self.given = self.argv()
        return self.given

    cdef object fail_given(self, Row row, bint changed, error):
        """The answer to a call whose form in C has raised ``error``, perhaps in the middle of a change."""
        self.engine.durability.distrust(changed or row.writes)
        if changed and row.writes:
            return unrecorded(self.client, row.command, error)
        return fault(self.engine, row.command, error)

    cdef object handle_given(self, Row row):
        """The value of the handler; its effects are recorded."""
        cdef object argv = self.words_given()
        cdef object client = self.client
        cdef long long before = slot_int(self.keyspace, KEYSPACE_DIRTY)
        cdef bint changed
        try:
            value = (<object>slot_get(row.command, COMMAND_FUNCTION))(client, argv)
        except CommandError as error:
            value = error
            self.engine.count_error(row.command, error)
        except Exception as error:
            value = fault(self.engine, row.command, error)
            self.engine.durability.distrust(slot_int(self.keyspace, KEYSPACE_DIRTY) != before or row.writes)
        changed = slot_int(self.keyspace, KEYSPACE_DIRTY) != before
        if PyList_GET_SIZE(self.batch) or changed:
            try:
                if (
                    PyList_GET_SIZE(self.batch)
                    or not row.writes
                    or slot_get(self.propagation, PROPAGATION_OVERRIDDEN) == Py_True
                ):
                    record(client, row.command, argv, changed)
                else:
                    self.record_here()
            except Exception as error:
                value = unrecorded(client, row.command, error)
        return value

    cdef int begin_replay(self, client) except -1:
        """Before :meth:`replay`: nothing is recorded, limited or answered, and nothing expires."""
        self.begin_turn()
        self.plain = slot_get(self.keyspace, KEYSPACE_NO_TOUCH) != Py_True
        self.active, self.note, self.limit = False, None, LLONG_MAX
        self.client = client
        self.database = <object>slot_get(client, CLIENT_DB)
        self.now = slot_int(self.keyspace, KEYSPACE_NOW_NS)
        self.as_value = self.replaying = True
        return 0

    cdef bint replay(self, Row row) except -1:
        """Run the form of the recorded command at hand; False where it was left to the handler, with nothing changed."""
        cdef bint ran = self.plain and slot_get(self.keyspace, KEYSPACE_OBSERVED) != Py_True and row.form(self) != DECLINED
        self.value = self.elements = None
        return ran

    cdef int end_replay(self) except -1:
        self.as_value = self.replaying = False
        self.client = self.database = self.value = self.elements = None
        return 0

    cdef int answer(self, object value) except -1:
        """Append the reply of the running call: behind messages that the client has sent to itself."""
        if PyList_GET_SIZE(<object>slot_get(self.client, CLIENT_OUT)):
            self.peer.surface()
            self.leave = True
            self.client.encode(value)
            return 0
        return encode(self, value)

    cdef int take_back(self, Py_ssize_t mark) except -1:
        """Remove the reply of the running call, before which ``mark`` bytes of replies were in the buffer."""
        cdef bint surfaced = self.peer.output_size < mark
        if not surfaced:
            self.peer.output_size = mark
        take_back(self.client, surfaced)
        return 0

    # -- effects ------------------------------------------------------------------------------------------

    cdef int record_here(self) except -1:
        """Record the change that a C form has just made, with the request's own bytes."""
        if slot_int(self.account, ACCOUNT_USED) > self.limit:
            self.fill_up()
        self.wrote = True
        slot_set(self.client, CLIENT_DIRTY_EPOCH, <object>slot_get(self.propagation, PROPAGATION_EPOCH))
        if self.as_value:
            if self.active or self.effects is not None:
                self.record_given(self.words_given())
            return 0
        if self.active:
            if self.note is not None:
                self.note(self.argv())
            self.select()
            self.journal_put(self.start, self.next - self.start)
        return 0

    cdef int record_given(self, words) except -1:
        """Record ``words``, the effect of a call by :meth:`call_command`."""
        cdef object number = <object>slot_get(self.client, CLIENT_DATABASE)
        if self.effects is not None:
            (<list>self.effects).append((number, words))
        elif self.active:
            self.propagation.append(number, words)
        return 0

    cdef int record_words(self, tuple effect) except -1:
        """Record ``effect``, a command and its database, of which there is no other."""
        cdef object number = effect[0]
        cdef object argv = effect[1]
        if self.note is not None:
            self.note(argv)
        if number != <object>slot_get(self.client, CLIENT_DATABASE):
            self.settle()
            self.propagation.append(number, argv)
            return 0
        self.select()
        cdef char head[32]
        cdef Py_ssize_t size = 32
        for word in argv:
            size += len(word) + 32
        self.reserve(size)  # or a part of the command would stay there when there is no more memory
        self.journal_put(head, write_header(head, 42, len(argv)))
        for word in argv:
            if type(word) is bytes:
                self.journal_put(head, write_header(head, 36, PyBytes_GET_SIZE(word)))
                self.journal_put(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word))
            else:
                self.journal_put(head, write_header(head, 36, PyByteArray_GET_SIZE(word)))
                self.journal_put(PyByteArray_AS_STRING(word), PyByteArray_GET_SIZE(word))
            self.journal_put(b"\r\n", 2)
        return 0

    cdef int record_handler(self, Row row, list argv, bint changed) except -1:
        """As kedis.engine.call.record: one effect is encoded here, several make a unit."""
        cdef Py_ssize_t effects = PyList_GET_SIZE(self.batch)
        cdef bint overridden = slot_get(self.propagation, PROPAGATION_OVERRIDDEN) == Py_True
        if effects + (not overridden and changed and row.writes) > 1 or (
            effects and type((<tuple>self.batch[0])[1]) is Message
        ):
            self.settle()
            record(self.client, row.command, argv, changed)
            self.wrote = self.wrote or changed
            return 0
        if slot_int(self.account, ACCOUNT_USED) > self.limit:
            self.fill_up()
        if changed and row.writes:
            self.wrote = True
            slot_set(self.client, CLIENT_DIRTY_EPOCH, <object>slot_get(self.propagation, PROPAGATION_EPOCH))
        slot_set(self.propagation, PROPAGATION_OVERRIDDEN, False)
        if effects:
            effect = self.batch.pop()
            if self.active:
                self.record_words(effect)
        elif self.active and not overridden:
            if self.note is not None:
                self.note(argv)
            self.select()
            self.journal_put(self.start, self.next - self.start)
        return 0

    cdef int fill_up(self) except -1:
        if not self.restrictions.memory_full:
            self.memory.fill_up()
        self.leave = True
        return 0

    cdef int select(self) except -1:
        """Record SELECT where the last recorded command was of another database."""
        cdef PyObject* number = slot_get(self.client, CLIENT_DATABASE)
        cdef PyObject* last = slot_get(self.propagation, PROPAGATION_DATABASE)
        cdef bytes words
        if number != last and slot_int(self.client, CLIENT_DATABASE) != slot_int(
            self.propagation, PROPAGATION_DATABASE
        ):
            digits = b"%d" % <object>number
            words = b"*2\r\n$6\r\nSELECT\r\n$%d\r\n%b\r\n" % (len(digits), digits)
            self.journal_put(words, len(words))
            slot_set(self.propagation, PROPAGATION_DATABASE, <object>number)
        return 0

    cdef int reserve(self, Py_ssize_t size) except -1:
        """Make room for ``size`` bytes that are journalled next."""
        cdef Py_ssize_t wanted
        cdef char* grown
        if self.journal_size + size > self.journal_room:
            wanted = max(2 * self.journal_room, LONGEST_WORD)
            while wanted < self.journal_size + size:
                wanted *= 2
            grown = <char*>realloc(self.journal, wanted)
            if grown == NULL:
                raise MemoryError
            self.journal = grown
            self.journal_room = wanted
        return 0

    cdef int journal_put(self, const char* data, Py_ssize_t size) except -1:
        self.reserve(size)
        memcpy(self.journal + self.journal_size, data, size)
        self.journal_size += size
        return 0

    cdef object take_journal(self):
        """What was journalled here and is not settled, as bytes; it is forgotten here."""
        cdef bytes data = PyBytes_FromStringAndSize(self.journal, self.journal_size)
        self.journal_size = 0
        return data

    cdef void forget_journal(self) noexcept:
        """Drop what was journalled here and is not settled."""
        self.journal_size = 0

    cdef int forget_request(self) except -1:
        """After an exception in :meth:`run`: keep nothing of the client that was served."""
        self.peer = None
        self.client = self.database = None
        return 0

    cpdef settle(self):
        """Put what was journalled here into the propagation stream: before Python may add to it, and at the end."""
        if self.journal_size:
            (<list>slot_get(self.propagation, PROPAGATION_ENTRIES)).append(
                PyBytes_FromStringAndSize(self.journal, self.journal_size)
            )
            self.journal_size = 0

    # -- figures ------------------------------------------------------------------------------------------

    cdef int measure(self, Row row, long long elapsed) except -1:
        cdef object counters = row.counters
        cdef array histogram
        if not 0 <= elapsed < self.slow_ns:
            elapsed = max(elapsed - <long long>self.engine.check_clock(), 0)
            if elapsed >= self.slow_ns:
                self.engine.observer.take_slow_call(self.client, row.command, self.argv(), elapsed)
        slot_add(counters, COUNTERS_NANOSECONDS, elapsed)
        histogram = <array>slot_get(counters, COUNTERS_HISTOGRAM)
        if (elapsed >> 6) < Py_SIZE(histogram):
            histogram.data.as_longlongs[elapsed >> 6] += 1
        else:
            counters.count(elapsed)
        return 0



include "encode_values.pxi"
include "commands.pxi"
include "strings.pxi"
include "containers.pxi"
include "sorted_sets.pxi"
include "streams.pxi"
include "forms.pxi"
