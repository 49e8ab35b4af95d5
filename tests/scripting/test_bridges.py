"""Both bridges to Lua, that of lupa and the one in C, and EVALSHA by the native path: the same in every respect."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from kedis import native

if native.PATH != "native":
    pytest.skip(native.describe(), allow_module_level=True)

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.engine.table import Command
from kedis.engine.users import User
from kedis.errors import CommandError
from kedis.native.path import Path
from kedis.scripting import codes
from kedis.scripting.runtime import Runtime
from kedis.scripting.service import ScriptService, service_of
from tests.commands.driver import Client, Clock, Recorder, to_bytes
from tests.scripting.agreement import Nobody, Scripts
from tests.scripting.programs import program
from tests.scripting.scripts import SCRIPTS
from tests.scripting.test_sandbox import _GREEDY, _Everything

_ADDRESS = re.compile(rb"0x[0-9a-f]+")
_PROGRAMS = 300


class Side:
    """An engine whose scripts run by ``bridge``: ``lupa``, ``c`` (without the path), ``path`` or ``evalsha``."""

    def __init__(self, bridge: str, resp: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bridge = bridge
        self.engine = Engine(Config({"enable-debug-command": "yes"}), clock=Clock())
        self.recorder = Recorder(self.engine)
        self.client = Client(self.engine, resp=resp)
        self.path = Path(self.engine)
        if bridge in ("path", "evalsha"):
            self.engine.native = self.path.call_command
        with monkeypatch.context() as patch:
            if bridge == "lupa":
                patch.setattr(native, "PATH", "python")
            self.service: ScriptService = service_of(self.engine)
            runtime: Runtime = self.service._runtime()
        assert (runtime.bridge is None) == (bridge == "lupa")

    def eval(self, source: str, *words: object) -> bytes:
        if self.bridge == "evalsha":
            return self.evalsha(source, *words)
        return self.call("EVAL", source, *words)

    def call(self, *words: object) -> bytes:
        """The reply of one command, as it is on the wire."""
        client = self.client.state
        self.engine.run(client, [[to_bytes(word) for word in words]])
        return self.replies()

    def replies(self) -> bytes:
        out = self.client.state.out
        reply = b"".join(map(bytes, out))
        out.clear()
        return _ADDRESS.sub(b"", reply)

    def evalsha(self, source: str, *words: object) -> bytes:
        """What the native path does with an EVALSHA; the script is loaded as EVAL does it."""
        client = self.client.state
        try:
            digest = self.service.load(to_bytes(source))
        except CommandError:
            return self.call("EVAL", source, *words)
        argv = [b"EVALSHA", digest, *map(to_bytes, words)]
        value = self.path.scripts.serve(
            client, argv, self.engine.table.resolve(argv), lambda call: call.run()
        )
        if value is NotImplemented:
            return self.call(*argv)
        client.encode(value)
        return self.replies()

    def counters(self) -> dict[str, Any]:
        """Calls, failures and refusals of every command but those that the sides run differently."""
        rows = self.engine.table.every()
        return {
            row.name: (row.counters.calls, dict(row.counters.errors), dict(row.counters.refusals))
            for row in rows
            if row.name not in ("eval", "evalsha", "debug")
        }


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("bridge", ["c", "path", "evalsha"])
def test_random_programs(bridge: str, resp: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(f"{bridge} {resp}")
    reference, other = Side("lupa", resp, monkeypatch), Side(bridge, resp, monkeypatch)
    for number in range(_PROGRAMS):
        source = program(rng)
        words = (2, "k1", "k2", "a", "15")
        assert other.eval(source, *words) == reference.eval(source, *words), source
        assert other.recorder.entries == reference.recorder.entries, source
        if number % 20 == 19:
            assert other.call("DEBUG", "DIGEST") == reference.call("DEBUG", "DIGEST")
            assert other.engine.keyspace.check() is None
    if bridge != "evalsha":  # which is counted by the path
        assert other.counters() == reference.counters()
    assert other.engine.table.error_counts == reference.engine.table.error_counts
    assert other.engine.keyspace.dirty == reference.engine.keyspace.dirty
    assert other.engine.execution is None
    assert other.service.running is None


def both(monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> tuple[Scripts, Scripts]:
    with monkeypatch.context() as patch:
        patch.setattr(native, "PATH", "python")
        reference = Scripts(**arguments)
    other = Scripts(**arguments)
    assert reference.runtime.bridge is None
    assert other.runtime.bridge is not None
    return reference, other


def test_fixed_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    reference, other = both(monkeypatch)
    for script in SCRIPTS:
        assert other.wire(script) == reference.wire(script), script


@pytest.mark.parametrize("script", _GREEDY)
def test_scripts_that_take_memory(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for scripts in both(monkeypatch, memory=32 << 20, caller=_Everything()):
        before = scripts.runtime.memory_used
        assert isinstance(scripts.value(script), CommandError)
        assert scripts.value("collectgarbage() return redis.call('list')[1]") == b"a"
        assert scripts.runtime.memory_used < before + (1 << 20)


class Echo(Nobody):
    """Answers with the words of the call."""

    def call(self, argv: list[bytes]) -> Any:
        return argv


@pytest.mark.parametrize(
    "words",
    [
        "0", "-0", "1", "-1", "1.5", "1e15", "1e17", "-1e17", "123456789012345678", "2^53", "2^63", "1e300", "1/0",
        "-1/0", "0/0", "-(0/0)", "0.1", "'a', 0", f"'a', {', '.join('1' * 40)}", "'x', nil", "{}", "'x', true", "",
        "'x', redis.call", "'\\0\\255'", "('x'):rep(100000)", "unpack({" + "'w'," * 2000 + "})",
    ],
)  # fmt: skip
def test_words_of_a_call(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reference, other = both(monkeypatch, caller=Echo())
    for call in ("call", "pcall"):
        script = f"return redis.{call}({words})"
        assert other.wire(script) == reference.wire(script)


def test_where_an_error_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reference, other = both(monkeypatch)
    for script in (
        "\n\nredis.call('x')",
        "local f = redis.call\nreturn f('x')",
        "local function f()\n return redis.call('x') end\nf()",
        "return redis.call({})",
        "return redis.call()",
        "pcall(redis.call, 'x')\nerror('y')",
        "local ok, e = pcall(redis.call, 'x') return type(e) .. e",
        "local ok, e = xpcall(function() return redis.call('x') end, function(e) return type(e) end) return e",
        "local ok, e = coroutine.resume(coroutine.create(function() return redis.call('x') end)) return tostring(e)",
        "return coroutine.wrap(function() return redis.call('x') end)()",
        "string.gsub('a', 'a', redis.call)",
        "table.sort({1, 2}, redis.call)",
        "return setmetatable({}, {__index = redis.call}).x",
        "return setmetatable({}, {__tostring = redis.call}) .. ''",
        "return table.foreach({1}, redis.call)",
        "return coroutine.create(redis.call)",
    ):
        assert other.wire(script) == reference.wire(script), script


def test_the_clock_is_looked_at_between_calls() -> None:
    """A call is few instructions of Lua, and may take long."""
    caller = Echo()
    scripts = Scripts(caller=caller)
    assert scripts.value("for i = 1, 2000 do redis.call('x') end return 'done'") == b"done"
    assert caller.ticks >= 10
    caller.reason = b"ERR ended"
    reply = str(scripts.value("while true do pcall(redis.call, 'x') end"))
    assert reply.startswith("ERR ended script: ")
    caller.reason = None
    assert scripts.value("return redis.call('x')") == [b"x"]


def test_other_threads_run_beside_a_script() -> None:
    """A script holds the interpreter's lock, but for when the clock is looked at."""
    begun, ran = threading.Event(), threading.Event()

    class Waiting(Nobody):
        def tick(self) -> bytes | None:
            begun.set()
            return b"ERR ended" if ran.is_set() else None

    def other() -> None:
        assert begun.wait(60)
        ran.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert str(Scripts(caller=Waiting()).value("while true do end")).startswith("ERR ended script: ")
    thread.join()


def test_the_codes_are_those_of_python() -> None:
    """The bridge in C has them as numbers."""
    assert (codes.STATUS, codes.ERROR, codes.NIL, codes.FLAT) == (2, 3, 10, 11)
    assert (codes.READY, codes.CODED, codes.STOP) == (12, 13, 14)


@pytest.mark.parametrize(
    "words",
    [
        ["EVALSHA", "f" * 40, "0"],
        ["EVALSHA", "{digest}", "x"],
        ["EVALSHA", "{digest}", "-1"],
        ["EVALSHA", "{digest}", "2", "k"],
        ["EVALSHA", "{digest}", "99999999999999999999"],
        ["EVALSHA", "{DIGEST}", "0"],
    ],
)
def test_the_path_leaves_what_is_unusual_to_python(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side("evalsha", 2, monkeypatch)
    digest = side.service.load(b"return 1").decode()
    argv = [word.format(digest=digest, DIGEST=digest.upper()).encode() for word in words]
    entered: list[object] = []
    assert side.path.scripts.serve(side.client.state, argv, None, entered.append) is NotImplemented
    assert not entered


def test_a_fault_inside_a_script_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side("evalsha", 2, monkeypatch)
    side.call("SET", "k", "v")
    row = side.engine.table.resolve([b"strlen", b"k"])
    monkeypatch.setattr(row, "function", lambda client, argv: 1 // 0)
    assert side.eval("return redis.call('strlen', 'k')", 0).startswith(b"-ERR internal error script: ")
    assert side.engine.faults == 1
    assert side.eval("return redis.call('get', 'k')", 0) == b"$1\r\nv\r\n"


def test_a_unit_that_cannot_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side("evalsha", 2, monkeypatch)
    unrecorded: list[BaseException] = []
    monkeypatch.setattr(side.engine.durability, "unrecorded", unrecorded.append, raising=False)

    def fails(_effects: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(type(side.engine.propagation), "append_unit", lambda self, effects: fails(effects))
        assert side.eval("return redis.call('set', 'k', 'v')", 0).startswith(b"-")
    assert len(unrecorded) == 1
    assert side.engine.execution is None
    assert side.service.running is None
    assert side.eval("return 1", 0) == b":1\r\n"


def test_another_lua_leaves_lupa_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from kedis.native import lua_bridge

    monkeypatch.setattr(lua_bridge.lua51, "LUA_VERSION", (5, 2))
    assert Scripts().runtime.bridge is None
    monkeypatch.setattr(lua_bridge.lua51, "LUA_VERSION", (5, 1))
    monkeypatch.setattr(lua_bridge.lua51, "__file__", "/nowhere/lua51.so")
    assert Scripts().runtime.bridge is None


def test_a_script_gets_nothing_of_the_bridge() -> None:
    scripts = Scripts()
    for name in ("package", "host", "kedis_open_bridge", "native_call", "adopt", "adopt_scripts"):
        assert (
            scripts.value(f"local ok = pcall(function() return _G['{name}'] end) return ok and 1 or 0") == 0
        )
    assert b"unable to dump" in scripts.wire("return string.dump(redis.call)")
    assert scripts.value("return type(redis.call)") == b"function"


@pytest.mark.parametrize("bridge", ["path", "evalsha"])
def test_calls_of_a_restricted_user_stay_on_the_path(bridge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its permissions are looked at there; what they do not allow is denied as everywhere."""
    side = Side(bridge, 2, monkeypatch)
    side.call("ACL", "SETUSER", "bob", "on", "nopass", "+@all", "-@dangerous", "~a*", "%R~[bc]?")
    side.call("AUTH", "bob", "x")
    asked: list[str] = []
    may = User.may

    def counted(user: User, command: Command, argv: Sequence[bytes]) -> bool:
        asked.append(command.name)
        return may(user, command, argv)

    monkeypatch.setattr(User, "may", counted)
    source = "for n = 1, 5 do redis.call('SET', KEYS[1], n) end return redis.call('GET', ARGV[1])"
    assert side.eval(source, 1, "a1", "b1") == b"$-1\r\n"
    assert set(asked) <= {"eval", "evalsha"}
    for source in ("redis.call('SET', 'b1', 1)", "redis.call('GET', 'd')", "redis.call('FLUSHALL')"):
        assert b"The user executing the script can't" in side.eval(source, 0)
    side.call("AUTH", "default", "")
    assert side.call("ACL", "LOG").count(b"$3\r\nlua\r\n") == 3
