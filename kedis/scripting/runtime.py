"""The Lua interpreter: one for all scripts and functions of an engine.

It is made when it is first needed, since it costs half a megabyte and a few milliseconds.

Rules of the bridge:

- Lua runs under a limit of memory.  Where Lua allocates on behalf of Python there is nobody to catch an error, so
  such allocations are made only where ``_RESERVE`` bytes and what is to cross are left; what runs short is stopped.
- A Python exception never reaches Lua.  One that is no CommandError ends the script and is raised again behind it.
- Lua is entered from one place at a time; a script that is interrupted (``tick``) keeps the others out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from importlib import resources
from math import copysign
from typing import Any, Protocol

from lupa.lua51 import LuaRuntime

from kedis import native
from kedis.errors import CommandError
from kedis.scripting import binary
from kedis.scripting.bytecode import keep_tail_frames
from kedis.scripting.codes import CODED, ERROR, READY, STOP
from kedis.scripting.from_lua import decode_coded, decode_plain
from kedis.scripting.to_lua import ELEMENT_BYTES, MakeTable, encode_reply, error_line, size_of

#: What is kept free of Lua's memory, in bytes: the stack may double in it.
_RESERVE = 2 * 1024 * 1024
#: The least limit of memory under which the runtime works, in bytes.
LEAST_MEMORY = 8 * 1024 * 1024
#: Arguments that cross one by one; more come as a table.
_MOST_ARGUMENTS = 2000
#: A reply of this size is measured before it crosses.
_BIG = 4096
#: Garbage is collected behind a script that leaves so much more than there was after the last time, in bytes.
_COLLECT_AFTER = 16 * 1024 * 1024

_ARGUMENTS_NEEDED = b"ERR Please specify at least one argument for this redis lib call"
_ARGUMENTS_WRONG = b"ERR Lua redis lib command arguments must be strings or integers"
_NO_MEMORY = "ERR not enough memory"
_MODULES = ("cjson", "cmsgpack")
#: Names of chunks in Lua: of code that must not be interrupted, and of code that may.
_OURS, _PURE = "=[kedis]", "=[kedis:pure]"
#: Keeps the frames of tail calls (bytecode.py) of a chunk of ours.
_KEEP_FRAMES = """
local chunk, host = ...
local code = host.keep_tail_frames(string.dump(chunk))
return code and loadstring(code) or chunk
"""


class ScriptError(CommandError):
    """The error that ended a script.

    Attributes:
        counted: whether it is the error of a command, which has been counted as one already.
    """


class Caller(Protocol):
    """What runs a script: where its calls of ``redis.*`` end."""

    def call(self, argv: list[bytes]) -> Any:
        """Run a command.  Returns its value or the error; may raise CommandError."""

    def tick(self) -> bytes | None:
        """Called every 100,000 instructions.  Returns the error that is to end the script, or None."""

    def speak(self, protocol: int) -> None:
        """The script understands RESP ``protocol`` from now on."""

    def set_repl(self, targets: int) -> None:
        """Propagate effects to ``targets`` from now on (1: the AOF, 2: replicas)."""

    def may(self, argv: list[bytes]) -> bool | None:
        """Whether the user may run a command; None if there is no such command."""

    def count(self, error: CommandError, is_counted: bool) -> None:
        """Count an error within the result, which may be that of a command and counted."""

    def log(self, level: int, text: bytes) -> None:
        """Write a line to the log; 0 is debug, 3 a warning."""


#: Takes name, description and flags of a function while its library is loaded; returns why it cannot be registered.
Register = Callable[[bytes, "bytes | None", list[bytes]], "CommandError | None"]


class Runtime:
    """Runs scripts and functions.

    Args:
        memory_limit: bytes that Lua may occupy; at least ``LEAST_MEMORY``.
        version: what scripts see as ``redis.REDIS_VERSION``.

    Attributes:
        bridge: the bridge in C (:mod:`kedis.native.lua_bridge`); None where lupa is the only one.
        caller: who runs the script under way; None between scripts.
        stopped: the script under way is to end, or has been ended: :meth:`clean_up` comes behind it.
    """

    __slots__ = ("__dict__", "caller", "stopped")  # the native path sets them

    def __init__(self, memory_limit: int, version: str) -> None:
        self._lua = LuaRuntime(
            encoding=None,
            source_encoding="latin-1",
            attribute_filter=_no_attributes,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=max(memory_limit, LEAST_MEMORY),
        )
        self.bridge: Any = None
        self._limit = self._soft_limit = 0
        self.limit_memory(memory_limit)
        self.caller: Caller | None = None
        self._protocol = 2
        self.stopped = False
        self._raised: BaseException | None = None
        self._register: Register | None = None
        self._used_after_collection = 0
        self._load(version)
        self.limit_memory(memory_limit)
        self._collect()

    # -- making it ------------------------------------------------------------------------------------------

    def _load(self, version: str) -> None:
        host = self._host()
        self.bridge = self._open_bridge(host)
        support = self._module("errors")
        guards = self._lua.execute(_KEEP_FRAMES, self._compiled("guards", _PURE), host)(support)
        self._module("sandbox", support, host, guards)
        libraries = self._lua.table()
        for name in _MODULES:
            libraries[name.encode()] = support[b"protect"](self._module(name, support, host, chunk=_PURE))
        binary_libraries = self._module("binary", support, host, chunk=_PURE)
        for name, library in zip(("bit", "struct"), binary_libraries, strict=True):
            libraries[name.encode()] = support[b"protect"](library)
        major, minor, patch = map(int, version.split("."))
        number = major << 16 | minor << 8 | patch
        runner = self._module("redis", support, host, version.encode(), number, libraries)
        support[b"seal"]()
        self._run_script = runner[b"run_script"]
        self._run_script_long = runner[b"run_script_long"]
        self._run_function = runner[b"run_function"]
        self._run_function_long = runner[b"run_function_long"]
        self._result_part = runner[b"result_part"]
        self._recover = runner[b"recover"]
        self._define_script = runner[b"define_script"]
        self._forget_script = runner[b"forget_script"]
        self._shrink = runner[b"shrink"]
        if self.bridge is not None:
            runner[b"meet_bridge"]()
        self._load_library = runner[b"load_library"]
        self._keep_library = runner[b"keep_library"]
        self._drop_library = runner[b"drop_library"]
        self._abandon_library = runner[b"abandon_library"]

    def _open_bridge(self, host: Any) -> Any:
        """The bridge in C, where it can be had; else None, and lupa is the only one."""
        if native.PATH == "python":
            return None
        from kedis.native.lua_bridge import open_bridge

        call, encode = self._call_function(list), self._encoder(list)
        return open_bridge(self._lua, host, call, encode, self._tick, self._stop_for)

    def _module(self, name: str, *arguments: Any, chunk: str = _OURS) -> Any:
        return self._compiled(name, chunk)(*arguments)

    def _compiled(self, name: str, chunk: str) -> Any:
        source = resources.files("kedis.scripting").joinpath("lua", f"{name}.lua").read_bytes()
        return self._lua.compile(source, name=chunk)

    def _host(self) -> Any:
        """The table of what the modules in Lua call: every function that is there, and no other object of Python."""
        functions: dict[str, Callable[..., Any]] = dict(binary.FUNCTIONS)
        for name, function in binary.LONG_FUNCTIONS.items():
            functions[name] = self._bounded(partial(function, lambda: self._tick() is not None))
        self._call = self._call_function(self._lua.table_from)
        functions.update(
            call=self._call,
            call_joined=self._call_joined,
            tick=self._tick,
            setresp=self._setresp,
            set_repl=self._set_repl,
            acl_check=self._acl_check,
            log=self._log,
            sha1hex=lambda text: hashlib.sha1(text).hexdigest().encode(),
            keep_tail_frames=self._bounded(keep_tail_frames),
            register=self._register_function,
        )
        return self._lua.table_from({name.encode(): function for name, function in functions.items()})

    # -- memory ---------------------------------------------------------------------------------------------

    def limit_memory(self, size: int) -> None:
        """Let Lua occupy ``size`` bytes from now on."""
        self._limit = max(size, LEAST_MEMORY)
        self._soft_limit = self._limit - _RESERVE
        self._lua.set_max_memory(self._limit, True)
        if self.bridge is not None:
            self.bridge.most_kilobytes = self._soft_limit // 1024

    @property
    def memory_used(self) -> int:
        """Bytes that Lua occupies."""
        used: int = self._lua.get_memory_used(True)
        return used

    def is_half_full(self) -> bool:
        """Whether more than half of the memory is taken by what is not garbage.  O(1) where it is not."""
        if self.memory_used > self._limit // 2:
            self._collect()
        return self.memory_used > self._limit // 2

    def _collect(self) -> None:
        """Collect garbage, without a limit: a collection allocates too, and none of its errors could be caught."""
        self._lua.set_max_memory(0, True)
        self._lua.gccollect()
        self._used_after_collection = self._lua.get_memory_used(True)
        if self.bridge is not None:
            self.bridge.collects_above = (self._used_after_collection + _COLLECT_AFTER) // 1024
        self._lua.set_max_memory(self._limit, True)

    def _fits(self, size: int) -> bool:
        return bool(self._lua.get_memory_used(True) + size <= self._soft_limit)

    def _make_room(self, size: int) -> None:
        """See to it that ``size`` bytes may be allocated for Python.  Raises CommandError when they may not."""
        if not self._fits(size):
            self._collect()
            if not self._fits(size):
                raise CommandError(_NO_MEMORY)

    def _bounded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, whose result is as long as its arguments, where there is memory for it."""

        def bounded(*arguments: Any) -> Any:
            result = function(*arguments)
            if type(result) is bytes and len(result) > _BIG and not self._fits(len(result)):
                return (None, _NO_MEMORY.removeprefix("ERR ").encode())
            return result

        return bounded

    def _stop_for_memory(self) -> tuple[None, int, bytes]:
        """Stop the script, which has no memory left, with a little more for what it still does."""
        self.stopped = True
        self._lua.set_max_memory(self._lua.get_memory_used(True) + _RESERVE, True)
        return (None, STOP, _NO_MEMORY.encode())

    # -- what Lua calls ---------------------------------------------------------------------------------------

    def _call_function(self, make_table: MakeTable) -> Callable[..., Any]:
        """The function behind redis.call; a closure, which saves looking the attributes up each time."""
        memory_used = self._lua.get_memory_used
        encode = self._encoder(make_table)

        def call(*argv: Any) -> Any:
            if memory_used(True) > self._soft_limit:
                return self._stop_for_memory()
            words = list(argv)
            for word in words:
                if type(word) is not bytes:
                    if not _write_numbers(words):
                        return (None, ERROR, _ARGUMENTS_WRONG, True)
                    break
            if not words:
                return (None, ERROR, _ARGUMENTS_NEEDED, True)
            try:
                value = self.caller.call(words)  # type: ignore[union-attr]
            except CommandError as error:
                return (None, ERROR, error_line(error))
            except BaseException as error:
                return self._stop_for(error)
            kind = type(value)
            if kind is int or (kind is bytes and len(value) < _BIG):
                return value
            return encode(value)

        return call

    def _encoder(self, make_table: MakeTable) -> Callable[[Any], Any]:
        """The function that codes the value of a command where there is memory for it."""

        def encode(value: Any) -> Any:
            try:
                if not self._fits(2 * size_of(value)):
                    return self._stop_for_memory()
                return encode_reply(value, self._protocol, make_table)
            except BaseException as error:
                return self._stop_for(error)

        return encode

    def _call_joined(self, joined: bytes, lengths: bytes) -> Any:
        return self._call(*_parted(joined, lengths))

    def _stop_for(self, error: BaseException) -> tuple[None, int, bytes]:
        self._raised = error
        self.stopped = True
        return (None, STOP, b"ERR internal error")

    def _tick(self) -> Any:
        if self.caller is None:
            return None
        if self._lua.get_memory_used(True) > self._soft_limit:
            return self._stop_for_memory()[2]
        try:
            reason = self.caller.tick()
        except BaseException as error:
            return self._stop_for(error)[2]
        if reason is not None:
            self.stopped = True
        elif self.bridge is not None:
            self.bridge.refresh()
        return reason

    def speak(self, protocol: int) -> None:
        self._protocol = protocol
        if self.bridge is not None:
            self.bridge.protocol = protocol

    def _setresp(self, protocol: int) -> None:
        self.speak(protocol)
        self.caller.speak(protocol)  # type: ignore[union-attr]

    def _set_repl(self, targets: int) -> None:
        if self.bridge is not None:
            self.bridge.disengage()
        self.caller.set_repl(targets)  # type: ignore[union-attr]

    def _acl_check(self, joined: bytes, lengths: bytes) -> bool | None:
        try:
            return self.caller.may(_parted(joined, lengths))  # type: ignore[union-attr]
        except CommandError:
            return None

    def _log(self, level: int, text: bytes) -> None:
        if self.caller is not None:
            self.caller.log(level, text)

    def _register_function(self, name: bytes, description: bytes | None, flags: bytes) -> bytes | None:
        problem = self._register(name, description, flags.split())  # type: ignore[misc]
        return None if problem is None else error_line(problem)

    # -- scripts ----------------------------------------------------------------------------------------------

    def define_script(self, digest: bytes, source: bytes) -> None:
        """Compile ``source``, which is called ``digest`` from now on.  Raises CommandError with Lua's message."""
        self._make_room(8 * len(source))
        message = self._define_script(digest, source)
        if message is not None:
            raise CommandError(
                "ERR Error compiling script (new function): " + message.decode("utf-8", "surrogateescape")
            )

    def forget_scripts(self, digests: Sequence[bytes]) -> None:
        """Forget scripts.  O(N)."""
        self._lua.set_max_memory(0, True)
        for digest in digests:
            self._forget_script(digest)
        self._shrink()
        self._collect()

    def run_script(
        self, caller: Caller, name: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> Any:
        """Run the script that was defined as ``name``; returns its value.

        Raises ScriptError for the error that ended it or that it returned, CommandError when there is no memory for it.
        """
        return self._run(caller, name, keys, arguments, self._run_script, self._run_script_long)

    def run_function(
        self, caller: Caller, name: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> Any:
        """Run a function; otherwise like ``run_script``."""
        return self._run(caller, name, keys, arguments, self._run_function, self._run_function_long)

    def _run(
        self,
        caller: Caller,
        name: bytes,
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
        run: Callable[..., Any],
        run_long: Callable[..., Any],
    ) -> Any:
        count = len(keys) + len(arguments)
        self._make_room(ELEMENT_BYTES * count + sum(map(len, keys)) + sum(map(len, arguments)))
        bridge = self.bridge
        self.caller = caller
        self.speak(2)
        try:
            if bridge is not None:
                result = (bridge.run_script if run is self._run_script else bridge.run_function)(
                    name, keys, arguments
                )
            elif count <= _MOST_ARGUMENTS:
                result = run(name, len(keys), *keys, *arguments)
            else:
                result = run_long(name, self._lua.table_from(keys), self._lua.table_from(arguments))
            return self.value_of(name, result)
        except MemoryError:
            raise self.out_of_memory() from None
        finally:
            self.caller = None
            if self.stopped or self._lua.get_memory_used(True) > self._used_after_collection + _COLLECT_AFTER:
                self.clean_up()

    def out_of_memory(self) -> CommandError:
        """The error where the bridge itself had no memory: neither the script nor its runner came to an end."""
        self.stopped = True
        return CommandError(_NO_MEMORY)

    def value_of(self, name: bytes, result: Any) -> Any:
        """The value of a script that has returned ``result``.  Raises what ``run_script`` raises."""
        if type(result) is not tuple:
            return decode_plain(result, self._protocol)
        code = result[0]
        if code == CODED:
            return decode_coded(iter(result[1:]), self._protocol, self.caller.count)  # type: ignore[union-attr]
        if code == READY:
            values: list[Any] = []
            while len(values) < result[1]:
                values.extend(self._result_part(len(values) + 1))
            return decode_coded(iter(values), self._protocol, self.caller.count)  # type: ignore[union-attr]
        if self._raised is not None:
            raise self._raised
        _, text, source, line, counted = result
        if source is not None:
            where = b", on %b:%d" % (source, line) if source else b""
            text = b"%b script: %b%b." % (text, name, where)
        error = ScriptError(text.decode("utf-8", "surrogateescape"))
        error.counted = counted
        raise error

    def clean_up(self) -> None:
        """Collect garbage behind a script that has left much, or that was stopped."""
        if self.stopped:
            self.stopped, self._raised = False, None
            self._lua.set_max_memory(0, True)
            self._recover()
        self._collect()

    # -- libraries --------------------------------------------------------------------------------------------

    def load_library(self, source: bytes, register: Register, caller: Caller) -> None:
        """Run the code of a library; ``register`` is told of its functions, which wait for ``keep_library``.

        Raises CommandError for an error of the code.
        """
        self._make_room(8 * len(source))
        self._register, self.caller = register, caller
        try:
            result = self._load_library(source)
        except MemoryError:
            self.stopped = True
            raise CommandError(_NO_MEMORY) from None
        finally:
            self._register = self.caller = None
            if self.stopped:
                self.clean_up()
        if type(result) is tuple:
            raise CommandError(
                "ERR Error registering functions: " + result[1].decode("utf-8", "surrogateescape")
            )
        if result is not None:
            raise CommandError("ERR Error compiling function: " + result.decode("utf-8", "surrogateescape"))

    def keep_library(self, name: bytes) -> None:
        """Make the functions that were just loaded callable, in the place of those of a library of this name."""
        self._keep_library(name)

    def abandon_library(self) -> None:
        """Forget the functions that were just loaded."""
        self._abandon_library()

    def drop_library(self, name: bytes) -> None:
        """Forget a library."""
        self._drop_library(name)


def _no_attributes(_object: object, name: object, _is_setting: bool) -> object:
    raise AttributeError(name)


def _parted(joined: bytes, lengths: bytes) -> list[bytes]:
    words, begin = [], 0
    for length in map(int, lengths.split()):
        words.append(joined[begin : begin + length])
        begin += length
    return words


def _write_numbers(words: list[Any]) -> bool:
    """Write the numbers among ``words`` as Redis does; whether all of them are strings or numbers."""
    for place, word in enumerate(words):
        kind = type(word)
        if kind is int or kind is float:
            if kind is int and -(10**17) < word < 10**17:
                words[place] = b"%d" % word
            else:
                words[place] = b"-nan" if word != word and copysign(1, word) < 0 else b"%.17g" % word
        elif kind is not bytes:
            return False
    return True
