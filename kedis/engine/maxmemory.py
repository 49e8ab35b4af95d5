"""The limit of memory: how much the data may occupy, and what happens when it occupies more.

``maxmemory`` less the buffers of the clients is what is left to the data.  Once the data exceeds it every command is
looked at (:mod:`kedis.engine.admission`), and :meth:`MemoryLimit.make_room` evicts for a moment before it runs; what
that does not achieve is done in later turns of the event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kedis.config import Config

if TYPE_CHECKING:
    from kedis.engine.engine import Engine

#: The limit in bytes where there is none.
UNLIMITED = 1 << 62

_SETTINGS = (
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "lfu-log-factor",
    "lfu-decay-time",
    "lazyfree-lazy-server-del",
)


class MemoryLimit:
    """Compares the account of memory with ``maxmemory`` and evicts.

    Attributes:
        limit: bytes that the data may occupy.
        full: whether they are exceeded.
        out_of_memory: whether nothing more may be evicted, so that what may grow is refused.
        clients_bytes: what the buffers of all clients occupy, as last counted.
        on_more_eviction: asks for :meth:`make_room` to be called in a later turn.
        exceeded_ns, exceeded_since_ns: how long memory was over its limit, and since when it is (0: it is not).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.limit = UNLIMITED
        self.full = False
        self.out_of_memory = False
        self.clients_bytes = 0
        self.on_more_eviction: Callable[[], None] = lambda: None
        self.exceeded_ns = 0
        self.exceeded_since_ns = 0

    def follow_settings(self) -> None:
        """Act by the settings from now on."""
        for name in _SETTINGS:
            self._engine.config.subscribe(name, self._follow)
        self._follow(self._engine.config)

    def _follow(self, config: Config) -> None:
        keyspace = self._engine.keyspace
        keyspace.lfu_log_factor = config.lfu_log_factor
        keyspace.lfu_decay_minutes = config.lfu_decay_time
        keyspace.now_ns = max(keyspace.now_ns, self._engine.clock())
        keyspace.lazy_overwrite = config.lazyfree_lazy_server_del
        keyspace.track(config.maxmemory_policy)
        keyspace.eviction.follow(config.maxmemory_policy, config.maxmemory_samples)
        self.count_clients(self.clients_bytes)

    def count_clients(self, size: int) -> None:
        """The buffers of all clients occupy ``size`` bytes: they leave so much less to the data."""
        self.clients_bytes = size
        limit = self._engine.config.maxmemory
        self.limit = max(limit - size, 0) if limit else UNLIMITED
        if self._engine.keyspace.used > self.limit or self.full:
            self.fill_up()
            self.on_more_eviction()

    def fill_up(self) -> None:
        """The data exceeds its limit: have every command looked at until it does so no longer."""
        self.full = True
        self.exceeded_since_ns = self.exceeded_since_ns or self._engine.monotonic()
        self._engine.update_guard()

    def make_room(self) -> None:
        """Evict what the limit demands, for half a millisecond; the rest in later turns."""
        keyspace = self._engine.keyspace
        if keyspace.used > self.limit and not self._engine.loading:
            self.out_of_memory = not keyspace.eviction.run(self.limit, self._engine.monotonic)
            self._engine.flush_pending()
        if keyspace.used <= self.limit:
            self.full = self.out_of_memory = False
            self.exceeded_ns += self._engine.monotonic() - self.exceeded_since_ns
            self.exceeded_since_ns = 0
            self._engine.update_guard()
        elif not self.out_of_memory:
            self.on_more_eviction()
