"""The end of a turn: who is sent their replies, and who is held back."""

from __future__ import annotations

from typing import Any

import pytest
from gevent import get_hub

from kedis.engine import COMPILED
from kedis.server.cycle import Cycle


class Waiter:
    """What the cycle knows of a connection."""

    def __init__(self) -> None:
        self.queued = True
        self.sent = 0

    def send(self) -> None:
        assert not self.queued
        self.sent += 1

    def seal(self) -> None:
        self.sent = -1


class Holding:
    """A journal that lets nobody go."""

    selective = True

    def shows_only_durable(self, commands: Any) -> bool:
        return True

    def flush(self) -> bool:
        return False


@pytest.fixture
def cycle() -> Cycle:
    cycle = Cycle(get_hub(), clock=lambda: 5)
    cycle.journal = Holding()
    cycle.figures.began_ns = 1
    return cycle


@pytest.mark.skipif(COMPILED, reason="a compiled class takes no stand-in")
def test_what_is_durable_waits_for_no_journal(cycle: Cycle) -> None:
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


@pytest.mark.skipif(COMPILED, reason="a compiled class takes no stand-in")
def test_who_is_given_something_else_to_send_is_held_back(cycle: Cycle) -> None:
    free, mixed = Waiter(), Waiter()
    cycle.durable += [free, mixed]  # type: ignore[list-item]
    cycle.hold_back(mixed)  # type: ignore[arg-type]
    cycle.hold_back(mixed)  # type: ignore[arg-type]
    cycle._end_of_turn()
    assert (free.sent, mixed.sent) == (1, 0)
    assert cycle.waiting == [mixed]


def test_nothing_is_sent_after_a_halt(cycle: Cycle) -> None:
    free = Waiter()
    cycle.start()
    cycle.durable.append(free)  # type: ignore[arg-type]
    cycle.halt()
    cycle._end_of_turn()
    cycle.release()
    assert free.sent == 0
