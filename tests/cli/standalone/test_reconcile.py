"""The way back: every way of resolving, changes in between, connections that are lost in the middle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import LinkLost
from kedis.cli.client.standalone import key_values, reconcile
from kedis.cli.client.standalone.dialogue import resolve
from kedis.cli.client.standalone.reconcile import Reconciliation, State
from tests.cli.standalone.world import Content, Meddled, Script, World, lose, once

FAR = 32_503_680_000_000


@pytest.fixture
def diverged(world: World) -> World:
    """One key in each state, in two databases; every type."""
    for database in (0, 3):
        world.call("SET", "calm", "old", database=database)
        world.call("HSET", "both", "f", "old", database=database)
        world.call("RPUSH", "gone-there", "old", database=database)
        world.call("SADD", "gone-here", "old", database=database)
        world.call("ZADD", "same", 1, "old", database=database)
        world.call("SET", "untouched", "old", database=database)
    world.stand_alone()
    for database in (0, 3):
        world.edit("SET", "calm", "mine", "PXAT", FAR, database=database)
        world.edit("HSET", "both", "f", "mine", database=database)
        world.edit("RPUSH", "gone-there", "mine", database=database)
        world.edit("DEL", "gone-here", database=database)
        world.edit("ZADD", "same", 2, "new", database=database)
        world.edit("SADD", "created", "mine", database=database)
        world.call("HSET", "both", "f", "theirs", database=database)
        world.call("DEL", "gone-there", database=database)
        world.call("SADD", "gone-here", "theirs", database=database)
        world.call("ZADD", "same", 2, "new", database=database)
        world.call("SADD", "created", "theirs", database=database)
        world.call("SET", "untouched", "theirs", database=database)
    return world


CHANGED = [b"both", b"calm", b"created", b"gone-here", b"gone-there"]


def with_mine(world: World, theirs: Content, *keys: bytes) -> Content:
    """What the server should hold once mine are pushed for some keys."""
    mine = world.on_alone()
    places = {(database, key) for database in (0, 3) for key in keys}
    rest = {place: value for place, value in theirs.items() if place not in places}
    return rest | {place: mine[place] for place in places if place in mine}


def test_the_states(diverged: World) -> None:
    found = diverged.reconciliation()
    assert {each.change.key: each.state for each in found.differences if each.change.database == 3} == {
        b"both": State.CHANGED,
        b"calm": State.UNCHANGED,
        b"created": State.CREATED,
        b"gone-here": State.DELETED_HERE,
        b"gone-there": State.DELETED_THERE,
    }
    assert found.same == 2
    assert len(found.differences) == 10


def test_keeping_the_servers(diverged: World) -> None:
    theirs, mine = diverged.on_server(), diverged.on_alone()
    terminal = Script("s")
    assert resolve(Reconciliation(diverged.link(), diverged.divergence(), terminal), terminal)
    assert diverged.on_server() == theirs
    assert diverged.on_alone() == mine
    assert not diverged.reconciliation().differences


def test_pushing_mine(diverged: World) -> None:
    theirs, mine = diverged.on_server(), diverged.on_alone()
    terminal = Script("m", "y")
    assert resolve(Reconciliation(diverged.link(), diverged.divergence(), terminal), terminal)
    assert "overwrites what others wrote to 8 keys" in "".join(terminal.asked)
    assert diverged.on_server() == with_mine(diverged, theirs, *CHANGED)
    assert diverged.on_alone() == mine


def test_pushing_over_others_is_asked_first(diverged: World) -> None:
    theirs = diverged.on_server()
    terminal = Script("m", "n", "")
    assert not resolve(Reconciliation(diverged.link(), diverged.divergence(), terminal), terminal)
    assert diverged.on_server() == theirs
    assert len(diverged.reconciliation().differences) == 10


def test_pushing_what_does_not_conflict(diverged: World) -> None:
    theirs = diverged.on_server()
    terminal = Script("n", "l")
    assert resolve(Reconciliation(diverged.link(), diverged.divergence(), terminal), terminal)
    assert diverged.on_server() == with_mine(diverged, theirs, b"calm")
    assert {each.change.key for each in diverged.reconciliation().differences} == {*CHANGED} - {b"calm"}


def test_deciding_one_by_one(diverged: World) -> None:
    theirs = diverged.on_server()
    # The keys come in order, database by database; after the last question the menu comes again.
    terminal = Script("o", *"mskms", *"mskms", "")
    assert not resolve(Reconciliation(diverged.link(), diverged.divergence(), terminal), terminal)
    assert diverged.on_server() == with_mine(diverged, theirs, b"both", b"gone-here")
    assert {each.change.key for each in diverged.reconciliation().differences} == {b"created"}
    assert '"calm" in database 3: unchanged on the server' in terminal.text
    assert 'server  string "old"' in terminal.text
    assert 'mine    hash of 1: "f" = "mine"' in terminal.text
    assert "mine    (no key)" in terminal.text


def test_writing_both_sides_to_files(
    diverged: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    diverged.edit("SET", "calm", b"\xff\xfe")
    theirs = diverged.on_server()
    terminal = Script("f", "")
    assert not resolve(Reconciliation(diverged.link(), diverged.divergence(), terminal), terminal)
    assert diverged.on_server() == theirs
    (folder,) = tmp_path.glob("kedis-divergence-*")
    sides = {}
    for name in ("mine", "server", "base"):
        lines = (folder / f"{name}.jsonl").read_text().splitlines()
        told = [json.loads(line) for line in lines]
        sides[name] = {(each["db"], each["key"]): (each["type"], each["value"]) for each in told}
    assert sides["mine"][0, "calm"] == ("string", {"base64": "//4="})
    assert sides["mine"][3, "both"] == ("hash", [["f", "mine"]])
    assert sides["mine"][3, "gone-here"] == (None, None)
    assert sides["server"][3, "gone-here"] == ("set", ["old", "theirs"])
    assert sides["server"][3, "gone-there"] == (None, None)
    assert sides["base"][3, "gone-there"] == ("list", ["old"])
    assert {key for _, key in sides["base"]} == {key.decode() for key in CHANGED}


def test_a_change_between_comparing_and_pushing_is_a_new_conflict(diverged: World) -> None:
    found = diverged.reconciliation()
    diverged.call("SET", "calm", "in between")
    theirs = diverged.on_server()
    calm = [each for each in found.differences if not each.conflicts]
    pushed = found.push(calm)
    assert pushed.written == 1
    assert [(each.change.key, each.state) for each in pushed.moved] == [(b"calm", State.CHANGED)]
    assert diverged.on_server()[0, b"calm"] == theirs[0, b"calm"]
    assert diverged.on_server()[3, b"calm"] == diverged.on_alone()[3, b"calm"]
    assert pushed.moved[0] in found.differences


def test_a_change_between_reading_again_and_exec_is_noticed(diverged: World) -> None:
    link = Meddled(diverged.link())
    found = diverged.reconciliation(link)
    link.before = once(b"EXEC", lambda: diverged.call("SET", "calm", "in between"))
    pushed = found.push([each for each in found.differences if each.change.database == 0])
    assert [each.change.key for each in pushed.moved] == [b"calm"]
    assert pushed.written == 4
    mine, theirs = diverged.on_alone(), diverged.on_server()
    assert theirs[0, b"calm"].content == b"in between"
    assert theirs[0, b"both"] == mine[0, b"both"]


def test_a_key_that_others_write_all_the_time_is_left_alone(diverged: World) -> None:
    link = Meddled(diverged.link())
    found = diverged.reconciliation(link)
    # Written again with what it held: it looks as it was compared, but EXEC finds it touched.
    link.before = lambda commands: diverged.call("SET", "calm", "old")
    pushed = found.push([each for each in found.differences if each.change.place == (0, b"calm")])
    assert pushed.written == 0
    assert [each.change.key for each in pushed.moved] == [b"calm"]
    assert diverged.on_server()[0, b"calm"].content == b"old"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_losing_the_connection_in_the_middle_and_going_on(
    diverged: World, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH_KEYS", 2)
    theirs, mine = diverged.on_server(), diverged.on_alone()
    link = Meddled(diverged.link())
    found = diverged.reconciliation(link)
    setattr(link, moment, once(b"EXEC", lose, occurrence=3))
    with pytest.raises(LinkLost):
        found.push(found.differences)
    again = diverged.reconciliation()
    assert len(again.differences) == (6 if moment == "before" else 5)
    again.push(again.differences)
    assert diverged.on_server() == with_mine(diverged, theirs, *CHANGED)
    assert diverged.on_alone() == mine
    assert not diverged.reconciliation().differences


def test_what_was_resolved_stays_resolved_in_the_next_run(diverged: World) -> None:
    first = diverged.reconciliation()
    first.keep_servers([each for each in first.differences if each.change.key == b"both"])
    first.push([each for each in first.differences if each.change.key == b"calm"])
    # Others go on writing: that is no conflict with what was resolved before.
    diverged.call("SET", "calm", "later", database=3)
    diverged.call("HSET", "both", "f", "later", database=3)
    assert {each.change.key for each in diverged.reconciliation().differences} == {*CHANGED[2:]}


def test_what_is_changed_again_is_compared_with_what_was_pushed(diverged: World) -> None:
    first = diverged.reconciliation()
    first.push([each for each in first.differences if each.change.key == b"calm"])
    diverged.edit("SET", "calm", "again")
    diverged.edit("SET", "calm", "old", database=3)  # as it was in the beginning, but not on the server
    second = diverged.reconciliation()
    assert {each.change.place: each.state for each in second.differences if each.change.key == b"calm"} == {
        (0, b"calm"): State.UNCHANGED,
        (3, b"calm"): State.UNCHANGED,
    }
    second.push([each for each in second.differences if each.change.key == b"calm"])
    assert diverged.on_server()[3, b"calm"].content == b"old"


def test_a_torn_record_of_what_was_resolved_costs_a_comparison_only(diverged: World) -> None:
    first = diverged.reconciliation()
    first.keep_servers([each for each in first.differences if each.change.database == 0])
    path = diverged.alone.alone.folder / "settled.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = diverged.reconciliation()
    assert len(again.differences) == 6
    again.keep_servers(again.differences)
    assert not diverged.reconciliation().differences


def test_a_server_that_refuses_to_write(diverged: World) -> None:
    diverged.call("CONFIG", "SET", "maxmemory", 1)
    try:
        terminal = Script("n", "")
        theirs = diverged.on_server()
        assert not resolve(Reconciliation(diverged.link(), diverged.divergence(), terminal), terminal)
        assert "refuses to write: OOM command not allowed" in terminal.text
        assert diverged.on_server() == theirs
    finally:
        diverged.call("CONFIG", "SET", "maxmemory", 0)


def test_large_values_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_values, "PIECE_ELEMENTS", 50)
    monkeypatch.setattr(key_values, "PIECE_BYTES", 1000)
    world.stand_alone(with_snapshot=False)
    world.edit("SET", "string", b"x" * 5000)
    world.edit("RPUSH", "list", *range(1000))
    world.edit("HSET", "hash", *range(1000))
    world.edit("ZADD", "zset", *range(1000))
    world.edit("SADD", "set", *range(1000), database=3)
    found = world.reconciliation()
    assert found.push(found.differences).written == 5
    assert world.on_server() == world.on_alone()


def test_streams_are_compared_and_pushed(redis_port: int, tmp_path: Path) -> None:
    world = World(redis_port, tmp_path / "home")
    try:
        world.call("FLUSHALL")
        for key in ("same", "mine", "theirs", "both"):
            world.call("XADD", key, "1-1", "f", "v", "g", "w")
            world.call("XGROUP", "CREATE", key, "g", "0")
            world.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", key, ">")
        world.stand_alone()
        world.edit("XADD", "mine", "2-1", "f", "alone")
        world.edit("XACK", "mine", "g", "1-1")
        world.edit("XADD", "both", "2-1", "f", "alone")
        world.edit("XADD", "new", "1-1", "f", "new")
        world.call("XADD", "theirs", "2-1", "f", "there")
        world.call("XADD", "both", "2-2", "f", "there")
        found = world.reconciliation()
        states = {difference.change.key: difference.state for difference in found.differences}
        assert states[b"both"] is State.CHANGED
        assert b"same" not in states and b"theirs" not in states
        quiet = [each for each in found.differences if each.change.key in (b"mine", b"new")]
        assert found.push(quiet).written == 2
        assert world.call("XRANGE", "mine", "-", "+") == [
            [b"1-1", [b"f", b"v", b"g", b"w"]],
            [b"2-1", [b"f", b"alone"]],
        ]
        assert world.call("XPENDING", "mine", "g")[0] == 0
        assert world.call("XPENDING", "same", "g")[0] == 1
        assert world.call("XLEN", "new") == 1
    finally:
        world.close()


def test_a_stream_on_the_server_is_a_conflict_and_nothing_is_lost(redis_port: int, tmp_path: Path) -> None:
    world = World(redis_port, tmp_path / "home")
    try:
        world.call("FLUSHALL")
        world.stand_alone()
        world.edit("SET", "key", "mine")
        world.call("XADD", "key", "*", "f", "theirs")
        (difference,) = world.reconciliation().differences
        assert difference.state is State.CREATED
        terminal = Script("o", "s")
        assert resolve(Reconciliation(world.link(), world.divergence(), terminal), terminal)
        assert "stream of 1:" in terminal.text
        assert world.call("XLEN", "key") == 1
    finally:
        world.close()


def test_an_old_server_is_told_in_one_line(world: World) -> None:
    world.stand_alone(with_snapshot=False)
    world.edit("SET", "a", "1")
    link = Meddled(world.link())
    send = link.link.send_many

    def without(commands: list[list[bytes]]) -> list[object]:
        return send([[b"NOSUCH"] if words[0] == b"PEXPIRETIME" else words for words in commands])

    link.link.send_many = without  # type: ignore[method-assign, assignment]
    with pytest.raises(ServerSays, match="is older than Redis 7"):
        world.reconciliation(link)
