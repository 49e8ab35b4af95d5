"""The ports of the engine: the process, the event loop, persistence and observability, as Protocols.

Each port is an attribute of :class:`kedis.engine.client.Services`, which holds a null implementation
until the real one is set.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kedis import errors
from kedis.engine.table import Command
from kedis.errors import CommandError
from kedis.process.threads import real_sleep
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

    def reload(self) -> None:
        """DEBUG RELOAD. Raises CommandError."""

    def forget_changes(self) -> None:
        """Count the changes since the last snapshot from 0."""

    def flushed(self) -> None:
        """FLUSHALL: empty the snapshot as well."""


class Upstream(Protocol):
    """The link of a replica to its master."""

    @property
    def online(self) -> bool:
        """Whether the data are those of the master, whose stream is being followed."""

    @property
    def database(self) -> int:
        """The database that the next command of the stream is for."""

    def confirm(self) -> None:
        """Tell the master soon how far its stream was followed."""

    def info(self) -> Sequence[tuple[str, Any]]:
        """The lines of INFO replication from ``master_host`` to ``replica_announced``."""

    def role(self) -> list[Any]:
        """The reply to ROLE."""


class Following(Protocol):
    """The server as the replica of another one.

    Attributes:
        received_bytes: of masters, since the start.
        loads_beside: a snapshot is being loaded beside the data, which are served meanwhile.
    """

    @property
    def received_bytes(self) -> int: ...

    @property
    def loads_beside(self) -> bool: ...

    def follow(self, host: str, port: int, who: str) -> bool:
        """REPLICAOF by the client ``who``; False where that is the master already. Raises CommandError."""

    def lead(self, who: str) -> None:
        """REPLICAOF NO ONE by the client ``who``: be a master. Idempotent."""

    @property
    def upstream(self) -> Upstream | None:
        """The link to the master; None while this server is a master."""

    def notes(self) -> Mapping[str, str]:
        """What a snapshot is to say of the place in the stream at which it stands."""


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


class AttachedReplica(Protocol):
    """What a client is as a replica of this server; ``attached`` once it has asked to be synchronised."""

    @property
    def attached(self) -> bool: ...

    def unsent_bytes(self) -> int:
        """Bytes of the stream that it has not taken yet."""


class Replication(Protocol):
    """Replication: the history of this server, and its replicas."""

    def info(self) -> Sequence[tuple[str, Any]]:
        """The fields of INFO replication."""

    def role(self) -> list[Any]:
        """ROLE."""

    def figures(self) -> Mapping[str, int]:
        """Figures of other sections of INFO, and of the metrics, by name: ``sync_full``, ``replicas_online``, ..."""

    def reset_figures(self) -> None:
        """Zero the figures that only grow (CONFIG RESETSTAT)."""

    def notes(self) -> Mapping[str, str]:
        """What a snapshot says of the history whose data it holds; nothing where there is none."""

    def configure(self, client: Any, option: bytes, value: bytes) -> bool:
        """REPLCONF with one option. Returns whether it is answered; raises CommandError."""

    def take_over(self, client: Any, history: str) -> None:
        """Become the master of the history that ``client`` has led so far (PSYNC FAILOVER). Raises CommandError."""

    def synchronize(self, client: Any, history: str | None, first: int) -> None:
        """Make ``client`` a replica, and answer it (PSYNC; ``history`` None: SYNC). Raises CommandError.

        Args:
            first: number of the first byte of the stream that it lacks.
        """

    def wait(self, client: Any, argv: Sequence[bytes], count: int, timeout_ms: int) -> Any:
        """WAIT: the number of replicas that have all changes up to now; blocks until there are ``count``."""

    def forget(self, client: Any) -> None:
        """Handle that ``client``, a replica, is gone."""

    def publish(self, client: Any, argv: Sequence[bytes]) -> None:
        """Record ``argv`` of ``client``, which changes no data, for replicas alone (PUBLISH)."""


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


class NoProcess:
    """Null implementation for an engine without a process: it can only sleep."""

    can_migrate = shutdown_waits = False

    def shut_down(self, options: frozenset[str]) -> None: ...

    def join_shutdown(self, waiter: Any) -> None: ...

    def abort_shutdown(self) -> bool:
        return False

    def fail_over(self, target: tuple[str, int] | None, force: bool, timeout_ms: int) -> None:
        raise CommandError(errors.FAILOVER_WITHOUT_REPLICAS)

    def abort_failover(self) -> None:
        raise CommandError(errors.NO_FAILOVER)

    def rewrite_config(self) -> None: ...

    def migrate(self, client: Any, request: Any) -> None:
        raise CommandError(errors.MIGRATE_NOWHERE)

    def sleep(self, seconds: float) -> None:
        real_sleep(seconds)


class NoEventLoop:
    """Null implementation for an engine without an event loop."""

    def unpaused(self) -> None: ...

    def evict_later(self) -> None: ...

    def await_deadline(self, at_ns: int) -> None: ...

    def broadcast_later(self) -> None: ...

    def refused_browser(self, client: NamedClient) -> None: ...

    def turn(self, client: Any) -> None: ...


class NoFollowing:
    """Null implementation for an engine that cannot be a replica."""

    received_bytes = 0
    loads_beside = False

    def follow(self, host: str, port: int, who: str) -> bool:
        raise CommandError(errors.NO_REPLICATION)

    def lead(self, who: str) -> None: ...

    upstream: Upstream | None = None

    def notes(self) -> Mapping[str, str]:
        return {}


class NoDurability:
    """Null implementation for an engine without persistence."""

    def distrust(self, changed: bool) -> None: ...

    def unrecorded(self, error: BaseException) -> None: ...


#: The figures of INFO memory where no script has ever run.
NO_SCRIPTS: Mapping[str, int] = dict.fromkeys(
    (
        *(
            "used_memory_vm_eval",
            "used_memory_scripts_eval",
            "number_of_cached_scripts",
            "number_of_functions",
        ),
        *("number_of_libraries", "used_memory_vm_functions", "used_memory_functions"),
    ),
    0,
)


#: The figures of INFO where there was never a replica.
NO_REPLICAS: Mapping[str, int] = dict.fromkeys(
    (
        *("sync_full", "sync_partial_ok", "sync_partial_err", "total_net_repl_output_bytes"),
        *("mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"),
        *("replicas_online", "replicas_synchronising", "replica_lag_bytes", "replica_lag_seconds"),
    ),
    0,
)


class NoReplication:
    """Null implementation for an engine without a network: a master without replicas."""

    def __init__(self) -> None:
        self._id = secrets.token_hex(20)

    def info(self) -> Sequence[tuple[str, Any]]:
        return (
            ("role", "master"),
            ("connected_slaves", 0),
            ("master_failover_state", "no-failover"),
            ("master_replid", self._id),
            ("master_replid2", "0" * 40),
            ("master_repl_offset", 0),
            ("second_repl_offset", -1),
            ("repl_backlog_active", 0),
            ("repl_backlog_size", 0),
            ("repl_backlog_first_byte_offset", 0),
            ("repl_backlog_histlen", 0),
        )

    def role(self) -> list[Any]:
        return [b"master", 0, []]

    def figures(self) -> Mapping[str, int]:
        return NO_REPLICAS

    def reset_figures(self) -> None: ...

    def notes(self) -> Mapping[str, str]:
        return {}

    def configure(self, client: Any, option: bytes, value: bytes) -> bool:
        raise CommandError(errors.NO_REPLICAS_HERE)

    def take_over(self, client: Any, history: str) -> None:
        raise CommandError(errors.NO_REPLICAS_HERE)

    def synchronize(self, client: Any, history: str | None, first: int) -> None:
        raise CommandError(errors.NO_REPLICAS_HERE)

    def wait(self, client: Any, argv: Sequence[bytes], count: int, timeout_ms: int) -> Any:
        return 0

    def forget(self, client: Any) -> None: ...

    def publish(self, client: Any, argv: Sequence[bytes]) -> None: ...


class NoScripting:
    """The stand-in until the first script or library: the interpreter is made when it is needed."""

    def library_codes(self) -> list[bytes]:
        return []

    def figures(self) -> Mapping[str, int]:
        return NO_SCRIPTS

    def stop(self) -> bool:
        return True

    def cut_off(self) -> None: ...
