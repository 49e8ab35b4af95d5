"""The active expiry cycle under a clock that the test moves: nothing sleeps."""

from __future__ import annotations

import pytest

from kedis.store.database import Database
from kedis.store.expiry import SLICE_NS, ActiveExpiry
from kedis.store.keyspace import Keyspace

START_NS = 1_700_000_000_000_000_000
INTERVAL = 0.1


class Clock:
    """Nanoseconds that pass by ``step`` at every reading."""

    def __init__(self, step: int = 0) -> None:
        self.now = START_NS
        self.step = step

    def __call__(self) -> int:
        self.now += self.step
        return self.now


def fill(database: Database, count: int, ttl_ms: int, prefix: bytes = b"k") -> None:
    for number in range(count):
        key = prefix + b"%d" % number
        database.set_value(key, b"v")
        database.set_expiry(key, START_NS // 1_000_000 + ttl_ms)


@pytest.fixture
def keyspace() -> Keyspace:
    keyspace = Keyspace(4)
    keyspace.now_ns = START_NS
    return keyspace


def run_period(expiry: ActiveExpiry, clock: Clock) -> int:
    """A whole period; returns the number of its slices."""
    slices = 1
    more = expiry.run(INTERVAL, clock)
    while more:
        slices += 1
        more = expiry.resume(clock)
    return slices


def test_everything_due_goes_and_nothing_else(keyspace: Keyspace) -> None:
    for number in (0, 3):
        fill(keyspace.databases[number], 500, -1, b"dead")
        fill(keyspace.databases[number], 100, 60_000, b"alive")
        keyspace.databases[number].set_value(b"eternal", b"v")
    expiry = ActiveExpiry(keyspace)
    for _ in range(100):
        run_period(expiry, Clock())
    for number in (0, 3):
        database = keyspace.databases[number]
        assert len(database) == 101
        assert set(database.expires) == {b"alive%d" % n for n in range(100)}
        database.check()
    assert expiry.expired == keyspace.expired_keys == 1000
    assert keyspace.expired_on_access == 0


def test_a_key_is_due_at_its_millisecond_and_not_before(keyspace: Keyspace) -> None:
    fill(keyspace.databases[0], 1, 5)
    expiry, clock = ActiveExpiry(keyspace), Clock()
    clock.now = START_NS + 4_999_999
    run_period(expiry, clock)
    assert len(keyspace.databases[0]) == 1
    clock.now = START_NS + 5_000_000
    run_period(expiry, clock)
    assert len(keyspace.databases[0]) == 0


def test_deletions_are_journalled_with_their_database(keyspace: Keyspace) -> None:
    journalled: list[tuple[int, bytes]] = []
    keyspace.propagate_delete = lambda number, key: journalled.append((number, key))
    fill(keyspace.databases[2], 3, -1)
    run_period(ActiveExpiry(keyspace), Clock())
    assert sorted(journalled) == [(2, b"k0"), (2, b"k1"), (2, b"k2")]


def test_a_slice_is_bounded_and_the_period_keeps_to_its_share(keyspace: Keyspace) -> None:
    fill(keyspace.databases[0], 20_000, -1)
    # Every reading of the clock costs 100 µs, so a sample does.
    expiry, clock = ActiveExpiry(keyspace), Clock(step=100_000)
    before = clock.now
    assert expiry.run(INTERVAL, clock) is True
    assert clock.now - before <= SLICE_NS + 300_000
    while expiry.resume(clock):
        pass
    assert 0.25 * INTERVAL * 1e9 <= clock.now - before <= 0.27 * INTERVAL * 1e9
    assert expiry.time_cap_reached == 1
    assert expiry.spent_ns > 0.24 * INTERVAL * 1e9
    assert 0 < len(keyspace.databases[0]) < 20_000
    assert expiry.resume(clock) is False
    for _ in range(20):
        run_period(expiry, clock)
    assert len(keyspace.databases[0]) == 0


def test_a_crowded_database_does_not_starve_the_others(keyspace: Keyspace) -> None:
    for database in keyspace.databases:
        fill(database, 3_000, -1)
    expiry, clock = ActiveExpiry(keyspace), Clock(step=100_000)
    for _ in range(10):
        run_period(expiry, clock)
    assert [len(database) for database in keyspace.databases] == [0, 0, 0, 0]


def test_little_dead_ends_the_visit_after_one_sample(keyspace: Keyspace) -> None:
    fill(keyspace.databases[0], 2_000, 60_000)
    expiry, clock = ActiveExpiry(keyspace), Clock(step=1_000)
    before = clock.now
    assert run_period(expiry, clock) == 1
    assert clock.now - before <= 5_000
    assert expiry.time_cap_reached == 0


def test_effort_accepts_less(keyspace: Keyspace) -> None:
    database = keyspace.databases[0]
    fill(database, 4_000, 60_000, b"alive")
    fill(database, 200, -1, b"dead")  # about 5 percent: fine for effort 1, not for 10
    lazy, eager = ActiveExpiry(keyspace), ActiveExpiry(keyspace, effort=10)
    run_period(lazy, Clock())
    assert lazy.expired < 100
    for _ in range(5):
        run_period(eager, Clock())
    assert lazy.expired + eager.expired == 200


def test_switched_off_or_loading_it_does_nothing(keyspace: Keyspace) -> None:
    fill(keyspace.databases[0], 10, -1)
    expiry = ActiveExpiry(keyspace)
    keyspace.active_expiry = False
    assert expiry.run(INTERVAL, Clock()) is False
    keyspace.active_expiry, keyspace.loading = True, True
    assert expiry.run(INTERVAL, Clock()) is False
    assert len(keyspace.databases[0]) == 10
    keyspace.loading = False
    run_period(expiry, Clock())
    assert len(keyspace.databases[0]) == 0


def test_a_clock_that_is_set_back_ends_the_slice(keyspace: Keyspace) -> None:
    fill(keyspace.databases[0], 5_000, -10_000)
    readings = iter([START_NS] + [START_NS - 1_000_000_000] * 10)
    expiry = ActiveExpiry(keyspace)
    assert expiry.run(INTERVAL, lambda: next(readings)) is True
    assert len(keyspace.databases[0]) > 4_900


def test_estimates_for_info(keyspace: Keyspace) -> None:
    fill(keyspace.databases[1], 1_000, 60_000)
    expiry = ActiveExpiry(keyspace)
    run_period(expiry, Clock())
    assert expiry.average_ttl_ms == [0, 60_000, 0, 0]
    assert expiry.stale_percentage == 0
    fill(keyspace.databases[0], 1_000, -1)
    run_period(expiry, Clock())
    assert 4 < expiry.stale_percentage <= 5
    expiry.reset_counters()
    assert expiry.expired == expiry.spent_ns == expiry.time_cap_reached == 0


def test_flushing_and_swapping_between_slices_does_no_harm(keyspace: Keyspace) -> None:
    fill(keyspace.databases[0], 5_000, -1)
    fill(keyspace.databases[1], 5_000, -1)
    expiry, clock = ActiveExpiry(keyspace), Clock(step=100_000)
    assert expiry.run(INTERVAL, clock)
    keyspace.swap(0, 1)
    assert expiry.resume(clock)
    keyspace.databases[0].clear()
    for _ in range(10):
        run_period(expiry, clock)
    assert all(len(database) == 0 for database in keyspace.databases)
    for database in keyspace.databases:
        database.check()


def test_a_replica_leaves_it_to_its_master(keyspace: Keyspace) -> None:
    fill(keyspace.databases[0], 20_000, -1)
    expiry, clock = ActiveExpiry(keyspace), Clock(step=100_000)
    assert expiry.run(INTERVAL, clock) is True
    keyspace.follows = True  # between two slices
    left = len(keyspace.databases[0])
    assert expiry.resume(clock) is False
    assert expiry.run(INTERVAL, clock) is False
    assert len(keyspace.databases[0]) == left
    keyspace.follows = False
    assert run_period(expiry, clock) > 1
    assert len(keyspace.databases[0]) < left


def test_a_replica_removes_only_what_its_own_clients_have_given_a_time(keyspace: Keyspace) -> None:
    database, clock = keyspace.databases[2], Clock()
    expiry = ActiveExpiry(keyspace)
    keyspace.follow(True, writable=True)
    keyspace.loading = True  # as it is while the stream is applied
    fill(database, 10, 1, b"master")
    keyspace.loading = False
    fill(database, 500, 1, b"own")
    fill(database, 500, 100_000, b"long")
    database.clear_expiry(b"own0")
    database.delete(b"own1")
    assert keyspace.own_expiries is not None and len(keyspace.own_expiries) == 1000
    clock.now += 10_000_000
    for _ in range(100):
        expiry.run(INTERVAL, clock)
    assert len(database) == 10 + 1 + 500 and b"own0" in database.data
    assert expiry.expired == keyspace.expired_keys == 498
    assert len(keyspace.own_expiries) == 500
    keyspace.follow(True, writable=False)  # what clients may no longer write ends all the same
    clock.now += 200_000_000_000
    for _ in range(100):
        expiry.run(INTERVAL, clock)
    assert len(database) == 11 and not keyspace.own_expiries
    keyspace.follow(False, writable=False)
    assert keyspace.own_expiries is None
    for _ in range(100):
        expiry.run(INTERVAL, clock)
    assert list(database.data) == [b"own0"]


def test_a_slice_of_a_replica_is_bounded(keyspace: Keyspace) -> None:
    database, clock = keyspace.databases[0], Clock(SLICE_NS // 10)
    expiry = ActiveExpiry(keyspace)
    keyspace.follow(True, writable=True)
    fill(database, 100, -1)
    expiry.run(INTERVAL, clock)
    assert 80 < len(database) < 100
    keyspace.replace(keyspace.blank())
    assert not keyspace.own_expiries
