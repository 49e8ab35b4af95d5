"""Plans: what is done with each command, by its row in the table."""

from __future__ import annotations

import pytest

from kedis.commands import load_all
from kedis.engine.table import CommandTable
from kedis.router import planning
from kedis.router.hash_slots import key_slot
from kedis.router.planning import CrossSlot, Kind, Planner

load_all()
TABLE = CommandTable()
CLUSTER, SINGLE = Planner(TABLE, True), Planner(TABLE, False)


def row(line: str):  # type: ignore[no-untyped-def]
    return TABLE.resolve(line.encode().split())


@pytest.mark.parametrize(
    ("line", "in_cluster", "alone"),
    [
        ("GET k", Kind.KEYS, Kind.KEYS),
        ("MGET a b", Kind.SPLIT, Kind.KEYS),
        ("MSETNX a 1 b 2", Kind.KEYS, Kind.KEYS),
        ("OBJECT ENCODING k", Kind.KEYS, Kind.KEYS),
        ("MEMORY USAGE k", Kind.KEYS, Kind.KEYS),
        ("MEMORY DOCTOR", Kind.LOCAL, Kind.LOCAL),
        ("EVAL s 0", Kind.KEYS, Kind.KEYS),
        ("KEYS *", Kind.EVERY, Kind.ANY),
        ("SCAN 0", Kind.SCAN, Kind.ANY),
        ("FLUSHALL", Kind.EVERY, Kind.ANY),
        ("SCRIPT LOAD s", Kind.EVERY, Kind.ANY),
        ("SCRIPT HELP", Kind.LOCAL, Kind.LOCAL),
        ("FUNCTION LIST", Kind.ANY, Kind.ANY),
        ("PUBLISH c m", Kind.ANY, Kind.ANY),
        ("SPUBLISH c m", Kind.KEYS, Kind.KEYS),
        ("SUBSCRIBE c", Kind.SUBSCRIBE, Kind.SUBSCRIBE),
        ("UNSUBSCRIBE c", Kind.LOCAL, Kind.LOCAL),
        ("BLPOP k 0", Kind.BLOCKING, Kind.BLOCKING),
        ("XREAD STREAMS k 0", Kind.STREAMS, Kind.STREAMS),
        ("WATCH k", Kind.WATCH, Kind.WATCH),
        ("EXEC", Kind.EXEC, Kind.EXEC),
        ("MULTI", Kind.LOCAL, Kind.LOCAL),
        ("PING", Kind.LOCAL, Kind.LOCAL),
        ("CONFIG GET x", Kind.LOCAL, Kind.LOCAL),
        ("CLIENT TRACKING ON", Kind.REFUSED, Kind.REFUSED),
        ("REPLICAOF a 1", Kind.REFUSED, Kind.REFUSED),
        ("DEBUG OBJECT k", Kind.REFUSED, Kind.REFUSED),
        ("WAIT 0 0", Kind.REFUSED, Kind.REFUSED),
        ("SWAPDB 0 1", Kind.REFUSED, Kind.ANY),
        ("MOVE k 1", Kind.REFUSED, Kind.KEYS),
    ],
)
def test_kinds(line: str, in_cluster: Kind, alone: Kind) -> None:
    assert CLUSTER.plan(row(line)).kind is in_cluster
    assert SINGLE.plan(row(line)).kind is alone


def test_every_row_has_a_plan() -> None:
    for each in TABLE.every():
        assert CLUSTER.plan(each).row is each
        assert SINGLE.plan(each).row is each


def test_no_command_with_keys_runs_here() -> None:
    for each in TABLE.every():
        if each.has_keys:
            assert CLUSTER.plan(each).kind is not Kind.LOCAL, each.name


def slot(line: str) -> int:
    return CLUSTER.slot(CLUSTER.plan(row(line)), line.encode().split())


def test_slots() -> None:
    assert slot("GET foo") == 12182
    assert slot("RENAME {foo}a {foo}b") == 12182
    assert slot("EVAL s 2 {foo}a {foo}b x") == 12182
    assert slot("ZUNIONSTORE foo 2 {foo}1 {foo}2") == 12182
    assert slot("XREAD COUNT 1 STREAMS foo 0") == 12182
    assert slot("SORT foo STORE {foo}x") == 12182
    assert slot("SPUBLISH foo x") == 12182
    assert slot("EVAL s 0") == -1
    assert slot("ZUNION x a") == -1  # the node says what is wrong
    for line in ("RENAME a b", "EVAL s 2 a b", "SDIFFSTORE a b c", "BITOP AND a b c"):
        with pytest.raises(CrossSlot):
            slot(line)
    assert SINGLE.slot(SINGLE.plan(row("RENAME a b")), [b"RENAME", b"a", b"b"]) == -1


def test_what_only_reads() -> None:
    assert CLUSTER.plan(row("GET k")).reads_only
    assert not CLUSTER.plan(row("SET k v")).reads_only
    assert not CLUSTER.plan(row("GETDEL k")).reads_only


def test_blocks() -> None:
    assert planning.blocks(b"XREAD COUNT 1 block 0 STREAMS k 0".split())
    assert not planning.blocks(b"XREAD COUNT 1 STREAMS BLOCK 0".split())


def test_parts() -> None:
    argv = b"MSET a 1 b 2 {a}c 3".split()
    plan = CLUSTER.plan(row("MSET a 1"))
    parts = planning.split(plan, argv)
    assert parts == [(key_slot(b"a"), [1, 5]), (key_slot(b"b"), [3])]
    assert [planning.part_words(plan, argv, places) for _, places in parts] == [
        b"MSET a 1 {a}c 3".split(),
        b"MSET b 2".split(),
    ]


def test_wire() -> None:
    assert planning.encode([b"SET", b"k", b"v\r\n"]) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nv\r\n\r\n"
    assert planning.decode(planning.encode([b"SET", b"k", b"v"])) == [b"SET", b"k", b"v"]
