"""Memory relief: when freed memory is given back, and that no long-lived object keeps an arena of the allocator."""

from __future__ import annotations

import gc
import itertools
import sys
import tracemalloc
from array import array
from typing import Any

import pytest

from kedis.config import Config
from kedis.engine.counters import Counters
from kedis.observability.process_memory import MemoryFigures
from kedis.server.memory_relief import FEW_KEYS, PAUSE_NS, STEP, MemoryRelief
from kedis.store.keyspace import Keyspace
from kedis.structures.histogram import Histogram

SECOND = 1_000_000_000


class Bench:
    """Relief with a clock that stands still, and a trim that counts and takes as long as it is told."""

    def __init__(self, **settings: str) -> None:
        self.now = 100 * SECOND
        self.took = 0
        self.trims = 0
        self.keyspace = Keyspace(1)
        self.figures = MemoryFigures()
        self.relief = MemoryRelief(
            self.keyspace, Config(settings), self.figures, lambda: self.now, self.give_back
        )

    def give_back(self) -> None:
        self.trims += 1
        self.now += self.took

    def fill(self, count: int, size: int = 1000) -> None:
        for number in range(count):
            self.keyspace.databases[0].set_value(b"%d" % number, bytes(size))

    def run(self, seconds: float = 0.1) -> int:
        self.now += int(seconds * SECOND)
        self.relief.run()
        return self.trims


def test_trims_after_each_step_that_the_account_falls() -> None:
    bench = Bench()
    bench.fill(2 * STEP // 1000)
    assert bench.run() == 0
    names = iter(list(bench.keyspace.databases[0].data))
    for expected in (1, 2):
        freed = bench.keyspace.used - STEP
        while bench.keyspace.used > freed + 2000:
            bench.keyspace.databases[0].delete(next(names))
        assert bench.run() == expected - 1
        bench.keyspace.databases[0].delete(next(names))
        bench.keyspace.databases[0].delete(next(names))
        assert bench.run() == expected
        assert bench.run() == expected


def test_trims_now_and_then_where_values_replace_each_other() -> None:
    bench = Bench()
    bench.fill(1)
    assert bench.run(PAUSE_NS / SECOND) == 1
    assert bench.run(10 * PAUSE_NS / SECOND) == 1, "nothing has changed"
    bench.fill(1)
    assert bench.run() == 2
    bench.fill(1)
    assert bench.run() == 2


def test_active_defragmentation_by_its_thresholds() -> None:
    settings = {"active-defrag-ignore-bytes": "10mb", "active-defrag-threshold-lower": "50"}
    bench = Bench(activedefrag="yes", **settings)
    bench.figures.startup, bench.figures.resident = 40 << 20, 45 << 20
    bench.fill(1000)
    bench.run()
    bench.relief._dirty = bench.keyspace.dirty  # nothing changes any more
    assert bench.run(1) == 0 and not bench.figures.defragmenting
    bench.figures.resident = 60 << 20
    assert bench.run(1) == 1 and bench.figures.defragmenting
    assert bench.run(0.5) == 1
    assert bench.run(0.6) == 2
    bench.relief._config.activedefrag = False
    assert bench.run(2) == 2 and not bench.figures.defragmenting


class Pools:
    """Each third step is the last."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.entries: list[tuple[int, int]] = []

    def _step(self, name: str) -> bool:
        self.steps.append(name)
        return self.steps.count(name) % 3 == 0

    def release(self, whole: bool = False) -> bool:
        return self._step("release all" if whole else "release")

    def withhold(self, whole: bool = False) -> bool:
        return self._step("withhold all" if whole else "withhold")

    def put_back(self) -> bool:
        return self._step("put back")

    def release_entries(self, table: dict[bytes, Any], begin: int = 0) -> int:
        self.entries.append((len(table), begin))
        return begin + 10 if begin < 20 and table else 0


def test_pools_are_released_in_steps_after_a_trim() -> None:
    bench = Bench()
    pools = bench.figures.pools = Pools()
    bench.fill(2 * STEP // 1000)
    bench.run()
    for number in range(STEP // 1000):
        bench.keyspace.databases[0].delete(b"%d" % number)
    assert bench.run() == 1 and not pools.steps, "the trim is a step of its own"
    for _ in range(8):
        assert bench.run() == 1
    assert pools.steps == 3 * ["release"]
    left = len(bench.keyspace.databases[0])
    assert pools.entries == [(left, 0), (left, 10), (left, 20)], "then the tables"
    assert not bench.figures.withheld


def test_pools_are_withheld_while_there_are_no_data() -> None:
    bench = Bench()
    pools = bench.figures.pools = Pools()
    bench.fill(STEP // 1000)
    bench.run()
    bench.keyspace.databases[0].clear()
    for _ in range(9):
        assert bench.run() == (1 if bench.now < 100 * SECOND + PAUSE_NS else bench.trims)
    assert pools.steps == 3 * ["withhold"] + 3 * ["release"]
    assert bench.figures.withheld
    pools.steps.clear()
    bench.fill(STEP // 2000)
    bench.run()
    assert not pools.steps, "not yet"
    bench.fill(STEP // 1000)
    for _ in range(5):
        bench.run()
    assert pools.steps == 3 * ["put back"] and not bench.figures.withheld
    bench.run()
    assert pools.steps == 3 * ["put back"]


def test_data_that_go_while_pools_are_put_back() -> None:
    bench = Bench()
    pools = bench.figures.pools = Pools()
    for expected in ([], ["put back"]):
        bench.fill(STEP // 500)
        bench.run()
        assert pools.steps == expected, "the first of three steps"
        pools.steps.clear()
        bench.keyspace.databases[0].clear()
        for _ in range(20):
            bench.run()
        assert "withhold" in pools.steps and "put back" not in pools.steps and bench.figures.withheld
        pools.steps.clear()


def test_a_purge_releases_all_pools() -> None:
    figures = MemoryFigures()
    pools = figures.pools = Pools()
    figures.give_back()
    assert pools.steps == ["release all", "withhold all"]
    assert figures.withheld


def test_the_share_of_the_time_is_limited() -> None:
    bench = Bench(**{"active-defrag-cycle-max": "10"})
    bench.took = SECOND
    bench.fill(STEP // 1000)
    bench.run()
    bench.keyspace.databases[0].clear()
    assert bench.run() == 1
    assert bench.figures.trimmed_ns == SECOND
    bench.fill(STEP // 1000)
    bench.run(5)
    bench.keyspace.databases[0].clear()
    assert bench.run(4) == 1
    assert bench.run(2) == 2


def test_an_empty_keyspace_keeps_no_objects_of_the_eviction() -> None:
    bench = Bench(**{"active-defrag-cycle-max": "99"})
    bench.keyspace.track_access("allkeys-lru")
    bench.keyspace.eviction.follow("allkeys-lru", 5)
    bench.fill(FEW_KEYS + STEP // 1000)
    bench.keyspace.eviction.run(bench.keyspace.used - 100_000, lambda: bench.now)
    bench.run()
    assert bench.keyspace.eviction._pool
    bench.keyspace.databases[0].clear()
    bench.run()
    assert not bench.keyspace.eviction._pool


def test_counting_calls_keeps_no_integer_objects() -> None:
    """Each of them would stand in an arena of the allocator beside the data, and keep it."""
    counters, histogram = Counters(), Histogram()
    durations = [int(1000 * 1.01**step) for step in range(1500)]
    for duration in durations:  # everything has its size before counting begins
        counters.count(duration)
        histogram.add(duration)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for _ in range(300):
        for duration in durations:
            counters.count(duration)
            histogram.add(duration)
    gc.collect()
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    here = [
        tracemalloc.Filter(True, sys.modules[kind.__module__].__file__ or "")
        for kind in (Counters, Histogram)
    ]
    grown = after.filter_traces(here).compare_to(before.filter_traces(here), "filename")
    assert sum(statistic.count_diff for statistic in grown) <= 10


def test_longer_calls_are_counted_to_two_figures() -> None:
    counters = Counters()
    durations = [step * 997 * 10 ** (step % 6) for step in range(1, 2000)]
    for duration in durations:
        counters.count(duration)
    assert counters.calls == len(durations)
    assert type(counters.longer) is array
    bounds = [bound for bound, _ in counters.durations()]
    assert bounds == sorted(set(bounds))
    for duration in durations:
        lone = Counters()
        lone.count(duration)
        ((bound, calls),) = lone.durations()
        assert calls == 1 and duration <= bound <= max(duration + 64, duration * 129 / 128)


def test_the_collector_waits_until_all_values_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look at each of those that FLUSHALL ASYNC has left."""
    collected: list[bool] = []
    bench = Bench()
    keyspace = bench.keyspace
    monkeypatch.setattr(gc, "collect", lambda: collected.append(bool(keyspace.lazy_free)))
    bench.fill(4 * STEP // 1000)
    bench.run()
    keyspace.lazy_free.enabled = True
    keyspace.databases[0].clear(later=True)
    assert keyspace.lazy_free
    clock = itertools.count(0, SECOND)
    while keyspace.lazy_free:
        bench.run()
        keyspace.lazy_free.free(clock.__next__)
    assert not collected or collected == [False]
    bench.run()
    bench.run()
    assert collected == [False]
