"""Redis 7.0's settings that do nothing in Kedis.

They are read, checked, kept and printed as Redis does, so that its configuration files and tools work.  A value
other than Redis's default is named in the log with the reason, which ``because`` and ``otherwise`` give; one of
:data:`REFUSED` is refused.  A setting that gains an effect moves to settings_table.py.
"""

from __future__ import annotations

from kedis.config.declare import Group, choice, flag, integer, memory, special, text
from kedis.config.setting_types import (
    INT_MAX,
    LLONG_MAX,
    UINT_MAX,
    ULLONG_MAX,
    Text,
    host_name,
    title_template,
)
from kedis.config.settings_table import WHO

_ONE_THREAD = "one thread serves all clients"
_TASKSET = "use taskset, or systemd's CPUAffinity"
_NOT_WRITTEN = "left to the administrator of the machine"
_TITLE = "the process is listed as Python's"


class Tuning(Group, title="snapshots, append-only file and freeing"):
    lazyfree_lazy_eviction = flag(
        False,
        "free evicted values in the background",
        otherwise="large ones always are: freed at once, a million elements would block all clients for 50 ms",
    )
    lazyfree_lazy_expire = flag(
        False, "free expired values in the background", otherwise="as lazyfree-lazy-eviction"
    )
    sanitize_dump_payload = choice(
        "no", ("no", "yes", "clients"), "check RESTORE payloads deeply", otherwise="they always are"
    )


class Replication(Group, title="replication", because="replicas are sent what is there at once"):
    replica_ignore_disk_write_errors = flag(
        False,
        "go on when a replica cannot write to its disk",
        otherwise="it always goes on, and writes its files anew when it can",
    )
    repl_disable_tcp_nodelay = flag(False, "save packets rather than time")


class Cluster(Group, title="cluster", because="there is no cluster"):
    cluster_enabled = flag(False, "be a node of a cluster", fixed=True)
    cluster_config_file = text("nodes.conf", "file that a node keeps", fixed=True)
    cluster_node_timeout = integer(15000, 0, LLONG_MAX, "milliseconds until a node counts as failing")
    cluster_port = integer(0, 0, 65535, "port of the cluster bus; 0 is port + 10000", fixed=True)
    cluster_announce_ip = text("", "address to tell the other nodes")
    cluster_announce_hostname: str = special(
        Text(host_name, "a host name"), "", "host name to tell the others"
    )
    cluster_announce_port = integer(0, 0, 65535, "port to tell the others")
    cluster_announce_tls_port = integer(0, 0, 65535, "TLS port to tell the others")
    cluster_announce_bus_port = integer(0, 0, 65535, "bus port to tell the others")
    cluster_preferred_endpoint_type = choice(
        "ip", ("ip", "hostname", "unknown-endpoint"), "what clients are redirected to"
    )
    cluster_require_full_coverage = flag(True, "stop when a slot has no node")
    cluster_allow_reads_when_down = flag(False, "read while the cluster is down")
    cluster_allow_pubsubshard_when_down = flag(True, "publish while the cluster is down")
    cluster_allow_replica_migration = flag(True, "move spare replicas to masters without one")
    cluster_migration_barrier = integer(1, 0, INT_MAX, "replicas that stay when one moves")
    cluster_replica_no_failover = flag(
        False, "never replace the master by itself", alias="cluster-slave-no-failover"
    )
    cluster_replica_validity_factor = integer(
        10, 0, INT_MAX, "how old a replica's data may be", alias="cluster-slave-validity-factor"
    )
    cluster_link_sendbuf_limit = memory(0, "most bytes waiting for a node; 0 is no limit", 0, ULLONG_MAX)


class Tls(
    Group,
    title="TLS in a cluster, and its cache",
    because="the cache of sessions is OpenSSL's, which keeps tickets with the clients",
):
    tls_cluster = flag(False, "TLS on the cluster bus", otherwise="there is no cluster")
    tls_session_cache_size = integer(20480, 0, INT_MAX, "sessions to keep")
    tls_session_cache_timeout = integer(300, 0, INT_MAX, "seconds to keep them")


class Modules(Group, title="modules", because="there are no modules"):
    enable_module_command = choice("no", WHO, "whether MODULE may be called", fixed=True)


class Structures(
    Group,
    title="inner structure of values",
    because="values are moved, and pages given back, in steps of a millisecond or two",
):
    activerehashing = flag(
        True, "rehash in the background", otherwise="the tables are Python's, which rehash at once"
    )
    list_compress_depth = integer(
        0,
        0,
        INT_MAX,
        "nodes at both ends of a list that stay uncompressed",
        otherwise="lists are not compressed in memory",
    )
    maxmemory_eviction_tenacity = integer(
        10,
        0,
        100,
        "how long a command may wait for evictions",
        otherwise="at most half a millisecond; the rest follows in later turns",
    )
    active_defrag_max_scan_fields = integer(1000, 1, LLONG_MAX, "elements handled in one step")
    jemalloc_bg_thread = flag(True, "let the allocator purge in a thread")


class Machine(Group, title="machine and process"):
    always_show_logo = flag(
        False, "show the banner at every start", fixed=True, otherwise="there is no banner"
    )
    dynamic_hz = flag(
        True, "more turns of background work with more clients", otherwise="hz is used as it is"
    )
    io_threads = integer(1, 1, 128, "threads that write to clients", fixed=True, otherwise=_ONE_THREAD)
    io_threads_do_reads = flag(False, "let them read as well", fixed=True, otherwise=_ONE_THREAD)
    server_cpulist = text(
        "", "processors of the main thread", fixed=True, name="server_cpulist", otherwise=_TASKSET
    )
    bio_cpulist = text(
        "", "processors of the background threads", fixed=True, name="bio_cpulist", otherwise=_TASKSET
    )
    aof_rewrite_cpulist = text(
        "", "processors of rewrites", fixed=True, name="aof_rewrite_cpulist", otherwise=_TASKSET
    )
    bgsave_cpulist = text(
        "", "processors of snapshots", fixed=True, name="bgsave_cpulist", otherwise=_TASKSET
    )
    socket_mark_id = integer(
        0, 0, UINT_MAX, "mark of the sockets, for routing", fixed=True, otherwise=_NOT_WRITTEN
    )
    disable_thp = flag(True, "switch huge pages off", fixed=True, otherwise=_NOT_WRITTEN)
    set_proc_title = flag(True, "show a title in the process list", fixed=True, otherwise=_TITLE)
    proc_title_template: str = special(
        Text(title_template, "a template of {title} {listen-addr} {server-mode} {port} and others"),
        "{title} {listen-addr} {server-mode}",
        "the title",
        otherwise=_TITLE,
    )
    crash_log_enabled = flag(
        True, "report crashes in the log", otherwise="faults of the code are always logged, with a traceback"
    )
    crash_memcheck_enabled = flag(
        True, "test the memory after a crash", otherwise="memory is the interpreter's"
    )
    use_exit_on_panic = flag(
        False, "exit rather than abort on a fault", hidden=True, otherwise="there is no abort"
    )
    loading_process_events_interval_bytes = integer(
        2 << 20,
        1024,
        INT_MAX,
        "bytes that are loaded between two looks at clients",
        hidden=True,
        otherwise="the time decides",
    )
    watchdog_period = integer(
        0,
        0,
        INT_MAX,
        "milliseconds of a stall that is logged",
        hidden=True,
        otherwise="stalls are measured always (LATENCY, metrics)",
    )
    ignore_warnings = text(
        "", "warnings of the start that are left out", otherwise="there is no such warning"
    )


#: Of these any value but Redis's default is refused, at the start and by CONFIG SET: whoever gives one counts on what
#: it does in Redis for safety or for the data, and would not notice that it does nothing.
REFUSED = frozenset(
    {
        "cluster-enabled",
        "socket-mark-id",
        "tls-cluster",
    }
)


class AcceptedSettings(Tuning, Replication, Cluster, Tls, Modules, Structures, Machine):
    """All of them as attributes of one class."""


#: Names for files and flags only: CONFIG does not know them.
DIRECTIVES = {
    "include": "read another file here; * ? and [ ] match several",
    "rename-command": "call a command by another name; an empty name removes it",
    "user": "define a user of the access control lists",
    "loadmodule": "load a module",
    "list-max-ziplist-entries": "gone since Redis 3.2",
    "list-max-ziplist-value": "gone since Redis 3.2",
}
#: Those of them with the effect that they have in Redis.
OBEYED_DIRECTIVES = frozenset({"include", "rename-command", "user"})
#: Those of them that are refused, with the reason.
REFUSED_DIRECTIVES = {
    "loadmodule": "there are no modules",
}
