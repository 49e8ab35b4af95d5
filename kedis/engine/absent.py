"""What the engine has in place of a port that nobody has set: a process, a loop, replication that are not there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from kedis.engine.ports import NamedClient
from kedis.engine.replication_ports import Upstream
from kedis.errors import CommandError, replication_errors, storage_errors
from kedis.process.threads import real_sleep


class NoProcess:
    """Null implementation for an engine without a process: it can only sleep."""

    can_migrate = shutdown_waits = False
    shutdown_in_ms = -1

    def shut_down(self, options: frozenset[str]) -> None: ...

    def join_shutdown(self, waiter: Any) -> None: ...

    def abort_shutdown(self) -> bool:
        return False

    def fail_over(self, target: tuple[str, int] | None, force: bool, timeout_ms: int) -> None:
        raise CommandError(replication_errors.FAILOVER_WITHOUT_REPLICAS)

    def abort_failover(self) -> None:
        raise CommandError(replication_errors.NO_FAILOVER)

    def rewrite_config(self) -> None: ...

    def migrate(self, client: Any, request: Any) -> None:
        raise CommandError(storage_errors.MIGRATE_NOWHERE)

    def sleep(self, seconds: float) -> None:
        real_sleep(seconds)

    def log(self, text: str) -> None: ...


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
    synchronisations = (0, 0)
    loads_beside = False

    def follow(self, host: str, port: int, who: str) -> bool:
        raise CommandError(replication_errors.NO_REPLICATION)

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
        *(
            "replicas",
            "replicas_online",
            "replicas_synchronising",
            "replica_lag_bytes",
            "replica_lag_seconds",
        ),
    ),
    0,
)


class NoReplication:
    """Null implementation for an engine without a network: a master without replicas."""

    fails_over = False

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
        raise CommandError(replication_errors.NO_REPLICAS_HERE)

    def take_over(self, client: Any, history: str) -> None:
        raise CommandError(replication_errors.NO_REPLICAS_HERE)

    def synchronize(self, client: Any, history: str | None, first: int) -> None:
        raise CommandError(replication_errors.NO_REPLICAS_HERE)

    def wait(self, client: Any, argv: Sequence[bytes], count: int, timeout_ms: int) -> Any:
        return 0

    def forget(self, client: Any) -> None: ...

    def publish(self, client: Any, argv: Sequence[bytes]) -> None: ...

    def divert(self, argv: Sequence[bytes]) -> None: ...

    def renew(self) -> None:
        self._id = secrets.token_hex(20)


class NoScripting:
    """The stand-in until the first script or library: the interpreter is made when it is needed."""

    def library_codes(self) -> list[bytes]:
        return []

    def figures(self) -> Mapping[str, int]:
        return NO_SCRIPTS

    def stop(self) -> bool:
        return True

    def cut_off(self) -> None: ...

    def follow_debug(self) -> None: ...
