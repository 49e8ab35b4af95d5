"""The native path where random stories seldom come: at its limits, and when something fails in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from kedis.resp.replies import encode_command

pytest.importorskip("kedis.native.path", reason="the extension was not built")

from tests.native.sides import START_NS, Listener, Side


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    pair = Side(True, 2, 0), Side(False, 2, 0)
    yield pair
    for side in pair:
        side.check()


def request(*lines: bytes) -> bytes:
    return b"".join(encode_command(line.split()) for line in lines)


# -- figures of reads -------------------------------------------------------------------------------------


def test_a_read_is_counted_once_though_its_time_was_up_in_between(sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.feed(0, request(*[b"PING"] * 20), budget_ns=-1)
        assert (sum(side.waits.counts), side.depths.total) == (1, 20)


def test_what_a_read_waits_ends_when_its_last_whole_command_begins(sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.clock.step = 100
        side.feed(0, request(b"GET a", b"GET b") + b"*2\r\n$3\r\nGE")
        assert side.waits.total == 200
        assert side.engine.keyspace.now_ns == START_NS + 300


# -- the state of the client ------------------------------------------------------------------------------


def test_a_command_that_is_refused_is_not_the_last_command(sides: tuple[Side, Side]) -> None:
    native, _ = sides
    native.feed(0, request(b"SET a 1", b"GET"))
    assert native.links[0].client.last_command is native.engine.table.lookup(b"SET")


# -- containers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"), [("hash-max-listpack-entries", 1), ("hash-max-listpack-value", 1)]
)
def test_a_hash_is_full_after_a_change_by_which_it_exceeds_lowered_limits(
    sides: tuple[Side, Side], setting: str, value: int
) -> None:
    for side in sides:
        side.feed(0, request(b"HSET h field 1 f 2"))
        side.command(1, b"CONFIG", b"SET", setting.encode(), b"%d" % value)
        side.feed(0, request(b"HSET h field 2"))
        assert side.call(0, b"OBJECT", b"ENCODING", b"h") == b"$9\r\nhashtable\r\n"


@pytest.mark.parametrize("line", [b"HINCRBY h f 1", b"HINCRBYFLOAT h f 1"])
def test_an_access_by_hincrby_counts_once(sides: tuple[Side, Side], line: bytes) -> None:
    for side in sides:
        side.command(1, b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-lfu")
        side.command(1, b"CONFIG", b"SET", b"lfu-log-factor", b"0")
        side.feed(0, request(b"HSET h f 1", line))
        assert side.call(0, b"OBJECT", b"FREQ", b"h") == b":6\r\n"


# -- what a call says to its own client -------------------------------------------------------------------


def test_an_error_comes_behind_the_message_that_its_call_has_sent(sides: tuple[Side, Side]) -> None:
    wires = []
    for side in sides:
        side.command(1, b"CONFIG", b"SET", b"notify-keyspace-events", b"Ex")
        side.feed(
            0,
            request(
                b"HELLO 3",
                b"SUBSCRIBE __keyevent@0__:expired",
                b"SET text x",
                b"SADD due x",
                b"PEXPIRE due 1",
            ),
        )
        side.pass_time(5_000_000)
        side.replies()
        side.feed(0, request(b"PING", b"SINTER due text", b"PING"))
        wires.append(side.replies()[0])
    assert wires[0] == wires[1]
    assert wires[0].startswith(b"+PONG\r\n>3\r\n$7\r\nmessage\r\n") and wires[0].endswith(
        b"value\r\n+PONG\r\n"
    )


class Refusing(Listener):
    """Cannot note anything."""

    def note(self, argv: Sequence[bytes | bytearray]) -> None:
        raise MemoryError


def test_earlier_replies_stay_when_a_call_fails_that_has_answered(sides: tuple[Side, Side]) -> None:
    """The long value is no longer in the buffer of short replies when the change cannot be recorded."""
    wires = []
    for side in sides:
        side.feed(0, request(b"HELLO 3", b"SET big " + b"x" * 20_000))
        side.replies()
        side.engine.propagation.listener = Refusing()
        side.feed(0, request(*[b"ECHO " + b"y" * 9000] * 3, b"GETDEL big", b"PING"))
        side.engine.propagation.listener = None
        wires.append(side.replies()[0])
    assert wires[0] == wires[1]
    assert (
        wires[0].startswith(b"$9000\r\nyyy")
        and b"yyy\r\n-OOM" in wires[0]
        and wires[0].endswith(b"+PONG\r\n")
    )


# -- failures in the middle -------------------------------------------------------------------------------


class Watched:
    """Stands in for the policy of the append-only file."""

    def __init__(self) -> None:
        self.lost: list[BaseException] = []
        self.distrusted = 0

    def distrust(self, changed: bool) -> None:
        self.distrusted += changed

    def unrecorded(self, error: BaseException) -> None:
        self.lost.append(error)


@pytest.mark.parametrize(
    "line", [b"SET a 2", b"SET a 2 EX 100", b"SET a 2 XX", b"INCR a", b"MSET a 2 b 3", b"HINCRBY h f 1"]
)
def test_a_change_in_c_that_cannot_be_recorded_is_not_acknowledged(
    sides: tuple[Side, Side], line: bytes
) -> None:
    for side in sides:
        side.feed(0, request(b"SET a 1", b"HSET h f 1"))
        side.journal()
        side.engine.propagation.listener = Refusing()
        side.engine.durability = watched = Watched()
        reply = side.call(0, *line.split())
        assert reply.startswith(b"-OOM")
        assert [type(error) for error in watched.lost] == [MemoryError]
        assert (side.engine.faults, side.journal()) == (1, b"")
        side.engine.propagation.listener = None
        assert side.call(0, b"SET", b"b", b"1") == b"+OK\r\n" and side.journal().endswith(b"$1\r\n1\r\n")


EACH_FORM = [
    *(
        b"GET a",
        b"SET a 2",
        b"SET new 2",
        b"SET a 2 EX 100",
        b"SET new 2 PX 100000",
        b"SETNX new 1",
        b"INCR n",
    ),
    *(
        b"MGET a n none",
        b"MSET a 2 new 3 n 4",
        b"DEL a",
        b"TTL a",
        b"ECHO " + b"x" * 5000,
        b"LPUSH l 1 2",
        b"LPOP l",
    ),
    *(
        b"LRANGE l 0 -1",
        b"HSET h f 2 g 3 i 4",
        b"HGETALL h",
        b"HINCRBY h f 100",
        b"HMGET h f g",
        b"SADD s new",
    ),
    *(
        b"SADD s 1",
        b"ZADD z 1 a",
        b"ZADD z 5 new",
        b"ZSCORE z a",
        b"APPEND a xyz",
        b"EXPIRE a 100",
        b"SPOP s",
    ),
    *(
        b"XADD x * f 1",
        b"XADD x 5-1 g 1 f 2",
        b"XADD x MAXLEN ~ 1 * f 1",
        b"XADD x MAXLEN 1 * f 1",
        b"XRANGE x - +",
        b"XREAD STREAMS x 0",
        b"XREADGROUP GROUP g c STREAMS x >",
        b"XACK x g 1-1",
    ),
]
#: Of a stream whose first block is full, and which has a group.
_STREAM = [
    *(b"CONFIG SET stream-node-max-entries 2", b"XADD x 1-1 f 1", b"XADD x 2-1 f 1", b"XADD x 3-1 f 1"),
    *(b"XGROUP CREATE x g 0", b"XREADGROUP GROUP g c COUNT 1 STREAMS x >"),
]


@pytest.mark.parametrize("policy", [b"noeviction", b"allkeys-lru"])
@pytest.mark.parametrize("line", EACH_FORM, ids=lambda line: line[:20].decode())
def test_no_memory_at_any_moment(line: bytes, policy: bytes) -> None:
    """Whatever allocation fails: acknowledged is what the journal has; else nothing is relied on."""
    testcapi = pytest.importorskip("_testcapi")
    failed = 0
    for moment in range(400):
        side = Side(True, 2, 0)
        side.command(1, b"CONFIG", b"SET", b"maxmemory-policy", policy)
        side.feed(
            0,
            request(
                b"SET a 1",
                b"SET n 1",
                b"RPUSH l 1 2 3",
                b"HSET h f 1",
                b"SADD s 1 2 3",
                b"ZADD z 1 a",
                *_STREAM,
            ),
        )
        side.journal()
        side.replies()
        side.engine.durability = watched = Watched()
        side.links[0].peer.drop_buffers_here()
        dirty, engine = side.engine.keyspace.dirty, side.engine
        data = request(line, b"PING")
        path, peer = side.path, side.links[0].peer
        assert path is not None
        path.settle()
        testcapi.set_nomemory(moment, moment + 1)
        try:
            path.feed(peer, data, 1 << 62, 0)
        except MemoryError:
            testcapi.remove_mem_hooks()
            failed += 1
            path.settle()
            # The connection is ended: nothing is acknowledged, but others must not see what may be lost.
            changed = engine.keyspace.dirty != dirty
            assert not changed or side.journal() or watched.distrusted or watched.lost, moment
            continue
        finally:
            testcapi.remove_mem_hooks()
        reply, journal = side.replies()[0], side.journal()
        if reply.startswith(b"-OOM"):
            failed += 1
            assert watched.distrusted or not journal, moment
        else:
            changed = engine.keyspace.dirty != dirty
            assert changed == (journal != b""), (moment, reply, journal)
            assert reply.endswith(b"+PONG\r\n")
            if not watched.distrusted:
                side.check()
            if not engine.faults:
                break
    else:
        raise AssertionError("the last moment was not reached")
    assert failed
