"""What the live page shows, as plain data: numbers, text and lists that JSON has.

:meth:`LiveFigures.public` is what ``/metrics`` says as well. :meth:`LiveFigures.private` holds keys and arguments of
clients, and is for those who may run SLOWLOG GET. Durations are seconds, sizes bytes. Bytes of clients are made text,
for the page to escape.

The commands take the time: 5 us for one that is idle, 0.1 ms at most for one that was called within the window.
:meth:`LiveFigures.walk` reads them in pieces, between which clients can be served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from kedis import native
from kedis.engine.counters import Counters
from kedis.observability.info import section_fields
from kedis.observability.live_history import LiveHistory, all_fsyncs, shortened
from kedis.observability.metrics_reading import memory, not_ready
from kedis.observability.observer import Observer
from kedis.observability.recent import (
    NO_CALLS,
    WINDOW,
    Calls,
    RecentCalls,
    RecentHistogram,
    percentile,
)
from kedis.structures.histogram import Histogram
from kedis.version import VERSION

#: Entries of the slow log that are shown.
SLOW_CALLS = 20
_PERCENTILES = (50, 99, 99.9)
_NS = 1_000_000_000

Json = dict[str, Any]
Durations = list[float | None]


class LiveFigures:
    """The figures of ``observer`` for its page; to be read once a second, as the windows count by readings.

    Args:
        history: has just taken a sample when a reading begins.
    """

    def __init__(self, observer: Observer, history: LiveHistory) -> None:
        self._observer = observer
        self._history = history
        self._rows: dict[str, _CommandRow] = {}
        self._read_at: deque[int] = deque(maxlen=WINDOW + 1)
        self._commands: list[Json] = []
        self._waits = RecentHistogram()
        self._responses = RecentHistogram()
        self._turns = RecentHistogram()
        self._lags = RecentHistogram()
        self._fsyncs = RecentHistogram()
        self._commits = RecentHistogram()

    def walk(self) -> Iterator[None]:
        """Read the commands, for :meth:`public`; yields after each."""
        commands = []
        first = not self._read_at
        self._read_at.append(self._observer.engine.monotonic())
        seconds = max(self._read_at[-1] - self._read_at[0], 0) / _NS
        for row in self._observer.engine.table.every():
            if row.counters.is_used:
                known = self._rows.get(row.name)
                if known is None:
                    known = self._rows[row.name] = _CommandRow(row.name, is_new=not first)
                commands.append(known.read(row.counters, seconds))
                yield
        self._commands = commands

    def public(self) -> Json:
        """Every figure but those of single calls; commands as last walked."""
        self._observer.clients.update()
        return {
            "server": self._server(),
            "sample": self._history.newest(),
            "commands": self._commands,
            "memory": self._memory(),
            "keys": self._keys(),
            "clients": self._clients(),
            "loop": self._loop(),
            "disk": self._disk(),
            "replication": self._replication(),
        }

    def private(self) -> Json:
        """The slow log and the latency events.  O(entries shown)."""
        observer = self._observer
        return {
            "slowlog": [
                {
                    "id": call.id,
                    "at": call.at_seconds,
                    "duration": call.microseconds / 1e6,
                    "command": " ".join(map(shown, call.words)),
                    "client": call.address,
                    "name": shown(call.client_name),
                }
                for call in observer.slowlog.newest(SLOW_CALLS)
            ],
            "events": [
                {"event": shown(name), "at": at, "latest": latest / 1e3, "highest": highest / 1e3}
                for name, at, latest, highest in observer.latency.latest()
            ],
            "threshold": observer.latency.threshold_ms / 1e3,
        }

    def _server(self) -> Json:
        observer = self._observer
        engine = observer.engine
        return {
            "version": VERSION,
            "port": observer.server.port,
            "path": native.PATH,
            "role": dict(section_fields(observer, "Replication"))["role"],
            "uptime": max(engine.monotonic() - engine.started_monotonic_ns, 0) // _NS,
            "commands": observer.operations.latest[1],
            "errors": sum(engine.table.error_counts.values()),
            "faults": engine.faults,
            "not_ready": not_ready(observer),
        }

    def _memory(self) -> Json:
        observer = self._observer
        engine = observer.engine
        kinds = {name: int(value) for (name,), value in memory(observer)}
        known = sum(kinds.values())
        kinds["unused"] = max(observer.memory.resident - known, 0)
        return {
            "used": observer.used_memory,
            "peak": max(observer.memory.used_peak, observer.used_memory),
            "limit": engine.config.maxmemory,
            "policy": engine.config.maxmemory_policy,
            "resident": observer.memory.resident,
            "kinds": kinds,
            "lazy_free": len(engine.keyspace.lazy_free),
        }

    def _keys(self) -> Json:
        observer = self._observer
        keyspace = observer.engine.keyspace
        return {
            "hits": keyspace.hits,
            "misses": keyspace.misses,
            "expired": keyspace.expired_keys,
            "stale": observer.expiry.stale_percentage / 100 if observer.expiry is not None else 0,
            "evicted": sum(keyspace.eviction.evicted.values()),
            "evicted_by": {policy: count for policy, count in keyspace.eviction.evicted.items() if count},
            "databases": [
                {
                    "number": database.number,
                    "keys": database.keys,
                    "expiring": database.expiring,
                    "average_ttl": round(database.average_ttl_ms) / 1e3,
                }
                for database in observer.databases()
            ],
        }

    def _clients(self) -> Json:
        observer, server = self._observer, self._observer.server
        return {
            "connected": len(observer.engine.clients),
            "states": dict(observer.clients.states),
            "limit": observer.engine.config.maxclients,
            "input": observer.clients.input_bytes,
            "output": observer.clients.output_bytes,
            "accepted": server.connections_received,
            "rejected": server.rejected_connections,
            "closed_by_limits": server.query_buffer_disconnections
            + server.output_buffer_disconnections
            + server.idle_disconnections
            + server.evicted_clients,
        }

    def _loop(self) -> Json:
        turns = self._observer.server.cycle.figures
        return {
            "lag": _of_histogram(self._lags.sample(turns.lags)),
            "turn": _of_histogram(self._turns.sample(turns.turns)),
            "wait": _of_histogram(self._waits.sample(turns.waits)),
            "request": _of_histogram(self._responses.sample(turns.responses)),
        }

    def _disk(self) -> Json:
        observer = self._observer
        config = observer.engine.config
        fields = dict(section_fields(observer, "Persistence"))
        fsyncs = self._fsyncs.sample(all_fsyncs(observer))
        commits = self._commits.sample(observer.aof.group_commits)
        synced = sum(commits.counts)
        return {
            "appendonly": bool(fields["aof_enabled"]),
            "policy": config.appendfsync,
            "fsync": _of_histogram(fsyncs),
            "fsyncs": sum(fsyncs.counts),
            "group_commit": shortened(commits.total / synced) if synced else None,
            "delayed": observer.aof.aof_delayed_fsync,
            "pending": fields.get("aof_pending_bio_fsync", 0),
            "size": fields.get("aof_current_size", 0),
            "buffered": observer.aof.aof_buffer_length,
            "write_status": fields["aof_last_write_status"],
            "rewriting": observer.aof.rewrite_elapsed_seconds()
            if fields["aof_rewrite_in_progress"]
            else None,
            "rewrite_status": fields["aof_last_bgrewrite_status"],
            "saving": bool(fields["rdb_bgsave_in_progress"]),
            # Of which INFO gives the start where there is none yet.
            "saved_at": fields["rdb_last_save_time"] if fields["rdb_saves"] else None,
            "save_status": fields["rdb_last_bgsave_status"],
            "unsaved": fields["rdb_changes_since_last_save"],
        }

    def _replication(self) -> list[list[str]] | None:
        """The fields of INFO replication; None where the server has neither a master nor a replica."""
        fields = dict(section_fields(self._observer, "Replication"))
        if fields["role"] == "master" and not int(fields["connected_slaves"]):
            return None
        return [[name, str(value)] for name, value in fields.items()]


class _CommandRow:
    """One command on the page: what has changed since the last reading is computed anew.

    Args:
        is_new: it was not called before this reading.
    """

    def __init__(self, name: str, is_new: bool) -> None:
        self._name = name
        self._window = RecentCalls()
        if is_new:
            self._window.sample(Counters())
        self._all: Durations = []

    def read(self, counters: Counters, seconds: float) -> Json:
        """The row; ``seconds`` is the length of the window."""
        window = self._window
        if window.sample(counters) or not self._all:
            self._all = _percentiles(window.newest, NO_CALLS)
        newest, oldest = window.newest, window.oldest
        calls, spent = newest.calls - oldest.calls, newest.nanoseconds - oldest.nanoseconds
        return {
            "name": self._name,
            "calls": newest.calls,
            "failed": counters.failed + counters.rejected,
            "per_second": shortened(calls / seconds) if seconds else None,
            "share": shortened(spent / _NS / seconds) if seconds else None,
            "recent": _percentiles(newest, oldest),
            "all": self._all,
        }


def _percentiles(calls: Calls, before: Calls) -> Durations:
    """Seconds that 50, 99 and 99.9 % of the calls since ``before`` do not exceed, as INFO latencystats has them."""
    found = [calls.percentile_ns(percent, before) for percent in _PERCENTILES]
    return [None if value is None else value / _NS for value in found]


def _of_histogram(histogram: Histogram) -> Durations:
    """Seconds that 50, 99 and 100 % of the observations do not exceed; None without any."""
    found = [percentile(histogram, percent) for percent in (50, 99, 100)]
    return [None if value is None else shortened(value / _NS) for value in found]


def shown(words: bytes) -> str:
    """Bytes as text: control characters and what is no UTF-8 as escapes."""
    text = words.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
