"""The loop of the native path, turn by turn: nothing is sent before the journal has it, whatever fails."""

from __future__ import annotations

import contextlib
import gc
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gevent
import pytest

from kedis import native
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.observability.observer import Observer
from kedis.persistence.append_file import AppendFile
from kedis.resp.replies import encode_command
from kedis.structures.histogram import Histogram

if not native.LOOP:
    pytest.skip(native.REASON or "Linux only", allow_module_level=True)

from kedis.server.connection import Connection
from kedis.server.network import Network
from tests.native.sides import Clock, Sink

GET = encode_command([b"GET", b"a"])
SET = encode_command([b"SET", b"a", b"2"])
PING = encode_command([b"PING"])
SELECT = encode_command([b"SELECT", b"1"])


class Journal:
    """Stands in for the policy of the append-only file; its entries go to ``sink`` at the end of a turn."""

    def __init__(self, engine: Engine, sink: Sink) -> None:
        self.engine, self.sink = engine, sink
        self.selective = self.holds_replies = False
        self.syncing = False
        self.file: AppendFile | None = None
        self.flushed: list[bytes] = []
        self.commits = self
        self.aof = self
        self.unsynced = False
        self.written_bytes = 0
        self.writes = Histogram()

    def direct_file(self) -> AppendFile | None:
        return None if self.has_entries else self.file

    @property
    def has_entries(self) -> bool:
        return bool(self.engine.propagation.entries)

    def touches_unsynced(self, _argv: Sequence[bytes]) -> bool:
        return False

    def shows_only_durable(self, _commands: Sequence[Sequence[bytes]]) -> bool:
        return True

    def flush(self) -> bool:
        changed = self.has_entries
        self.engine.propagation.flush()
        self.flushed.append(self.sink.wire)
        self.sink.wire = b""
        self.syncing = self.syncing or changed
        return not (self.holds_replies and self.syncing)


class Stage:
    """A network whose turns the test makes itself."""

    def __init__(self, slice_ns: int = 1 << 40) -> None:
        self.engine = Engine(Config(), clock=Clock())
        Observer(self.engine)
        self.network = Network(self.engine, slice_ns, slice_ns)
        self.sink = Sink()
        self.engine.propagation.add_sink(self.sink)
        self.journal = Journal(self.engine, self.sink)
        self.network.cycle.journal = self.journal  # type: ignore[assignment]
        self.greenlets: list[Any] = []
        self.connections: list[Connection] = []
        self.ends: list[socket.socket] = []

    def connect(self) -> socket.socket:
        """The client's end of a new connection."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        made: list[Connection] = []

        def serve() -> None:
            made.append(Connection(self.network, theirs, "", ""))
            made[0].serve()

        self.greenlets.append(gevent.spawn(serve))
        gevent.sleep(0)
        self.ends += (ours, theirs)
        self.connections += made
        return ours

    def serve(self) -> None:
        """What gevent calls when clients are ready."""
        self.network.native.serve_ready()

    def end_turn(self) -> None:
        self.network.cycle._end_of_turn()

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.network.stop_deferred_calls()
        gevent.killall(self.greenlets)
        for end in self.ends:
            end.close()


def received(client: socket.socket) -> bytes:
    """What has come; nothing if nothing has."""
    with contextlib.suppress(BlockingIOError):
        return client.recv(1 << 16)
    return b""


def in_hub(scenario: Callable[[], None]) -> None:
    """Call ``scenario`` as gevent calls what it watches, in one go."""
    outcome: list[BaseException | None] = []

    def step() -> None:
        try:
            scenario()
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)

    gevent.get_hub().loop.run_callback(step)
    while not outcome:
        gevent.sleep(0)
    if outcome[0] is not None:
        raise outcome[0]


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.close()


def test_a_write_in_the_turn_of_a_durable_read_waits_for_the_sync(stages: list[Stage]) -> None:
    stage = Stage(slice_ns=-1)
    stages.append(stage)
    client = stage.connect()

    def scenario() -> None:
        client.send(GET + GET)
        stage.serve()
        stage.end_turn()
        assert received(client) == b"$-1\r\n"
        stage.journal.selective = stage.journal.holds_replies = True
        stage.network._run_deferred()  # what its time had not sufficed for: durable
        assert stage.network.cycle.durable == stage.connections
        client.send(SET)
        stage.serve()
        assert not stage.network.cycle.durable
        stage.end_turn()
        assert received(client) == b"" and b"SET" in b"".join(stage.journal.flushed)

    in_hub(scenario)


def test_a_write_by_the_python_path_in_such_a_turn_waits_as_well(stages: list[Stage]) -> None:
    stage = Stage(slice_ns=-1)
    stages.append(stage)
    client = stage.connect()

    def scenario() -> None:
        client.send(GET + GET)
        stage.serve()
        stage.end_turn()
        assert received(client) == b"$-1\r\n"
        stage.journal.selective = stage.journal.holds_replies = True
        stage.network._run_deferred()
        client.send(b"SET a 2\r\n")
        stage.serve()
        stage.end_turn()
        assert received(client) == b""

    in_hub(scenario)


@pytest.mark.parametrize(
    "request_bytes", [b"SET a 2\r\n", SELECT + SET, b"*1\r\n$5\r\nMULTI\r\n" + SET + b"EXEC\r\n"]
)
def test_what_the_python_path_has_recorded_is_written_before_its_reply_is_sent(
    stages: list[Stage], request_bytes: bytes
) -> None:
    stage = Stage()
    stages.append(stage)
    client = stage.connect()
    flush, early = stage.journal.flush, []

    def flush_and_look() -> bool:
        early.append(received(client))
        return flush()

    stage.journal.flush = flush_and_look  # type: ignore[method-assign]

    def scenario() -> None:
        client.send(request_bytes)
        stage.serve()
        stage.end_turn()
        assert early[0] == b""
        assert b"SET" in b"".join(stage.journal.flushed)
        assert b"".join([*early, received(client)]).endswith(b"OK\r\n")

    in_hub(scenario)


def test_what_cannot_be_written_at_once_is_kept_for_the_journal(
    stages: list[Stage], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    stages.append(stage)
    stage.journal.file = AppendFile(str(tmp_path / "file"))
    client = stage.connect()

    def fail(*_: Any) -> bytes:
        raise MemoryError

    monkeypatch.setattr("kedis.native.loop.crc32", fail)

    def scenario() -> None:
        client.send(SET)
        stage.serve()
        stage.end_turn()
        assert b"SET" in b"".join(stage.journal.flushed) and (tmp_path / "file").read_bytes() == b""
        assert received(client) == b"+OK\r\n"
        stage.journal.file.close()

    in_hub(scenario)


class Failing:
    """A sink that fails once: what of a program feeds on the stream, or a stream without memory."""

    def __init__(self) -> None:
        self.failures = 1

    def feed(self, _pieces: Sequence[bytes]) -> None:
        if self.failures:
            self.failures -= 1
            raise MemoryError

    def lost(self) -> None:
        raise AssertionError


def test_what_is_in_the_file_is_not_written_again(stages: list[Stage], tmp_path: Any) -> None:
    """Where another sink has failed."""
    stage = Stage()
    stages.append(stage)
    stage.journal.file = file = AppendFile(str(tmp_path / "file"))
    failing = Failing()
    stage.engine.propagation.add_sink(failing)
    client = stage.connect()

    def scenario() -> None:
        client.send(SET)
        stage.serve()
        stage.end_turn()
        assert not failing.failures
        written = (tmp_path / "file").read_bytes()
        assert written.endswith(SET) and written.count(SET) == 1
        assert file.size == len(written) and stage.journal.unsynced
        assert b"".join(stage.journal.flushed).count(SET) == 1  # by the other sink
        assert received(client) == b"+OK\r\n"
        client.send(SET)
        stage.serve()
        stage.end_turn()
        assert (tmp_path / "file").read_bytes() == written + SET and file.size == len(written + SET)
        assert received(client) == b"+OK\r\n"
        file.close()

    in_hub(scenario)


def test_a_read_is_counted_though_the_python_path_finds_no_whole_command_in_its_rest(
    stages: list[Stage],
) -> None:
    stages.append(stage := Stage())
    client = stage.connect()
    figures = stage.network.cycle.figures

    def scenario() -> None:
        client.send(PING + PING + b"GET no")
        stage.serve()
        assert (sum(figures.waits.counts), figures.depths.total) == (1, 2)
        client.send(b"thing\r\n")
        stage.serve()
        assert (sum(figures.waits.counts), figures.depths.total) == (2, 2)

    in_hub(scenario)


def test_a_client_that_has_left_is_freed_at_once(stages: list[Stage]) -> None:
    """Its buffers, and what its replies hold, do not wait for the collector."""
    stages.append(stage := Stage())
    client = stage.connect()

    def scenario() -> None:
        client.send(PING)
        stage.serve()
        stage.end_turn()
        client.close()
        stage.serve()

    gc.collect()
    gc.disable()
    try:
        in_hub(scenario)
        stage.greenlets.clear()
        stage.connections.clear()
        assert stage.engine.clients == {}
        assert [each for each in gc.get_objects() if type(each) is Connection] == []
    finally:
        gc.enable()


class Watched:
    """Stands in for the faults of the append-only file."""

    def __init__(self) -> None:
        self.lost = 0

    def distrust(self, changed: bool) -> None:
        self.lost += changed

    def unrecorded(self, _error: BaseException) -> None:
        self.lost += 1


def answered_without_memory(stage: Stage, request_bytes: bytes, moment: int, watched: Watched) -> bytes:
    """What a client is answered when the allocation at ``moment`` fails; another is served in the next turn."""
    testcapi = pytest.importorskip("_testcapi")
    client, other = stage.connect(), stage.connect()
    flush, answer = stage.journal.flush, []

    def flush_with_memory() -> bool:
        testcapi.remove_mem_hooks()  # what the journal does then is not what is tested here
        return flush()

    def scenario() -> None:
        client.send(request_bytes)
        testcapi.set_nomemory(moment, moment + 1)
        try:
            stage.serve()
        finally:
            testcapi.remove_mem_hooks()
        stage.end_turn()
        answer.append(received(client))
        written = b"".join(stage.journal.flushed)
        stored = b"a" in stage.engine.keyspace.databases[0].data
        assert not stored or b"SET" in written or watched.lost, moment
        assert b"+OK" not in answer[0] or b"SET" in written, moment
        other.send(PING)
        stage.serve()
        stage.end_turn()
        assert received(other) == b"+PONG\r\n", moment

    stage.journal.flush = flush_with_memory  # type: ignore[method-assign]
    in_hub(scenario)
    return answer[0]


@pytest.mark.parametrize(
    "request_bytes", [SET, SET + b"SET b 3\r\n" + PING, GET + SET * 3], ids=["c", "both", "more"]
)
def test_no_memory_at_any_moment(stages: list[Stage], request_bytes: bytes) -> None:
    """Whatever allocation of a turn fails: who is answered has what the journal has, and the next turn is served."""
    for moment in range(300):
        stages.append(stage := Stage())
        stage.engine.durability = watched = Watched()  # type: ignore[assignment]
        answer = answered_without_memory(stage, request_bytes, moment, watched)
        stages.pop().close()
        if not stage.engine.faults and not watched.lost and answer.endswith((b"OK\r\n", b"PONG\r\n")):
            break
    else:
        raise AssertionError("the last moment was not reached")
