# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The bridge to Lua in C: redis.call and redis.pcall as C functions of Lua, and scripts run without lupa in between.

lupa holds the interpreter, and whatever is not frequent crosses by it (:mod:`kedis.scripting.runtime`, which is complete
without this module). A call by lupa costs 0.6 us for the crossing alone; here it takes its words off Lua's stack, runs
the command by the native path where that serves it, and pushes the reply, for 0.1 us.

The functions of Lua's C interface are found in lupa's own extension (``lua_api.h``, which has the rules of errors, too);
where they are not to be found, :func:`open_bridge` says so and lupa serves.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Size
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.stdio cimport snprintf

from kedis.native.path cimport LEFT, Path, Row

from lupa import lua51

from kedis.engine.call import fault, propagate_effects, serve_blocked
from kedis.engine.client import Client, Services
from kedis.process.clock import SYSTEM_CLOCKS
from kedis.engine.execution import Execution, ScriptState
from kedis.engine.flags import Flag
from kedis.engine.propagation import Propagation
from kedis.engine.restrictions import Restrictions
from kedis.errors import CommandError
from kedis.resp.values import SimpleString
from kedis.store.state import KeyspaceState

cdef extern from "slots.h" nogil:
    Py_ssize_t slot_offset(object descriptor) except -1
    PyObject* slot_get(object owner, Py_ssize_t offset)
    void slot_set(object owner, Py_ssize_t offset, object value)
    long long slot_int(object owner, Py_ssize_t offset)

cdef extern from "Python.h":
    PyObject* Py_None
    PyObject* Py_True
    ctypedef struct PyTypeObject
    object PyType_GenericAlloc(PyTypeObject*, Py_ssize_t)
    Py_ssize_t Py_SIZE(object)
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1

cdef extern from "time.h" nogil:
    ctypedef long time_t
    struct timespec:
        time_t tv_sec
        long tv_nsec
    int clock_gettime(int, timespec*)
    int CLOCK_MONOTONIC

cdef extern from "lua_api.h" nogil:
    ctypedef struct lua_State
    enum: LUA_T_NIL, LUA_T_NUMBER, LUA_T_STRING, LUA_GC_COUNT
    enum Kind: K_NUMBER, K_BYTES, K_TRUE, K_FALSE, K_NIL, K_STATUS, K_ELEMENTS, K_CODED, K_ERROR, K_STOP
    ctypedef struct Words:
        PyObject* items
        Py_ssize_t first
        Py_ssize_t count
    ctypedef struct LuaBridge:
        void (*ask)(LuaBridge*, lua_State*) noexcept
        PyObject* owner
        lua_State* main
        int running
        int scripts
        Kind kind
        int uncounted
        double number
        PyObject* value
        Py_ssize_t first
        PyObject* name
        Words keys
        Words arguments
        int is_function
        PyObject* result
    enum: LUA_NO_REF
    int find_lua(const char* path)
    int lua_gettop "lua.gettop"(lua_State*)
    int lua_type "lua.type"(lua_State*, int)
    double lua_tonumber "lua.tonumber"(lua_State*, int)
    const char* lua_tolstring "lua.tolstring"(lua_State*, int, size_t*)
    int lua_gc "lua.gc"(lua_State*, int, int)
    int run_lua(LuaBridge*) except? -1 with gil

cdef enum:
    WORDS = 1024
    #: Numbers among the words of a call; more go by the way of :attr:`Bridge.call`.
    NUMBERS = 16
    #: Calls between two looks at the clock.
    CALLS = 200
    #: What an element of a table takes in Lua, as kedis.scripting.to_lua.
    ELEMENT_BYTES = 64
    DIGITS = 32
    #: A reply of this size is measured before it crosses.
    BIG = 4096
    #: Codes of what Python answers, as kedis.scripting.codes.
    STATUS = 2
    ERROR = 3
    NIL = 10
    FLAT = 11
    READY = 12
    CODED = 13
    STOP = 14

cdef long long _WRITE = Flag.WRITE
#: As kedis.scripting.headers.ScriptFlag: a script without a header.
cdef long long _COMPATIBILITY = 32
cdef object _ALL_TARGETS = 3
cdef Py_ssize_t CLIENT_CALLER = slot_offset(Client.caller)
cdef Py_ssize_t CLIENT_DATABASE = slot_offset(Client.database)
cdef Py_ssize_t CLIENT_DB = slot_offset(Client.db)
cdef Py_ssize_t CLIENT_DIRTY_EPOCH = slot_offset(Client.dirty_epoch)
cdef Py_ssize_t CLIENT_ID = slot_offset(Client.id)
cdef Py_ssize_t CLIENT_RESP = slot_offset(Client.resp)
cdef Py_ssize_t CLIENT_USER = slot_offset(Client.user)
cdef Py_ssize_t ENGINE_EXECUTION = slot_offset(Services.execution)
cdef Py_ssize_t EXECUTION_EFFECTS = slot_offset(Execution.effects)
cdef Py_ssize_t EXECUTION_OUTER = slot_offset(Execution.outer)
cdef Py_ssize_t KEYSPACE_DIRTY = slot_offset(KeyspaceState.dirty)
cdef Py_ssize_t PROPAGATION_ACTIVE = slot_offset(Propagation.active)
cdef Py_ssize_t PROPAGATION_EPOCH = slot_offset(Propagation.epoch)
cdef Py_ssize_t RUN_ARGV = slot_offset(ScriptState.argv)
cdef Py_ssize_t RUN_BEGAN_NS = slot_offset(ScriptState.began_ns)
cdef Py_ssize_t RUN_CLIENT = slot_offset(ScriptState.client)
cdef Py_ssize_t RUN_DENIES_GROWTH = slot_offset(ScriptState.denies_growth)
cdef Py_ssize_t RUN_END_ERROR = slot_offset(ScriptState.end_error)
cdef Py_ssize_t RUN_FORBIDDEN = slot_offset(ScriptState.forbidden)
cdef Py_ssize_t RUN_HAS_FAILED = slot_offset(ScriptState.has_failed)
cdef Py_ssize_t RUN_INNER = slot_offset(ScriptState.inner)
cdef Py_ssize_t RUN_IS_FUNCTION = slot_offset(ScriptState.is_function)
cdef Py_ssize_t RUN_LAST_NS = slot_offset(ScriptState.last_ns)
cdef Py_ssize_t RUN_LIMIT_NS = slot_offset(ScriptState.limit_ns)
cdef Py_ssize_t RUN_NAME = slot_offset(ScriptState.name)
cdef Py_ssize_t RUN_RUN = slot_offset(ScriptState.run)
cdef Py_ssize_t RUN_SLOW = slot_offset(ScriptState.slow)
cdef Py_ssize_t RUN_TARGETS = slot_offset(ScriptState.targets)
cdef Py_ssize_t RUN_USER = slot_offset(ScriptState.user)
cdef Py_ssize_t RUN_WROTE = slot_offset(ScriptState.wrote)
cdef Py_ssize_t RESTRICTIONS_ENDED = slot_offset(Restrictions.ended)
cdef Py_ssize_t RESTRICTIONS_NEEDS_CHECKS = slot_offset(Restrictions.needs_checks)
cdef Py_ssize_t RESTRICTIONS_READ_ONLY = slot_offset(Restrictions.read_only)
cdef Py_ssize_t STATUS_TEXT = slot_offset(SimpleString.text)

cdef bytes _INTERNAL = b"ERR internal error"

#: Opens the bridge inside of Lua, the one place that can load a function in C.
_OPEN = """
local file, address, host = ...
local open = package.loadlib(file, "kedis_open_bridge")
if open then
  host.native_call, host.native_pcall, host.adopt, host.adopt_scripts = open(address)
end
return open ~= nil
"""


include "encoding.pxi"


cdef inline long long monotonic_ns() noexcept nogil:
    cdef timespec moment
    clock_gettime(CLOCK_MONOTONIC, &moment)
    return <long long>moment.tv_sec * 1000000000 + moment.tv_nsec


def open_bridge(runtime, host, call, encode, tick, stop_for):
    """A :class:`Bridge` to ``runtime``, a LuaRuntime, whose functions are in the table ``host`` then.

    Returns None where lupa's Lua is not as expected: another build, or another system.

    Args:
        call: runs a command and returns its reply, coded as it crosses by lupa; for what is not served here.
        encode: codes the value of a command.
        tick: looks at the clock; returns the error that is to end the script, or None.
        stop_for: takes an exception that is no error of a command; returns the coded reply that ends the script.
    """
    if lua51.LUA_VERSION != (5, 1) or find_lua(lua51.__file__.encode()) != 0:
        return None
    bridge = Bridge(call, encode, tick, stop_for)
    opened = runtime.execute(_OPEN, __file__.encode(), bridge.address(), host)
    return bridge if opened else None


cdef class Bridge:
    """The C side of one interpreter.

    Attributes:
        protocol: the RESP that the running script speaks, 2 or 3.
        most_kilobytes: what Lua may occupy before a call.
        collects_above: what it occupies when garbage is collected behind a script.
    """

    cdef LuaBridge lua
    cdef object call, encode, tick, stop_for
    #: Calls since the clock was last looked at.
    cdef int calls
    cdef object held
    cdef public int protocol
    cdef public long most_kilobytes, collects_above
    cdef char digits[NUMBERS * DIGITS]
    # Of the run: whether its commands may go straight to the path, and by which client.
    cdef Path path
    cdef object restrictions
    cdef bint is_direct
    cdef object inner, effects, run_of
    #: The permissions of the user, if it may not all.
    cdef object access
    cdef long long forbidden

    def __init__(self, call, encode, tick, stop_for):
        self.call, self.encode, self.tick, self.stop_for = call, encode, tick, stop_for
        self.lua.ask = answer_call
        self.lua.owner = <PyObject*>self
        self.lua.scripts = LUA_NO_REF
        self.protocol = 2

    def address(self):
        """Where the C part is, for the function that gives it to Lua."""
        cdef LuaBridge* here = &self.lua
        return PyBytes_FromStringAndSize(<char*>&here, sizeof(here))

    @property
    def kilobytes(self):
        """What Lua occupies."""
        return lua_gc(self.lua.main, LUA_GC_COUNT, 0)

    # -- running ------------------------------------------------------------------------------------------

    def run_script(self, bytes name, keys, arguments):
        """Run a script, whose arguments are lists or tuples of bytes.

        Returns what lupa would: a plain value, or a tuple that begins with a code. Raises MemoryError where Lua has
        not even the memory to begin or to return.
        """
        return self.run(name, keys, 0, len(keys), arguments, 0, len(arguments))

    def run_function(self, bytes name, keys, arguments):
        """Run a function; otherwise as :meth:`run_script`."""
        self.lua.is_function = True
        return self.run(name, keys, 0, len(keys), arguments, 0, len(arguments))

    cdef object run(
        self, bytes name, keys, Py_ssize_t first_key, Py_ssize_t key_count,
        arguments, Py_ssize_t first_argument, Py_ssize_t argument_count,
    ):
        cdef int status
        cdef object result
        self.lua.name = <PyObject*>name
        self.lua.keys = Words(<PyObject*>keys, first_key, key_count)
        self.lua.arguments = Words(<PyObject*>arguments, first_argument, argument_count)
        self.lua.result = NULL
        self.lua.running = True
        status = run_lua(&self.lua)
        self.lua.running = self.lua.is_function = False
        self.lua.value = NULL
        self.held = None
        self.disengage()
        if self.lua.result == NULL:
            raise MemoryError
        result = <object>self.lua.result
        Py_DECREF(result)
        if status != 0:
            raise MemoryError
        return result

    # -- calls --------------------------------------------------------------------------------------------

    def attach(self, engine):
        """Have the commands of scripts run by the native path of ``engine``, where it has one."""
        path = getattr(engine.native, "__self__", None)
        if isinstance(path, Path):
            self.path = path
            self.restrictions = engine.restrictions

    def serve(self, service, runtime, engine, flags, inner, run_type, forbidden_flags, limit_ns):
        """Have the path run the cached scripts of ``service``; the arguments are those of :class:`Scripts`."""
        if self.path is not None:
            self.path.serve_scripts(
                Scripts(service, runtime, engine, flags, inner, run_type, forbidden_flags, limit_ns)
            )

    def engage(self, run, inner, effects, long long forbidden, bint is_plain):
        """Begin a run.

        Args:
            run: the :class:`kedis.scripting.script_run.Run`, which is told of writing.
            inner: the client that commands run by.
            effects: those of the unit under way.
            forbidden: flags of commands that are refused.
            is_plain: nothing accompanies a call, and no memory limit concerns it.
        """
        cdef object user = <object>slot_get(inner, CLIENT_USER)
        self.run_of, self.inner, self.effects, self.forbidden = run, inner, effects, forbidden
        self.is_direct = is_plain and self.path is not None
        self.access = None
        if self.is_direct and not (user is None or user.may_all):
            self.access = self.path.access_of(inner)
        self.refresh()

    cpdef disengage(self):
        """Have every call go by the way of Python, for the rest of the run."""
        self.is_direct = False
        self.run_of = self.inner = self.effects = self.access = None

    cpdef refresh(self):
        """Others may have run meanwhile."""
        if self.is_direct:
            self.path.begin_turn()

    cdef int answer(self, lua_State* state) except -1:
        """Run the command whose words are on Lua's stack."""
        cdef int count = lua_gettop(state)
        self.calls += 1
        if self.calls >= CALLS:  # which are few instructions, and may take long
            self.calls = 0
            reason = self.tick()
            if reason is not None:
                return self.hold(K_STOP, reason)
        if not (
            self.is_direct
            and 0 < count <= WORDS
            and self.path.client is None
            and slot_get(self.restrictions, RESTRICTIONS_NEEDS_CHECKS) != Py_True
            and lua_gc(state, LUA_GC_COUNT, 0) < self.most_kilobytes
            and self.answer_here(state, count)
        ):
            self.take(self.call(*self.words(state, count)))
        return 0

    cdef bint answer_here(self, lua_State* state, int count) except -1:
        """Run the command by the path; False where that does not serve it, with nothing done."""
        cdef Path path = self.path
        cdef Row row
        cdef PyObject* found
        cdef int at, kind, numbers = 0
        cdef size_t size
        for at in range(count):
            kind = lua_type(state, at + 1)
            if kind == LUA_T_STRING:
                path.words[at] = <char*>lua_tolstring(state, at + 1, &size)
                path.sizes[at] = size
            elif kind == LUA_T_NUMBER and numbers < NUMBERS:
                path.words[at] = self.digits + DIGITS * numbers
                path.sizes[at] = write_double(path.words[at], lua_tonumber(state, at + 1))
                numbers += 1
            else:
                return False
        found = path.find_row(path.words[0], path.sizes[0])
        if found == NULL:
            return False
        row = <Row>found
        if not row.least <= count <= row.most or row.flags & self.forbidden:
            return False
        path.count = count
        if self.access is not None and not path.permits(self.access, row):
            return False  # where it is denied
        if row.flags & _WRITE:
            slot_set(self.run_of, RUN_WROTE, True)
        self.take_value(path.call_words(row, self.inner, self.effects))
        return True

    cdef int take_value(self, object value) except -1:
        """Take the value of a command; what is not frequent is coded first."""
        cdef int overflow = 0
        cdef object kind = type(value)
        if kind is int:
            self.lua.number = <double>PyLong_AsLongLongAndOverflow(value, &overflow)
            if not overflow:
                self.lua.kind = K_NUMBER
                return 0
        elif kind is bytes and PyBytes_GET_SIZE(value) < BIG:
            return self.hold(K_BYTES, value)
        elif value is None:
            self.lua.kind = K_NIL if self.protocol == 3 else K_FALSE
            return 0
        elif kind is SimpleString:
            return self.hold(K_STATUS, <object>slot_get(value, STATUS_TEXT))
        return self.take(self.encode(value))

    cdef int fail(self, error) except -1:
        """An exception that is no error of a command: it ends the script, and is raised again behind it."""
        return self.take(self.stop_for(error))

    cdef list words(self, lua_State* state, int count):
        """The words of a call; None among them for what is neither a string nor a number."""
        cdef list words = []
        cdef int at, kind
        cdef size_t size
        cdef const char* text
        cdef char digits[DIGITS]
        for at in range(1, count + 1):
            kind = lua_type(state, at)
            if kind == LUA_T_STRING:
                text = lua_tolstring(state, at, &size)
                words.append(PyBytes_FromStringAndSize(text, size))
            elif kind == LUA_T_NUMBER:
                size = write_double(digits, lua_tonumber(state, at))
                words.append(PyBytes_FromStringAndSize(digits, size))
            else:
                words.append(None)
        return words

    cdef int hold(self, Kind kind, object value) except -1:
        self.lua.kind = kind
        self.held = value
        self.lua.value = <PyObject*>value
        return 0

    cdef int take(self, object coded) except -1:
        """Take what Python answers, coded for lupa."""
        cdef int code
        cdef object kind = type(coded)
        if kind is int or kind is float:
            self.lua.kind = K_NUMBER
            self.lua.number = coded
            return 0
        if kind is bytes:
            return self.hold(K_BYTES, coded)
        if kind is bool or coded is None:
            self.lua.kind = K_NIL if coded is None else K_TRUE if coded else K_FALSE
            return 0
        code = coded[1]
        if code == NIL:
            self.lua.kind = K_NIL
        elif code == STATUS:
            self.hold(K_STATUS, coded[2])
        elif code == FLAT:
            self.hold(K_ELEMENTS, coded)
            self.lua.first = 2
        elif code == READY or code == CODED:
            self.hold(K_ELEMENTS if code == READY else K_CODED, coded[2])
            self.lua.first = 0
        elif code == STOP:
            self.hold(K_STOP, coded[2])
        else:
            self.hold(K_ERROR, coded[2])
            self.lua.uncounted = len(coded) > 3
        return 0


cdef inline int write_double(char* digits, double number) noexcept nogil:
    """Write a number as Redis does; returns how many bytes that takes."""
    return snprintf(digits, DIGITS, "%.17g", number)


cdef void answer_call(LuaBridge* lua, lua_State* state) noexcept:
    cdef Bridge bridge = <Bridge>lua.owner
    try:
        bridge.answer(state)
    except BaseException as error:
        try:
            bridge.fail(error)
        except BaseException:
            bridge.hold(K_STOP, _INTERNAL)


include "script_unit.pxi"
