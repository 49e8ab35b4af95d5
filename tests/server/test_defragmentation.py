"""When active defragmentation runs, and how much of the time it takes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kedis.config import Config
from kedis.observability.process_memory import MemoryFigures
from kedis.server.defragmentation import Defragmentation

MS = 1_000_000
STEP = 100_000


class Bench:
    """A clock that moves by each step, and a loop whose turns are taken by hand."""

    def __init__(self, **settings: str) -> None:
        self.now = 0
        self.steps = self.moved_keys = self.kept_keys = 0
        self.child = False
        self.ends_at = 10**9
        self.moves = True
        self.turns: list[Callable[[], Any]] = []
        self.figures = MemoryFigures()
        self.figures.defragmenting = True
        self.restrictions = SimpleNamespace(busy=None)
        self.engine = SimpleNamespace(
            config=Config({"active-defrag-cycle-min": "1", "active-defrag-cycle-max": "25", **settings}),
            monotonic=lambda: self.now,
            loading=False,
            restrictions=self.restrictions,
        )
        network: Any = SimpleNamespace(engine=self.engine, next_turn=self.turns.append)
        self.work = Defragmentation(network, self, self.figures, lambda: self.child)  # type: ignore[arg-type]

    def step(self) -> bool:
        self.now += STEP
        self.steps += 1
        if self.moves:
            self.moved_keys += 30
        else:
            self.kept_keys += 30
        return self.steps % self.ends_at == 0

    def round(self) -> tuple[int, int]:
        """One round: steps and turns that it took."""
        before, turns = self.steps, 0
        self.work.run()
        while self.turns:
            self.turns.pop(0)()
            turns += 1
        return self.steps - before, turns


@pytest.mark.parametrize(
    ("surplus", "expected"),
    [(0, 10), (10, 10), (55, 130), (100, 250), (400, 250)],  # 1 ms and 25 ms of a round of 100 ms
)
def test_its_share_of_the_time(surplus: float, expected: int) -> None:
    bench = Bench()
    bench.figures.surplus_percent = surplus
    steps, turns = bench.round()
    assert expected <= steps <= expected + 10
    assert turns >= steps // 10, "others have their turn after each millisecond"
    assert bench.figures.moving_ns == steps * STEP


def test_other_shares() -> None:
    bench = Bench(
        **{
            "active-defrag-cycle-min": "50",
            "active-defrag-cycle-max": "10",
            "active-defrag-threshold-upper": "5",
        }
    )
    bench.figures.surplus_percent = 1000
    assert 500 <= bench.round()[0] <= 510, "the least is more than the most"


def test_it_stands_still_where_it_may_not_run() -> None:
    bench = Bench()
    bench.child = True
    assert bench.round() == (0, 0)
    bench.child = False
    bench.restrictions.busy = object()
    assert bench.round() == (0, 0)
    bench.restrictions.busy = None
    bench.engine.loading = True
    assert bench.round() == (0, 0)
    bench.engine.loading = False
    bench.figures.defragmenting = False
    assert bench.round() == (0, 0)
    bench.figures.defragmenting = True
    bench.work.run()
    bench.restrictions.busy = object()  # a script, before its turn
    bench.turns.pop()()
    assert bench.steps == 0
    bench.restrictions.busy = None
    assert bench.round()[0] > 0


def test_it_rests_after_a_pass_in_vain() -> None:
    bench = Bench()
    bench.ends_at = 5
    assert bench.round() == (5, 1)
    assert bench.round() == (5, 1), "this pass was worth it"
    bench.moves = False
    assert bench.round() == (5, 1)
    bench.now += 9_000 * MS
    assert bench.round() == (0, 0)
    bench.now += 1_000 * MS
    assert bench.round() == (5, 1)
    bench.now += 19_000 * MS
    assert bench.round() == (0, 0), "a second one in vain: a rest twice as long"
    bench.figures.surplus_percent += 6
    assert bench.round()[0] > 0, "much worse than when the rest began"
    bench.moves = True
    bench.now += 40_000 * MS
    assert bench.round()[0] > 0
    bench.moves = False
    assert bench.round()[0] > 0
    bench.now += 10_000 * MS
    assert bench.round()[0] > 0, "the first rest again"
