"""What a master says to its replicas, byte by byte, without sockets and on a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest

from kedis.config import Config
from kedis.engine.call import unblock
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport
from kedis.replication.data_history import History
from kedis.replication.master import Master
from kedis.replication.master_stream import GET_ACK, PING
from kedis.replication.replicas import Replica, State

SECOND = 1_000_000_000
SELECT = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"


def wire(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Collector:
    """A link that keeps what it is to send."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.sent = b""
        self.closed = False

    def say(self, data: bytes) -> None:
        self.sent += data

    def pump(self) -> None:
        cursor = self.replica.cursor
        assert cursor is not None
        while ahead := cursor.ahead():
            self.sent += ahead
            cursor.offset += len(ahead)

    def close(self) -> None:
        self.closed = True

    def end(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        """What was sent since the last time."""
        sent, self.sent = self.sent, b""
        return sent


class World:
    """A master on an engine, with a clock; it is the server that the master asks for links."""

    def __init__(self, **settings: Any) -> None:
        self.now = SECOND
        config = Config()
        for name, value in settings.items():
            setattr(config, name, value)
        self.engine = Engine(config, clock=lambda: self.now)
        self.links: list[Collector] = []
        self.waits = False
        self.turns = False
        self.master = Master(self.engine, self, History())
        self.engine.replication = self.master
        self.writer = Client(self.engine, NullTransport())

    # -- kedis.replication.master.Server ------------------------------------------------------------------

    def link(self, replica: Replica) -> Collector:
        self.links.append(Collector(replica))
        return self.links[-1]

    def snapshot_later(self) -> None:
        self.waits = True

    def began(self) -> None:
        self.turns = True

    def ended(self) -> None:
        self.turns = False

    # -- what the tests do --------------------------------------------------------------------------------

    def client(self) -> Client:
        """Another client, as it connects."""
        return Client(self.engine, NullTransport(), address="10.0.0.7:4711")

    def run(self, client: Client, *words: bytes) -> bytes:
        """Run a command and a turn; returns the reply."""
        self.engine.run(client, [list(words)])
        reply = b"".join(client.out)  # type: ignore[arg-type]
        client.out.clear()
        if self.turns:
            self.master.end_turn()
        return reply

    def write(self, *words: bytes) -> None:
        self.run(self.writer, *words)

    def replica(self, *psync: bytes, eof: bool = True) -> tuple[Client, Collector]:
        """A new client that greets as Redis 7 does, and asks with ``psync``."""
        client = self.client()
        assert self.run(client, b"REPLCONF", b"listening-port", b"6380") == b"+OK\r\n"
        capabilities = (b"capa", b"eof", b"capa", b"psync2") if eof else (b"capa", b"psync2")
        assert self.run(client, b"REPLCONF", *capabilities) == b"+OK\r\n"
        assert self.run(client, *psync) == b""
        return client, self.links[-1]

    def synchronise(self) -> tuple[Client, Collector]:
        """A replica that has the snapshot and follows the stream."""
        client, link = self.replica(b"PSYNC", b"?", b"-1")
        group = self.master.next_group()
        self.master.begin_snapshot(group)
        for each in group:
            self.master.have_snapshot(each, at_once=False)
        self.run(client, b"REPLCONF", b"ACK", b"0")
        link.take()
        return client, link


def test_a_full_synchronisation() -> None:
    world = World(repl_diskless_sync_delay=0)
    world.write(b"SET", b"before", b"1")
    assert world.master.backlog is None and not world.engine.propagation.active
    client, link = world.replica(b"PSYNC", b"?", b"-1")
    assert world.waits and link.take() == b""
    world.write(b"SET", b"waiting", b"1")
    offset = len(SELECT + wire(b"SET", b"waiting", b"1"))
    (replica,) = world.master.next_group()
    world.master.begin_snapshot([replica])
    identity = world.master.history.replid.encode()
    assert link.take() == b"+FULLRESYNC %b %d\r\n" % (identity, offset)
    world.write(b"SET", b"meanwhile", b"1")
    assert link.take() == b""
    world.master.have_snapshot(replica, at_once=False)
    world.write(b"SET", b"loading", b"1")
    assert link.take() == b""  # it might read on behind the mark
    world.run(client, b"REPLCONF", b"ACK", b"%d" % offset)
    stream = SELECT + wire(b"SET", b"meanwhile", b"1") + wire(b"SET", b"loading", b"1")
    assert link.take() == stream
    world.write(b"INCR", b"n")
    assert link.take() == wire(b"INCR", b"n")
    world.run(client, b"REPLCONF", b"ACK", b"%d" % (offset + len(stream)))
    assert world.master.role() == [
        b"master",
        offset + len(stream) + len(wire(b"INCR", b"n")),
        [[b"10.0.0.7", b"6380", b"%d" % (offset + len(stream))]],
    ]


def test_snapshots_wait_to_be_shared() -> None:
    world = World(repl_diskless_sync_delay=5)
    world.replica(b"PSYNC", b"?", b"-1")
    assert world.master.next_group() == []
    world.now += 4 * SECOND
    world.replica(b"PSYNC", b"?", b"-1")
    assert world.master.next_group() == []
    world.now += SECOND
    assert len(world.master.next_group()) == 2
    world.engine.config.repl_diskless_sync_max_replicas = 3
    world.now -= SECOND
    assert world.master.next_group() == []
    world.replica(b"PSYNC", b"?", b"-1")
    assert len(world.master.next_group()) == 3


def test_a_snapshot_in_a_file_does_not_wait() -> None:
    world = World(repl_diskless_sync_delay=5)
    _, link = world.replica(b"SYNC", eof=False)
    (replica,) = world.master.next_group()
    world.master.begin_snapshot([replica])
    assert link.take() == b""  # SYNC gets the length, and no offset
    world.write(b"SET", b"a", b"1")
    world.master.have_snapshot(replica, at_once=True)
    world.master.end_turn()
    assert link.take() == SELECT + wire(b"SET", b"a", b"1")


def test_a_partial_synchronisation() -> None:
    world = World(repl_diskless_sync_delay=0)
    client, link = world.synchronise()
    world.write(b"SET", b"a", b"1")
    had = world.master.offset
    world.engine.disconnect(client)
    assert link.closed
    world.write(b"SET", b"b", b"2")
    identity = world.master.history.replid.encode()
    _, link = world.replica(b"PSYNC", identity, b"%d" % (had + 1))
    assert link.take() == b"+CONTINUE %b\r\n" % identity + wire(b"SET", b"b", b"2")
    _, link = world.replica(b"PSYNC", identity, b"%d" % (world.master.offset + 1))
    assert link.take() == b"+CONTINUE %b\r\n" % identity
    figures = world.master.figures()
    assert (figures["sync_full"], figures["sync_partial_ok"], figures["sync_partial_err"]) == (1, 2, 0)


@pytest.mark.parametrize("history", ["own", "other", "second"])
@pytest.mark.parametrize("first", [-1, 0, 1, 24, 10**9])
def test_what_cannot_be_continued_begins_anew(history: str, first: int) -> None:
    world = World(repl_diskless_sync_delay=0)
    world.synchronise()
    second = world.master.history.replid
    world.master.history.branch()
    world.write(b"SET", b"a", b"1")
    asked = {"own": world.master.history.replid, "other": "f" * 40, "second": second}[history]
    _, link = world.replica(b"PSYNC", asked.encode(), b"%d" % first)
    continues = (history == "own" and 1 <= first <= 24) or (history == "second" and first == 1)
    assert link.take().startswith(b"+CONTINUE") == continues
    assert bool(world.master.next_group()) != continues


def test_pings_and_silence() -> None:
    world = World(repl_diskless_sync_delay=0, repl_ping_replica_period=10, repl_timeout=60)
    client, link = world.synchronise()
    world.now += 10 * SECOND
    world.master.tick()
    world.master.end_turn()
    assert link.take() == PING
    world.now += 50 * SECOND
    world.master.tick()
    assert not link.closed
    world.now += SECOND
    world.master.tick()
    assert link.closed
    _, waiting = world.replica(b"PSYNC", b"?", b"-1")
    world.master.tick()
    assert waiting.take() == b"\n"
    world.engine.disconnect(client)


def test_the_stream_ends_without_replicas() -> None:
    world = World(repl_diskless_sync_delay=0, repl_backlog_ttl=100)
    client, _ = world.synchronise()
    identity = world.master.history.replid
    world.write(b"SET", b"a", b"1")
    offset = world.master.offset
    world.engine.disconnect(client)
    world.master.tick()
    world.now += 100 * SECOND
    world.master.tick()
    assert world.turns
    world.now += SECOND
    world.master.tick()
    assert not world.turns and not world.engine.propagation.active
    assert world.master.history.replid != identity
    world.write(b"SET", b"a", b"2")
    assert world.master.offset == offset


def test_a_lost_change_ends_the_history() -> None:
    world = World(repl_diskless_sync_delay=0)
    _, link = world.synchronise()
    identity = world.master.history.replid
    world.engine.propagation.drop()
    assert link.closed
    assert world.master.history.replid != identity


def test_wait_asks_for_confirmations() -> None:
    world = World(repl_diskless_sync_delay=0)
    client, link = world.synchronise()
    world.write(b"SET", b"a", b"1")
    link.take()
    offset = world.master.offset
    assert world.run(world.writer, b"WAIT", b"1", b"0") == b""
    assert link.take() == GET_ACK
    world.run(client, b"REPLCONF", b"ACK", b"%d" % (offset - 1))
    assert world.writer.out == []
    world.run(client, b"REPLCONF", b"ACK", b"%d" % offset)
    assert world.writer.out == [b":1\r\n"]


def test_waits_that_nobody_ends_are_not_kept() -> None:
    """Programs send WAIT where there are no replicas, too."""
    world = World()
    for _ in range(1000):
        world.run(world.writer, b"WAIT", b"1", b"10")
        assert unblock(world.writer)
    assert len(world.master.confirmations._waits) < 100


def test_a_replica_that_wants_the_snapshot_only() -> None:
    world = World(repl_diskless_sync_delay=0)
    client = world.client()
    assert world.run(client, b"REPLCONF", b"rdb-only", b"1", b"capa", b"eof") == b"+OK\r\n"
    world.run(client, b"SYNC")
    (replica,) = world.master.next_group()
    world.master.begin_snapshot([replica])
    world.master.have_snapshot(replica, at_once=False)
    assert replica.state is State.DONE
    world.write(b"SET", b"a", b"1")
    assert world.links[-1].take() == b""
    assert "slave0" not in dict(world.master.info())


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((b"REPLCONF", b"listening-port"), b"-ERR syntax error\r\n"),
        ((b"REPLCONF", b"nonsense", b"1"), b"-ERR Unrecognized REPLCONF option: nonsense\r\n"),
        ((b"REPLCONF", b"listening-port", b"x"), b"-ERR value is not an integer or out of range\r\n"),
        (
            (b"REPLCONF", b"ip-address", b"x" * 256),
            b"-ERR REPLCONF ip-address provided by replica instance is too long",
        ),
        ((b"PSYNC", b"?", b"x"), b"-ERR value is not an integer or out of range\r\n"),
    ],
)
def test_errors(words: tuple[bytes, ...], error: bytes) -> None:
    world = World()
    assert world.run(world.client(), *words).startswith(error)
    assert world.run(world.client(), b"REPLCONF", b"ACK", b"1") == b""
    assert not world.master.replicas
