"""Memory relief: gives freed memory back to the system, in steps that hold nobody up.

glibc gives pages back by itself only from the end of its heap, where some small value nearly always is;
``malloc_trim`` gives back every page that is wholly free. It takes 0.1 ms where little is free, and 0.15 to 0.35 ms a
megabyte that it gives back, so it is called after every `STEP` bytes that the account has fallen: 2 ms. Values are
freed at most that fast in the background; only one command that frees far more by itself (FLUSHALL SYNC) is followed
by a longer step, of less than a tenth of what the command took. Where nothing is freed on the whole, but values
replace each other, a trim each `PAUSE_NS` gives back what has become of it.

Python's allocator gives an arena of 1 MB back when nothing is left in it. Objects of the interpreter's free lists and
of the eviction pool are spread over arenas that are otherwise empty; when hardly any key is left they are dropped.

``activedefrag yes`` adds a trim each second while fragmentation exceeds ``active-defrag-ignore-bytes`` and
``active-defrag-threshold-lower``; ``active-defrag-cycle-max`` limits the share of the time for all trims.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

from kedis.config import Config
from kedis.observability.process_memory import MemoryFigures, trim
from kedis.store.keyspace import Keyspace

#: Bytes that the account falls before memory is given back at once.
STEP = 4 << 20
#: The same for a server where values come and go: at most once in so many nanoseconds.
PAUSE_NS = 5_000_000_000
_DEFRAG_PAUSE_NS = 1_000_000_000
#: Up to so many keys the garbage collector has little to look at.
FEW_KEYS = 1_000


class MemoryRelief:
    """Trims the process by what the account of ``keyspace`` shows; :meth:`run` is called by the periodic work.

    Args:
        figures: the resident memory, sampled elsewhere.
        clock: monotonic, in nanoseconds.
        give_back: has the C library give back what it can.

    Attributes:
        trims: number of trims; their time is in ``figures``.
    """

    def __init__(
        self,
        keyspace: Keyspace,
        config: Config,
        figures: MemoryFigures,
        clock: Callable[[], int],
        give_back: Callable[[], None] = trim,
    ) -> None:
        self._keyspace = keyspace
        self._config = config
        self._figures = figures
        self._clock = clock
        self._give_back = give_back
        self._peak = 0
        self._dirty = 0
        self._trimmed_ns = clock()
        self._not_before_ns = 0
        #: Hardly any key is left, and what the interpreter keeps is to be dropped once all values are freed: before,
        #: the garbage collector would look at each of them (73 ms beside a million that FLUSHALL ASYNC has left).
        self._collects = False
        self.trims = 0

    def run(self) -> None:
        """Trim if enough has been freed, or enough time has passed. 1 us where there is nothing to do."""
        keyspace = self._keyspace
        used = keyspace.used
        self._peak = max(self._peak, used)
        now = self._clock()
        idle = now - self._trimmed_ns
        freed = self._peak - used
        running = self._figures.defragmenting = self._config.activedefrag and self._is_fragmented(used)
        due = (
            freed >= STEP
            or (self._collects and not keyspace.lazy_free)
            or (idle >= PAUSE_NS and keyspace.dirty != self._dirty)
            or (running and idle >= _DEFRAG_PAUSE_NS)
        )
        if due and now >= self._not_before_ns:
            self._trim(freed, now)

    def _is_fragmented(self, used: int) -> bool:
        config, figures = self._config, self._figures
        surplus = figures.resident - figures.startup - used
        return surplus >= config.active_defrag_ignore_bytes and surplus * 100 >= (
            used * config.active_defrag_threshold_lower
        )

    def _trim(self, freed: int, now: int) -> None:
        keyspace = self._keyspace
        few = sum(map(len, keyspace.databases)) <= FEW_KEYS
        self._collects = few and (self._collects or freed >= STEP)
        if self._collects and not keyspace.lazy_free:
            self._collects = False
            keyspace.eviction.forget_candidates()
            gc.collect()  # empties the free lists, too
            _forget_lookups()
        self._give_back()
        ended = self._clock()
        self.trims += 1
        self._figures.trimmed_ns += ended - now
        self._not_before_ns = ended + (ended - now) * 100 // self._config.active_defrag_cycle_max
        self._trimmed_ns = ended
        self._peak = keyspace.used
        self._dirty = keyspace.dirty


def _forget_lookups() -> None:
    """Empty the interpreter's cache of attribute lookups, up to 4,096 entries, in 5 us.

    Each entry holds the name it was looked up by. gevent looks up ``stop`` from C, by a new string each time, whenever
    a timer has fired; thirty of those kept thirty arenas of 1 MB.
    """
    forget = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
    if forget is not None:
        forget()
