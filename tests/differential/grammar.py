"""For every command of the table, a generator of its arguments: mostly right, often wrong.

``GRAMMAR`` maps a row's name to the part that draws what follows the name (see :mod:`.vocabulary`).  ``SCRIPTED``
names the rows that random sequences cannot compare, each with the reason; :mod:`.test_shapes` runs a script for
each of them.  A row that is in neither fails a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random

from kedis.commands import load_all
from kedis.engine.table import COMMANDS, every_command
from tests.differential import families, streams
from tests.differential import vocabulary as v
from tests.differential.vocabulary import Part, Words, draw, form, maybe, options, some

load_all()
_NOTHING = form()


@cache
def known_names() -> list[str]:
    """The rows of Kedis's table that the grammar can call."""
    return [row.name for row in every_command() if row.name in GRAMMAR]


def _any_name(random: Random) -> Words:
    """A name as COMMAND INFO takes it."""
    return [random.choice(known_names()).encode()]


def _any_command(random: Random) -> Words:
    """A whole command, as an argument of COMMAND GETKEYS."""
    return command(random, random.choice(known_names()))


SERVER: dict[str, Part] = {
    "ping": maybe(v.VALUE),
    "echo": v.VALUE,
    "select": v.DATABASE,
    "swapdb": form(v.DATABASE, v.DATABASE),
    "dbsize": _NOTHING,
    "flushdb": maybe((b"ASYNC", b"SYNC", b"async", b"x")),
    "flushall": maybe((b"ASYNC", b"SYNC", b"sync", b"x")),
    "auth": (form(b"secret"), form(b"default", b"secret"), form(b"nobody", b"secret")),
    "hello": maybe(
        (b"2", b"3", b"3", b"4", b"x", b""),
        options(
            form(b"SETNAME", (b"name", b"a b", b"")), form(b"AUTH", (b"default", b"nobody"), b"secret"), b"x"
        ),
    ),
    "reset": _NOTHING,
    "quit": _NOTHING,
    "debug": (
        *(b"DIGEST", form(b"DIGEST-VALUE", some(v.ANY)), form(b"digest-value", v.ANY)),
        *(b"NOSUCH", form(b"DIGEST", b"x"), form(b"SET-ACTIVE-EXPIRE", b"0"), form(b"OBJECT", v.ANY)),
    ),
    "client": (b"NOSUCH", _NOTHING),
    "client|id": _NOTHING,
    "client|info": _NOTHING,
    "client|getname": _NOTHING,
    "client|setname": (b"name", b"", b"other", b"a b", b"\xff", b"a\nb"),
    "client|unpause": _NOTHING,
    "client|unblock": form((b"987654321", b"x", b"-1", v.MAX), maybe((b"TIMEOUT", b"ERROR", b"x"))),
    "client|no-evict": (b"on", b"off", b"OFF", b"x"),
    "client|kill": (
        *(b"127.0.0.1:1", form(b"ID", (b"987654321", b"x", b"0", b"-1")), form(b"ADDR", b"127.0.0.1:1")),
        *(
            form(b"TYPE", (b"pubsub", b"replica", b"x")),
            form(b"USER", (b"nobody", b"x")),
            form(b"SKIPME", b"x"),
        ),
        *(
            form(b"LADDR", b"127.0.0.1:1"),
            form(b"ID", b"987654321", b"TYPE", b"pubsub"),
            form(b"MAXAGE", b"1"),
        ),
    ),
    "command": (form(b"NOSUCH"), form(b"INFO", b"nosuch")),
    "command|info": some((_any_name, _any_name, b"GET", b"nosuch", b"client|nosuch", b"")),
    "command|getkeys": _any_command,
    "command|getkeysandflags": _any_command,
    "acl": (b"NOSUCH", _NOTHING),
    "acl|whoami": _NOTHING,
    "config": (b"NOSUCH", _NOTHING),
    "latency": (b"NOSUCH", _NOTHING),
    "latency|graph": (b"command", b"x"),
    "latency|history": (b"command", b"x"),
    "latency|latest": _NOTHING,
    "latency|reset": some(b"command", least=0),
    "role": _NOTHING,
    "failover": some(
        (b"ABORT", b"force", form(b"TIMEOUT", v.COUNT), form(b"TO", b"host", v.COUNT), b"TO", b"x"), least=0
    ),
    "readonly": _NOTHING,
    "readwrite": _NOTHING,
    "asking": _NOTHING,
    "cluster": (b"NOSUCH", _NOTHING),
    **{
        row.name: (some(v.COUNT, least=abs(row.arity) - 2, most=abs(row.arity) - 2), some(v.COUNT, least=0))
        for row in COMMANDS[b"cluster"].subcommands.values()
    },
    "module": (b"NOSUCH", _NOTHING),
    "module|list": _NOTHING,
    "module|load": some(b"x.so", least=0),
    "module|loadex": some(b"x.so", least=0),
    "module|unload": some(b"x", least=0),
    "slowlog": (b"NOSUCH", _NOTHING),
    "slowlog|get": maybe(v.COUNT),
    "slowlog|len": _NOTHING,
    "slowlog|reset": _NOTHING,
    "config|get": some(
        (b"maxmemory*", b"hash-max-listpack-entries", b"timeout", b"no[t-z]such", b"TIMEOUT", b"")
    ),
}

TRANSACTIONS: dict[str, Part] = {
    "multi": _NOTHING,
    "exec": _NOTHING,
    "discard": _NOTHING,
    "watch": some(v.ANY),
    "unwatch": _NOTHING,
}

_CHANNEL = (b"news", b"ne[w]s", b"", b"*")
#: Those who subscribe to nothing; messages are what the scenarios of several clients compare.
PUBSUB: dict[str, Part] = {
    "publish": form(_CHANNEL, v.VALUE),
    "spublish": form(_CHANNEL, v.VALUE),
    "pubsub": (b"NOSUCH", _NOTHING),
    "pubsub|channels": maybe(_CHANNEL),
    "pubsub|numpat": _NOTHING,
    "pubsub|numsub": some(_CHANNEL, least=0),
    "pubsub|shardchannels": maybe(_CHANNEL),
    "pubsub|shardnumsub": some(_CHANNEL, least=0),
    "client|caching": (b"YES", b"no", b"x"),
    "client|getredir": _NOTHING,
    "client|trackinginfo": _NOTHING,
}

FAMILIES = (
    families.STRINGS,
    families.BITS,
    families.HYPERLOGLOGS,
    families.LISTS,
    families.SETS,
    families.HASHES,
    families.SORTED_SETS,
    families.GEO,
    streams.STREAMS,
    families.KEYS,
    SERVER,
    TRANSACTIONS,
    PUBSUB,
)
GRAMMAR: dict[str, Part] = {name: part for family in FAMILIES for name, part in family.items()}

#: Rows that random sequences cannot compare, and why.
SCRIPTED: dict[str, str] = {
    "eval": "random programs have a grammar of their own (tests/scripting)",
    "eval_ro": "random programs have a grammar of their own (tests/scripting)",
    "evalsha": "random programs have a grammar of their own (tests/scripting)",
    "evalsha_ro": "random programs have a grammar of their own (tests/scripting)",
    "fcall": "random programs have a grammar of their own (tests/scripting)",
    "fcall_ro": "random programs have a grammar of their own (tests/scripting)",
    "function": "random programs have a grammar of their own (tests/scripting)",
    "function|delete": "random programs have a grammar of their own (tests/scripting)",
    "function|dump": "random programs have a grammar of their own (tests/scripting)",
    "function|flush": "random programs have a grammar of their own (tests/scripting)",
    "function|kill": "random programs have a grammar of their own (tests/scripting)",
    "function|list": "random programs have a grammar of their own (tests/scripting)",
    "function|load": "random programs have a grammar of their own (tests/scripting)",
    "function|restore": "random programs have a grammar of their own (tests/scripting)",
    "function|stats": "random programs have a grammar of their own (tests/scripting)",
    "script": "random programs have a grammar of their own (tests/scripting)",
    "script|debug": "random programs have a grammar of their own (tests/scripting)",
    "script|exists": "random programs have a grammar of their own (tests/scripting)",
    "script|flush": "random programs have a grammar of their own (tests/scripting)",
    "script|kill": "random programs have a grammar of their own (tests/scripting)",
    "script|load": "random programs have a grammar of their own (tests/scripting)",
    "function|help": "the texts are our own",
    "script|help": "the texts are our own",
    "pfdebug": "most of its names are unknown",
    "pfselftest": "Redis takes a second for it",
    "acl|cat": "Redis has more commands",
    "acl|help": "the texts are our own",
    "acl|deluser": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|dryrun": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|genpass": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|getuser": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|list": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|load": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|log": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|save": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|setuser": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "acl|users": "random rules have a grammar of their own (tests/commands/test_acl.py)",
    "bgsave": "there is no file beside an engine without a server",
    "save": "there is no file beside an engine without a server",
    "bgrewriteaof": "there is no file beside an engine without a server",
    "client|help": "the texts are our own",
    "client|list": "the lines tell of addresses, ages, buffers and of how many clients each server happens to have",
    "client|pause": "the other client of the sequence would wait",
    "client|reply": "no reply, so nothing tells when the command is done",
    "client|no-touch": "Redis 7.0 does not have it",
    "client|setinfo": "Redis 7.0 does not have it",
    "client|tracking": "messages come between the replies",
    "command|count": "Redis has more commands",
    "command|docs": "the texts are our own",
    "command|help": "the texts are our own",
    "command|list": "Redis has more commands",
    "config|help": "the texts are our own",
    "config|resetstat": "changes figures that are not compared here",
    "config|rewrite": "writes a file",
    "config|set": "outlives the example in Redis",
    "dump": "the forms of containers differ; tests/rdb restores each server's in the other",
    "info": "the values are the server's own",
    "lastsave": "the moment of the server's start",
    "latency|doctor": "the texts are our own",
    "latency|help": "the texts are our own",
    "latency|histogram": "counts the calls of the server's whole life",
    "lolwut": "a picture of our own",
    "memory": "the subcommands have rows of their own",
    "memory|doctor": "the texts are our own",
    "memory|help": "the texts are our own",
    "memory|malloc-stats": "the allocators differ",
    "memory|purge": "nothing to compare but the reply",
    "memory|stats": "the values are the server's own",
    "memory|usage": "the values are the server's own",
    "migrate": "the other server is the oracle itself, or is not there",
    "module|help": "the texts are our own",
    "monitor": "what follows is not a reply",
    "psubscribe": "several replies",
    "pubsub|help": "the texts are our own",
    "punsubscribe": "several replies",
    "psync": "what follows is a stream (tests/replication)",
    "replconf": "what follows may be a stream (tests/replication)",
    "sync": "what follows is a stream (tests/replication)",
    "replicaof": "with a little bad luck Redis becomes a replica",
    "restore": "what DUMP gave belongs to it",
    "restore-asking": "what DUMP gave belongs to it",
    "shutdown": "ends the server",
    "slaveof": "with a little bad luck Redis becomes a replica",
    "slowlog|help": "the texts are our own",
    "ssubscribe": "several replies",
    "subscribe": "several replies",
    "sunsubscribe": "several replies",
    "unsubscribe": "several replies",
    "wait": "waits; for ever if asked to",
    "time": "the clocks are two",
    "xgroup|help": "the texts are our own",
    "xinfo|help": "the texts are our own",
}

#: Names that no server knows, sent now and then.
UNKNOWN: tuple[Words, ...] = (
    [b"NOSUCH"],
    [b"nosuch", b"a", b"b\r\nc"],
    [b""],
    [v.BINARY, v.BINARY],
    [b"GET\x00", b"k"],
    [b"x" * 300, b"y" * 300],
    [b"CLIENT", b"NOSUCH" * 40],
    [b"get "],
)


def command(random: Random, name: str) -> Words:
    """A call of the row ``name``; one in eight is spoilt, but not so that the scores of a lexicographic set differ."""
    words = [part.upper().encode() for part in name.split("|")]
    fixed = len(words)
    words += draw(GRAMMAR[name], random)
    if random.randint(0, 7) == 7 and not (words[0] == b"ZADD" and words[1] in v.LEX_KEYS):
        words = _spoil(random, words, fixed)
    if random.randint(0, 30) == 30:
        words[0] = words[0].lower() if random.randint(0, 1) else words[0].title()
    return words


def _spoil(random: Random, words: Words, fixed: int) -> Words:
    """One argument dropped, doubled, replaced, or a stray one added."""
    words = list(words)
    at = random.randint(fixed, max(fixed, len(words) - 1))
    kind = random.choice(("replace", "replace", "stray", "drop", "double"))
    if kind == "stray" or at >= len(words):
        words.insert(random.randint(fixed, len(words)), random.choice(v.OPTION_WORD + v.HOSTILE))
    elif kind == "drop":
        del words[at]
    elif kind == "double":
        words.insert(at, words[at])
    else:
        words[at] = random.choice(v.HOSTILE)
    return words


def weighted_names(random: Random, known: Sequence[str]) -> list[str]:
    """Names to choose from for one sequence: all that are ``known``, and those of one or two families often."""
    names = list(known)
    for _ in range(random.randint(1, 2)):
        names += [name for name in random.choice(FAMILIES) if name in known] * 5
    return names
