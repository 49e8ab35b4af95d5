"""Histograms of the turns of the event loop: queueing time apart from execution, pipeline depth, lag.

A turn begins when the first client is served whose bytes the loop has found ready; all bytes of that turn were ready
by then.  Each read is observed twice: ``waits`` is the time until the last command it brought began, ``responses`` the
time until the replies were handed to the kernel.  The difference to a command's own histogram is queueing.

The connection and the end of a turn add to the lists directly: a call per read would cost more than all the rest.
"""

from __future__ import annotations

from kedis.structures.histogram import Histogram


class Depths(Histogram):
    """Commands a read; the connection adds only those of more than one, the others follow from their number."""

    __slots__ = ("_reads",)

    def __init__(self, reads: Histogram) -> None:
        super().__init__()
        self._reads = reads

    def whole(self) -> Histogram:
        """The histogram with the reads of a single command."""
        singles = max(sum(self._reads.counts) - sum(self.counts), 0)
        counts = list(self.counts)
        counts[1] += singles
        return Histogram(counts, self.total + singles)


class TurnFigures:
    """The histograms of one server; all in nanoseconds, but for the depths.

    Attributes:
        began_ns: when the turn under way began to serve clients; 0 before it has.
    """

    def __init__(self) -> None:
        self.began_ns = 0
        self.waits = Histogram()
        self.responses = Histogram()
        self.turns = Histogram()
        self.lags = Histogram()
        self.depths = Depths(self.waits)
        # Of replies that are held back until they are durable: when their turn began, and how many they are.
        self._held: list[tuple[int, int]] = []
        self._sealed: list[tuple[int, int]] = []

    def end_turn(self, now_ns: int, replied: int) -> None:
        """A turn that served clients is over, and ``replied`` of them have been sent their replies."""
        began = self.began_ns
        self.began_ns = 0
        elapsed = max(now_ns - began, 0)
        bits = elapsed.bit_length()
        self.turns.counts[bits] += 1
        self.turns.total += elapsed
        if self._held:
            for began, count in self._held:
                self._observe(now_ns - began, count)
                replied -= count
            self._held.clear()
        self.responses.counts[bits] += replied
        self.responses.total += elapsed * replied

    def hold(self, waiting: int, now_ns: int) -> None:
        """A turn is over, and the replies to ``waiting`` clients in all are held back."""
        began = self.began_ns
        self.began_ns = 0
        if began:
            self.turns.add(now_ns - began)
        self._hold(waiting, began or now_ns)

    def seal(self, waiting: int, now_ns: int) -> None:
        """The replies to ``waiting`` clients, all that are held back, now wait for a sync."""
        self._hold(waiting, self.began_ns or now_ns)
        self._sealed += self._held
        self._held.clear()

    def _hold(self, waiting: int, began_ns: int) -> None:
        """Remember those of ``waiting`` that came in this turn, which began then."""
        fresh = waiting - sum(count for _, count in self._held)
        if fresh > 0:
            self._held.append((began_ns, fresh))

    def unseal(self) -> list[tuple[int, int]]:
        """Take what was sealed, for :meth:`sent`; what is sealed from now on waits for another sync."""
        sealed, self._sealed = self._sealed, []
        return sealed

    def sent(self, sealed: list[tuple[int, int]], now_ns: int) -> None:
        """Sealed replies have been sent."""
        for began, count in sealed:
            self._observe(now_ns - began, count)

    def oldest_unanswered_ns(self) -> int:
        """When the turn began whose replies have been held back for longest; 0 when there are none."""
        return min((began for began, _ in (*self._held, *self._sealed)), default=0)

    def _observe(self, elapsed: int, count: int) -> None:
        elapsed = max(elapsed, 0)
        self.responses.counts[elapsed.bit_length()] += count
        self.responses.total += elapsed * count
