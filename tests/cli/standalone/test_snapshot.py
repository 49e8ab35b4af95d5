"""The copy of a server's data, and beginning to stand alone with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kedis.cli.client.link import LinkLost
from kedis.cli.client.standalone import server_snapshot
from kedis.cli.client.standalone.home import StandaloneError
from kedis.cli.client.standalone.key_values import build_commands
from tests.cli.standalone.test_values import EVERY_TYPE
from tests.cli.standalone.world import Meddled, Script, World, lose, once

FAR = 32_503_680_000_000


def test_every_type_time_to_live_and_database(world: World) -> None:
    for number, value in enumerate(EVERY_TYPE):
        for words in build_commands(b"key:%d" % number, value):
            world.call(*words, database=3 * (number % 2))
    world.call("SET", "\n binary \r\n", "x", "PXAT", FAR)
    world.stand_alone()
    assert world.on_alone() == world.on_server()
    assert len(world.on_alone()) == len(EVERY_TYPE) + 1


def test_progress_and_what_is_told(world: World) -> None:
    for number in range(250):
        world.call("SET", number, "x")
    terminal = Script()
    taken = server_snapshot.take(world.link(), world.home, "the server", terminal)
    assert taken.keys == 250
    assert terminal.steps[-1] == (250, 250)
    assert len(terminal.steps) > 1
    assert world.home.newest_snapshot() == taken


def test_others_may_write_meanwhile(world: World) -> None:
    for number in range(1000):
        world.call("RPUSH", f"list:{number}", "a", "b")
    link = Meddled(world.link())
    turns = iter(range(10_000))

    def write(_commands: object) -> None:
        turn = next(turns)
        world.call("RPUSH", f"list:{turn * 7 % 1000}", "c")
        world.call("SET", f"new:{turn}", "x")
        world.call("DEL", f"new:{turn - 1}")

    link.before = write
    server_snapshot.take(link, world.home, "the server", Script())
    world.stand_alone(with_snapshot=False)
    world.alone.close()
    world.home.lock()
    world.home.discard()
    taken = world.home.newest_snapshot()
    assert taken is not None
    world.home.begin("the server", taken, 0)
    world.home.unlock()
    world.reopen()
    copied = {key: value.content for (_, key), value in world.on_alone().items() if key[:4] == b"list"}
    assert len(copied) == 1000
    assert all(content[:2] == [b"a", b"b"] and set(content[2:]) <= {b"c"} for content in copied.values())


def test_a_copy_that_is_lost_on_the_way_leaves_nothing(world: World) -> None:
    world.call("SET", "a", "1")
    link = Meddled(world.link())
    link.before = once(b"WATCH", lose)
    with pytest.raises(LinkLost):
        server_snapshot.take(link, world.home, "the server", Script())
    assert world.home.newest_snapshot() is None
    assert list(world.home.snapshots_folder.iterdir()) == []


def test_three_are_kept_and_the_newest_is_taken(world: World) -> None:
    paths = []
    for number in range(5):
        world.call("SET", "a", number)
        paths.append(server_snapshot.take(world.link(), world.home, "the server", Script()).path)
    assert sorted(world.home.snapshots_folder.iterdir()) == paths[2:]
    newest = world.home.newest_snapshot()
    assert newest is not None
    assert newest.path == paths[-1]


def test_streams_are_copied_and_what_is_unknown_is_left_out(
    redis_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(redis_port, tmp_path)
    try:
        world.call("FLUSHALL")
        world.call("XADD", "stream", "*", "f", "v")
        world.call("SET", "a", "1")
        taken = server_snapshot.take(world.link(), world.home, "the server", Script())
        assert (taken.keys, taken.left_out) == (2, 0)
        monkeypatch.setattr("kedis.rdb.payload.LATEST", 9)  # as if the server were of a later version
        taken = server_snapshot.take(world.link(), world.home, "the server", Script())
        assert (taken.keys, taken.left_out) == (1, 1)
    finally:
        world.close()


def test_what_was_begun_does_not_need_the_snapshot_any_more(world: World) -> None:
    world.call("SET", "a", "1")
    world.stand_alone()
    shutil.rmtree(world.home.snapshots_folder)
    world.edit("APPEND", "a", "2")
    counts = world.divergence().counts()
    assert (counts.changed[0], counts.total) == (1, 1)


def test_a_folder_that_cannot_be_written(world: World) -> None:
    world.home.folder.mkdir(parents=True)
    world.home.snapshots_folder.write_text("in the way")
    with pytest.raises(StandaloneError, match="cannot write the snapshot"):
        server_snapshot.take(world.link(), world.home, "the server", Script())
