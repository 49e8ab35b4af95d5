"""The units of Redis's own tests that are run on Kedis, and the reasons why some of their tests cannot pass."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

#: Replication, as a master and as a replica; ``make test-redis-replication``.
REPLICATION_UNITS = (
    "unit/wait",
    *(f"integration/replication{name}" for name in ("-2", "-3", "-4", "-buffer", "-psync", "")),
    *(f"integration/psync2{name}" for name in ("", "-reg", "-pingoff", "-master-restart")),
    *(f"integration/{name}" for name in ("block-repl", "failover", "shutdown")),
)
UNITS = (
    *(f"unit/{name}" for name in ("printver", "dump", "auth", "protocol", "keyspace", "scan", "info")),
    "unit/info-command",
    *(f"unit/type/{name}" for name in ("string", "incr", "list", "list-2", "list-3", "set", "zset", "hash")),
    *(f"unit/type/{name}" for name in ("stream", "stream-cgroups")),
    *(f"unit/{name}" for name in ("sort", "expire", "other", "multi", "quit", "aofrw", "acl", "acl-v2")),
    "unit/latency-monitor",
    *(f"integration/{name}" for name in ("aof", "aof-race", "aof-multi-part", "rdb", "corrupt-dump")),
    *(f"integration/convert-{name}-on-load" for name in ("zipmap-hash", "ziplist-hash", "ziplist-zset")),
    *(f"integration/{name}" for name in ("corrupt-dump-fuzzer", "logging", "redis-cli", "redis-benchmark")),
    *(f"unit/{name}" for name in ("pubsub", "pubsubshard", "slowlog", "scripting", "functions", "maxmemory")),
    *(f"unit/{name}" for name in ("introspection", "introspection-2", "limits", "obuf-limits", "bitops")),
    *(f"unit/{name}" for name in ("bitfield", "geo", "memefficiency", "hyperloglog", "lazyfree", "querybuf")),
    *(f"unit/{name}" for name in ("tracking", "oom-score-adj", "shutdown", "networking", "client-eviction")),
    *(f"unit/{name}" for name in ("violations", "replybufsize")),
)
#: What the second test of a name has behind it.
REPEATED = re.compile(r" \(\d+\)$")
_MEMORY = "how Redis lays values out in memory"
_RELOADS = "DEBUG LOADAOF serves nobody until it is done"
_SIZES = "the sum counts buffers and state, and `tot-mem` beside them what an idle connection takes, 11.8 KB"
_BUFFERS = "requests are read into one buffer that all clients share, and long replies are made in parts"
_POLICY = "keys' uses are noted under the LRU and LFU policies only"
_JEMALLOC = (
    "its figures are those of jemalloc, which Kedis does not use; `tests/server/test_defragmentation.py`"
)

#: Unit -> pattern of test names -> the reason.
REASONS: dict[str, dict[str, str]] = {
    "integration/shutdown": {
        "Shutting down master waits for replica then fails": (
            "it makes the save fail by a folder with the name of Redis's temporary file, which is another here"
        ),
    },
    "integration/replication": {
        "Kill rdb child process if its dumping RDB is not useful": (
            "the file for replicas is not the snapshot of the server, so no save point keeps it"
        ),
        "Blocked commands and configs during async-loading": (
            "REPLICAOF and CONFIG SET appendonly work while a snapshot is loaded beside the data"
        ),
        "diskless replication read pipe cleanup": "FLUSHALL lets a snapshot that is on its way be finished",
        "replica can handle EINTR if use diskless load": "there is no watchdog",
    },
    "unit/dump": {
        "MIGRATE is caching*": "INFO tells of no cached sockets between two calls: MIGRATE keeps none"
    },
    "unit/type/string": {
        "trim on SET*": "it runs with jemalloc alone; MEMORY USAGE gives 33,145 bytes, where it allows 42,000"
    },
    "unit/type/incr": {"INCR can modify*": _MEMORY},
    "unit/type/set": {
        "SRANDMEMBER with a dict containing long chain": f"{_MEMORY}: chains of a hash table",
    },
    "unit/type/list": {
        "MULTI + LPUSH + EXPIRE + DEBUG SLEEP on blocked client, key already expired": (
            "time stands still within a transaction, so its key is there when EXEC serves who waits"
        ),
    },
    "unit/latency-monitor": {
        "LATENCY of expire*": "a large value is freed in steps of half a millisecond, which are no event",
    },
    "unit/other": {
        "Don't rehash*": _MEMORY,
        "Process title*": "a Python program does not set its title",
    },
    "unit/multi": {
        "MULTI propagation of XREADGROUP": "one XCLAIM is recorded for all entries of a call",
    },
    "integration/aof": {
        "EVAL timeout with slow*": _RELOADS,
    },
    "integration/aof-multi-part": {
        "*two redis share the same server dir*": "a folder belongs to one server, which locks it",
        "AOF will open a temporary INCR AOF*": (
            "CONFIG SET appendonly answers before the child of the first rewrite is there, which the test kills"
        ),
    },
    "integration/corrupt-dump": {
        "corrupt payload: load corrupted rdb with no CRC*": (
            "the start ends at the first damaged value, in one line, where Redis lets its checker tell it again"
        ),
        "*dup*records - convert": "the damage is refused, where Redis loads it, and ends by a panic when it converts",
        "*": "the damage is refused by RESTORE, where Redis takes it, and ends by a failed assertion later",
    },
    "integration/rdb": {
        "Test child sending info": "the child tells how much memory it copied at its end, not meanwhile",
    },
    "unit/scripting": {
        "EVAL does not leak*": "the libraries of scripts are in Lua, 228 KB, where the test allows 100",
        "Test scripting debug*": "there is no debugger of scripts",
    },
    "unit/client-eviction": {
        "avoid client eviction when*": "`qbuf` counts the line that announces the argument, too",
        "evict clients *": _SIZES,
    },
    "integration/logging": {
        "Crash report*": "crash reports of a C program: Python's fault handler writes another"
    },
    "unit/maxmemory": {
        "With maxmemory and LRU policy*": f"{_MEMORY}: no two keys share a number",
    },
    "unit/introspection": {
        "config during loading": "the load is over before the test asks, on a busy machine; it passes on a quiet one",
    },
    "unit/introspection-2": {"TTL, TYPE and EXISTS*": _POLICY},
    "unit/memefficiency": {"Memory efficiency*": _MEMORY, "Active defrag*": _JEMALLOC},
    "unit/lazyfree": {
        "lazy free a stream with all types of metadata": "up to a thousand elements are freed at once",
    },
    "unit/querybuf": {"*": _BUFFERS},
    "unit/replybufsize": {"*": _BUFFERS},
    "unit/networking": {
        "Default bind*": "Redis's default is given by the command line here, so that CONFIG REWRITE writes it",
    },
}


def reason_of(unit: str, test: str) -> str | None:
    """Why a test of a unit need not pass; None where nothing is said."""
    for pattern, reason in REASONS.get(unit, {}).items():
        if fnmatchcase(REPEATED.sub("", test), pattern):
            return reason
    return None
