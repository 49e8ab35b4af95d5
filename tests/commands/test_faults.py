"""What no command expects: no memory, a bug, a journal that cannot record.  One error, nothing acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from kedis.engine.client import Client as EngineClient
from kedis.engine.engine import Engine
from kedis.resp.requests import RequestParser
from tests.commands.driver import Client, ErrorReply, Recorder

OOM = ErrorReply("OOM command failed: not enough memory")
INTERNAL = ErrorReply("ERR internal error")


class FailingListener:
    """Cannot be told of the next ``failures`` commands, so that they cannot be recorded."""

    failures = 0

    def note(self, argv: Sequence[bytes | bytearray]) -> None:
        if self.failures:
            self.failures -= 1
            raise MemoryError


class Watched:
    """A client of an engine that tells what it has been told of faults."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.client = Client(self.engine)
        self.journal = Recorder(self.engine)
        self.listener = self.engine.propagation.listener = FailingListener()
        self.changed: list[bool] = []
        self.lost: list[BaseException] = []
        self.engine.durability = self

    def distrust(self, changed: bool) -> None:
        self.changed.append(changed)

    def unrecorded(self, error: BaseException) -> None:
        self.lost.append(error)

    def breaking(self, name: bytes, function: Callable[[EngineClient, Sequence[bytes]], Any]) -> None:
        """Have ``function`` run for the command ``name``."""
        self.engine.table.rows[name].function = function


@pytest.fixture
def watched() -> Watched:
    return Watched()


def no_memory(_ctx: EngineClient, _argv: Sequence[bytes]) -> Any:
    raise MemoryError


def bug(_ctx: EngineClient, _argv: Sequence[bytes]) -> Any:
    raise KeyError("bug")


class Unready(list[Any]):
    """A reply of which the first three elements are there, and then, as often as ``bad`` says, no memory."""

    def __init__(self, bad: int) -> None:
        super().__init__([1, b"two", 3, 4, 5])
        self.bad = bad

    def __iter__(self) -> Iterator[Any]:
        if self.bad:
            self.bad -= 1
            yield from self[:3]
            raise MemoryError
        yield from super().__iter__()


@pytest.mark.parametrize(("function", "reply"), [(no_memory, OOM), (bug, INTERNAL)])
def test_one_error_and_the_next_command_runs(watched: Watched, function: Any, reply: ErrorReply) -> None:
    watched.breaking(b"get", function)
    watched.breaking(b"append", function)
    client = watched.client
    assert client.call("SET", "a", 1) == b"OK"
    assert client.call("GET", "a") == reply and watched.changed == [False]
    # It may have changed something before it counted that as a change.
    assert client.call("APPEND", "a", "x") == reply and watched.changed == [False, True]
    assert client.call("STRLEN", "a") == 1
    assert watched.engine.faults == 2
    assert watched.engine.table.rows[b"get"].counters.errors[reply.args[0].split()[0]] == 1
    assert [argv for _, argv in watched.journal.entries] == [[b"SET", b"a", b"1"]]


@pytest.mark.parametrize("bad", [1, 2])
def test_of_a_reply_that_cannot_be_made_nothing_is_left(watched: Watched, bad: int) -> None:
    """However much of it a second attempt would make."""
    watched.breaking(b"get", lambda ctx, argv: Unready(bad))
    session = watched.client.state
    watched.engine.run(session, [[b"SET", b"a", b"1"], [b"GET", b"a"], [b"ECHO", b"later"]])
    assert b"".join(session.out) == b"+OK\r\n-OOM command failed: not enough memory\r\n$5\r\nlater\r\n"
    session.out.clear()


def test_a_change_that_is_not_recorded_is_not_acknowledged(watched: Watched) -> None:
    client = watched.client
    watched.listener.failures = 1
    assert client.call("SET", "a", 1) == OOM
    assert [type(error) for error in watched.lost] == [MemoryError]
    assert client.call("SET", "b", 1) == b"OK"
    assert [argv for _, argv in watched.journal.entries] == [[b"SET", b"b", b"1"]]


def test_a_transaction_that_is_not_recorded_as_a_whole(watched: Watched) -> None:
    client = watched.client
    for words in (("MULTI",), ("SET", "a", 1), ("INCR", "a")):
        client.call(*words)
    watched.listener.failures = 1
    assert client.call("EXEC") == OOM  # not the replies of its commands
    assert len(watched.lost) == 1
    assert client.call("PING") == b"PONG"


def test_what_cannot_be_queued_ends_the_transaction(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = watched.client
    client.call("MULTI")
    assert client.call("SET", "a", 1) == b"QUEUED"

    class Full(list[Any]):
        def append(self, _argv: Any) -> None:
            raise MemoryError

    client.state.queue = Full(client.state.queue or [])
    assert client.call("SET", "b", 1) == OOM
    assert str(client.call("EXEC")).startswith("EXECABORT")
    assert client.call("EXISTS", "a", "b") == 0


def test_who_was_blocked_is_told_and_the_others_are_served(watched: Watched) -> None:
    first, second = Client(watched.engine), Client(watched.engine)
    assert first.replies("BLPOP", "a", 0) == []
    assert second.replies("BLPOP", "b", 0) == []

    def fail_for_a(argv: Sequence[bytes | bytearray]) -> None:
        if argv[0] == b"LPOP" and argv[1] == b"a":
            raise MemoryError

    watched.listener.note = fail_for_a  # type: ignore[method-assign]
    watched.client.call("MULTI")
    watched.client.call("RPUSH", "a", 1)
    watched.client.call("RPUSH", "b", 2)
    assert watched.client.call("EXEC") == [1, 1]
    assert first.pushed() == [OOM]
    assert second.pushed() == [[b"b", b"2"]]
    assert len(watched.lost) == 1


def test_no_memory_for_what_is_received() -> None:
    class Small(bytearray):
        def find(self, *_: Any) -> int:
            raise MemoryError

    parser = RequestParser()
    parser._buffer = Small()
    with pytest.raises(Exception) as caught:
        parser.feed(b"*1\r\n$4\r\nPI")
    assert str(caught.value) == str(OOM)
    assert parser.pending_bytes == 0
    assert parser.feed(b"*1\r\n$4\r\nPING\r\n") == []
