"""The figures of a running engine beside its data: slow log, latency monitor, rates, memory, totals of clients.

The engine counts; this module samples.  INFO (:mod:`kedis.observability.info`) and the metrics are written from it;
:class:`kedis.observability.observer.Observer` is these figures together with their text.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kedis.config import Config
from kedis.engine.client import FOREVER_NS
from kedis.engine.engine import Engine
from kedis.engine.flags import FAST, SKIP_SLOWLOG
from kedis.engine.maxmemory import STARTUP_BYTES
from kedis.engine.ports import NamedClient, Persistence
from kedis.engine.table import Command
from kedis.observability.client_totals import ClientTotals
from kedis.observability.gc_pauses import GcPauses
from kedis.observability.latency import LatencyMonitor, cumulative_us
from kedis.observability.network_figures import NetworkFigures
from kedis.observability.process_memory import MemoryFigures
from kedis.observability.rates import Rate
from kedis.observability.slowlog import SlowLog, shown_words
from kedis.store.expiry import ActiveExpiry

_SAMPLE_INTERVAL_NS = 100_000_000
#: As SLOWLOG has them: that of the client that runs the commands of scripts.
_SHOWN_ADDRESSES = {"lua": "?:0"}


class DatabaseFigures(NamedTuple):
    """What is known of a database: keys, those with a time to live, and its average in ms."""

    number: int
    keys: int
    expiring: int
    average_ttl_ms: float


class Scrapes:
    """Scrapes of the metrics: how many have begun, and the time that they took.

    Attributes:
        info: every field of INFO, as it was when the last scrape began.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.spent_ns = 0
        self.info: dict[str, Any] = {}


class Figures:
    """The figures of ``engine``, and of the network server that it has, if any.

    Args:
        engine: its threshold follows the settings.
        expiry: the active expiry cycle, for its figures; None where there is none.
        network: the network server, for its figures; None where there is none.
    """

    def __init__(
        self, engine: Engine, expiry: ActiveExpiry | None = None, network: NetworkFigures | None = None
    ) -> None:
        config = engine.config
        self.engine = engine
        self.expiry = expiry
        self.network = network
        #: Names this run of the server; 40 hexadecimal digits, as Redis has them.
        self.run_id = secrets.token_hex(20)
        self.slowlog = SlowLog(config.slowlog_max_len)
        self.latency = LatencyMonitor()
        self.memory = MemoryFigures()
        self.clients = ClientTotals(engine, network)
        self.collector = GcPauses()
        self.scrapes = Scrapes()
        self.operations = Rate()
        self.input_bytes = Rate()
        self.output_bytes = Rate()
        self._sampled_ns = 0
        config.subscribe("slowlog-log-slower-than", self._follow_thresholds)
        config.subscribe("latency-monitor-threshold", self._follow_thresholds)
        config.subscribe("slowlog-max-len", self._follow_length)
        self._follow_thresholds(config)
        engine.memory.count = self._count_clients
        self.sample()

    @property
    def server(self) -> NetworkFigures:
        """The network server; only a server has metrics."""
        assert self.network is not None
        return self.network

    @property
    def aof(self) -> Persistence:
        """The append-only file of the server; only a server has metrics, and every server has this."""
        assert self.engine.persistence is not None
        return self.engine.persistence

    def reads(self) -> int:
        """Reads that brought commands; 0 where there is no network."""
        server = self.network
        return sum(server.cycle.figures.waits.counts) if server is not None else 0

    def writes(self) -> int:
        """Sends of a turn's replies to a client; 0 where there is no network."""
        server = self.network
        return sum(server.cycle.figures.responses.counts) if server is not None else 0

    def average_ttl_ms(self, database: int) -> float:
        """Running average of the time to live of keys with an expiry."""
        return self.expiry.average_ttl_ms[database] if self.expiry is not None else 0.0

    def sample(self) -> None:
        """Sample the figures that are averaged over time; no-op within 100 ms of the last call.

        About 100 us, most of it for the sum of calls of all commands.
        """
        now = self.engine.monotonic()
        if 0 <= now - self._sampled_ns < _SAMPLE_INTERVAL_NS:
            return
        self._sampled_ns = now
        if self.engine.config.maxmemory:
            self.engine.memory.count_clients(self._count_clients())
        elif self.clients.is_slow:
            self.clients.update()
        self.memory.sample(self.used_memory)
        self.operations.sample(now, self.total_calls())
        server = self.network
        if server is not None:
            self.input_bytes.sample(now, server.bytes_received)
            self.output_bytes.sample(now, server.bytes_sent)

    def databases(self, *, every: bool = False) -> Iterator[DatabaseFigures]:
        """The databases that have any key, or all; those of a router are its nodes'. O(databases + nodes)."""
        routing = self.engine.routing
        found = routing.databases() if routing is not None else {}
        for database in self.engine.keyspace.databases:
            number = database.number
            if routing is None:
                average = self.average_ttl_ms(number)
                figures = DatabaseFigures(number, len(database), len(database.expires), average)
            else:
                figures = DatabaseFigures(number, *found.get(number, (0, 0, 0.0)))
            if every or figures.keys:
                yield figures

    def _count_clients(self) -> int:
        self.clients.update()
        return self.clients.input_bytes + self.clients.output_bytes

    @property
    def used_memory(self) -> int:
        """Bytes of the empty server, keys and values, clients' buffers as last counted, and the journal's buffer."""
        buffered = getattr(self.engine.persistence, "aof_buffer_length", 0)
        clients = self.clients.input_bytes + self.clients.output_bytes
        return STARTUP_BYTES + self.engine.keyspace.used + clients + int(buffered)

    def total_calls(self) -> int:
        """Commands that have run since the start or CONFIG RESETSTAT.  O(commands)."""
        return sum([counters.calls for counters in self.engine.table.counters if counters.short_ns])

    def distribution(self, command: Command) -> dict[int, int]:
        """Microseconds -> how many calls of ``command`` took no longer (LATENCY HISTOGRAM)."""
        return cumulative_us(command.counters.durations())

    def reset(self) -> None:
        """CONFIG RESETSTAT: zero every figure that only grows."""
        self.engine.reset_counters()
        self.engine.replication.reset_figures()
        if self.expiry is not None:
            self.expiry.reset_counters()
        if self.network is not None:
            self.network.reset_counters()
        if self.engine.persistence is not None:
            self.engine.persistence.aof_delayed_fsync = 0
        self.memory.used_peak = self.used_memory
        self.engine.keyspace.lazy_free.freed_objects = 0

    def take_slow_call(
        self, client: NamedClient, command: Command, argv: Sequence[bytes], elapsed: int
    ) -> None:
        now = self.engine.clock() // 1_000_000_000
        slower_than = self.engine.config.slowlog_log_slower_than
        if 0 <= slower_than * 1000 <= elapsed and not command.flags & SKIP_SLOWLOG:
            words = shown_words(command, argv)
            address = _SHOWN_ADDRESSES.get(client.address, client.address)
            self.slowlog.add(now, elapsed // 1000, words, address, client.name)
        self.latency.add(b"fast-command" if command.flags & FAST else b"command", now, elapsed // 1_000_000)

    def release_memory(self) -> None:
        """MEMORY PURGE."""
        self.memory.give_back()

    def _follow_thresholds(self, config: Config) -> None:
        """Set the engine's threshold to the lower one of slow log and latency monitor."""
        self.latency.threshold_ms = config.latency_monitor_threshold
        slower_than = config.slowlog_log_slower_than
        slow_ns = slower_than * 1000 if slower_than >= 0 else FOREVER_NS
        if config.latency_monitor_threshold:
            slow_ns = min(slow_ns, config.latency_monitor_threshold * 1_000_000)
        self.engine.slow_ns = min(slow_ns, FOREVER_NS)

    def _follow_length(self, config: Config) -> None:
        self.slowlog.resize(config.slowlog_max_len)
