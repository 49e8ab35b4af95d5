# EVALSHA of a cached script, from its words to its value: what kedis.scripting.service.ScriptService.run_script does.


@cython.freelist(4)
cdef class ScriptCall:
    """An EVALSHA under way.

    Attributes:
        is_done: ``value`` is there: what the script has returned, or the error to answer with.
        is_left: it has let others in: it goes on in its greenlet, which answers.
    """

    cdef Scripts scripts
    cdef object client, command, flags, value
    cdef list argv
    cdef Py_ssize_t keys
    cdef bint is_done, is_left

    def run(self):
        """Run the script, in a greenlet that may wait; returns whether that is to answer the client."""
        cdef object engine = self.scripts.engine
        cdef object began = engine.clock()
        self.value = self.scripts.answer(self)
        if self.is_left:
            self.scripts.measure(self, engine.clock() - began)
        self.is_done = True
        return self.is_left

    def answer(self):
        """Answer the client, if it is still there: the script had let others in."""
        answer = getattr(self.client.transport, "answer_script", None)
        if answer is not None:
            answer(self.value)


cdef class Scripts:
    """Runs the cached scripts of one engine for the native path.

    A script may have to wait, which the native path, in the hub, cannot: so it runs in a greenlet for scripts, which is
    switched to for it. Usually the script is done when that waits again; else it goes on there (``LEFT``), and the
    greenlet answers the client in the end.

    Args:
        service: the :class:`kedis.scripting.service.ScriptService`.
        runtime: its interpreter, which has a bridge.
        flags: the flags of the cached scripts by digest.
        inner: the client that commands of scripts run by.
        run_type: :class:`kedis.scripting.script_run.Run`.
        forbidden_flags, limit_ns: what a Run computes from a script's flags and from ``busy-reply-threshold``.
    """

    cdef Bridge bridge
    cdef object service, runtime, engine, inner, run_type, forbidden_flags, to_limit_ns
    cdef object restrictions, propagation, keyspace, monotonic
    #: Slots of the service and of the runtime.
    cdef Py_ssize_t running, caller, stopped
    cdef dict flags, ready, forbidden
    cdef bint system_clock
    cdef object limit_ns

    def __init__(self, service, runtime, engine, flags, inner, run_type, forbidden_flags, limit_ns):
        self.service, self.runtime, self.engine, self.bridge = service, runtime, engine, runtime.bridge
        self.flags, self.inner, self.run_type = flags, inner, run_type
        self.forbidden_flags, self.to_limit_ns = forbidden_flags, limit_ns
        self.restrictions, self.propagation = engine.restrictions, engine.propagation
        self.keyspace = engine.keyspace
        self.running = slot_offset(type(service).running)
        self.caller = slot_offset(type(runtime).caller)
        self.stopped = slot_offset(type(runtime).stopped)
        self.ready = engine.events.waiting.ready
        self.monotonic = engine.monotonic
        self.system_clock = engine.monotonic is SYSTEM_CLOCKS[1]
        self.forbidden = {}
        engine.config.subscribe("busy-reply-threshold", self.follow)
        self.follow(engine.config)

    def follow(self, config):
        """Follow the setting."""
        self.limit_ns = self.to_limit_ns(config.busy_reply_threshold)

    def serve(self, client, list argv, command, enter):
        """Run the script that ``argv``, an EVALSHA of ``client``, names.

        Args:
            command: the row of EVALSHA.
            enter: switches to the greenlet for scripts.

        Returns its value or the error to answer with; NotImplemented, with nothing done, where the Python path must
        do it; LEFT where the script goes on in the greenlet.
        """
        cdef ScriptCall call
        cdef PyObject* flags = PyDict_GetItem(self.flags, <object>PyList_GET_ITEM(argv, 1))
        cdef bytes digits = <bytes>PyList_GET_ITEM(argv, 2)
        cdef long long keys
        if (
            flags == NULL
            or not parse_integer(PyBytes_AS_STRING(digits), PyBytes_GET_SIZE(digits), &keys)
            or not 0 <= keys <= PyList_GET_SIZE(argv) - 3
            or slot_get(self.service, self.running) != Py_None
            # A script that states what it does is admitted by that, before it runs.
            or (
                slot_get(self.restrictions, RESTRICTIONS_READ_ONLY) == Py_True
                and not <long>(<object>flags) & _COMPATIBILITY
            )
        ):
            return NotImplemented
        call = ScriptCall.__new__(ScriptCall)
        call.scripts, call.client, call.argv, call.command = self, client, argv, command
        call.flags, call.keys = <object>flags, keys
        enter(call)
        if call.is_done:
            return call.value
        call.is_left = True
        return LEFT

    cdef object answer(self, ScriptCall call):
        """The value of a script, or the error to answer with: the steps of kedis.engine.engine.Engine.run."""
        cdef object engine = self.engine
        cdef long long dirty = slot_int(self.keyspace, KEYSPACE_DIRTY)
        try:
            return self.run_unit(call)
        except CommandError as error:
            engine.count_error(call.command, error)
            return error
        except Exception as error:
            answer = fault(engine, call.command, error)
            engine.durability.distrust(slot_int(self.keyspace, KEYSPACE_DIRTY) != dirty)
            return answer

    cdef object forbidden_of(self, flags):
        cdef PyObject* found = PyDict_GetItem(self.forbidden, flags)
        if found == NULL:
            self.forbidden[flags] = self.forbidden_flags(flags, read_only=False)
            return self.forbidden[flags]
        return <object>found

    cdef object new_run(self, ScriptCall call):
        """A Run as its ``__init__`` makes it, for a server that needs no checks."""
        cdef object run = PyType_GenericAlloc(<PyTypeObject*>self.run_type, 0)
        slot_set(run, RUN_CLIENT, call.client)
        slot_set(run, RUN_INNER, self.inner)
        slot_set(run, RUN_USER, <object>slot_get(call.client, CLIENT_USER))
        slot_set(run, RUN_ARGV, call.argv)
        slot_set(run, RUN_NAME, <object>PyList_GET_ITEM(call.argv, 1))
        slot_set(run, RUN_IS_FUNCTION, False)
        slot_set(run, RUN_FORBIDDEN, self.forbidden_of(call.flags))
        if slot_get(self.restrictions, RESTRICTIONS_READ_ONLY) == Py_True:
            slot_set(run, RUN_FORBIDDEN, slot_int(run, RUN_FORBIDDEN) | _WRITE)
        slot_set(run, RUN_DENIES_GROWTH, False)
        slot_set(run, RUN_RUN, None)
        slot_set(run, RUN_END_ERROR, None)
        slot_set(run, RUN_LAST_NS, None)
        slot_set(run, RUN_TARGETS, _ALL_TARGETS)
        slot_set(run, RUN_BEGAN_NS, monotonic_ns() if self.system_clock else self.monotonic())
        slot_set(run, RUN_LIMIT_NS, self.limit_ns)
        slot_set(run, RUN_HAS_FAILED, False)
        slot_set(run, RUN_WROTE, False)
        slot_set(run, RUN_SLOW, False)
        return run

    cdef object run_unit(self, ScriptCall call):
        """The steps of ScriptService._run."""
        cdef object client = call.client
        cdef object engine = self.engine
        cdef object inner = self.inner
        cdef object run = self.new_run(call)
        cdef object execution = PyType_GenericAlloc(<PyTypeObject*>Execution, 0)
        cdef list effects = []
        slot_set(execution, EXECUTION_OUTER, None)
        slot_set(execution, EXECUTION_EFFECTS, effects)
        slot_set(inner, CLIENT_DATABASE, <object>slot_get(client, CLIENT_DATABASE))
        slot_set(inner, CLIENT_DB, <object>slot_get(client, CLIENT_DB))
        slot_set(inner, CLIENT_USER, <object>slot_get(client, CLIENT_USER))
        slot_set(inner, CLIENT_CALLER, client)
        slot_set(inner, CLIENT_ID, <object>slot_get(client, CLIENT_ID))
        if slot_int(inner, CLIENT_RESP) != 2:
            inner.speak(2)
        slot_set(self.service, self.running, run)
        slot_set(engine, ENGINE_EXECUTION, execution)
        try:
            try:
                return self.run(call, run, effects)
            finally:
                slot_set(engine, ENGINE_EXECUTION, None)
                if PyList_GET_SIZE(effects) and (
                    slot_get(self.propagation, PROPAGATION_ACTIVE) == Py_True
                    or slot_get(self.restrictions, RESTRICTIONS_ENDED) == Py_True
                ):
                    propagate_effects(engine, execution)
        finally:
            slot_set(self.service, self.running, None)
            slot_set(inner, CLIENT_CALLER, None)
            if slot_get(run, RUN_SLOW) == Py_True:
                self.restrictions.set_busy(None)
            if slot_get(run, RUN_WROTE) == Py_True:
                slot_set(client, CLIENT_DIRTY_EPOCH, <object>slot_get(self.propagation, PROPAGATION_EPOCH))
            if PyDict_Size(self.ready):
                serve_blocked(engine)

    cdef object run(self, ScriptCall call, run, list effects):
        """The steps of kedis.scripting.runtime.Runtime.run_script, where there is memory enough; else that itself."""
        cdef list argv = call.argv
        cdef object runtime = self.runtime
        cdef object name = <object>PyList_GET_ITEM(argv, 1)
        cdef Py_ssize_t keys = call.keys
        cdef object result
        cdef long long size = 0
        for word in argv:
            size += PyBytes_GET_SIZE(word) + ELEMENT_BYTES
        if lua_gc(self.bridge.lua.main, LUA_GC_COUNT, 0) + size // 1024 >= self.bridge.most_kilobytes:
            return runtime.run_script(run, name, argv[3 : 3 + keys], argv[3 + keys :])
        self.bridge.engage(run, self.inner, effects, slot_int(run, RUN_FORBIDDEN), True)
        if self.bridge.protocol != 2:
            runtime.speak(2)
        slot_set(runtime, self.caller, run)
        try:
            result = self.bridge.run(name, argv, 3, keys, argv, 3 + keys, PyList_GET_SIZE(argv) - 3 - keys)
            kind = type(result)
            if kind is int or kind is bytes or result is None:
                return result
            return runtime.value_of(name, result)
        except MemoryError:
            raise runtime.out_of_memory() from None
        finally:
            slot_set(runtime, self.caller, None)
            if slot_get(runtime, self.stopped) == Py_True or lua_gc(self.bridge.lua.main, LUA_GC_COUNT, 0) > self.bridge.collects_above:
                runtime.clean_up()

    cdef int measure(self, ScriptCall call, long long elapsed) except -1:
        """Count a call that took ``elapsed`` ns, and report it where that is long."""
        cdef object engine = self.engine
        cdef object counters = call.command.counters
        if not 0 <= elapsed < engine.slow_ns:
            elapsed = max(elapsed - <long long>engine.check_clock(), 0)
            if elapsed >= engine.slow_ns:
                engine.observer.take_slow_call(call.client, call.command, call.argv, elapsed)
        counters.nanoseconds += elapsed
        counters.count(elapsed)
        return 0
