"""The settings with an effect in Kedis, by group.  Those of Redis without one: ignored.py.

Each is declared once: default, bounds, a line of help and, unless it may change while the server runs,
``fixed``.  Flags, the file, CONFIG and the docs all read this.  Names and defaults are Redis 7.0's; where they
are not, ``redis_default``, ``reason`` and ``otherwise`` say so (docs/reference/settings.md shows them side by side).
"""

from __future__ import annotations

from kedis.config.declare import Group, choice, flag, integer, memory, special, text
from kedis.config.list_types import (
    Addresses,
    Choices,
    EventClasses,
    HostNames,
    OomScores,
    OutputLimit,
    OutputLimits,
    Percentiles,
    SavePoints,
    StreamKeys,
)
from kedis.config.replica_settings import FollowingSettings
from kedis.config.setting_types import (
    INT_MAX,
    LLONG_MAX,
    UINT_MAX,
    ULLONG_MAX,
    Choice,
    Folder,
    MemoryOrPercent,
    Octal,
    PortOrNo,
    Text,
    file_name,
)
from kedis.config.tls_settings import TlsSettings
from kedis.config.upstream_settings import UpstreamSettings

FACILITIES = ("user", *(f"local{number}" for number in range(8)))
LEVELS = ("debug", "verbose", "notice", "warning")
POLICIES = (
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
)
SUPERVISORS = ("upstart", "systemd", "auto", "no")
#: Default save points without an append-only file.
SAVE_POINTS = ((3600, 1), (300, 100), (60, 10000))
WHO = ("no", "yes", "local")
SHUTDOWN_OPTIONS = ("save", "nosave", "now", "force")
OUTPUT_LIMITS: dict[str, OutputLimit] = {
    "normal": (0, 0, 0),
    "replica": (256 << 20, 64 << 20, 60),
    "pubsub": (32 << 20, 8 << 20, 60),
}


class Network(Group, title="network", effective=True):
    port = integer(
        6379,
        0,
        65535,
        "TCP port; 0 takes a free one, or is none where tls-port is given",
        otherwise="in Redis 0 is no TCP port at all",
    )
    bind: tuple[str, ...] = special(
        Addresses(),
        ("127.0.0.1", "-::1"),
        "addresses to listen on; - before one: only if the machine has it",
        redis_default="* -::*",
        reason="other machines are let in on request only",
    )
    bind_source_addr = text(
        "", "address from which a replica connects to its master; none: the system's choice"
    )
    unixsocket = text("", "path of a Unix socket to listen on as well", fixed=True)
    unixsocketperm: int = special(
        Octal(0, 0o777), 0, "permissions of the Unix socket; 0 leaves them", fixed=True
    )
    tcp_backlog = integer(511, 0, INT_MAX, "connections that the kernel keeps waiting", fixed=True)
    tcp_keepalive = integer(300, 0, INT_MAX, "seconds of silence before TCP probes the peer; 0 is never")
    timeout = integer(0, 0, INT_MAX, "seconds of idleness before a client is closed; 0 is never")


class Clients(Group, title="clients", effective=True):
    maxclients = integer(10000, 1, UINT_MAX, "connections served at a time")
    client_query_buffer_limit = memory(1 << 30, "most bytes of an unfinished request", 1 << 20)
    proto_max_bulk_len = memory(512 << 20, "longest argument, and longest string value", 1 << 20)
    client_output_buffer_limit: dict[str, OutputLimit] = special(
        OutputLimits(),
        OUTPUT_LIMITS,
        "class, hard limit, soft limit, seconds: unread replies that cut a client off",
        otherwise="more seconds than 32 bits hold are refused; Redis keeps those bits",
    )
    tracking_table_max_keys = integer(
        1000000, 0, LLONG_MAX, "keys remembered for clients that cache; 0 is no limit"
    )
    maxmemory_clients: int = special(
        MemoryOrPercent(), 0, "memory for all clients together, or a share of maxmemory; 0 is no limit"
    )


class Security(Group, title="security", effective=True):
    requirepass = text("", "password that clients give with AUTH; empty is none", secret=True)
    aclfile = text("", "file of users, a line for each; a relative path is seen from dir", fixed=True)
    acl_pubsub_default = choice(
        "resetchannels", ("allchannels", "resetchannels"), "channels that a new user may use"
    )
    acllog_max_len = integer(128, 0, LLONG_MAX, "denials that ACL LOG remembers")
    protected_mode = flag(True, "without a password, refuse clients from other machines")
    enable_debug_command = choice(
        "no", WHO, "whether DEBUG may be called: no, yes, local clients", fixed=True
    )
    enable_protected_configs = choice(
        "no", WHO, "whether CONFIG SET may change protected settings: no, yes, local clients", fixed=True
    )


class Process(Group, title="process and log", effective=True):
    daemonize = flag(
        False,
        "run in the background, unless something supervises the server",
        fixed=True,
        otherwise="the command returns when the port is open, and fails when that fails; Redis's returns at once",
    )
    pidfile = text(
        "",
        "file that holds the process id; with daemonize /var/run/redis.pid where none is given",
        fixed=True,
        otherwise="a relative path is seen from where the server was started, as that of logfile; in Redis from dir",
    )
    supervised = choice(
        "auto",
        SUPERVISORS,
        "tell systemd (NOTIFY_SOCKET) or upstart (UPSTART_JOB) when the server is ready; auto: whichever is there",
        fixed=True,
        redis_default="no",
        reason="a unit of Type=notify needs no setting; without such a unit it is the same",
    )
    umask: int = special(
        Octal(0, 0o777),
        0,
        "permissions that no file gets, such as 077: only the user of the server may read them; 0 leaves it as it is",
        fixed=True,
        own=True,
    )
    logfile = text(
        "",
        "file to log to; empty is standard output",
        fixed=True,
        otherwise="a relative path is seen from where the server was started; in Redis from dir",
    )
    syslog_enabled = flag(False, "log to the system's log (syslog) as well", fixed=True)
    syslog_ident = text("redis", "name of the server there", fixed=True)
    syslog_facility = choice("local0", FACILITIES, "facility there", fixed=True)
    loglevel = choice("notice", LEVELS, "how much to log", otherwise="debug and verbose are the same")
    databases = integer(16, 1, INT_MAX, "number of databases", fixed=True)
    hz = integer(10, 0, INT_MAX, "turns of background work a second", clamp=(1, 500))
    active_expire_effort = integer(1, 1, 10, "how hard to look for expired keys")
    shutdown_timeout = integer(
        10,
        0,
        INT_MAX,
        "seconds that a shutdown waits for replicas, for the disk, and for a script that has written",
        otherwise="Redis waits for the disk without end",
    )
    shutdown_on_sigint: tuple[str, ...] = special(
        Choices(SHUTDOWN_OPTIONS), (), "options of the shutdown that SIGINT asks for"
    )
    shutdown_on_sigterm: tuple[str, ...] = special(
        Choices(SHUTDOWN_OPTIONS), (), "options of the shutdown that SIGTERM asks for"
    )
    oom_score_adj: str = special(
        Choice(("no", "yes", "relative", "absolute"), {"relative": "yes"}),
        "no",
        "whether the kernel's OOM score of the process is adjusted, relative to what it is or absolute",
    )
    oom_score_adj_values: tuple[int, ...] = special(
        OomScores(), (0, 200, 800), "adjustment of a master, of a replica, and of a child that saves"
    )


class MemoryUse(Group, title="memory", effective=True):
    maxmemory = memory(
        0,
        "most bytes of data; 0 is no limit",
        0,
        ULLONG_MAX,
        otherwise="compared with the account of keys, values and buffers; the interpreter (25 MB) is not in it",
    )
    maxmemory_policy = choice("noeviction", POLICIES, "which keys go when memory is full")
    maxmemory_samples = integer(5, 1, INT_MAX, "keys compared for each eviction")
    lfu_log_factor = integer(10, 0, INT_MAX, "how slowly the LFU counter rises")
    lfu_decay_time = integer(1, 0, INT_MAX, "minutes after which the LFU counter falls by one")
    lazyfree_lazy_server_del = flag(False, "free overwritten values in the background")
    lazyfree_lazy_user_del = flag(False, "DEL frees in the background, as UNLINK does")
    lazyfree_lazy_user_flush = flag(False, "FLUSHALL and FLUSHDB free in the background")
    activedefrag = flag(
        False,
        "give free memory back each second, and move small values together, while much is fragmented",
        otherwise="values move on the native path alone; free memory is given back anyway, each 4 MB and every 5 s",
    )
    active_defrag_cycle_min = integer(1, 1, 99, "least share of the time for moving values, in percent")
    active_defrag_cycle_max = integer(25, 1, 99, "most share of the time for moving values, in percent")
    active_defrag_ignore_bytes = memory(100 << 20, "fragmentation not worth starting for", 1)
    active_defrag_threshold_lower = integer(10, 0, 1000, "percent of fragmentation to start at")
    active_defrag_threshold_upper = integer(100, 0, 1000, "percent of fragmentation for most effort")


class Scripts(Group, title="scripts and functions", effective=True):
    busy_reply_threshold = integer(
        5000,
        0,
        LLONG_MAX,
        "milliseconds after which a script may be killed and other clients are told BUSY; 0 is never",
        alias="lua-time-limit",
    )
    lua_maxmemory = memory(
        256 << 20,
        "most bytes that Lua may occupy for all scripts and functions; what needs more is answered with an error",
        8 << 20,
        own=True,
        otherwise="Redis has no such limit, and ends when there is no memory left",
    )


class Snapshots(Group, title="snapshots (RDB)", effective=True):
    save: tuple[tuple[int, int], ...] = special(
        SavePoints(),
        SAVE_POINTS,
        'seconds and changes after which to save; "" is none; not given, appendonly yes needs none',
        redis_default=SavePoints().text(SAVE_POINTS),
        otherwise="more changes than 32 bits hold are refused; Redis keeps those bits",
        reason="with the append-only file every change is kept already; with appendonly no Redis's hold",
    )
    dbfilename: str = special(
        Text(file_name("dbfilename", "filename", may_be_empty=True), "a name without a path"),
        "dump.rdb",
        "file of the snapshot, inside dir",
        protected=True,
    )
    rdb_key_save_delay = integer(
        0,
        -INT_MAX - 1,
        INT_MAX,
        "microseconds of pause behind each key of a snapshot, for tests; -10: a microsecond behind every tenth",
        hidden=True,
    )
    unsupported_data = choice(
        "refuse",
        ("refuse", "drop"),
        "drop: leave out what this version cannot hold of snapshots and payloads, instead of refusing them: values of "
        "modules, hash fields with a time to live",
        own=True,
    )
    rdbcompression = flag(
        False,
        "compress strings in the snapshot",
        redis_default="yes",
        reason="Python compresses about 5 MB a second",
    )
    rdbchecksum = flag(True, "end the snapshot with a checksum", fixed=True)
    rdb_save_incremental_fsync = flag(True, "sync in steps while saving")
    stop_writes_on_bgsave_error = flag(True, "refuse writes after a failed snapshot")
    aof_use_rdb_preamble = flag(
        False,
        "begin a rewritten append-only file with a snapshot",
        redis_default="yes",
        reason="commands can be read, and are checked by a checksum every 64 KB instead of one for the whole file",
    )


class AppendOnlyFile(Group, title="append-only file", effective=True):
    appendonly = flag(
        True,
        "keep the data on disk in an append-only file",
        redis_default="no",
        reason="what was acknowledged is not to be lost",
    )
    dir: str = special(
        Folder(),
        "kedis-data",
        "folder of everything that is kept on disk; made when it is needed",
        protected=True,
        redis_default="the folder in which it is started",
        reason="data do not lie among other files",
        otherwise="the server does not go there: other relative paths are seen from where it was started",
    )
    appenddirname: str = special(
        Text(file_name("appenddirname", "dirname"), "a name without a path"),
        "appendonlydir",
        "folder of the append-only files, inside dir",
        fixed=True,
    )
    appendfilename: str = special(
        Text(file_name("appendfilename", "filename"), "a name without a path"),
        "appendonly.aof",
        "what the names of the append-only files begin with",
        fixed=True,
    )
    appendfsync = choice("everysec", ("everysec", "always", "no"), "when written data is synced to the disk")
    no_appendfsync_on_rewrite = flag(False, "do not sync while the file is being rewritten")
    auto_aof_rewrite_percentage = integer(
        100, 0, INT_MAX, "growth in percent that starts a rewrite; 0 is never"
    )
    auto_aof_rewrite_min_size = memory(64 << 20, "size below which no rewrite starts by itself")
    aof_load_truncated = flag(True, "start even if the last command of the file is cut off")
    propagation_error_behavior = choice(
        "panic",
        ("ignore", "panic", "panic-on-replicas"),
        "panic: do not start when a recorded command fails; else it is passed over",
        redis_default="ignore",
        reason="a command that fails on recovery means that data are missing",
    )
    aof_disable_auto_gc = flag(False, "keep append-only files that are no longer needed")
    aof_timestamp_enabled = flag(False, "write the time between the commands")
    aof_rewrite_incremental_fsync = flag(True, "sync in steps while rewriting")
    aof_checksum = flag(True, "write and check checksums between the commands (Kedis's own)", own=True)


class Replicas(Group, title="replicas of this server", effective=True):
    repl_diskless_sync = flag(True, "send snapshots as they are made; else from a file")
    repl_diskless_sync_delay = integer(
        5, 0, INT_MAX, "seconds that such a snapshot waits for more replicas to share it"
    )
    repl_diskless_sync_max_replicas = integer(
        0, 0, INT_MAX, "number of replicas that need not wait any longer; 0 is off"
    )
    repl_ping_replica_period = integer(
        10, 1, INT_MAX, "seconds between pings of the replicas", alias="repl-ping-slave-period"
    )
    repl_backlog_size = memory(
        1 << 20, "bytes of the stream kept for replicas that come back", 1, clamp=(16 << 10, LLONG_MAX)
    )
    repl_backlog_ttl = integer(
        3600, 0, LLONG_MAX, "seconds that the stream goes on without a replica; 0 is for ever"
    )
    min_replicas_to_write = integer(
        0, 0, INT_MAX, "replicas without which writes are refused; 0 is none", alias="min-slaves-to-write"
    )
    min_replicas_max_lag = integer(
        10, 0, INT_MAX, "seconds of silence that make a replica not count", alias="min-slaves-max-lag"
    )


class Observation(Group, title="observation", effective=True):
    slowlog_log_slower_than = integer(
        10000, -1, LLONG_MAX, "microseconds that make a command slow; -1 is never"
    )
    slowlog_max_len = integer(128, 0, LLONG_MAX, "slow commands that are remembered")
    latency_monitor_threshold = integer(0, 0, LLONG_MAX, "milliseconds that make a latency event; 0 is never")
    latency_tracking = flag(
        True, "print percentiles of each command in INFO (the histograms are always kept)"
    )
    latency_tracking_info_percentiles: tuple[float, ...] = special(
        Percentiles(), (50.0, 99.0, 99.9), "percentiles that INFO prints"
    )
    notify_keyspace_events: str = special(
        EventClasses(), "", "which changes of keys are published; KEA is all"
    )
    metrics_bind: str = special(
        Text(None, "an address"),
        "127.0.0.1",
        "address of the live page and the Prometheus metrics (Kedis's own)",
        fixed=True,
        own=True,
    )
    metrics_port: int | None = special(
        PortOrNo(),
        9121,
        "port of the live page and the metrics, 0: any free one, no: none (Kedis's own)",
        fixed=True,
        own=True,
    )
    metrics_hosts: tuple[str, ...] = special(
        HostNames(),
        (),
        "names with a dot under which browsers may ask for the live page (Kedis's own)",
        own=True,
    )
    metrics_streams: tuple[str, ...] = special(
        StreamKeys(), (), "streams with metrics of their own, key or db3=key (Kedis's own)", own=True
    )


class Encodings(Group, title="encodings that OBJECT ENCODING reports", effective=True):
    hash_max_listpack_entries = integer(
        512, 0, LLONG_MAX, "most fields of a listpack hash", alias="hash-max-ziplist-entries"
    )
    hash_max_listpack_value = memory(64, "longest value of a listpack hash", alias="hash-max-ziplist-value")
    list_max_listpack_size = integer(
        -2,
        -INT_MAX - 1,
        INT_MAX,
        "most elements of a list node, or its size class",
        alias="list-max-ziplist-size",
    )
    set_max_intset_entries = integer(512, 0, LLONG_MAX, "most members of a set of integers")
    zset_max_listpack_entries = integer(
        128, 0, LLONG_MAX, "most members of a listpack sorted set", alias="zset-max-ziplist-entries"
    )
    zset_max_listpack_value = memory(
        64, "longest member of a listpack sorted set", alias="zset-max-ziplist-value"
    )
    hll_sparse_max_bytes = memory(3000, "longest sparse HyperLogLog")


class StreamNodes(Group, title="nodes of streams, which XTRIM ~ removes as wholes", effective=True):
    stream_node_max_bytes = memory(4096, "most bytes of a stream node")
    stream_node_max_entries = integer(100, 0, LLONG_MAX, "most entries of a stream node")


class EffectiveSettings(
    Network,
    Clients,
    Security,
    Process,
    MemoryUse,
    Scripts,
    Snapshots,
    AppendOnlyFile,
    Replicas,
    Observation,
    Encodings,
    StreamNodes,
    FollowingSettings,
    TlsSettings,
    UpstreamSettings,
):
    """All of them as attributes of one class."""
