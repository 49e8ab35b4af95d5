"""The ports of the engine: the process, the event loop, persistence, a router and observability, as Protocols.

Each port is an attribute of :class:`kedis.engine.client.Services`, which holds a null implementation
(:mod:`kedis.engine.absent`) until the real one is set. Those of replication are in
:mod:`kedis.engine.replication_ports`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from kedis.engine.table import Command
from kedis.structures.histogram import Histogram


class NamedClient(Protocol):
    """The attributes of a client that logs and the slow log use."""

    address: str
    name: bytes


class Process(Protocol):
    """The process around the engine."""

    def shut_down(self, options: frozenset[str]) -> None:
        """End the server by the options of SHUTDOWN. Raises CommandError when saving fails."""

    @property
    def shutdown_waits(self) -> bool:
        """Whether a shutdown waits for replicas."""

    def join_shutdown(self, waiter: Any) -> None:
        """Answer ``waiter``, a blocked client's, with an error if the shutdown that waits does not come."""

    @property
    def shutdown_in_ms(self) -> int:
        """How long the shutdown that waits for replicas does so at most from now on; -1 where none waits."""

    def abort_shutdown(self) -> bool:
        """End the shutdown that waits, and go on; False when there is none."""

    def fail_over(self, target: tuple[str, int] | None, force: bool, timeout_ms: int) -> None:
        """FAILOVER to a replica, ``target`` or any (:mod:`kedis.server.failover`). Raises CommandError."""

    def abort_failover(self) -> None:
        """FAILOVER ABORT. Raises CommandError."""

    def rewrite_config(self) -> None:
        """Write the configuration file (CONFIG REWRITE). Raises CommandError."""

    def migrate(self, client: Any, request: Any) -> None:
        """Carry out a MIGRATE for ``client``, which is blocked until it ends."""

    @property
    def can_migrate(self) -> bool:
        """Whether :meth:`migrate` can talk to other servers."""

    def sleep(self, seconds: float) -> None:
        """Block the whole server (DEBUG SLEEP)."""

    def log(self, text: str) -> None:
        """Write a warning to the log (DEBUG LOG, RESTORE)."""


class EventLoop(Protocol):
    """The event loop, which runs work of the engine in later turns."""

    def unpaused(self) -> None:
        """Resume the clients that waited for the end of CLIENT PAUSE."""

    def evict_later(self) -> None:
        """Call :meth:`kedis.engine.maxmemory.MemoryLimit.make_room` in a later turn."""

    def await_deadline(self, at_ns: int) -> None:
        """Call :meth:`kedis.engine.blocking.Blocking.expire` at ``at_ns`` of the monotonic clock, the next deadline."""

    def broadcast_later(self) -> None:
        """Call ``tracking.broadcast`` at the end of this turn."""

    def refused_browser(self, client: NamedClient) -> None:
        """Report ``client``, which speaks HTTP and is about to be closed."""

    def turn(self, client: Any) -> None:
        """Let the loop make a turn, in which others' requests run: a script of ``client`` is over its time limit."""


class Durability(Protocol):
    """The policy that keeps the append-only file equal to memory."""

    def distrust(self, changed: bool) -> None:
        """Handle an answered internal error; ``changed``: the data may differ from the recorded changes."""

    def unrecorded(self, error: BaseException) -> None:
        """Handle a change that could not be recorded in the propagation stream."""


class LoadProgress(Protocol):
    """The progress of loading at the start: bytes so far, and of all files."""

    loaded_bytes: int
    total_bytes: int


class Persistence(Protocol):
    """The figures of the append-only file for commands and metrics; 0 and False where there is none."""

    @property
    def aof_buffer_length(self) -> int:
        """Bytes recorded and not written yet."""

    aof_rewrite_in_progress: bool
    aof_rewrite_scheduled: bool
    awaits_child: bool
    """Whether the rewrite under way has no child process yet."""
    rewrite_waiters: list[Callable[[str | None], None]]
    """Called once, when that has begun, or with the reason why it will not."""
    aof_delayed_fsync: int
    fsyncs: Mapping[str, Histogram]
    """Duration of the syncs in nanoseconds, by policy."""
    group_commits: Histogram
    """Changes made durable by one sync."""

    @property
    def load_progress(self) -> LoadProgress | None:
        """The progress of loading; None where nothing was loaded."""

    def rewrite_written_bytes(self) -> int:
        """Size of the new base so far, in bytes."""

    def rewrite_elapsed_seconds(self) -> float:
        """Duration of the rewrite under way."""

    def request_rewrite(self) -> None:
        """BGREWRITEAOF: begin now, or as soon as nothing else is under way."""

    def reload(self) -> None:
        """DEBUG LOADAOF. Raises CommandError with the data as they were, any other exception where they are not."""


class Snapshots(Protocol):
    """The snapshots of the data (dump.rdb)."""

    @property
    def rdb_bgsave_in_progress(self) -> int:
        """1 while a BGSAVE is under way, else 0."""

    rdb_last_save_time: int
    """Seconds since 1970."""

    def save(self) -> None:
        """SAVE. Raises CommandError."""

    def background(self, *, schedule: bool) -> bytes:
        """BGSAVE, deferred if ``schedule`` and it cannot start now. Returns the status; raises CommandError."""

    def reload(self, *, saves: bool, empties: bool, merges: bool) -> None:
        """DEBUG RELOAD: save first, load in place of the data, replace keys that are there. Raises CommandError."""

    def forget_changes(self) -> None:
        """Count the changes since the last snapshot from 0."""

    def flushed(self) -> None:
        """FLUSHALL: empty the snapshot as well."""


class ShardFigures(Protocol):
    """The figures of a node that a router sends requests to."""

    @property
    def shown(self) -> str:
        """``host:port``."""

    @property
    def durations(self) -> Histogram:
        """Of the requests, from their coming to the reply, in ns."""

    @property
    def retries(self) -> Mapping[str, int]:
        """By reason."""

    @property
    def redirects(self) -> Mapping[str, int]:
        """By kind."""

    @property
    def up(self) -> bool:
        """Whether it could be reached when that was last tried."""

    @property
    def in_flight(self) -> int:
        """Requests without a reply."""

    def connections(self, kind: str) -> int:
        """Open connections that are ``shared``, or the ``own`` ones of one client at a time."""


class Routing(Protocol):
    """What serves requests in place of a keyspace: a router (:mod:`kedis.router`)."""

    topology_changes: int

    def info(self) -> Iterable[tuple[str, Any]]:
        """The fields of INFO router."""

    def databases(self) -> Mapping[int, tuple[int, int, float]]:
        """Number -> keys, those with a time to live, and its average in ms: of all masters, as they last said."""

    def shards(self) -> Sequence[ShardFigures]:
        """The masters."""

    def all_nodes(self) -> Sequence[ShardFigures]:
        """All nodes that requests were sent to, replicas included."""


class Scripting(Protocol):
    """Lua scripts and functions, as far as persistence and INFO look at them."""

    def library_codes(self) -> list[bytes]:
        """The code of each library of functions."""

    def figures(self) -> Mapping[str, int]:
        """What INFO memory shows of scripts: bytes and counts."""

    def stop(self) -> bool:
        """The server is to end: end the script that is over its time limit, unless it has written.

        One that has is waited for; False once it has had the time for that.
        """

    def cut_off(self) -> None:
        """The server ends now: end the running script, if there is one.  Its unit is not recorded."""

    def follow_debug(self) -> None:
        """DEBUG has changed what scripts may call."""


class SlowLog(Protocol):
    """The calls that took longer than ``slowlog-log-slower-than``."""

    def __len__(self) -> int: ...

    def newest(self, count: int) -> Sequence[Any]:
        """The last ``count`` calls, newest first."""

    def reset(self) -> None:
        """Remove all entries."""


class LatencyEvents(Protocol):
    """The latency monitor."""

    def latest(self) -> Sequence[Any]:
        """LATENCY LATEST."""

    def history(self, name: bytes) -> Sequence[Any]:
        """LATENCY HISTORY."""

    def graph(self, name: bytes, now_seconds: int) -> str | None:
        """LATENCY GRAPH; None where there is no such event."""

    def report(self) -> str:
        """LATENCY DOCTOR."""

    def reset(self, names: Sequence[bytes]) -> int:
        """LATENCY RESET."""


class MemoryFigures(Protocol):
    """The process's memory in bytes, as last sampled: at the start, now, and the peak used by the data."""

    startup: int
    resident: int
    used_peak: int

    def sample(self, used: int) -> None:
        """Sample the memory; ``used`` is the memory account, in bytes."""


class ClientTotals(Protocol):
    """The sums of the clients' buffers in bytes, as last counted."""

    input_bytes: int
    output_bytes: int

    def update(self) -> None:
        """Recompute the sums. O(clients)."""


class Observer(Protocol):
    """INFO, the slow log, the latency monitor, and memory figures."""

    @property
    def slowlog(self) -> SlowLog: ...

    @property
    def latency(self) -> LatencyEvents: ...

    @property
    def memory(self) -> MemoryFigures: ...

    @property
    def clients(self) -> ClientTotals: ...

    @property
    def used_memory(self) -> int: ...

    def take_slow_call(
        self, client: NamedClient, command: Command, argv: Sequence[bytes], elapsed_ns: int
    ) -> None:
        """Record a call that took longer than ``Services.slow_ns``."""

    def info(self, sections: Sequence[bytes]) -> bytes:
        """The text of INFO."""

    def distribution(self, command: Command) -> Mapping[int, int]:
        """Microseconds -> number of calls that took at most as long."""

    def reset(self) -> None:
        """CONFIG RESETSTAT."""

    def release_memory(self) -> None:
        """MEMORY PURGE: return freed memory to the operating system."""
