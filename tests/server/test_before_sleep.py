"""The end of a turn: who is sent their replies, and who is held back."""

from __future__ import annotations

from typing import Any

import pytest
from gevent import get_hub

from kedis.server.before_sleep import BeforeSleep


class Waiter:
    """What the cycle knows of a connection."""

    def __init__(self) -> None:
        self.queued = True
        self.sent = 0
        self.given_up = False

    def send(self) -> None:
        assert not self.queued
        self.sent += 1

    def seal(self) -> None:
        self.sent = -1

    def give_up(self, error: Exception | None = None) -> None:
        self.given_up = True


class Poor(Waiter):
    """One whose replies no memory is there for."""

    def send(self) -> None:
        raise MemoryError

    def seal(self) -> None:
        raise MemoryError


class Holding:
    """A journal that lets nobody go."""

    selective = True

    def shows_only_durable(self, commands: Any) -> bool:
        return True

    def flush(self) -> bool:
        return False


class Failing(Holding):
    """A journal that raises until ``error`` is None, and then lets everybody go."""

    error: Exception | None = MemoryError()

    def flush(self) -> bool:
        if self.error is not None:
            raise self.error
        return True


@pytest.fixture
def cycle() -> BeforeSleep:
    cycle = BeforeSleep(get_hub(), clock=lambda: 5)
    cycle.journal = Holding()
    cycle.figures.began_ns = 1
    return cycle


def test_what_is_durable_waits_for_no_journal(cycle: BeforeSleep) -> None:
    held, free = Waiter(), Waiter()
    cycle.waiting.append(held)  # type: ignore[arg-type]
    cycle.durable.append(free)  # type: ignore[arg-type]
    cycle._end_of_turn()
    assert (held.sent, free.sent) == (0, 1)
    assert cycle.waiting == [held] and not cycle.durable
    assert cycle.figures.responses.total == 4
    batch: list[Any] = []
    cycle.seal(batch)
    assert batch == [held] and held.sent == -1


def test_who_is_given_something_else_to_send_is_held_back(cycle: BeforeSleep) -> None:
    free, mixed = Waiter(), Waiter()
    cycle.durable += [free, mixed]  # type: ignore[list-item]
    cycle.hold_back(mixed)  # type: ignore[arg-type]
    cycle.hold_back(mixed)  # type: ignore[arg-type]
    cycle._end_of_turn()
    assert (free.sent, mixed.sent) == (1, 0)
    assert cycle.waiting == [mixed]


def test_nothing_is_sent_after_a_halt(cycle: BeforeSleep) -> None:
    free = Waiter()
    cycle.start()
    cycle.durable.append(free)  # type: ignore[arg-type]
    cycle.halt()
    cycle._end_of_turn()
    cycle.release()
    assert free.sent == 0


def test_a_journal_that_raises_ends_nothing_but_those_who_wait(
    cycle: BeforeSleep, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is answered with what may not be written, nobody waits for ever, and the log says so once."""
    cycle.journal = journal = Failing()
    for number in range(1000):
        waiter = Waiter()
        cycle.waiting.append(waiter)  # type: ignore[arg-type]
        cycle.figures.began_ns = 1
        cycle._end_of_turn()
        assert (waiter.sent, waiter.given_up, cycle.faults) == (0, True, number + 1)
        assert not cycle.waiting and cycle.figures.began_ns == 0 and cycle.failing_since_ns == 5
    assert len(caplog.records) == 1
    journal.error = None
    waiter = Waiter()
    cycle.waiting.append(waiter)  # type: ignore[arg-type]
    cycle._end_of_turn()
    assert (waiter.sent, waiter.given_up, cycle.failing_since_ns) == (1, False, 0)


def test_what_is_called_at_the_end_of_a_turn_may_raise(cycle: BeforeSleep) -> None:
    cycle.journal = None
    waiter = Waiter()
    called: list[int] = []
    cycle.waiting.append(waiter)  # type: ignore[arg-type]
    cycle.at_end += [lambda: called.append(1), lambda: 1 // 0 and None, lambda: called.append(2)]
    cycle._end_of_turn()
    assert called == [2, 1] and waiter.sent == 1 and cycle.faults == 1


def test_one_client_that_cannot_be_sent_to_is_ended_alone(cycle: BeforeSleep) -> None:
    cycle.journal = None
    for step in ("release", "seal"):
        before, poor, after = Waiter(), Poor(), Waiter()
        cycle.waiting += [before, poor, after]  # type: ignore[list-item]
        if step == "seal":
            batch: list[Any] = []
            cycle.seal(batch)
            assert batch == [before, poor, after]
        else:
            cycle._end_of_turn()
        assert abs(before.sent) == abs(after.sent) == 1
        assert (before.given_up, poor.given_up, after.given_up) == (False, True, False)
        assert not any(each.queued for each in (before, poor, after))
