"""Scripts that do not end, on a running server: BUSY for others, KILL, and the end of the server."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hiredis
import pytest

from tests.commands.driver import ErrorReply, to_bytes
from tests.wire.kedis_process import KedisProcess

_ENDLESS = "while true do end"
_BUSY = ErrorReply("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
_BUSY_FUNCTION = ErrorReply(
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
)


class Link:
    """A connection on which requests can be sent before their replies are read."""

    #: Whether EVAL goes as EVALSHA, which the native path runs, where the script can be loaded.
    by_digest = False

    def __init__(self, server: KedisProcess) -> None:
        self._server = server
        self._held: list[bytes] = []
        self._holds = False
        self.socket = socket.create_connection(server.address, timeout=60)
        self._reader = hiredis.Reader(replyError=ErrorReply)

    def send(self, *words: Any) -> None:
        if self.by_digest and words[0] == "EVAL":
            digest = _call_once(self._server, "SCRIPT", "LOAD", words[1])
            if isinstance(digest, bytes):
                words = ("EVALSHA", digest, *words[2:])
        arguments = [to_bytes(word) for word in words]
        parts = [b"*%d\r\n" % len(arguments)]
        parts += [b"$%d\r\n%s\r\n" % (len(argument), argument) for argument in arguments]
        self._held.append(b"".join(parts))
        if not self._holds:
            self._flush()

    def _flush(self) -> None:
        self.socket.sendall(b"".join(self._held))
        self._held.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Send what is sent meanwhile in one piece, at the end."""
        self._holds = True
        yield
        self._holds = False
        self._flush()

    def receive(self) -> Any:
        while (reply := self._reader.gets()) is False:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self._reader.feed(data)
        return reply

    def call(self, *words: Any) -> Any:
        self.send(*words)
        return self.receive()


def _call_once(server: KedisProcess, *words: Any) -> Any:
    link = Link(server)
    try:
        return link.call(*words)
    finally:
        link.socket.close()


@pytest.fixture(params=["EVAL", "EVALSHA"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Link, "by_digest", request.param == "EVALSHA")


@pytest.fixture
def server() -> Iterator[KedisProcess]:
    process = KedisProcess("--busy-reply-threshold", "50")
    yield process
    process.close()


def until_busy(link: Link, text: ErrorReply = _BUSY) -> None:
    """Wait until the script of another client is over its limit: until then nobody is answered."""
    deadline = time.monotonic() + 60
    while (reply := link.call("PING")) != text:
        assert reply == b"PONG"
        assert time.monotonic() < deadline


def test_others_are_told_and_may_kill(server: KedisProcess) -> None:
    script, others = Link(server), [Link(server) for _ in range(20)]
    script.send("EVAL", _ENDLESS, 0)
    until_busy(others[0])
    for other in others:
        assert other.call("GET", "k") == _BUSY
    other = others[0]
    for words in (
        ("SET", "k", "v"),
        ("EVAL", "return 1", 0),
        ("FUNCTION", "KILL"),
        ("FUNCTION", "STATS"),
        ("CONFIG", "GET", "x"),
    ):
        assert other.call(*words) == _BUSY
    assert other.call("AUTH", "x") != _BUSY
    assert other.call("MULTI") == b"OK"
    assert other.call("GET", "k") == _BUSY
    assert other.call("DISCARD") == b"OK"
    assert other.call("SCRIPT", "KILL") == b"OK"
    reply = script.receive()
    assert str(reply).startswith("ERR Script killed by user with SCRIPT KILL... script: ")
    assert script.call("PING") == b"PONG"
    assert all(other.call("SET", "k", "v") == b"OK" for other in others)


def test_a_function(server: KedisProcess) -> None:
    script, other = Link(server), Link(server)
    script.call(
        "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() while true do end end)"
    )
    script.send("FCALL", "f", 0)
    until_busy(other, _BUSY_FUNCTION)
    running = other.call("FUNCTION", "STATS")[1]
    assert running[:5] == [b"name", b"f", b"command", [b"FCALL", b"f", b"0"], b"duration_ms"]
    assert running[5] >= 50
    assert other.call("SCRIPT", "KILL") == _BUSY_FUNCTION
    assert other.call("FUNCTION", "KILL") == b"OK"
    assert str(script.receive()).startswith(
        "ERR Script killed by user with FUNCTION KILL... script: f, on @user"
    )


@pytest.mark.parametrize("code", [_ENDLESS, "local function f() return f() end f()"])
def test_a_library_whose_code_does_not_end_is_refused(server: KedisProcess, code: str) -> None:
    """Nobody else is served while a library is loaded, so nobody could end it."""
    link = Link(server)
    reply = link.call("FUNCTION", "LOAD", f"#!lua name=l\n{code}")
    assert reply == ErrorReply("ERR Error registering functions: ERR FUNCTION LOAD timeout")
    assert link.call("FUNCTION", "LIST") == []
    assert link.call("EVAL", "return 1", 0) == 1


def test_a_script_that_has_written_cannot_be_killed(server: KedisProcess) -> None:
    script, other = Link(server), Link(server)
    script.send("EVAL", "redis.call('SET', 'k', 'v') while true do end", 0)
    until_busy(other)
    assert str(other.call("SCRIPT", "KILL")).startswith("UNKILLABLE ")
    assert other.call("PING") == _BUSY
    assert other.call("SHUTDOWN") == _BUSY
    assert other.call("SHUTDOWN", "SAVE") == _BUSY
    other.send("SHUTDOWN", "NOSAVE")
    assert server.process.wait(60) == 0


def test_a_slow_script_that_ends(server: KedisProcess) -> None:
    script, other = Link(server), Link(server)
    script.send("EVAL", "for i = 1, 3e7 do end redis.call('SET', 'k', 'v') return redis.call('INCR', 'n')", 0)
    until_busy(other)
    assert script.receive() == 1
    assert other.call("GET", "k") == b"v"


def test_the_unit_of_a_script_survives_the_turns_of_the_loop(server: KedisProcess) -> None:
    """Requests of others must neither join the unit of the script nor move its clock."""
    script, other = Link(server), Link(server)
    script.send("MULTI")
    script.send(
        "EVAL",
        "redis.call('SET', 'a', 1, 'PX', 5) for i = 1, 3e7 do end redis.call('SET', 'b', 2) "
        "return {redis.call('PTTL', 'a'), redis.call('GETDEL', 'a')}",
        0,
    )
    script.send("SET", "c", 3)
    script.send("EXEC")
    for _ in range(3):
        script.receive()
    until_busy(other)
    for _ in range(10):
        assert other.call("WATCH", "a") == b"OK"
        assert other.call("UNWATCH") == b"OK"
    assert script.receive() == [[5, b"1"], b"OK"]
    assert other.call("MGET", "b", "c") == [b"2", b"3"]


def _restarted(flags: tuple[str, ...], *keys: str) -> Any:
    """The values of ``keys`` that a new server on the same data has."""
    with KedisProcess(*flags) as server:
        return Link(server).call("MGET", *keys)


def _ended_by_sigterm(flags: tuple[str, ...], *requests: tuple[Any, ...]) -> Any:
    """Send the requests, the last of which does not end, and SIGTERM; the last reply, or None where there is none."""
    with KedisProcess(*flags) as server:
        link, other = Link(server), Link(server)
        for words in requests[:-1]:
            link.call(*words)
        link.send(*requests[-1])
        until_busy(other)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        try:
            return link.receive()
        except ConnectionError:
            return None


def test_sigterm_after_a_save_that_failed_is_the_first_again(tmp_path: Any) -> None:
    """As in Redis, which tries again; the server must not end at once, with what is not saved."""
    flags = ("--busy-reply-threshold", "50", "--dir", str(tmp_path), "--save", "3600 1")
    snapshot = tmp_path / "dump.rdb"
    with KedisProcess(*flags) as server:
        link, other = Link(server), Link(server)
        link.call("SET", "a", 1)
        snapshot.mkdir()
        for _ in range(3):
            link.send("EVAL", _ENDLESS, 0)
            until_busy(other)
            server.process.send_signal(signal.SIGTERM)
            assert "shuts down" in str(link.receive())
            assert link.call("EXISTS", "a") == 1
        snapshot.rmdir()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    assert _restarted(flags, "a") == [b"1"]


_HALF = "redis.call('SET', 'a', 2) redis.call('SET', 'b', 2) while true do end"


@pytest.fixture(params=[("--appendonly", "yes"), ("--save", "3600 1")], ids=["append-only file", "snapshot"])
def durable(request: pytest.FixtureRequest, tmp_path: Any) -> tuple[str, ...]:
    return ("--busy-reply-threshold", "50", "--dir", str(tmp_path), *request.param)


def test_sigterm_ends_a_script_that_only_reads_and_the_data_are_saved(durable: tuple[str, ...]) -> None:
    reply = _ended_by_sigterm(
        durable, ("SET", "a", 1), ("EVAL", "redis.call('GET', 'a') while true do end", 0)
    )
    assert reply is None or "shuts down" in str(reply)
    assert _restarted(durable, "a") == [b"1"]


def test_sigterm_waits_for_a_script_that_has_written(durable: tuple[str, ...]) -> None:
    """The whole of it is kept."""
    script = "redis.call('SET', 'a', 1) for i = 1, 1e8 do end redis.call('SET', 'b', 2) return 'done'"
    _ended_by_sigterm(durable, ("EVAL", script, 0))
    assert _restarted(durable, "a", "b") == [b"1", b"2"]


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_script_that_does_not_end_leaves_nothing_half_done(
    durable: tuple[str, ...], in_transaction: bool
) -> None:
    """Neither the half of it that was done is kept, nor that of the transaction around it, nor is it acknowledged."""
    requests: list[tuple[Any, ...]] = [("SET", "a", 1), ("EVAL", _HALF, 0)]
    if in_transaction:
        requests[1:] = [("MULTI",), ("SET", "c", 3), requests[1], ("INCR", "d"), ("EXEC",)]
    reply = _ended_by_sigterm((*durable, "--shutdown-timeout", "0"), *requests)
    assert reply is None or isinstance(reply, ErrorReply)
    kept = b"1" if "--appendonly" in durable else None  # the snapshot before is none: it would hold the half
    assert _restarted(durable, "a", "b", "c", "d") == [kept, None, None, None]


def test_shutdown_nosave_drops_what_a_script_has_done(tmp_path: Any) -> None:
    flags = ("--busy-reply-threshold", "50", "--dir", str(tmp_path), "--appendonly", "yes")
    with KedisProcess(*flags) as server:
        link, other = Link(server), Link(server)
        waiting = Link(server)
        waiting.send("BLPOP", "l", 0)
        link.call("SET", "a", 1)
        link.send("EVAL", "redis.call('RPUSH', 'l', 1) " + _HALF, 0)
        until_busy(other)
        other.send("SHUTDOWN", "NOSAVE")
        assert server.process.wait(60) == 0
        with pytest.raises(ConnectionError):
            waiting.receive()
    assert _restarted(flags, "a", "b", "l") == [b"1", None, None]


def test_the_client_of_the_script_leaves(server: KedisProcess) -> None:
    script, other = Link(server), Link(server)
    script.send("EVAL", _ENDLESS, 0)
    until_busy(other)
    script.socket.close()
    assert other.call("SCRIPT", "KILL") == b"OK"
    assert other.call("PING") == b"PONG"


def test_the_client_of_the_script_sends_more(server: KedisProcess) -> None:
    script, other = Link(server), Link(server)
    script.send("EVAL", _ENDLESS, 0)
    until_busy(other)
    for index in range(100):
        script.send("INCR", "n")
        assert other.call("PING") == _BUSY, index
    assert other.call("SCRIPT", "KILL") == b"OK"
    assert "Script killed" in str(script.receive())
    assert [script.receive() for _ in range(100)] == list(range(1, 101))


def test_what_stands_before_and_behind_a_slow_script(server: KedisProcess) -> None:
    """In one piece with it: what comes before is answered meanwhile, what comes behind runs afterwards."""
    script, other = Link(server), Link(server)
    digest = script.call("SCRIPT", "LOAD", _ENDLESS)
    done = script.call("SCRIPT", "LOAD", "return 'done'")
    with script.held():
        script.send("SET", "k", 1)
        script.send("EVALSHA", digest, 0)
        script.send("INCR", "k")
        script.send("EVALSHA", done, 0)
        script.send("CLIENT", "GETNAME")
    assert script.receive() == b"OK"
    until_busy(other)
    assert other.call("SCRIPT", "KILL") == b"OK"
    assert "Script killed" in str(script.receive())
    assert [script.receive() for _ in range(3)] == [2, b"done", None]
    assert other.call("CONFIG", "SET", "slowlog-log-slower-than", 0) == b"OK"
    assert script.call("EVALSHA", done, 1, "key", "argument") == b"done"
    newest = other.call("SLOWLOG", "GET", 1)[0]
    assert newest[3] == [b"EVALSHA", done, b"1", b"key", b"argument"]
    calls = other.call("INFO", "commandstats").decode()
    assert "cmdstat_evalsha:calls=3," in calls
    assert "failed_calls=1" in calls[calls.index("cmdstat_evalsha") :].splitlines()[0]


def test_no_threshold(server: KedisProcess) -> None:
    script, other = Link(server), Link(server)
    assert script.call("CONFIG", "SET", "lua-time-limit", 0) == b"OK"
    script.send("EVAL", "for i = 1, 3e7 do end return 'done'", 0)
    other.send("PING")
    assert script.receive() == b"done"
    assert other.receive() == b"PONG"


def test_memory_of_the_server_without_scripts_and_after_greedy_ones(server: KedisProcess) -> None:
    link = Link(server)
    before = server.resident_bytes()
    assert "not enough memory" in str(
        link.call("EVAL", "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end", 0)
    )
    assert link.call("PING") == b"PONG"
    link.call("MEMORY", "PURGE")
    assert server.resident_bytes() - before < 64 << 20


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        (("EVAL", "return cjson.decode(ARGV[1])", 0, "[" * 100_000), "Found too many nested data structures"),
        (("EVAL", "return cmsgpack.unpack(ARGV[1])", 0, b"\x91" * 100_000), "stack overflow"),
        (("EVAL", "local function f() return 1 + f() end return f()", 0), "stack overflow"),
        (("EVAL", "return " + "(" * 10_000, 0), "chunk has too many syntax levels"),
        (("EVAL", b"\x1bLua" + b"\xff" * 1000, 0), "unexpected symbol near 'char(27)'"),
    ],
)
def test_bad_input(server: KedisProcess, words: tuple[Any, ...], reply: str) -> None:
    link = Link(server)
    assert reply in str(link.call(*words))
    assert link.call("EVAL", "return 1", 0) == 1


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_rewrite_waits_for_the_end_of_a_script(tmp_path: Any) -> None:
    """Half of what the script does must not be in the base, with all of it in the file that follows."""
    flags = ("--busy-reply-threshold", "50", "--appendonly", "yes", "--dir", str(tmp_path))
    with KedisProcess(*flags) as server:
        link, other = Link(server), Link(server)
        other.send("BGREWRITEAOF")
        link.send(
            "EVAL", "redis.call('INCR', 'n') for i = 1, 5e7 do end redis.call('INCR', 'n') return 'done'", 0
        )
        assert link.receive() == b"done"
        other.receive()
        _eventually(lambda: b"aof_rewrite_in_progress:0" in other.call("INFO", "persistence"))
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(60)
    with KedisProcess(*flags) as server:
        assert Link(server).call("GET", "n") == b"2"
