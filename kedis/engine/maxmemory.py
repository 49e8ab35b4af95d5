"""The memory limit: how much the data may occupy, and eviction above that.

The data may occupy ``maxmemory`` less :data:`STARTUP_BYTES` and the buffers of the clients. Once they exceed it, every
command passes :mod:`kedis.engine.admission`, and :meth:`MemoryLimit.make_room` evicts for a moment before the command
runs; the remaining evictions are done in later turns of the event loop.
"""

from __future__ import annotations

from collections.abc import Callable

from kedis.config import Config
from kedis.engine.ports import EventLoop
from kedis.engine.propagation import Propagation
from kedis.engine.restrictions import Restrictions
from kedis.store.keyspace import Keyspace

#: What the empty server counts for itself. As in Redis, a server with nothing in it is above 0, and a ``maxmemory``
#: below this refuses every write; it is small, so that it takes nothing to speak of from the data.
STARTUP_BYTES = 64 << 10
#: The limit in bytes when no limit is set.
UNLIMITED = 1 << 62

_COUNT_INTERVAL_NS = 10_000_000
_SETTINGS = (
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "lfu-log-factor",
    "lfu-decay-time",
    "lazyfree-lazy-server-del",
)


class MemoryLimit:
    """Compares the memory account with ``maxmemory`` and evicts.

    Attributes:
        limit: bytes that the data may occupy; negative where not even an empty server fits.
        clients_bytes: size of the buffers of all clients, as last counted.
        exceeded_ns: total time over the limit, in ns.
        exceeded_since_ns: time since when memory is over its limit, by the monotonic clock; 0: it is not.
        count: the size of the buffers of all clients now, or of a while ago where there are many.
        loop: event loop that calls :meth:`make_room` in a later turn.
    """

    def __init__(
        self,
        config: Config,
        keyspace: Keyspace,
        restrictions: Restrictions,
        propagation: Propagation,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        loop: EventLoop,
    ) -> None:
        self._config = config
        self._keyspace = keyspace
        self._restrictions = restrictions
        self._propagation = propagation
        self._clock = clock
        self._monotonic = monotonic
        self.loop = loop
        self.limit = UNLIMITED
        self.clients_bytes = 0
        self.count: Callable[[], int] = lambda: self.clients_bytes
        self._counted_ns = 0
        self.exceeded_ns = 0
        self.exceeded_since_ns = 0
        self._is_left_to_master = False
        for name in _SETTINGS:
            config.subscribe(name, self._follow)
        self._follow(config)

    def _follow(self, config: Config) -> None:
        keyspace = self._keyspace
        keyspace.lfu_log_factor = config.lfu_log_factor
        keyspace.lfu_decay_minutes = config.lfu_decay_time
        keyspace.now_ns = max(keyspace.now_ns, self._clock())
        keyspace.lazy_overwrite = config.lazyfree_lazy_server_del
        keyspace.track_access(config.maxmemory_policy)
        keyspace.eviction.follow(config.maxmemory_policy, config.maxmemory_samples)
        self.count_clients(self.clients_bytes)

    def count_clients(self, size: int) -> None:
        """Subtract ``size``, the bytes of the buffers of all clients, from the limit of the data."""
        self.clients_bytes = size
        limit = self._config.maxmemory
        is_limited = limit and not self._is_left_to_master
        self.limit = limit - STARTUP_BYTES - size if is_limited else UNLIMITED
        if self._keyspace.account.used > self.limit or self._restrictions.memory_full:
            self.fill_up()
            self.loop.evict_later()

    def _count_again(self) -> None:
        """Before keys are evicted: look whether the clients that took the room are gone, at most every 10 ms."""
        if not self.clients_bytes or self._keyspace.account.used <= self.limit:
            return
        now = self._monotonic()
        if not 0 <= now - self._counted_ns < _COUNT_INTERVAL_NS:
            self._counted_ns = now
            self.count_clients(self.count())

    def leave_to_master(self, left: bool) -> None:
        """Whether nothing is evicted or refused here, because a master does that (``replica-ignore-maxmemory``)."""
        if left != self._is_left_to_master:
            self._is_left_to_master = left
            self.count_clients(self.clients_bytes)

    def fill_up(self) -> None:
        """Mark memory as full: every command is checked until the data no longer exceed their limit."""
        self.exceeded_since_ns = self.exceeded_since_ns or self._monotonic()
        self._restrictions.set_memory(full=True, out_of_memory=self._restrictions.out_of_memory)

    def make_room(self) -> None:
        """Evict until the data fit the limit, for half a millisecond at most; the rest in later turns."""
        keyspace, restrictions = self._keyspace, self._restrictions
        self._count_again()
        out_of_memory = restrictions.out_of_memory
        if keyspace.account.used > self.limit and not restrictions.loading:
            out_of_memory = not keyspace.eviction.run(self.limit, self._monotonic)
            self._propagation.flush_batch()
        if keyspace.account.used <= self.limit:
            self.exceeded_ns += self._monotonic() - self.exceeded_since_ns if self.exceeded_since_ns else 0
            self.exceeded_since_ns = 0
            restrictions.set_memory(full=False)
        else:
            restrictions.set_memory(full=True, out_of_memory=out_of_memory)
            if not out_of_memory:
                self.loop.evict_later()
