"""The stream of a master, applied: the same wherever it is cut, counted to the byte, and passed on."""

from __future__ import annotations

from random import Random

import pytest

from kedis.engine.client import Client as EngineClient
from kedis.engine.transport import NullTransport
from kedis.replication.applier import Applier, StreamError
from kedis.replication.data_history import History
from kedis.replication.handshake import NO_ID
from kedis.resp.replies import encode_command
from kedis.store.digest import keyspace_digest
from tests.commands.driver import Client, recorder_of


class Follower:
    """An engine that applies a stream, and what it passes on."""

    def __init__(self) -> None:
        self.client = Client()
        engine = self.client.engine
        self.master = EngineClient(engine, NullTransport(), trusted=True)
        self.history = History()
        self.passed: list[bytes] = []
        self.applier = Applier(engine, self.master, self.history, self.passed.append)

    @property
    def digest(self) -> bytes:
        return keyspace_digest(self.client.engine.keyspace)

    @property
    def journal(self) -> list[tuple[int, list[bytes]]]:
        return recorder_of(self.client.engine).entries


def stream(*lines: str) -> bytes:
    return b"".join(encode_command([word.encode() for word in line.split()]) for line in lines)


DATA = (
    "SET a 1",
    "INCR a",
    "SELECT 3",
    "SET elsewhere x PXAT 1",
    "RPUSH list 1 2 3",
    "LPOP list 1",
    "MULTI",
    "SADD set 1 2 3",
    "SELECT 0",
    "HSET hash f v",
    "EXEC",
    "ZADD z 1 one 2 two",
    "XADD x 1-1 f v",
    "XGROUP CREATE x g 0",
    "PEXPIREAT a 1",
    "INCR a",
    "lpush lower 1",
    "DEL hash",
)
IDLE = ("ping", "REPLCONF GETACK *", "PUBLISH channel message")


def test_cut_at_every_byte() -> None:
    wire = stream(*DATA[:5], *IDLE, *DATA[5:])
    whole = Follower()
    whole.applier.feed(wire)
    assert whole.history.offset == len(wire)
    assert b"".join(whole.passed) == wire
    for cut in range(1, len(wire)):
        follower = Follower()
        follower.applier.feed(wire[:cut])
        assert follower.history.offset + follower.applier.held_bytes == cut
        follower.applier.feed(wire[cut:])
        assert follower.digest == whole.digest
        assert follower.history.offset == len(wire)
        assert b"".join(follower.passed) == wire
    bytewise = Follower()
    for at in range(len(wire)):
        bytewise.applier.feed(wire[at : at + 1])
    assert bytewise.digest == whole.digest
    assert bytewise.journal == whole.journal
    whole.client.engine.keyspace.check()


def test_keys_that_are_due_are_there_for_the_master() -> None:
    follower = Follower()
    follower.applier.feed(stream("SET a 1 PXAT 1", "INCR a", "RPUSH l 1", "PEXPIREAT l 1", "RPUSH l 2"))
    client = follower.client
    assert client.engine.keyspace.databases[0].data[b"a"] == b"2"
    client.engine.keyspace.follows = True
    assert client.call("GET", "a") is None
    assert client.call("EXISTS", "a", "l") == 0
    assert client.call("DBSIZE") == 2
    follower.applier.feed(stream("PERSIST a", "PERSIST l"))
    assert client.call("GET", "a") == b"2"
    assert client.call("LLEN", "l") == 2


def test_a_change_by_a_client_finds_no_key_that_is_due() -> None:
    """Where clients may write to a replica."""
    follower = Follower()
    follower.applier.feed(stream("RPUSH l 1", "PEXPIREAT l 1", "SET s 1 PXAT 1"))
    client = follower.client
    client.engine.keyspace.follows = client.engine.keyspace.follower_writes = True
    assert client.call("LRANGE", "l", 0, -1) == []
    assert client.call("DBSIZE") == 2
    assert client.call("RPUSH", "l", 2) == 1
    assert client.call("APPEND", "s", "x") == 1
    client.engine.keyspace.check()


def test_what_is_recorded() -> None:
    follower = Follower()
    follower.applier.feed(stream(*IDLE, *DATA[:2], *IDLE, "SELECT 2", "SET b 1", "nonsense", "INCR list"))
    follower.applier.feed(stream("RPUSH list 1", "INCR list", "SET c 1"))
    assert follower.journal == [
        (0, [b"SET", b"a", b"1"]),
        (0, [b"INCR", b"a"]),
        (2, [b"SET", b"b", b"1"]),
        (2, [b"INCR", b"list"]),
        (2, [b"INCR", b"list"]),
        (2, [b"SET", b"c", b"1"]),
    ]
    assert follower.applier.failures == 2
    follower.client.call("SELECT", "1")
    follower.client.call("SET", "mine", "1")
    follower.applier.feed(stream("SET d 1"))
    assert follower.journal[-2:] == [(1, [b"SET", b"mine", b"1"]), (2, [b"SET", b"d", b"1"])]


@pytest.mark.parametrize(
    "rubbish", [b"SET a 1\r\n", b"*2\r\n$3\r\nGE", b"*0\r\n", b"*1\r\n$-1\r\n", b"*x\r\n", b"\n"]
)
def test_rubbish(rubbish: bytes) -> None:
    follower = Follower()
    good = stream("SET a 1")
    with pytest.raises(StreamError):
        follower.applier.feed(good + rubbish + good)
    assert follower.history.offset == len(good)
    assert follower.client.call("GET", "a") == b"1"


def test_an_acknowledgement_is_asked_for() -> None:
    follower = Follower()
    follower.applier.feed(stream("SET a 1"))
    assert not follower.applier.wants_acknowledgement
    follower.applier.feed(stream("REPLCONF GETACK *"))
    assert follower.applier.wants_acknowledgement


def test_a_long_command_in_small_pieces_is_looked_at_once() -> None:
    words = [b"RPUSH", b"list", *(b"%d" % at for at in range(30_000))]
    wire = encode_command(words)
    follower = Follower()
    for at in range(0, len(wire), 100):
        follower.applier.feed(wire[at : at + 100])
    assert follower.client.call("LLEN", "list") == 30_000
    assert follower.history.offset == len(wire)


def test_random_pieces() -> None:
    random = Random(5)
    lines = [f"APPEND key{random.randrange(9)} {'x' * random.randrange(1, 400)}" for _ in range(3000)]
    wire = stream(*lines)
    whole, cut = Follower(), Follower()
    whole.applier.feed(wire)
    position = 0
    while position < len(wire):
        size = random.choice([1, 20, 1000, 100_000])
        cut.applier.feed(wire[position : position + size])
        position += size
    assert cut.digest == whole.digest
    assert cut.history.offset == len(wire)


def test_watches_are_broken_and_readers_served() -> None:
    follower = Follower()
    client = follower.client
    client.call("WATCH", "a")
    waiter = Client(client.engine)
    assert waiter.replies("XREAD", "BLOCK", "0", "STREAMS", "x", "$") == []
    follower.applier.feed(stream("SET a 1", "XADD x 1-1 f v"))
    assert waiter.pushed()
    client.call("MULTI")
    client.call("PING")
    assert client.call("EXEC") is None


def test_a_monitor_sees_the_commands_of_the_master() -> None:
    follower = Follower()
    monitor = Client(follower.client.engine)
    assert monitor.call("MONITOR") == b"OK"
    follower.applier.feed(stream("SELECT 3", "SET a 1", "MULTI", "INCR a", "EXEC", "ping"))
    lines = [line.decode().split(" ", 1)[1] for line in monitor.pushed()]
    assert [line for line in lines if "SELECT" not in line] == ['[3 ] "SET" "a" "1"', '[3 ] "INCR" "a"']
    assert [words for _, words in follower.journal] == [
        [b"SET", b"a", b"1"],
        [b"MULTI"],
        [b"INCR", b"a"],
        [b"EXEC"],
    ]


def test_history() -> None:
    history = History()
    own = history.replid
    history.offset = 10
    history.rename("b" * 40)
    assert (history.replid, history.second_id, history.second_offset) == ("b" * 40, own, 11)
    history.rename("b" * 40)
    assert history.second_id == own
    history.adopt("c" * 40, 5)
    assert (history.offset, history.second_id, history.second_offset) == (5, NO_ID, -1)
    history.branch()
    assert (history.second_id, history.second_offset) == ("c" * 40, 6)


@pytest.mark.parametrize("pieces", [1, 1000])
def test_calls_are_counted(pieces: int) -> None:
    """By command, brackets and all, as those of a client; a slow one is in the slow log (Redis does so)."""
    follower = Follower()
    engine = follower.client.engine
    wire = stream(*DATA, *IDLE)
    for begin in range(0, len(wire), len(wire) // pieces + 1):
        follower.applier.feed(wire[begin : begin + len(wire) // pieces + 1])
    calls = {name: row.counters.calls for name, row in engine.table.rows.items() if row.counters.calls}
    assert calls[b"set"] == calls[b"incr"] == calls[b"select"] == 2
    assert calls[b"multi"] == calls[b"exec"] == calls[b"ping"] == calls[b"replconf"] == calls[b"publish"] == 1
    assert calls[b"lpush"] == calls[b"zadd"] == calls[b"xadd"] == 1
    assert engine.table.rows[b"zadd"].counters.nanoseconds >= 0
