"""The settings of a replica."""

from __future__ import annotations

from kedis.config.declare import Group, choice, flag, integer, special, text
from kedis.config.list_types import ReplicaOf
from kedis.config.setting_types import INT_MAX


class FollowingSettings(Group, title="replica of another server", effective=True):
    replicaof: str = special(ReplicaOf(), "", "host and port to copy from", alias="slaveof", fixed=True)
    masterauth = text("", "password for the master", secret=True)
    masteruser = text("", "user for the master", secret=True)
    replica_serve_stale_data = flag(
        True, "answer while cut off from the master", alias="slave-serve-stale-data"
    )
    replica_read_only = flag(True, "refuse writes on a replica", alias="slave-read-only")
    replica_ignore_maxmemory = flag(True, "leave eviction to the master", alias="slave-ignore-maxmemory")
    replica_lazy_flush = flag(
        False, "free the old data in the background, while a full copy is loaded", alias="slave-lazy-flush"
    )
    replica_priority = integer(100, 0, INT_MAX, "rank for a failover; 0 is never", alias="slave-priority")
    replica_announced = flag(True, "let Sentinel report this replica")
    replica_announce_ip = text("", "address to report to the master", alias="slave-announce-ip")
    replica_announce_port = integer(0, 0, 65535, "port to report to the master", alias="slave-announce-port")
    repl_diskless_load = choice(
        "disabled",
        ("disabled", "on-empty-db", "swapdb"),
        "read a full copy as it comes: never, when there are no data, or beside them",
        otherwise="whatever it is, a copy that is damaged leaves the old data as they are",
    )
    key_load_delay = integer(
        0,
        -INT_MAX - 1,
        INT_MAX,
        "microseconds of pause a key loaded, for tests",
        hidden=True,
        otherwise="a negative one is none",
    )
    rdb_del_sync_files = flag(
        False, "without other persistence, do not keep the files by which full copies came"
    )
    repl_timeout = integer(60, 1, INT_MAX, "seconds of silence that end a link")
