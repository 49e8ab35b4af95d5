# -- the command table ------------------------------------------------------------------------------------


#: The form of a command in C: returns READ or WROTE once the reply is appended, or DECLINED, with nothing changed.
ctypedef int (*Form)(Path) except -1

cdef enum:
    DECLINED = 0  # nothing was done: the handler is to be called
    READ = 1
    WROTE = 2  # the request's own bytes go into the journal
    RECORDED = 3  # it has recorded its change itself

cdef long long _NEW_STRING = _STRING
cdef long long _ACCESS = ACCESS_ENTRY
cdef long long _EXPIRY = EXPIRY_ENTRY
cdef long long _CONTAINER = CONTAINER
cdef long long _INDEX_ENTRY = INDEX_ENTRY
LEFT = object()

cdef enum KeyPlaces:
    NO_PLACES = 0
    FIXED = 1
    COUNTED = 2  # as many as a word says
    HALF_OF_REST = 3  # of what stands behind a word


cdef class Row:
    """A row of the command table, with what C reads of it.

    The form in C is that of ``function``; another handler in the row, which a program may put there, is called instead.
    """

    def __init__(self, command):
        self.command = command
        self.function = command.function
        self.counters = command.counters
        self.least, self.most = command.least, min(command.most, WORDS)
        self.writes = command.writes
        self.flags = command.flags
        self.shows_named_keys = command.shows_named_keys
        self.may_wait = command.name in _MAY_WAIT
        self.form = form_of(command.name)
        self.find_keys()

    cdef find_keys(self):
        """Take over where the keys are, if one specification says it."""
        command = self.command
        self.key_places = NO_PLACES
        if command.key_range is not None:
            self.key_places = FIXED
            self.key_first, self.key_last, self.key_step, self.key_access = command.key_range
            self.key_access_varies = command.key_flags is not None
        elif len(command.keys) == 1 and (command.key_plan is not None or self.may_wait):
            self.take_spec(command.keys[0])

    cdef take_spec(self, spec):
        if spec.count_at is not None and spec.keyword is None:
            self.key_places = COUNTED
            self.key_count_at = spec.index + spec.count_at
            self.key_first = spec.index + spec.first_key
        elif spec.keyword is not None and spec.start_from > 0 and (spec.last, spec.limit) == (-1, 2):
            self.key_places = HALF_OF_REST
            self.key_word = spec.keyword.encode()
            self.key_first = spec.start_from
        self.key_step = spec.step
        self.key_access = access_of(spec.flags)


cdef struct Name:
    unsigned char size
    char letters[NAME]  # upper case
    PyObject* row

#: Groups whose handlers touch nothing but the keyspace: they cannot yield, block or change the client.
_GROUPS = frozenset(
    ["bitmap", "generic", "geo", "hash", "hyperloglog", "list", "set", "sorted-set", "stream", "string"]
)
_BESIDE = frozenset(["ping", "echo", "publish", "spublish", "dbsize"])
_NEVER = frozenset(["migrate", "wait", "waitaof"])
#: Those that wait only where they are asked to: see asks_to_wait.
_MAY_WAIT = frozenset(["xread", "xreadgroup"])
_UNSUITABLE = Flag.NOSCRIPT | Flag.BLOCKING | Flag.ADMIN | Flag.WHOLE_DATABASES


cdef dict rows_of(table):
    """Upper-case name -> row of the commands of ``table`` that are served here; made once for each table."""
    if table.native_rows is None:
        table.native_rows = {
            name.upper(): Row(command)
            for name, command in table.rows.items() if len(name) < NAME and is_served(command)
        }
    return <dict>table.native_rows


def rows_with_forms(Path path):
    """Handler -> row, of the commands that have a form."""
    return {(<Row>row).function: row for row in path.kept_rows if (<Row>row).form != NULL}


def is_served(command):
    """Whether the native path may run ``command``."""
    return (
        command.least <= command.most
        and (command.group in _GROUPS or command.name in _BESIDE)
        and command.name not in _NEVER
        and (not command.flags & _UNSUITABLE or command.name in _MAY_WAIT)
    )


cdef inline unsigned int hash_of(const char* name, Py_ssize_t size) noexcept nogil:
    cdef unsigned int value = 2166136261
    cdef Py_ssize_t at
    for at in range(size):
        value = (value ^ <unsigned char>(name[at] & 0xDF)) * 16777619
    return value


cdef int observe(object histogram, long long amount, long long times) except -1:
    """kedis.structures.histogram.Histogram.add, ``times`` over."""
    (<array>slot_get(histogram, HISTOGRAM_COUNTS)).data.as_longlongs[binary_digits(amount)] += times
    slot_add(histogram, HISTOGRAM_TOTAL, amount * times)
    return 0
