"""What was changed alone is known key by key."""

from __future__ import annotations

from collections import Counter

from kedis.cli.client.standalone.actions import report
from kedis.cli.client.standalone.timefmt import now_ms
from tests.cli.standalone.world import World


def test_created_changed_and_deleted_by_database(world: World) -> None:
    for database in (0, 3):
        world.call("SET", "kept", "1", database=database)
        world.call("RPUSH", "changed", "1", database=database)
        world.call("HSET", "gone", "f", "1", database=database)
        world.call("SET", "text", "1", database=database)
    world.stand_alone()
    world.edit("RPUSH", "changed", "2")
    world.edit("SET", "kept", "2")
    world.edit("SET", "kept", "1")
    world.edit("PEXPIRE", "text", 100_000)
    world.edit("ZADD", "new", 1, "m", database=3)
    world.edit("SETBIT", "bits", 7, 1, database=3)
    world.edit("SETBIT", "bits", 7, 0, database=3)
    world.edit("DEL", "gone", database=3)
    counts = world.divergence().counts()
    assert counts.changed == Counter({0: 2})
    assert counts.created == Counter({3: 2})
    assert counts.deleted == Counter({3: 1})
    assert counts.open == 5
    said = report(world.alone.alone, counts, True)
    assert "created    2 (2 in database 3)" in said
    assert "changed    2\n" in said


def test_flushall_and_swapdb_are_seen_for_what_they_do(world: World) -> None:
    world.call("SET", "a", "1")
    world.call("SET", "b", "1", database=3)
    world.stand_alone()
    world.edit("SWAPDB", 0, 3)
    counts = world.divergence().counts()
    assert (counts.created, counts.deleted) == (Counter({0: 1, 3: 1}), Counter({0: 1, 3: 1}))
    world.edit("FLUSHALL")
    assert world.divergence().counts().deleted == Counter({0: 1, 3: 1})


def test_time_that_runs_out_is_no_change(world: World) -> None:
    world.call("SET", "a", "1", "PX", 60_000)
    world.call("SET", "b", "1", "PX", 60_000)
    world.stand_alone()
    world.edit("SET", "a", "2", "KEEPTTL")
    divergence = world.divergence()
    assert divergence.counts().changed.total() == 1
    later = world.alone.keyspace
    later.now_ns += 100_000_000_000
    divergence._local = lambda: later
    assert divergence.counts().total == 0


def test_the_next_run_finds_the_same(world: World) -> None:
    world.call("SET", "a", "1")
    world.stand_alone()
    world.edit("SET", "a", "2")
    world.edit("SET", "b", "2")
    before = world.divergence().counts()
    world.alone.close()
    world.reopen()
    assert world.divergence().counts() == before
    assert world.alone.alone.journal_bytes > 50


def test_how_long_alone(world: World) -> None:
    world.stand_alone(with_snapshot=False)
    hours = now_ms() - 2 * 3_600_000 - 180_000
    alone = world.alone.alone.__class__(world.alone.alone.folder, "host:1", hours, 16)
    said = report(alone, world.divergence().counts(), True)
    assert "2 hours 3 minutes ago, with no data" in said
