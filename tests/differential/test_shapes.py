"""What random sequences cannot compare: a script for each such command, that compares what can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.differential.grammar import SCRIPTED
from tests.differential.replies import Reply, flatten, is_error, items
from tests.differential.servers import KedisServer, RedisServer
from tests.oracle import Oracle

Call = Callable[..., Reply]


@pytest.fixture
def servers() -> Iterator[tuple[KedisServer, RedisServer]]:
    oracle = Oracle()
    redis = RedisServer(oracle.port)
    yield KedisServer(), redis
    redis.close()
    oracle.close()


def words_of(line: str) -> list[bytes]:
    return [b"" if word == '""' else word.encode() for word in line.split()]


Servers = tuple[KedisServer, RedisServer]


def both(servers: Servers, line: str) -> tuple[Reply, Reply]:
    kedis, redis = servers
    return kedis.call(0, words_of(line)), redis.call(0, words_of(line))


def same(servers: Servers, *lines: str) -> None:
    """The replies to each line are equal."""
    for line in lines:
        mine, theirs = both(servers, line)
        assert mine == theirs, line


def kinds(reply: Reply) -> str:
    """The kinds in a reply, those of a list's elements without repeats."""
    return reply[0] + "".join(sorted({kinds(part) for part in items(reply)}))


def alike(servers: Servers, *lines: str) -> None:
    """The replies to each line are of the same kinds."""
    for line in lines:
        mine, theirs = both(servers, line)
        assert kinds(mine) == kinds(theirs), line


def help_texts(*containers: str) -> Callable[[Servers], None]:
    def script(servers: Servers) -> None:
        for name in containers:
            for protocol in "23":
                same(servers, f"HELLO {protocol} x")
                mine, theirs = both(servers, f"{name} HELP")
                assert kinds(mine) == kinds(theirs)
                heads = [
                    [flatten(line)[0].partition(b" ")[0] for line in (items(reply)[0], *items(reply)[-2:])]
                    for reply in (mine, theirs)
                ]
                assert heads[0] == heads[1]
            same(servers, f"{name} HELP x")

    return script


def time_(servers: Servers) -> None:
    mine, theirs = both(servers, "TIME")
    assert kinds(mine) == kinds(theirs)
    seconds = [int(flatten(reply)[0]) for reply in (mine, theirs)]
    assert abs(seconds[0] - seconds[1]) <= 1
    assert 0 <= int(flatten(mine)[1]) < 1_000_000
    same(servers, "TIME x")


def shutdown(servers: Servers) -> None:
    """Only what does not end the server; that it ends one is an end-to-end test."""
    same(
        servers,
        "SHUTDOWN x",
        "SHUTDOWN NOSAVE SAVE",
        "SHUTDOWN ABORT NOW",
        "SHUTDOWN ABORT",
        "SHUTDOWN SAVE x",
    )


def client_list(servers: Servers) -> None:
    for protocol in ("2", "3"):
        for line in (f"HELLO {protocol}", "CLIENT SETNAME me"):
            both(servers, line)
        for line in ("CLIENT LIST", "CLIENT LIST TYPE normal"):
            mine, theirs = both(servers, line)
            assert mine[0] == theirs[0]
            assert _named(mine[1], b"me") == _named(theirs[1], b"me")
        same(servers, "CLIENT LIST TYPE pubsub", "CLIENT LIST ID 987654 987655", "CLIENT LIST TYPE x")
        same(servers, "CLIENT LIST ID x", "CLIENT LIST x", "CLIENT LIST TYPE", "CLIENT LIST ID")


def _named(lines: bytes, name: bytes) -> list[list[bytes]]:
    """The names of the fields in the lines of the client called ``name``."""
    return [
        [field.partition(b"=")[0] for field in line.split() if not field.startswith(b"lib-")]
        for line in lines.removeprefix(b"txt:").splitlines()
        if b" name=%b " % name in line
    ]


def client_pause(servers: Servers) -> None:
    same(
        servers,
        "CLIENT PAUSE x",
        "CLIENT PAUSE -1",
        "CLIENT PAUSE 1 x",
        "CLIENT PAUSE 1 ALL x",
        "CLIENT PAUSE",
    )
    same(servers, "CLIENT PAUSE 1.5", "CLIENT PAUSE 0", "CLIENT PAUSE 0 WRITE", "CLIENT UNPAUSE", "PING")


def client_reply(servers: Servers) -> None:
    """Those that answer; OFF and SKIP are tested with the commands on clients."""
    same(servers, "CLIENT REPLY ON", "CLIENT REPLY on", "CLIENT REPLY x", "CLIENT REPLY", "CLIENT REPLY ON x")


def client_setinfo(servers: Servers) -> None:
    """Redis 7.0 refuses it, so nothing can be compared but what follows for the connection: nothing."""
    mine, theirs = both(servers, "CLIENT SETINFO LIB-NAME redis-py")
    assert (mine, is_error(theirs)) == (("+", b"OK"), True)
    same(servers, "CLIENT GETNAME", "PING")


def client_no_touch(servers: Servers) -> None:
    """Redis 7.0 refuses it, too."""
    mine, theirs = both(servers, "CLIENT NO-TOUCH on")
    assert (mine, is_error(theirs)) == (("+", b"OK"), True)
    same(servers, "SET a b", "GET a", "TOUCH a", "GET a x", "CLIENT INFO x")


def command_count(servers: Servers) -> None:
    mine, theirs = both(servers, "COMMAND COUNT")
    assert mine[0] == theirs[0] == ":"
    assert 0 < mine[1] <= theirs[1]
    same(servers, "COMMAND COUNT x")


def command_list(servers: Servers) -> None:
    for line in ("COMMAND LIST", "COMMAND LIST FILTERBY ACLCAT hash", "COMMAND LIST FILTERBY PATTERN z*"):
        mine, theirs = both(servers, line)
        assert kinds(mine) == kinds(theirs)
        assert set(flatten(mine)) - {b"client|setinfo", b"client|no-touch"} <= set(flatten(theirs))
        assert flatten(mine)
    same(servers, "COMMAND LIST FILTERBY PATTERN hincrbyf*", "COMMAND LIST FILTERBY ACLCAT nosuch")
    same(servers, "COMMAND LIST x", "COMMAND LIST FILTERBY", "COMMAND LIST FILTERBY x y")
    same(servers, "COMMAND LIST FILTERBY MODULE x", "COMMAND LIST FILTERBY PATTERN a b")


def command_docs(servers: Servers) -> None:
    for protocol in ("2", "3"):
        both(servers, f"HELLO {protocol}")
        same(servers, "COMMAND DOCS nosuch")
        for name in (b"get", b"zadd", b"client"):
            facts = [_docs(server.call(0, [b"COMMAND", b"DOCS", name])) for server in servers]
            assert facts[0][0] == facts[1][0]
            assert facts[0][1][b"group"] == facts[1][1][b"group"]
            assert facts[0][1][b"since"] == facts[1][1][b"since"]


def _docs(reply: Reply) -> tuple[list[object], dict[bytes, Reply]]:
    """Kind and name of the only command told of, and its facts."""
    (name, facts) = items(reply)
    return [reply[0], name, facts[0]], {key[1]: value for key, value in list(pairwise(items(facts)))[::2]}


def info(servers: Servers) -> None:
    """The sections that are asked for, with the same fields in them as far as Kedis has them."""
    for line in (
        "INFO",
        "INFO all",
        "INFO everything",
        "INFO server clients",
        "INFO KEYSPACE",
        "INFO nosuch",
    ):
        mine, theirs = both(servers, line)
        assert mine[0] == theirs[0]
        sections = [[part for part in _sections(reply) if part in _EVERYWHERE] for reply in (mine, theirs)]
        assert sections[0] == sections[1], line


_EVERYWHERE = (
    b"# Server",
    b"# Clients",
    b"# Memory",
    b"# Persistence",
    b"# Stats",
    b"# Replication",
    b"# CPU",
)


def _sections(reply: Reply) -> list[bytes]:
    return [line for line in reply[1].split(b"\r\n") if line.startswith(b"#")]


def config_set(servers: Servers) -> None:
    same(servers, "CONFIG SET", "CONFIG SET maxmemory", "CONFIG SET nosuch 1", "CONFIG SET maxmemory x")
    same(servers, "CONFIG SET maxmemory 100mb timeout 7", "CONFIG GET maxmemory", "CONFIG GET timeout")
    same(servers, "CONFIG SET timeout 8 timeout 9", "CONFIG SET timeout 9 hz x", "CONFIG GET timeout")
    same(servers, "CONFIG SET port x", "CONFIG SET databases 3")


def config_resetstat(servers: Servers) -> None:
    same(servers, "CONFIG RESETSTAT", "CONFIG RESETSTAT x")


def config_rewrite(servers: Servers) -> None:
    same(servers, "CONFIG REWRITE", "CONFIG REWRITE x")


def acl_cat(servers: Servers) -> None:
    for line in ("ACL CAT hash", "ACL CAT SortedSet", "ACL CAT"):
        mine, theirs = both(servers, line)
        assert kinds(mine) == kinds(theirs)
        assert set(flatten(mine)) <= set(flatten(theirs))
        assert flatten(mine)
    same(servers, "ACL CAT nosuch", "ACL CAT hash x")


def acl_users(servers: Servers) -> None:
    same(
        servers,
        "ACL SETUSER shape on >pw #" + "a" * 64 + " ~a* %R~b &c* +@read (+set ~x)",
        "ACL GETUSER shape",
        "ACL GETUSER default",
        "ACL GETUSER nosuch",
        "ACL USERS",
        "ACL LIST",
        "ACL DRYRUN shape GET z",
        "ACL DRYRUN shape GET a",
        "ACL LOAD",
        "ACL SAVE",
        "ACL LOG RESET",
        "ACL LOG",
        "ACL GENPASS x",
        "ACL DELUSER shape nosuch",
        "ACL LIST",
    )
    alike(servers, "ACL GENPASS", "ACL GENPASS 5")


def persistence(servers: Servers) -> None:
    same(
        servers,
        "BGREWRITEAOF x",
        "LASTSAVE x",
        "BGSAVE x",
        "BGSAVE SCHEDULE x",
        "SAVE x",
        "MULTI",
        "SAVE",
        "EXEC",
    )
    alike(servers, "LASTSAVE")


def latency(servers: Servers) -> None:
    """Each server tells of its own calls, so only a command that ran on both has a histogram in both."""
    same(servers, "ECHO x", "LATENCY DOCTOR x", "LATENCY HISTOGRAM nosuch")
    alike(
        servers,
        "LATENCY DOCTOR",
        "LATENCY HISTOGRAM echo",
        "HELLO 3",
        "LATENCY DOCTOR",
        "LATENCY HISTOGRAM echo",
    )


def lolwut(servers: Servers) -> None:
    for line in ("LOLWUT", "HELLO 3", "LOLWUT VERSION 5"):
        mine, theirs = both(servers, line)
        assert mine[0] == theirs[0]
    mine, theirs = both(servers, "LOLWUT")
    assert mine[1].endswith(b"Redis ver. 7.0.15\n")
    assert theirs[1].endswith(b"Redis ver. 7.0.15\n")


def wait(servers: Servers) -> None:
    same(servers, "WAIT 0 0", "WAIT -1 0", "WAIT 1 10", "WAIT x 0", "WAIT 0 x", "WAIT 0 -1", "WAIT 0")


def dump_and_restore(servers: Servers) -> None:
    """A string has the same form in both."""
    same(servers, "SET k hello", "DUMP nothing", "DUMP k")
    payloads = [server.call(0, [b"DUMP", b"k"]) for server in servers]
    assert payloads[0] == payloads[1]
    same(servers, "DEL k")
    for name in (b"RESTORE", b"restore-asking"):
        for words in ([b"k", b"0"], [b"k", b"0"], [b"new", b"1", b"ABSTTL"]):
            call = [name, *words[:2], payloads[0][1], *words[2:]]
            assert servers[0].call(0, call) == servers[1].call(0, call)
        same(servers, "GET k", "DEL k new", "RESTORE k 0 x")


def migrate(servers: Servers) -> None:
    """What needs no other server; tests/end_to_end/test_migrate.py has two."""
    same(
        servers,
        "MIGRATE h 1 k 0 1 KEYS a b",
        "MIGRATE h 1 nokey x 1",
        "MIGRATE h 1 nokey 0 x",
        "MIGRATE h 1 k 0",
    )
    same(servers, "MIGRATE h 1 nokey 0 1 AUTH", "MIGRATE h 1 nokey 0 1 AUTH2 a", "MIGRATE h 1 nokey 0 1 FOO")
    same(
        servers,
        "MIGRATE h 1 nokey 0 1",
        "MIGRATE h 1 nokey 0 1 COPY REPLACE",
        "COMMAND GETKEYS MIGRATE h 1 k 0 1",
    )
    same(servers, 'COMMAND GETKEYSANDFLAGS MIGRATE h 1 "" 0 1 COPY KEYS a b')


def replicaof(name: str) -> Callable[[Servers], None]:
    def script(servers: Servers) -> None:
        same(
            servers,
            f"{name} NO one",
            f"{name} host x",
            f"{name} host -1",
            f"{name} host 70000",
            name,
            f"{name} no",
        )

    return script


def of_a_replica(servers: Servers) -> None:
    """What is refused before anything else; conversations with real replicas are in tests/replication."""
    same(
        servers,
        "PSYNC",
        "PSYNC ?",
        "SYNC now",
        "MULTI",
        "SYNC",
        "PSYNC ? -1",
        "REPLCONF capa foo",
        "DISCARD",
        "EVAL \"return redis.pcall('replconf', 'capa', 'eof')\" 0",
    )


def subscriptions(name: str) -> Callable[[Servers], None]:
    """One channel at a time, so that each command has one reply."""

    def script(servers: Servers) -> None:
        same(
            servers,
            f"{name} news",
            f"{name} news",
            f"{name} other",
            name,
            "PING",
            "SET a b",
            "PUBSUB NUMSUB news",
        )
        same(
            servers, f"{name.replace('SUB', 'UNSUB')} news", f"{name.replace('SUB', 'UNSUB')} other", "ECHO x"
        )

    return script


def unsubscriptions(name: str) -> Callable[[Servers], None]:
    def script(servers: Servers) -> None:
        same(servers, name, f"{name} news", name, "ECHO x", "MULTI", f"{name} news", "EXEC")

    return script


def tracking(servers: Servers) -> None:
    same(
        servers,
        "CLIENT TRACKING on",
        "CLIENT TRACKING",
        "CLIENT TRACKING x",
        "CLIENT TRACKING on OPTIN OPTOUT",
    )
    same(servers, "CLIENT TRACKING on REDIRECT 987654", "CLIENT TRACKING on PREFIX a", "CLIENT TRACKING off")
    same(
        servers,
        "CLIENT TRACKING on BCAST PREFIX a PREFIX ab",
        "CLIENT TRACKING on BCAST OPTIN",
        "CLIENT GETREDIR",
    )


def monitor(servers: Servers) -> None:
    same(servers, "MONITOR x", "MULTI", "MONITOR", "EXEC", "MONITOR")


def memory(servers: Servers) -> None:
    same(
        servers,
        "MEMORY",
        "MEMORY x",
        "MEMORY USAGE",
        "MEMORY USAGE nothing",
        "MEMORY PURGE",
        "MEMORY PURGE x",
    )
    same(servers, "RPUSH list a b", "MEMORY USAGE list SAMPLES", "MEMORY USAGE list SAMPLES x")
    same(
        servers, "MEMORY USAGE list SAMPLES -1", "MEMORY USAGE list x 1", "MEMORY STATS x", "MEMORY DOCTOR x"
    )
    alike(servers, "MEMORY USAGE list", "MEMORY USAGE list SAMPLES 0", "MEMORY DOCTOR", "MEMORY MALLOC-STATS")
    for protocol in "23":
        same(servers, f"HELLO {protocol} x")
        mine, theirs = both(servers, "MEMORY STATS")
        assert kinds(mine) == kinds(theirs)
        names = [
            [
                word
                for word in flatten(reply)
                if word[:1].isalpha() and not word.startswith((b"allocator", b"rss"))
            ]
            for reply in (mine, theirs)
        ]
        assert names[0] == names[1]


def lua(servers: Servers) -> None:
    """Scripts and functions, their errors, and what nothing runs for."""
    code = "#!lua name=shape\nredis.register_function('one', function(keys, args) return {1, keys[1], args[1]} end)"
    for words in (
        *(
            ["EVAL", "return {1, KEYS[1], ARGV[1]}", "1", "k", "a"],
            ["EVAL_RO", "return redis.call('get', 'k')", "0"],
        ),
        *(
            ["EVAL", "return 1", "x"],
            ["EVAL", "return 1", "2", "k"],
            ["EVAL", "return (", "0"],
            ["EVALSHA", "x", "0"],
        ),
        *(
            ["EVAL_RO", "return redis.call('set', 'k', 1)", "0"],
            ["EVALSHA_RO", "x", "0"],
            ["SCRIPT", "LOAD", "return 7"],
        ),
        *(
            ["SCRIPT", "EXISTS", "x"],
            ["SCRIPT", "FLUSH", "y"],
            ["SCRIPT", "FLUSH"],
            ["SCRIPT", "KILL"],
            ["SCRIPT"],
        ),
        *(
            ["SCRIPT", "DEBUG", "x"],
            ["FUNCTION", "LOAD", code],
            ["FUNCTION", "LOAD", code],
            ["FUNCTION", "LIST"],
        ),
        *(
            ["FCALL", "one", "1", "k", "a"],
            ["FCALL_RO", "one", "0"],
            ["FCALL", "none", "0"],
            ["FUNCTION", "STATS"],
        ),
        *(
            ["FUNCTION", "KILL"],
            ["FUNCTION", "LIST", "LIBRARYNAME", "s*"],
            ["FUNCTION", "RESTORE", "x"],
        ),
        *(["FUNCTION", "DELETE", "shape"], ["FUNCTION", "FLUSH", "y"], ["FUNCTION", "FLUSH"], ["FUNCTION"]),
    ):
        call = [word.encode() for word in words]
        if words[:2] == ["FUNCTION", "DELETE"]:  # each restores what the other has dumped, compressed or not
            dumps = [server.call(0, [b"FUNCTION", b"DUMP"])[1] for server in servers]
            for server, dump in zip(servers, reversed(dumps), strict=True):
                assert server.call(0, [b"FUNCTION", b"RESTORE", dump, b"REPLACE"]) == ("+", b"OK")
        assert servers[0].call(0, call) == servers[1].call(0, call), words


def hyperloglog_debug(servers: Servers) -> None:
    """PFDEBUG of both forms, and PFSELFTEST."""
    same(
        servers,
        "DEL hll",
        "PFADD hll a b c",
        "PFDEBUG ENCODING hll",
        "PFDEBUG DECODE hll",
        "PFDEBUG TODENSE hll",
        "PFDEBUG GETREG hll",
        "PFDEBUG ENCODING none",
        "PFDEBUG OTHER hll",
        "PFDEBUG ENCODING",
        "PFSELFTEST",
        "PFSELFTEST x",
    )


SCRIPTS: dict[str, Callable[[Servers], None]] = {
    "pfdebug": hyperloglog_debug,
    "pfselftest": hyperloglog_debug,
    "eval": lua,
    "eval_ro": lua,
    "evalsha": lua,
    "evalsha_ro": lua,
    "fcall": lua,
    "fcall_ro": lua,
    "function": lua,
    "function|delete": lua,
    "function|dump": lua,
    "function|flush": lua,
    "function|kill": lua,
    "function|list": lua,
    "function|load": lua,
    "function|restore": lua,
    "function|stats": lua,
    "script": lua,
    "script|debug": lua,
    "script|exists": lua,
    "script|flush": lua,
    "script|kill": lua,
    "script|load": lua,
    "function|help": help_texts("FUNCTION"),
    "script|help": help_texts("SCRIPT"),
    "acl|cat": acl_cat,
    "acl|help": help_texts("ACL"),
    "acl|deluser": acl_users,
    "acl|dryrun": acl_users,
    "acl|genpass": acl_users,
    "acl|getuser": acl_users,
    "acl|list": acl_users,
    "acl|load": acl_users,
    "acl|log": acl_users,
    "acl|save": acl_users,
    "acl|setuser": acl_users,
    "acl|users": acl_users,
    "bgsave": persistence,
    "save": persistence,
    "bgrewriteaof": persistence,
    "client|help": help_texts("CLIENT"),
    "client|list": client_list,
    "client|pause": client_pause,
    "client|reply": client_reply,
    "client|no-touch": client_no_touch,
    "client|setinfo": client_setinfo,
    "client|tracking": tracking,
    "command|count": command_count,
    "command|docs": command_docs,
    "command|help": help_texts("COMMAND"),
    "command|list": command_list,
    "config|help": help_texts("CONFIG"),
    "config|resetstat": config_resetstat,
    "config|rewrite": config_rewrite,
    "config|set": config_set,
    "info": info,
    "lastsave": persistence,
    "latency|doctor": latency,
    "latency|help": help_texts("LATENCY"),
    "latency|histogram": latency,
    "lolwut": lolwut,
    "memory": memory,
    "memory|doctor": memory,
    "memory|help": help_texts("MEMORY"),
    "migrate": migrate,
    "module|help": help_texts("MODULE"),
    "replicaof": replicaof("REPLICAOF"),
    "dump": dump_and_restore,
    "restore": dump_and_restore,
    "restore-asking": dump_and_restore,
    "slaveof": replicaof("slaveof"),
    "memory|malloc-stats": memory,
    "memory|purge": memory,
    "memory|stats": memory,
    "memory|usage": memory,
    "monitor": monitor,
    "psubscribe": subscriptions("PSUBSCRIBE"),
    "pubsub|help": help_texts("PUBSUB"),
    "punsubscribe": unsubscriptions("PUNSUBSCRIBE"),
    "shutdown": shutdown,
    "slowlog|help": help_texts("SLOWLOG"),
    "xgroup|help": help_texts("XGROUP"),
    "xinfo|help": help_texts("XINFO"),
    "ssubscribe": subscriptions("SSUBSCRIBE"),
    "subscribe": subscriptions("SUBSCRIBE"),
    "sunsubscribe": unsubscriptions("SUNSUBSCRIBE"),
    "unsubscribe": unsubscriptions("UNSUBSCRIBE"),
    "psync": of_a_replica,
    "replconf": of_a_replica,
    "sync": of_a_replica,
    "wait": wait,
    "time": time_,
}


@pytest.mark.parametrize("name", SCRIPTED)
def test_script(servers: Servers, name: str) -> None:
    SCRIPTS[name](servers)
