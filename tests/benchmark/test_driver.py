"""The driver on links, a poller and a clock that the test holds: counting, open loop, errors, silence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedis.cli.benchmark.driver import Driver
from kedis.cli.benchmark.measurement import Measurement
from kedis.cli.benchmark.templates import Mix, parse_command, parse_mix
from kedis.cli.benchmark.workload import Batches, Workload, prepare
from tests.benchmark.world import Poller, World

MS = 1_000_000
SECOND = 1_000 * MS


def batches_of(mix: Mix, pipeline: int = 1) -> Batches:
    return prepare(Workload(mix, keys=10, size=4, pipeline=pipeline), 64 * pipeline)


def run(
    world: World,
    batches: Batches,
    connections: int = 1,
    operations: int = 0,
    seconds: float = 0.0,
    rate: float = 0.0,
) -> Measurement:
    driver = Driver(world.links(connections), batches, 1.0, clock=world.clock, poller=Poller(world))
    return driver.run(operations, seconds, rate)


@settings(deadline=None)
@given(
    piece=st.integers(1, 40),
    pipeline=st.integers(1, 8),
    connections=st.integers(1, 5),
    reply=st.sampled_from(
        [b"+OK\r\n", b":12\r\n", b"$3\r\na\r\n\r\n", b"*2\r\n$1\r\nx\r\n:5\r\n", b"$-1\r\n"]
    ),
)
def test_replies_are_counted_however_they_are_cut(
    piece: int, pipeline: int, connections: int, reply: bytes
) -> None:
    batches = batches_of(parse_command("ANY {key}"), pipeline)
    world = World(lambda payload: reply * payload.count(b"ANY"), piece=piece)
    done = run(world, batches, connections, operations=20 * pipeline)
    assert (done.failure, done.wrong) == ("", 0)
    assert done.operations == 20 * pipeline
    assert len(world.sent) == 20


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_known_replies_are_counted_cut_or_whole(piece: int) -> None:
    world = World(lambda payload: b"+OK\r\n" * 4, piece=piece)
    done = run(world, batches_of(parse_mix("set"), 4), 2, operations=40)
    assert (done.operations, done.wrong, done.failure) == (40, 0, "")


def test_a_closed_loop_waits_for_the_reply() -> None:
    world = World(lambda payload: b"+OK\r\n", service_ns=1 * MS)
    done = run(world, batches_of(parse_mix("set")), connections=2, operations=100)
    assert done.operations == 100
    assert done.seconds == pytest.approx(0.050, rel=0.02)
    assert done.latency.percentile(50) == pytest.approx(1 * MS, rel=0.01)


def test_a_closed_loop_ends_when_time_is_up() -> None:
    world = World(lambda payload: b"+OK\r\n", service_ns=1 * MS)
    done = run(world, batches_of(parse_mix("set")), seconds=1.0)
    assert done.seconds == pytest.approx(1.0, abs=0.11)
    assert done.operations == pytest.approx(done.seconds * 1000, rel=0.02)


def test_an_open_loop_charges_a_stall_to_all_that_were_due_meanwhile() -> None:
    # One connection, a request every 10 ms, and from 0.5 s to 1 s the server does nothing.
    stall = (500 * MS, 1_000 * MS)
    answer = b"+OK\r\n"
    world = World(lambda payload: answer, service_ns=100_000, stall=stall)
    done = run(world, batches_of(parse_mix("set")), operations=200, rate=100)
    assert (done.operations, done.unsent, done.failure) == (200, 0, "")
    # 50 of the 200 were due during the stall: the first waited for all of it, the last for none.
    assert done.latency.maximum == pytest.approx(500 * MS, rel=0.02)
    assert done.latency.percentile(99) > 450 * MS
    assert done.latency.percentile(74) < 5 * MS
    slow = sum(count for low, _, count in done.latency.buckets() if low > 5 * MS)
    assert slow == pytest.approx(50, abs=1)
    # A closed loop on the same server would have noticed one slow request.
    world = World(lambda payload: answer, service_ns=100_000, stall=stall)
    closed = run(world, batches_of(parse_mix("set")), operations=10_000)
    assert sum(count for low, _, count in closed.latency.buckets() if low > 5 * MS) == 1


def test_an_open_loop_keeps_its_rate_over_pipelines() -> None:
    world = World(lambda payload: b"+OK\r\n" * 5, service_ns=100_000)
    done = run(world, batches_of(parse_mix("set"), 5), 3, operations=1_000, rate=1_000)
    assert done.operations == 1_000
    times = [at for at, _ in world.sent]
    assert all(abs(at - number * 5 * MS) <= 10_000 for number, at in enumerate(times))


def test_an_open_loop_tells_what_it_could_not_send() -> None:
    world = World(lambda payload: b"+OK\r\n", service_ns=100 * MS)
    done = run(world, batches_of(parse_mix("set")), seconds=1.0, rate=100)
    assert done.failure == ""
    assert done.operations + done.unsent == pytest.approx(100, abs=2)
    assert done.operations == pytest.approx(10, abs=1)


def test_every_error_is_counted_and_the_first_is_kept() -> None:
    replies = iter([b"+OK\r\n", b"-OOM too much\r\n", b"-ERR other\r\n"] + [b"+OK\r\n"] * 97)
    done = run(World(lambda payload: next(replies)), batches_of(parse_mix("set")), operations=100)
    assert (done.operations, done.wrong, done.first_wrong) == (100, 2, "OOM too much")


def test_replies_of_a_wrong_type_are_found_by_sample() -> None:
    done = run(World(lambda payload: b":1\r\n"), batches_of(parse_mix("set")), operations=160)
    assert done.wrong == 10
    assert done.first_wrong == "set was answered with int"


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (b"", "closed a connection"),
        (b"HTTP/1.1 400\r\n", "not the Redis protocol"),
        (b"+OK\r\n+OK\r\n", "without requests"),
        (None, "did not answer for 1 s"),
    ],
)
@pytest.mark.parametrize("rate", [0.0, 1000.0])
def test_what_is_measured_before_a_failure_is_kept(reply: bytes | None, failure: str, rate: float) -> None:
    good = iter([b"+OK\r\n"] * 20)
    world = World(lambda payload: next(good, reply))
    done = run(world, batches_of(parse_mix("set")), operations=100, rate=rate)
    assert failure in done.failure
    assert done.operations == 20
    assert 0 < done.seconds < 0.1


def test_the_load_repeats_when_there_is_more_to_do_than_was_prepared() -> None:
    world = World(lambda payload: b"+OK\r\n")
    batches = batches_of(parse_mix("set"))
    assert run(world, batches, operations=len(batches.payloads) * 2 + 1).operations == 129
    assert world.sent[0][1] == world.sent[64][1] == world.sent[128][1]
