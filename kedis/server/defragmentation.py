"""Active defragmentation as periodic work: how much of the time it may take, by Redis's settings.

It runs while fragmentation exceeds ``active-defrag-ignore-bytes`` and ``active-defrag-threshold-lower``, for
``active-defrag-cycle-min`` percent of the time, and up to ``active-defrag-cycle-max`` as fragmentation rises to
``active-defrag-threshold-upper``. Not beside a child that saves, whose memory would be copied page by page.
"""

from __future__ import annotations

from collections.abc import Callable

from kedis.observability.process_memory import MemoryFigures
from kedis.server.network import Network
from kedis.store.moving import Moving

#: What clients may wait for one step.
_STEP_NS = 1_000_000
#: After a pass that has found everything in its place: the first rest, each further one twice as long, and the longest.
_REST_NS, _LONGEST_REST_NS = 10_000_000_000, 640_000_000_000
#: A rest ends as soon as fragmentation exceeds that at its begin by so many percent.
_WORSE = 5
#: Of a hundred keys so many moved ones make another pass worth it.
_WORTH = 1


class Defragmentation:
    """Moves keys and small values together while ``figures`` say that memory is fragmented.

    Args:
        moving: the pass over the keys.
        has_child: whether a child saves.
    """

    def __init__(
        self,
        network: Network,
        moving: Moving,
        figures: MemoryFigures,
        has_child: Callable[[], bool],
    ) -> None:
        self._network = network
        self._engine = network.engine
        self._moving = moving
        self._figures = figures
        self._has_child = has_child
        self._left_ns = 0
        self._is_stepping = False
        self._moved_before = self._kept_before = 0
        self._not_before_ns = 0
        self._rest_ns = _REST_NS
        self._surplus_at_rest = 0.0

    def run(self) -> None:
        """A share of the time between two rounds, in steps between which clients are served."""
        config, now = self._engine.config, self._engine.monotonic()
        if not self._figures.defragmenting or self._rests(now) or not self._may_run():
            return
        low, high = config.active_defrag_threshold_lower, config.active_defrag_threshold_upper
        least, most = config.active_defrag_cycle_min, config.active_defrag_cycle_max
        rising = min(max(self._figures.surplus_percent - low, 0) / max(high - low, 1), 1)
        percent = least + max(most - least, 0) * rising
        self._left_ns = int(percent * 10_000_000 / config.hz)
        if not self._is_stepping:
            self._is_stepping = True
            self._network.next_turn(self._step)

    def _rests(self, now: int) -> bool:
        return now < self._not_before_ns and self._figures.surplus_percent <= self._surplus_at_rest + _WORSE

    def _may_run(self) -> bool:
        engine = self._engine
        return not (engine.loading or engine.restrictions.busy is not None or self._has_child())

    def _step(self) -> None:
        self._is_stepping = False
        if not self._may_run():
            return
        clock, moving = self._engine.monotonic, self._moving
        began = clock()
        limit = min(self._left_ns, _STEP_NS)
        ended = False
        while not ended and clock() - began < limit:
            ended = moving.step()
        took = clock() - began
        self._left_ns -= took
        self._figures.moving_ns += took
        if ended:
            self._finish_pass(clock())
        elif self._left_ns > 0:
            self._is_stepping = True
            self._network.next_turn(self._step)

    def _finish_pass(self, now: int) -> None:
        """Rest after a pass that was hardly worth it: what is left, such as tables, cannot be moved."""
        moved, kept = (
            self._moving.moved_keys - self._moved_before,
            self._moving.kept_keys - self._kept_before,
        )
        self._moved_before, self._kept_before = self._moving.moved_keys, self._moving.kept_keys
        if moved * 100 <= (moved + kept) * _WORTH:
            self._not_before_ns = now + self._rest_ns
            self._rest_ns = min(2 * self._rest_ns, _LONGEST_REST_NS)
            self._surplus_at_rest = self._figures.surplus_percent
        else:
            self._rest_ns = _REST_NS
