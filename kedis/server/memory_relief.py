"""Memory relief: gives freed memory back to the system, in steps that hold nobody up.

glibc gives pages back by itself only from the end of its heap, where some small value nearly always is;
``malloc_trim`` gives back every page that is wholly free. It takes 0.1 ms where little is free, and 0.15 to 0.35 ms a
megabyte that it gives back, so it is called after every `STEP` bytes that the account has fallen: 2 ms. Values are
freed at most that fast in the background; only one command that frees far more by itself (FLUSHALL SYNC) is followed
by a longer step, of less than a tenth of what the command took. Where nothing is freed on the whole, but values
replace each other, a trim each `PAUSE_NS` gives back what has become of it.

Python's allocator gives an arena of 1 MB back when nothing is left in it, and a single object of the server is enough
to keep one. What is free within arenas is given back by the native path (:mod:`kedis.native.pools`) after each trim, in
steps of at most 3 ms. Objects of the interpreter's free lists and of the eviction pool are spread over arenas that are
otherwise empty; when hardly any key is left they are dropped, and what is free within arenas is withheld from Python's
allocator, which has a page of each pool given back, too, until the account has grown by `STEP` again. Pages of the
tables of keys in which only removed ones are come back likewise.

``activedefrag yes`` adds a trim each second while fragmentation exceeds ``active-defrag-ignore-bytes`` and
``active-defrag-threshold-lower``; ``active-defrag-cycle-max`` limits the share of the time for all trims. On the native
path keys and values are moved together meanwhile (:mod:`kedis.server.defragmentation`).
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
        #: More steps are needed to look at all pools.
        self._releases = False
        #: The databases whose tables are still to be looked at, and the entry of the first that is next.
        self._tables: list[int] = []
        self._entry = 0
        #: More steps are needed to withhold pools. The least on the account while they were, and whether it has grown.
        self._withholds = False
        self._least = keyspace.used
        self._puts_back = False
        self.trims = 0

    def run(self) -> None:
        """Trim if enough has been freed, or enough time has passed. 1 us where there is nothing to do."""
        keyspace = self._keyspace
        used = keyspace.used
        self._peak = max(self._peak, used)
        now = self._clock()
        idle = now - self._trimmed_ns
        freed = self._peak - used
        if not self._figures.withheld:
            self._least = used
        running = self._figures.defragmenting = self._config.activedefrag and self._is_fragmented(used)
        due = (
            freed >= STEP
            or (self._collects and not keyspace.lazy_free)
            or (idle >= PAUSE_NS and keyspace.dirty != self._dirty)
            or (running and idle >= _DEFRAG_PAUSE_NS)
        )
        if now < self._not_before_ns:
            return
        if due:
            self._trim(freed, now)
            self._releases = True
        elif self._withholds:
            self._withholds = not self._figures.pools.withhold()
            self._account(now)
        elif self._releases:
            self._releases = not self._figures.pools.release()
            self._account(now)
        elif self._tables:
            self._release_entries()
            self._account(now)
        elif self._figures.withheld:
            self._follow_growth(used, now)

    def _release_entries(self) -> None:
        """A step through the tables of all databases; small ones take none."""
        databases = self._keyspace.databases
        while self._tables:
            table = databases[self._tables[-1]].data
            self._entry = self._figures.pools.release_entries(table, self._entry)
            if self._entry:
                return
            self._tables.pop()

    def _follow_growth(self, used: int, now: int) -> None:
        """Let the allocator have all pools again once there are more data."""
        self._least = min(self._least, used)
        if self._puts_back or used - self._least >= STEP:
            self._figures.withheld = self._puts_back = not self._figures.pools.put_back()
            self._account(now)

    def _is_fragmented(self, used: int) -> bool:
        config, figures = self._config, self._figures
        surplus = figures.resident - figures.startup - used
        figures.surplus_percent = 100 * surplus / max(used, 1)
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
            self._withholds = self._figures.withheld = True
            self._puts_back, self._least = False, keyspace.used
        if freed >= STEP:
            self._tables, self._entry = list(range(len(keyspace.databases))), 0
        self._give_back()
        self.trims += 1
        self._trimmed_ns = self._account(now)
        self._peak = keyspace.used
        self._dirty = keyspace.dirty

    def _account(self, began: int) -> int:
        """Count the time since ``began``, and have the next step wait for as long as the settings say. Returns now."""
        ended = self._clock()
        self._figures.trimmed_ns += ended - began
        self._not_before_ns = ended + (ended - began) * 100 // self._config.active_defrag_cycle_max
        return ended


def _forget_lookups() -> None:
    """Empty the interpreter's cache of attribute lookups, up to 4,096 entries, in 5 us.

    Each entry holds the name it was looked up by. gevent looks up ``stop`` from C, by a new string each time, whenever
    a timer has fired; thirty of those kept thirty arenas of 1 MB.
    """
    forget = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
    if forget is not None:
        forget()
