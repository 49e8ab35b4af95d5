"""What the loop uses of the path."""

from cpython.object cimport PyObject


cdef class Row:
    cdef object command, function, counters
    cdef Py_ssize_t least, most
    cdef long long flags
    cdef bint writes, shows_named_keys, may_wait
    #: Its place in Path.kept_rows.
    cdef Py_ssize_t number
    #: Of the first, the last, or from one to the next; what they mean depends on key_places.
    cdef Py_ssize_t key_first, key_last, key_step
    #: How the keys are found: KeyPlaces in rows.pxi.
    cdef int key_places
    cdef Py_ssize_t key_count_at
    cdef bytes key_word
    cdef int key_access
    cdef bint key_access_varies
    cdef int (*form)(Path) except -1
    cdef find_keys(self)
    cdef take_spec(self, spec)


cdef class Peer:
    cdef public object client, parser, sock, tls, unsent
    cdef public int fd
    cdef public list sealed
    cdef public bint closed, queued
    cdef public Py_ssize_t noted_bytes
    cdef public Py_ssize_t commands_before
    #: Of the read that is served: when its turn began.
    cdef long long began_ns
    cdef char* output
    cdef Py_ssize_t output_size, output_room
    cdef char* input
    cdef Py_ssize_t input_size

    cdef char* room(self, Py_ssize_t size) except NULL
    cdef int put(self, const char* text, Py_ssize_t size) except -1
    cdef int keep_input(self, const char* data, Py_ssize_t size) except -1
    cpdef surface(self)
    cpdef drop_buffers_here(self)
    cdef void empty_output(self) noexcept

#: What :meth:`kedis.native.lua_bridge.Scripts.serve` answers where a script goes on in its greenlet.
cdef object LEFT

cdef int observe(object histogram, long long amount, long long times) except -1


cdef enum Outcome:
    FINISHED  # every command has run
    MORE  # the last command is not whole
    FOREIGN  # the rest is for the Python path
    LATER  # the time is up
    ASIDE  # a script has let others in, and goes on in its greenlet, which answers

cdef class Path:
    cdef object engine, keyspace, account, propagation, restrictions, memory
    cdef object clock
    cdef bint system_clock
    cdef list batch
    cdef dict ready
    # Of the turn: see begin_turn.
    cdef bint active, plain, read_only
    cdef object note
    cdef long long limit, slow_ns
    cdef Py_ssize_t journal_size, journal_room
    cdef char* journal
    cdef object take_journal(self)
    # Of the request that runs.
    cdef Peer peer
    cdef object client, database
    #: The permissions of the client's user; None where it may all.
    cdef object access
    cdef Py_ssize_t count
    cdef char** words
    cdef Py_ssize_t* sizes
    cdef char* start
    cdef char* next
    cdef long long now
    #: When the last command has begun.
    cdef long long last_ns
    cdef bint resp3, leave
    # Of a call by Path.call_command: its words, the effects of the unit under way, and the reply as it grows.
    #: The request is a recorded one: nothing is due.
    cdef bint replaying
    cdef bint as_value
    cdef object given, effects, value
    cdef list elements
    cdef dict rows_by_command
    cdef readonly Py_ssize_t taken
    cdef readonly long long commands
    cdef public object waits, depths
    cdef public bint wrote, shows_only_durable, selective
    cdef public object touches
    #: What runs scripts (kedis.native.lua_bridge.Scripts), its row, and what switches to their greenlet.
    cdef public object scripts
    cdef Row script_row
    cdef object enter
    cdef int run_script(self) except -1
    cdef int set_words(self, list argv) except -1
    cdef void* rows
    cdef list kept_rows

    cdef long long read_clock(self) except? -1
    cpdef begin_turn(self)
    cpdef settle(self)
    cdef void forget_journal(self) noexcept
    cdef int forget_request(self) except -1
    cdef int run(self, Peer peer, char* data, Py_ssize_t size, long long budget_ns, long long turn_began_ns) except -1
    cpdef bint serves(self, client)
    cdef object access_of(self, client)
    cdef int locate_keys(self, Row row, Py_ssize_t* first, Py_ssize_t* last) noexcept
    cdef bint permits(self, object permissions, Row row) except -1
    cdef PyObject* find_row(self, const char* name, Py_ssize_t size) noexcept
    cdef int parse(self, char* position, char* end) noexcept
    cdef int parse_number(self, char** place, char* end, Py_ssize_t* number) noexcept
    cdef int call(self, Row row) except -1
    cdef int fail_form(self, Row row, Py_ssize_t mark, bint changed, error) except -1
    cdef list argv(self)
    cdef list every_word(self, Py_ssize_t first, Py_ssize_t step)
    cdef int call_handler(self, Row row) except -1
    cdef int answer(self, object value) except -1
    cdef int take_back(self, Py_ssize_t mark) except -1
    cdef int record_here(self) except -1
    cdef int record_given(self, words) except -1
    cdef object call_words(self, Row row, client, effects)
    cdef object words_given(self)
    cdef object call_given(self, Row row)
    cdef object handle_given(self, Row row)
    cdef object fail_given(self, Row row, bint changed, error)
    cdef int begin_replay(self, client) except -1
    cdef bint replay(self, Row row) except -1
    cdef int end_replay(self) except -1
    cdef int record_words(self, tuple effect) except -1
    cdef int record_handler(self, Row row, list argv, bint changed) except -1
    cdef int fill_up(self) except -1
    cdef int select(self) except -1
    cdef int reserve(self, Py_ssize_t size) except -1
    cdef int journal_put(self, const char* data, Py_ssize_t size) except -1
    cdef int measure(self, Row row, long long elapsed) except -1
