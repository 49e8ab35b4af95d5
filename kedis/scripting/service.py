"""Scripts and functions of one engine: the cache of scripts, the libraries, and what runs."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from kedis import errors
from kedis.engine.call import run_unit, serve_blocked
from kedis.engine.client import Client, Services
from kedis.engine.flags import NOSCRIPT
from kedis.engine.transport import NullTransport
from kedis.errors import CommandError, replication_errors
from kedis.errors import script_texts as texts
from kedis.scripting.headers import ScriptFlag, script_flags
from kedis.scripting.libraries import Function, Libraries
from kedis.scripting.script_run import Loading, Run, forbidden_flags, limit_ns
from kedis.version import REDIS_VERSION

#: Bytes that a script takes beside its text, about.
_OVERHEAD = 80
#: Scripts of EVAL that are few enough to be kept in any case.
_MANY = 1000

log = logging.getLogger("kedis.scripts")


class ScriptTransport(NullTransport):
    """The transport of the client that a script's commands run by."""

    kind = "script"


class ScriptService:
    """Runs scripts and functions; made for an engine by :func:`service_of`.

    Attributes:
        running: the script under way; others see it only once it is over its time limit.
    """

    __slots__ = ("__dict__", "running")  # the native path sets it

    def __init__(self, engine: Services) -> None:
        self._engine = engine
        self._made: Any = None
        self._flags: dict[bytes, int] = {}
        self._evaluated: dict[bytes, int] = {}  # scripts that only EVAL has brought, with their sizes
        self._scripts_bytes = 0
        self.running: Run | None = None
        self._inner = Client(engine, ScriptTransport(), address="lua")
        self._inner.may_block = False
        self.libraries = Libraries(self._runtime, partial(Loading, engine))
        engine.config.subscribe("lua-maxmemory", lambda config: self._limit_memory(config.lua_maxmemory))

    def _runtime(self) -> Any:
        if self._made is None:
            from kedis.scripting.runtime import (
                Runtime,
            )  # the interpreter takes 2 MB, which most servers need not

            self._made = Runtime(self._engine.config.lua_maxmemory, REDIS_VERSION)
            self._let_the_native_path_in(self._made)
        return self._made

    def _let_the_native_path_in(self, runtime: Any) -> None:
        """Let the native path, where it is there, run cached scripts and their commands itself."""
        bridge, engine = runtime.bridge, self._engine
        if bridge is not None:
            bridge.attach(engine)
            forbidden = _forbidden_but_debug if engine.debug.allows_in_scripts else forbidden_flags
            bridge.serve(self, runtime, engine, self._flags, self._inner, Run, forbidden, limit_ns)

    def follow_debug(self) -> None:
        """DEBUG has changed what scripts may call, which the native path keeps by a script's flags."""
        if self._made is not None:
            self._let_the_native_path_in(self._made)

    def _limit_memory(self, size: int) -> None:
        if self._made is not None:
            self._made.limit_memory(size)

    # -- the cache of scripts -----------------------------------------------------------------------------

    def load(self, body: bytes, *, stays: bool = False) -> bytes:
        """Compile a script, if it is not known; returns its digest.  Raises CommandError.

        Args:
            stays: whether it is kept until SCRIPT FLUSH (SCRIPT LOAD); others go when they take half of Lua's memory.
        """
        digest = hashlib.sha1(body).hexdigest().encode()
        if digest not in self._flags:
            flags, source = script_flags(body)
            runtime = self._runtime()
            if len(self._evaluated) >= _MANY and runtime.is_half_full():
                self._forget_evaluated()
            runtime.define_script(digest, source)
            self._flags[digest] = flags
            self._evaluated[digest] = len(body) + _OVERHEAD
            self._scripts_bytes += len(body) + _OVERHEAD
        if stays:
            self._evaluated.pop(digest, None)
        return digest

    def _forget_evaluated(self) -> None:
        log.info(
            "forgetting %d scripts that only EVAL has brought: Lua's memory is half full",
            len(self._evaluated),
        )
        self._made.forget_scripts(list(self._evaluated))
        for digest, size in self._evaluated.items():
            del self._flags[digest]
            self._scripts_bytes -= size
        self._evaluated.clear()

    def knows(self, digest: bytes) -> bool:
        """Whether EVALSHA finds ``digest``, in any case."""
        return digest.lower() in self._flags

    def flags_of(self, digest: bytes) -> int | None:
        """The flags of the script that EVALSHA finds under ``digest``, in any case; None where it finds none."""
        return self._flags.get(digest.lower())

    def flush(self) -> None:
        """Forget all scripts (SCRIPT FLUSH).  O(scripts)."""
        digests = list(self._flags)
        self._flags.clear()
        self._evaluated.clear()
        self._scripts_bytes = 0
        if self._made is not None:
            self._made.forget_scripts(digests)

    # -- running --------------------------------------------------------------------------------------------

    def run_script(
        self,
        client: Client,
        argv: Sequence[bytes],
        digest: bytes,
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
        *,
        read_only: bool,
    ) -> Any:
        """Run the script ``digest``, in any case.  Raises CommandError."""
        flags = self._flags.get(digest)
        if flags is None:
            digest = digest.lower()
            flags = self._flags.get(digest)
            if flags is None:
                raise CommandError(texts.NO_SCRIPT)
        if read_only and not flags & ScriptFlag.COMPATIBILITY:
            _check_reading(flags)
        method = self._runtime().run_script
        return self._run(client, argv, digest, flags, method, keys, arguments, read_only, False)

    def run_function(
        self,
        client: Client,
        argv: Sequence[bytes],
        function: Function,
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
        *,
        read_only: bool,
    ) -> Any:
        """Run a function.  Raises CommandError."""
        if read_only:
            _check_reading(function.flags)
        method = self._runtime().run_function
        name, flags = function.name, function.flags
        return self._run(client, argv, name, flags, method, keys, arguments, read_only, True)

    def admit(self, flags: int) -> None:
        """Whether a script or function that says what it does may run now, whatever its code and arguments are.

        Raises CommandError.
        """
        restrictions = self._engine.restrictions
        if flags & (ScriptFlag.NO_WRITES | ScriptFlag.COMPATIBILITY):
            return
        if restrictions.out_of_memory and not flags & ScriptFlag.ALLOW_OOM:
            raise CommandError(errors.OUT_OF_MEMORY)
        if restrictions.write_error is not None:
            raise CommandError(restrictions.write_error)
        if restrictions.few_replicas:
            raise CommandError(replication_errors.FEW_REPLICAS)
        if restrictions.read_only:
            raise CommandError(errors.READ_ONLY_REPLICA)

    def _run(
        self,
        client: Client,
        argv: Sequence[bytes],
        name: bytes,
        flags: int,
        method: Callable[..., Any],
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
        read_only: bool,
        is_function: bool,
    ) -> Any:
        if self.running is not None:  # a client that is above BUSY
            raise CommandError(self.running.busy_text)
        if self._engine.restrictions.master_down and not flags & ScriptFlag.ALLOW_STALE:
            raise CommandError(errors.MASTER_DOWN)
        engine, inner = self._engine, self._inner
        inner.database, inner.db = client.database, client.db
        inner.user, inner.caching, inner.caller = client.user, client.caching, client
        inner.caller_keys = keys
        inner.id, inner.no_touch = client.id, client.no_touch
        if inner.resp != 2:
            inner.speak(2)
        run = self.running = Run(client, inner, argv, name, flags, read_only, is_function)

        bridge = self._runtime().bridge

        def body() -> Any:
            if bridge is not None:
                run.engage(bridge)
            return method(run, name, keys, arguments)

        try:
            return run_unit(client, body)
        finally:
            self.running = None
            inner.caching, inner.caller, inner.caller_keys = None, None, ()
            if run.slow:
                engine.restrictions.set_busy(None)
            if run.wrote:
                client.dirty_epoch = engine.propagation.epoch
            if engine.events.waiting.ready and engine.execution is None:
                serve_blocked(engine)

    # -- SCRIPT KILL, FUNCTION KILL, FUNCTION STATS ---------------------------------------------------------

    def kill(self, *, is_function: bool) -> None:
        """Have the running script end.  Raises CommandError where there is none, or it has written already."""
        run = self.running
        if run is None:
            raise CommandError(texts.NOT_BUSY)
        if run.is_function != is_function:
            raise CommandError(run.busy_text)
        if run.wrote:
            raise CommandError(texts.UNKILLABLE)
        run.end(texts.FUNCTION_KILLED if is_function else texts.SCRIPT_KILLED)

    # -- the port of the engine (kedis.engine.ports.Scripting) ------------------------------------------------

    def stop(self) -> bool:
        """End the script that is over its time limit, unless it has written: that one gets ``shutdown-timeout``."""
        run = self.running
        if run is None:
            return True
        if run.wrote:
            return run.may_finish(self._engine.config.shutdown_timeout)
        run.end(texts.SCRIPT_STOPPED)
        return True

    def cut_off(self) -> None:
        """End the running script.  The server has ended, so its unit is not recorded (:func:`run_unit`)."""
        if self.running is not None:
            self.running.end(texts.SCRIPT_STOPPED)

    def library_codes(self) -> list[bytes]:
        """The code of each library."""
        return self.libraries.codes()

    def figures(self) -> Mapping[str, int]:
        """What INFO memory shows.  There is one interpreter: what it occupies counts as that of scripts."""
        libraries = self.libraries.by_name.values()
        return {
            "used_memory_vm_eval": self._made.memory_used if self._made is not None else 0,
            "used_memory_scripts_eval": self._scripts_bytes,
            "number_of_cached_scripts": len(self._flags),
            "number_of_functions": self.libraries.function_count,
            "number_of_libraries": len(libraries),
            "used_memory_vm_functions": 0,
            "used_memory_functions": sum(library.size for library in libraries),
        }


def _check_reading(flags: int) -> None:
    """Raise CommandError for what may write and is called as what reads only."""
    if not flags & ScriptFlag.NO_WRITES:
        raise CommandError(texts.WRITING_SCRIPT)


def service_of(engine: Services) -> ScriptService:
    """The engine's scripts, made when they are first asked for."""
    service = engine.scripting
    if not isinstance(service, ScriptService):
        service = engine.scripting = ScriptService(engine)
    return service


def _forbidden_but_debug(flags: int, *, read_only: bool) -> int:
    """:func:`forbidden_flags` while DEBUG lets scripts call what is denied to them."""
    return forbidden_flags(flags, read_only=read_only) & ~NOSCRIPT
