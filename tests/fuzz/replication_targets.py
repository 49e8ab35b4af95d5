"""What a master sends: the handshake, the snapshot's frame, and the stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from kedis.replication.applier import StreamError
from kedis.replication.handshake import (
    Event,
    Greeting,
    Link,
    LinkError,
    Position,
    SnapshotData,
    StreamData,
)
from kedis.resp.replies import encode_command
from tests.differential import grammar
from tests.fuzz.target import BytesAsDice, Find, Target, pieces
from tests.oracle import Oracle
from tests.replication.test_applier import Follower

_ID = "a" * 40


class Replication(Target):
    """The same events, data and offsets however the bytes are cut; never anything but an error of the link."""

    name = "replication"
    modules = ("kedis.replication.handshake", "kedis.replication.applier")
    most_kb = 2_000_000  # a bit may be set that makes a string of 512 MB, in two servers
    words = (
        *(
            b"+PONG\r\n",
            b"+OK\r\n",
            b"+FULLRESYNC " + _ID.encode() + b" 5\r\n",
            b"+CONTINUE\r\n",
            b"$EOF:" + b"e" * 40,
        ),
        *(
            b"e" * 40,
            b"$10\r\n",
            b"-ERR x\r\n",
            b"\n",
            b"*1\r\n$5\r\nMULTI\r\n",
            b"*1\r\n$4\r\nEXEC\r\n",
            b"*2\r\n$6\r\nSELECT\r\n",
        ),
    )

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        super().__init__(redis)
        self._names = grammar.known_names()

    def run(self, data: bytes) -> None:
        if len(data) < 3:
            return
        kind, size, data = data[0] % 4, data[1] % 50 + 1, data[2:]
        if kind < 2:
            self._link(data, size, resumes=kind == 1)
        elif kind == 2:
            self._stream(data, size)
        else:
            dice = BytesAsDice(data)
            count = min(len(data) // 8, 30)
            commands = [grammar.command(dice, dice.choice(self._names)) for _ in range(count)]
            self._stream(b"".join(map(encode_command, commands)), size * 7)

    def _link(self, data: bytes, size: int, *, resumes: bool) -> None:
        whole, cut = _events([data], resumes), _events(pieces(data, size), resumes)
        if whole != cut:
            raise Find("link", f"in pieces of {size}: {cut!r:.600} instead of {whole!r:.600}")

    def _stream(self, data: bytes, size: int) -> None:
        followers = Follower(), Follower()
        failed = [
            _apply(follower, parts)
            for follower, parts in zip(followers, ([data], pieces(data, size)), strict=True)
        ]
        one, other = followers
        if failed[0] and not failed[1] and other.applier.held_bytes:
            return  # in pieces a damage is seen when the command that holds it is whole
        if failed[0] != failed[1]:
            raise Find("failed", f"whole: {failed[0]}, in pieces of {size}: {failed[1]}")
        for follower in followers:
            if follower.client.engine.faults:
                raise Find("internal error")
            follower.client.engine.keyspace.check()
            if (
                follower.history.offset + (0 if failed[0] else follower.applier.held_bytes) != len(data)
                and not failed[0]
            ):
                raise Find("offset", f"the offset is {follower.history.offset} of {len(data)}")
        if one.digest != other.digest and not _is_random(data):
            raise Find("the data differ")
        if (one.history.offset, b"".join(one.passed)) != (other.history.offset, b"".join(other.passed)):
            raise Find("the offsets differ")

    def seeds(self) -> Iterator[bytes]:
        hello = b"+PONG\r\n+OK\r\n+OK\r\n+OK\r\n"
        yield (
            b"\0\x09"
            + hello
            + b"+FULLRESYNC "
            + _ID.encode()
            + b" 5\r\n$10\r\n0123456789*1\r\n$4\r\nPING\r\n"
        )
        yield (
            b"\0\x03"
            + hello
            + b"+FULLRESYNC "
            + _ID.encode()
            + b" 5\r\n\n\n$EOF:"
            + b"e" * 40
            + b"\r\nabc"
            + b"e" * 40
            + b"*1"
        )
        yield b"\1\x03" + hello + b"+CONTINUE " + _ID.encode() + b"\r\n*1\r\n$4\r\nPING\r\n"
        yield b"\0\x01-NOAUTH x\r\n-ERR\r\n-ERR\r\n-ERR\r\n-ERR unknown\r\n$0\r\n*1\r\n"
        for seed in range(12):
            yield b"\3\x07" + Random(seed).randbytes(200)
        some = [[b"SELECT", b"1"], [b"SET", b"a", b"1"], [b"MULTI"], [b"INCR", b"a"], [b"EXEC"], [b"ping"]]
        yield b"\2\x05" + b"".join(map(encode_command, some))


def _is_random(data: bytes) -> bool:
    """Whether there are commands whose effect nobody can foresee: a master sends none of them."""
    return any(
        name in data.lower()
        for name in (b"spop", b"xadd", b"xautoclaim", b"xclaim", b"xreadgroup", b"xgroup")
    )


def _apply(follower: Follower, parts: Iterator[bytes] | list[bytes]) -> str:
    try:
        for part in parts:
            follower.applier.feed(part)
    except StreamError:
        return "no stream"
    return ""


def _events(parts: Iterator[bytes] | list[bytes], resumes: bool) -> tuple[list[Event], str]:
    """What a link makes of the bytes: events, those of data joined; why it fails. What came before a fault is lost."""
    link = Link(Greeting(6379, "h", "u", "p"), Position(_ID, 5) if resumes else None)
    found: list[Event] = []
    try:
        for part in parts:
            for event in link.feed(part):
                last = found[-1] if found else None
                if isinstance(event, (SnapshotData, StreamData)) and type(last) is type(event):
                    found[-1] = type(event)(last.data + event.data)  # type: ignore[union-attr]
                else:
                    found.append(event)
            link.take_output()
    except LinkError as error:
        return [], str(error)
    return found, ""
