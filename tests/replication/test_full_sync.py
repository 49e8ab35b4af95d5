"""A snapshot that is sent as it is made goes at the pace of the slowest replica."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kedis.persistence.child import Outcome
from kedis.replication.replicas import State
from kedis.server.full_sync import FiledSync, FullSync, PipedSync


class Watcher:
    def __init__(self, *_: object, **__: object) -> None:
        self.active = False
        self.callback: Callable[[], None] = lambda: None

    def start(self, callback: Callable[[], None]) -> None:
        self.active, self.callback = True, callback

    def stop(self) -> None:
        self.active = False

    def close(self) -> None: ...


class Link:
    """A link whose kernel takes everything at once, or nothing."""

    def __init__(self, *, is_quick: bool) -> None:
        self.is_quick = is_quick
        self.sent = self.pending = b""
        self.progress_ns = 0
        self.on_drained: Callable[[], None] | None = None

    @property
    def is_drained(self) -> bool:
        return not self.pending

    def say(self, data: bytes) -> None:
        self.sent += data

    def give(self, part: bytes) -> None:
        self.pending += part
        if self.is_quick:
            self.take()

    def take(self) -> None:
        self.sent, self.pending = self.sent + self.pending, b""
        if self.on_drained is not None:
            self.on_drained()


class FileLink(Link):
    """One that is given a file."""

    def __init__(self) -> None:
        super().__init__(is_quick=True)
        self.size = -1

    def give_file(self, fd: int, size: int, _done: Callable[[], None]) -> None:
        os.close(fd)
        self.size = size


class Child:
    pid = 1

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.killed = False

    def poll(self) -> Outcome | None:
        return self.outcome

    def kill(self) -> None:
        self.killed = True


class Named:
    """A replica, as far as a transfer looks at it."""

    wants_keys = True

    def __init__(self, number: int) -> None:
        self.state = State.SNAPSHOT
        self.client = object()
        self.name = str(number)


class World:
    """A transfer to replicas, without a child; the test writes what it would. With a folder it is by a file."""

    def __init__(self, *links: Link, folder: Path | None = None) -> None:
        self.links = links
        self.replicas = [Named(number) for number, _ in enumerate(links)]
        self.dropped: list[Any] = []
        self.ended: list[Outcome] = []
        config = SimpleNamespace(repl_timeout=60)
        self.now = 0
        engine = SimpleNamespace(config=config, monotonic=lambda: self.now)
        loop = SimpleNamespace(io=Watcher)
        self.faults: list[Exception] = []
        network = SimpleNamespace(
            engine=engine,
            hub=SimpleNamespace(loop=loop),
            report=lambda _place, error: self.faults.append(error),
        )
        present = {replica.client: replica for replica in self.replicas}
        self.master = SimpleNamespace(replicas=present, drop=self._drop, have_snapshot=self._have)
        child, descriptors = Child(), []

        def fork(sync: FullSync, fd: int) -> None:
            descriptors.append(os.dup(fd))
            sync.child = child  # type: ignore[assignment]

        given: Any = (network, self.master, dict(zip(self.replicas, links, strict=True)), self.ended.append)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FullSync, "_fork", fork)
            self.sync: Any = PipedSync(*given) if folder is None else FiledSync(*given, str(folder))
        self.child, self.end = child, descriptors[0]

    def _drop(self, replica: Any) -> None:
        self.dropped.append(replica)
        self.master.replicas.pop(replica.client, None)

    def _have(self, replica: Any, *, at_once: bool) -> None:
        assert not at_once
        replica.state = State.ONLINE

    def write(self, data: bytes) -> None:
        os.write(self.end, data)

    def turn(self) -> bool:
        """Let the loop look at the pipe once; whether it is watched."""
        watcher: Watcher = self.sync._watcher
        if watcher.active:
            watcher.callback()
            return True
        return False


def test_the_slowest_sets_the_pace() -> None:
    quick, slow = Link(is_quick=True), Link(is_quick=False)
    world = World(quick, slow)
    world.write(b"one")
    assert world.turn()
    world.write(b"two")
    assert not world.turn()  # the slow one has not taken the first part
    assert slow.pending == b"one"
    slow.take()
    assert world.turn()
    slow.take()
    os.close(world.end)
    world.child.outcome = Outcome("", 0)
    assert world.turn()
    mark = quick.sent[5:45]
    assert quick.sent == b"$EOF:" + mark + b"\r\n" + b"onetwo" + mark
    assert slow.sent + slow.pending == quick.sent
    assert [outcome.failure for outcome in world.ended] == [""]


def test_one_that_stands_still_is_dropped_for_the_others() -> None:
    quick, slow = Link(is_quick=True), Link(is_quick=False)
    world = World(quick, slow)
    world.write(b"one")
    world.turn()
    world.now = 61_000_000_000
    world.sync.poll()
    assert world.dropped == [world.replicas[1]]
    world.sync._drained()  # its link has ended
    world.write(b"two")
    assert world.turn()
    assert quick.sent.endswith(b"onetwo")
    os.close(world.end)
    world.sync.cancel()


def test_the_child_ends_with_the_last_replica() -> None:
    world = World(Link(is_quick=False))
    world.write(b"one")
    world.turn()
    world.master.replicas.clear()
    world.sync.poll()
    assert world.child.killed and world.ended
    os.close(world.end)


def test_a_child_that_fails_leaves_no_mark() -> None:
    link = Link(is_quick=True)
    world = World(link)
    world.write(b"one")
    world.turn()
    os.close(world.end)
    world.child.outcome = Outcome("no memory", 0)
    world.turn()
    assert link.sent.endswith(b"one")
    assert world.dropped == world.replicas


def test_the_death_of_the_child_is_noticed_while_a_replica_stands_still() -> None:
    """Nobody looks at the pipe then."""
    slow = Link(is_quick=False)
    world = World(slow)
    world.write(b"one")
    world.turn()
    world.sync.poll()
    assert not world.ended
    world.child.outcome = Outcome("killed", 0)
    world.sync.poll()
    assert [outcome.failure for outcome in world.ended] == ["killed"]
    assert world.dropped == world.replicas and slow.pending == b"one"
    world.sync.cancel()
    assert not world.child.killed  # its number may be another's by now
    os.close(world.end)


def test_what_a_child_has_left_in_the_pipe_is_read_after_its_end() -> None:
    slow = Link(is_quick=False)
    world = World(slow)
    world.write(b"one")
    world.turn()
    world.write(b"two")
    os.close(world.end)
    world.child.outcome = Outcome("", 0)
    world.sync.poll()
    assert not world.ended
    slow.take()
    assert world.turn()
    slow.take()
    assert world.turn()
    assert [outcome.failure for outcome in world.ended] == [""] and b"onetwo" in slow.sent


def test_a_pipe_that_cannot_be_read_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for ever for somebody to empty the pipe, and no other snapshot could begin."""

    def fails(_fd: int, _size: int) -> bytes:
        raise MemoryError

    world = World(Link(is_quick=True), Link(is_quick=False))
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", fails)
        world.turn()
    assert world.dropped == world.replicas
    assert world.child.killed
    assert [bool(outcome.failure) for outcome in world.ended] == [True]
    assert [type(error) for error in world.faults] == [MemoryError]
    os.close(world.end)


def test_a_file_that_cannot_be_sent_to_one_replica(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Descriptors have run out: the others get it, and the next snapshot can begin."""
    first, second = FileLink(), FileLink()
    world = World(first, second, folder=tmp_path)
    real = os.dup

    def fails_once(fd: int) -> int:
        monkeypatch.setattr(os, "dup", real)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "dup", fails_once)
    world.child.outcome = Outcome("", 0)
    world.sync.poll()
    assert world.dropped == world.replicas[:1]
    assert (first.size, second.size) == (-1, 0)
    assert [outcome.failure for outcome in world.ended] == [""]
    os.close(world.end)
