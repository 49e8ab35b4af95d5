"""ACL: users, rules and denials, beside real Redis."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any

import pytest

from kedis.config import Config, ConfigError
from kedis.engine.engine import Engine
from kedis.engine.table import COMMANDS
from kedis.engine.users import Users
from tests.commands.driver import Client, ErrorReply
from tests.oracle import Oracle

#: Commands of Redis that Kedis does not have; they count when rules are described.
_NOT_HERE = frozenset([b"pfdebug", b"pfselftest"])


@pytest.fixture
def client() -> Client:
    return Client()


def user_of(client: Client, *rules: str) -> Client:
    """Another client, of the user ``bob``, who has ``rules``."""
    assert client.call("ACL", "SETUSER", "bob", "reset", "on", "nopass", *rules) == b"OK"
    other = client.another()
    assert other.call("AUTH", "bob", "any") == b"OK"
    return other


@pytest.mark.parametrize("line", ["WHOAMI", "WHOAMI x", "CAT", "CAT nosuch", "CAT a b", "nosuch", ""])
def test_as_in_redis(client: Client, oracle: Oracle, line: str) -> None:
    assert client.call("ACL", *line.split()) == oracle.call("ACL", *line.split())


def test_the_commands_of_a_category(client: Client, oracle: Oracle) -> None:
    for category in client.call("ACL", "CAT"):
        mine = set(client.call("ACL", "CAT", category))
        theirs = set(oracle.call("ACL", "CAT", category.upper()))
        assert mine - {b"client|setinfo", b"client|no-touch"} <= theirs, category
        assert {name for name in theirs if name in COMMANDS} <= mine, category


def test_help(client: Client) -> None:
    assert b"WHOAMI" in client.call("ACL", "HELP")


# -- rules ------------------------------------------------------------------------------------------------

_RULES = """
+nosuch | +@nosuch | +config|nosuch | -config|get | +get|x | +get|a|b | -get|x | +get| | +|x | + | - | +config|get|x
~* ~k | allkeys %R~k | %RX~k | %RR~k | %wW~k | %~k | % | %R | ~ | %R ~ | %R~x %W~x | %W~* %R~* ~x | %rw~y ~*
& | &* &x | allchannels &x | &a &b resetchannels &c
(+get | +get) | () | (+get ~x) (+set) | (on) | ((+get)) | ()x | (+get)x +set) | ( +get ~a )
(~a ~b +get) clearselectors
<x | >x <x | >x >x | nopass <x | >x nopass | nopass >x | >x resetpass | #12 | !12 | > | >a >b <a | foo
ON NoPass AllKeys
sanitize-payload | skip-sanitize-payload | sanitize-payload skip-sanitize-payload | reset | off on
+@all -config|set | -config +config|set | +acl -acl|setuser | +client|id -client | +@all -client +client|id
+select|0 +select|1 +SELECT|X | +select|0 +select | +get +get|x -get | +@all +get|x -get | +select|0 +@connection
+@read -get +config|get | +@slow | +@all -@slow | +@read +@write -get | +@pubsub -publish | allcommands nocommands
+@all -@all +@read -@fast | +command -command|info | +command|info | +debug|object | -debug +debug|a -debug
+@all -@all
"""


@pytest.mark.parametrize(
    "rules", [rules for line in _RULES.strip().splitlines() for rules in line.split(" | ")]
)
def test_rules(client: Client, oracle: Oracle, rules: str) -> None:
    oracle.call("ACL", "DELUSER", "bob")
    assert client.call("ACL", "SETUSER", "bob", *rules.split()) == oracle.call(
        "ACL", "SETUSER", "bob", *rules.split()
    )
    assert comparable(client.call("ACL", "GETUSER", "bob")) == comparable(
        oracle.call("ACL", "GETUSER", "bob")
    )


def comparable(reply: Any) -> Any:
    """The reply to ACL GETUSER with the rules about commands in any order, which in Redis is that of a hash table."""
    if reply is None:
        return None
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    fields[b"commands"] = sorted(fields[b"commands"].split())
    fields[b"selectors"] = [
        [sorted(word.split()) if at == 1 else word for at, word in enumerate(selector)]
        for selector in fields[b"selectors"]
    ]
    return fields


_CALLS = """
get a1 | set b1 v | set b1 v get | mget a1 b1 k2 | mset a1 v b1 v | del foo:1 a | exists z | config get x
config set x y
select 0 | select 1 | xread streams a b 0 0 | xreadgroup group g c streams a 0 | copy a1 b1 | sort a1 store b1
georadius a1 0 0 1 km store b1 | geosearchstore a1 b1 fromlonlat 0 0 bybox 1 1 km | eval x 1 a1 | eval x 9 a
eval_ro x 1 b1
fcall f 2 a b | publish a1 x | spublish b1 x | subscribe a1 b1 | psubscribe a* * | ssubscribe k2 | unsubscribe x
object encoding a1 | object help | memory usage a1 | migrate h 1 a1 0 1 | bitfield a1 get u4 0
bitfield a1 set u4 0 1
lmove a1 b1 left left | blmpop 0 2 a1 b1 left | zunionstore a1 2 b1 k2 | sintercard 2 a1 b1 | pfcount a1
pfmerge a1 b1
rename a1 b1 | touch a1 | type foo:1 | auth x | hello 3 | ping | acl whoami | client id | command | command info
xgroup create a1 g $ | xinfo stream b1 | watch a1 | flushall | scan 0 | debug object a1 | bitop and a1 b1 k2
getex a1
zrangestore a1 b1 0 1 | hexists a1 f | restore a1 0 x | object freq a1 | latency doctor | function load x
cluster slots
"""
_SINGLE = ["on", "off", "nopass", "allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands"]
_SINGLE += ["nocommands", "reset", "clearselectors"]
_PATTERNS = ["a*", "b*", "*", "k?", "[ab]x", "a1", "", "foo:*", "*1"]


def random_rule(dice: random.Random, names: Sequence[str], categories: Sequence[str]) -> str:
    kind = dice.randrange(10)
    if kind < 3:
        return dice.choice("+-") + "@" + dice.choice(categories)
    if kind < 6:
        return dice.choice("++-") + dice.choice(names) + dice.choice(["", "", "", "|x", "|0"])
    if kind < 8:
        return dice.choice(["~", "%R~", "%W~", "%RW~", "&", "&"]) + dice.choice(_PATTERNS)
    return dice.choice([*_SINGLE, ">p", "<p", "sanitize-payload"])


def random_selector(dice: random.Random, names: Sequence[str], categories: Sequence[str]) -> str:
    return "(" + " ".join(random_rule(dice, names, categories) for _ in range(dice.randrange(4))) + ")"


@pytest.mark.parametrize("seed", range(4))
def test_random_rules(client: Client, oracle: Oracle, seed: int) -> None:
    """What is said about each rule, and about 20 calls after some; a rule that differs would change these."""
    dice = random.Random(seed)
    calls = [call.split() for line in _CALLS.strip().splitlines() for call in line.split(" | ")]
    names = sorted(name.decode() for name in set(oracle.call("COMMAND", "LIST")) - _NOT_HERE)
    names = [name for name in names if client.engine.table.declared_as(name.encode())]
    categories = [*(name.decode() for name in oracle.call("ACL", "CAT") if name != b"hyperloglog"), "all"]
    oracle.call("ACL", "DELUSER", "bob")
    for _ in range(40):
        rules = [random_rule(dice, names, categories) for _ in range(dice.randrange(1, 6))]
        if not dice.randrange(4):
            rules.append(random_selector(dice, names, categories))
        words = ["ACL", "SETUSER", "bob", *rules]
        assert client.call(*words) == oracle.call(*words), rules
        mine, theirs = client.call("ACL", "GETUSER", "bob"), oracle.call("ACL", "GETUSER", "bob")
        if mine is not None:
            assert mine[:4] + mine[6:10] == theirs[:4] + theirs[6:10], rules
            again = client.call("ACL", "SETUSER", "again", "reset", *mine[5].split())
            assert again == b"OK"
            assert client.call("ACL", "GETUSER", "again")[5] == mine[5]
        for call in dice.sample(calls, 20):
            words = ["ACL", "DRYRUN", "bob", *call]
            assert client.call(*words) == oracle.call(*words), (rules, call)


@pytest.mark.parametrize("rule", ["+get|a b", "(~a) ~b)"])
def test_what_a_file_could_not_give_back_is_refused(client: Client, rule: str) -> None:
    """Redis takes them; its file of users then keeps it from starting, or gives other rights."""
    assert "Syntax error" in str(client.call("ACL", "SETUSER", "bob", rule))


def test_a_failed_rule_changes_nothing(client: Client) -> None:
    client.call("ACL", "SETUSER", "bob", "+get", "~a")
    before = client.call("ACL", "LIST")
    assert isinstance(client.call("ACL", "SETUSER", "bob", "+set", "nosuch"), ErrorReply)
    assert isinstance(client.call("ACL", "SETUSER", "new", "on", "nosuch"), ErrorReply)
    assert client.call("ACL", "LIST") == before


_LINES = """
SETUSER | GETUSER | GETUSER nosuch | DELUSER | DELUSER x y | DELUSER default | DELUSER x default | LIST x
USERS | USERS x
GENPASS 0 | GENPASS 4097 | GENPASS x | GENPASS 1 2 | LOAD | SAVE | LOG | LOG x | LOG reset | LOG 1 2 | LOG -1
DRYRUN
DRYRUN default | DRYRUN default get | DRYRUN nosuch get x | DRYRUN default nosuch | DRYRUN default config
DRYRUN default config nosuch | DRYRUN default config get | DRYRUN default config get x | LIST
"""


@pytest.mark.parametrize("line", [word for line in _LINES.strip().splitlines() for word in line.split(" | ")])
def test_subcommands(client: Client, oracle: Oracle, line: str) -> None:
    for name in set(oracle.call("ACL", "USERS")) - {b"default"}:
        oracle.call("ACL", "DELUSER", name)
    assert client.call("ACL", *line.split()) == oracle.call("ACL", *line.split())


def test_genpass(client: Client) -> None:
    lengths = [len(client.call("ACL", "GENPASS", bits)) for bits in (1, 4, 5, 8, 13, 4096)]
    assert lengths == [1, 1, 2, 2, 4, 1024]
    assert client.call("ACL", "GENPASS") != client.call("ACL", "GENPASS")


# -- what a user may do -----------------------------------------------------------------------------------

_SESSION = """
get x | GET k1 | config get port | subscribe d | publish d x | publish c1 x | mget k1 | nosuch | get | exists k1
eval "return redis.call('get','x')" 0 | eval "return redis.call('get','k1')" 0
eval "return redis.pcall('incr','k1')" 0
eval "return redis.call('publish','d','x')" 0 | eval "return 1" 1 x | eval "return redis.acl_check_cmd('get','x')" 0
eval "return redis.acl_check_cmd('get','k')" 0 | eval "return redis.acl_check_cmd('get')" 0
eval "return redis.acl_check_cmd('publish','d')" 0 | eval "return redis.acl_check_cmd('incr','k')" 0
sort k1 by w_* | sort k1 get # | sort k1 by nosort | sort k1 store x | sort_ro k1 get w_*
georadius k1 0 0 1 km store x
multi | get x | get k1 | exec | multi | get k1 | discard | set k1 v | set k1 v get | auth nosuch y
hello 3 auth nosuch y
command getkeysandflags get x | acl whoami | acl list | client info x | reset | acl whoami
"""


def test_a_session(client: Client, oracle: Oracle) -> None:
    rules = (
        "on nopass +get +%W +set +eval +multi +exec +discard +sort +publish +subscribe +auth +acl|whoami +georadius "
        "+hello +exists +command|getkeysandflags ~k* &c*"
    ).replace("+%W ", "")
    for one in (client, oracle):
        one.call("ACL", "SETUSER", "bob", "reset", *rules.split())
        assert one.call("AUTH", "bob", "x") == b"OK"
    for line in [words for row in _SESSION.strip().splitlines() for words in row.split(" | ")]:
        quoted = line.split('"')
        words = [word for at, part in enumerate(quoted) for word in ([part] if at % 2 else part.split())]
        assert client.call(*words) == oracle.call(*words), line
    mine, theirs = client.call("ACL", "LOG", 99), oracle.call("ACL", "LOG", 99)
    assert [entry[:10] for entry in mine] == [entry[:10] for entry in theirs]
    assert list(map(command_of, mine)) == list(map(command_of, theirs))


def command_of(entry: list[Any]) -> bytes:
    """The command in the client-info of an entry of the log."""
    return next(field for field in entry[-1].split() if field.startswith(b"cmd="))


def test_rules_that_change_inside_a_transaction(client: Client) -> None:
    bob = user_of(client, "+get", "+set", "+publish", "+multi", "+exec", "~k*", "&c*")
    for rule, reason in (
        ("-get", "no permission to execute the command or subcommand"),
        ("resetkeys", "no permission to touch the specified keys"),
        ("resetchannels", "no permission to access one of the channels used as arguments"),
    ):
        client.call("ACL", "SETUSER", "bob", "+get", "~k*")
        bob.call("MULTI")
        for words in (("GET", "k1"), ("SET", "k1", "v"), ("PUBLISH", "c1", "x")):
            assert bob.call(*words) == b"QUEUED"
        client.call("ACL", "SETUSER", "bob", rule)
        assert any(reason in str(reply) for reply in bob.call("EXEC"))
        assert client.call("ACL", "LOG", 1)[0][5] == b"multi"


def test_auth_inside_a_transaction(client: Client) -> None:
    """From then on the other user's permissions hold."""
    user_of(client, "+get", "~k")
    client.call("MULTI")
    client.call("AUTH", "bob", "x")
    client.call("SET", "k", "v")
    logged_in, refused = client.call("EXEC")
    assert logged_in == b"OK"
    assert "no longer allowed" in str(refused)


def test_removed_in_the_middle_of_a_transaction(client: Client) -> None:
    bob = user_of(client, "~*", "+@all")
    bob.call("MULTI")
    bob.call("ACL", "DELUSER", "bob")
    bob.call("SET", "k", "v")
    bob.replies("EXEC")
    assert client.call("EXISTS", "k") == 0
    assert bob.state.close_after_reply


def test_a_removed_user_is_cut_off(client: Client) -> None:
    bob = user_of(client, "+@all", "~*")
    assert client.call("ACL", "DELUSER", "bob", "nosuch") == 1
    assert bob.state.transport.closed  # type: ignore[attr-defined]
    assert str(bob.call("GET", "k")).startswith("NOAUTH")


def test_subscribers_who_may_not_be_it_any_more(client: Client) -> None:
    kept, channel, pattern, shard = (user_of(client, "+@all", "&a", "&b*", "&c") for _ in range(4))
    kept.replies("SUBSCRIBE", "a")
    channel.replies("SUBSCRIBE", "c")
    pattern.replies("PSUBSCRIBE", "b*")
    shard.replies("SSUBSCRIBE", "c")
    client.call("ACL", "SETUSER", "bob", "resetchannels", "&a", "&b1")
    closed = [one.state.transport.closed for one in (kept, channel, pattern, shard)]  # type: ignore[attr-defined]
    assert closed == [False, True, True, True]


def test_who_may_all_needs_no_checks(client: Client) -> None:
    bob = user_of(client, "+@all", "~*", "&*")
    assert not bob.state.needs_checks
    client.call("ACL", "SETUSER", "bob", "-flushall")
    assert bob.state.needs_checks
    assert bob.state.limited
    assert str(bob.call("FLUSHALL")).startswith("NOPERM")
    client.call("ACL", "SETUSER", "bob", "(~* &* +@all)")
    assert not bob.state.needs_checks


def test_the_default_user(client: Client) -> None:
    client.call("ACL", "SETUSER", "default", ">secret")
    other = client.another()
    assert str(other.call("GET", "k")).startswith("NOAUTH")
    assert str(other.call("AUTH", "wrong")).startswith("WRONGPASS")
    assert client.call("ACL", "LOG")[0][:10] == [
        *(
            b"count",
            1,
            b"reason",
            b"auth",
            b"context",
            b"toplevel",
            b"object",
            b"AUTH",
            b"username",
            b"default",
        ),
    ]
    assert client.engine.users.log.counts["auth"] == 1
    client.call("ACL", "SETUSER", "default", "nopass")
    assert other.call("GET", "k") is None  # nobody needs to authenticate any more
    client.call("CONFIG", "SET", "requirepass", "two")
    assert str(client.another().call("GET", "k")).startswith("NOAUTH")
    client.call("ACL", "SETUSER", "default", "off")
    assert str(client.another().call("AUTH", "two")).startswith("WRONGPASS")


def test_the_log_groups_and_forgets(client: Client) -> None:
    bob = user_of(client, "+get")
    for key in ("a", "b", "a"):
        bob.call("GET", key)
    assert [(entry[1], entry[7]) for entry in client.call("ACL", "LOG")] == [(2, b"a"), (1, b"b")]
    client.now_ms += 61_000
    bob.call("GET", "a")
    assert [(entry[1], entry[7]) for entry in client.call("ACL", "LOG")] == [(1, b"a"), (2, b"a"), (1, b"b")]
    assert client.call("ACL", "LOG", 2)[1][11] == b"61"
    client.call("CONFIG", "SET", "acllog-max-len", 2)
    bob.call("GET", "c")
    assert [entry[7] for entry in client.call("ACL", "LOG")] == [b"c", b"a"]
    assert client.engine.users.log.counts["key"] == 5


def test_the_log_does_not_keep_what_is_long(client: Client) -> None:
    user_of(client, "+get").call("GET", b"x" * 5000)
    assert client.call("ACL", "LOG")[0][7] == b"x" * 1024 + b"... (3976 more bytes)"


def test_secrets_are_not_shown(client: Client) -> None:
    client.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
    client.call("ACL", "SETUSER", "bob", ">secret")
    assert client.call("SLOWLOG", "GET", 1)[0][3] == [b"ACL", b"SETUSER", *[b"(redacted)"] * 2]


def test_clients_of_a_user(client: Client) -> None:
    bob = user_of(client, "+@all")
    assert b"user=bob" in bob.call("CLIENT", "INFO")
    assert client.call("CLIENT", "KILL", "USER", "bob") == 1
    assert "No such user" in str(client.call("CLIENT", "KILL", "USER", "alice"))
    client.call("ACL", "SETUSER", b"caf\xe9", "on", "nopass", "+@all")
    other = client.another()
    other.call("AUTH", b"caf\xe9", "")
    assert b"user=caf\xe9" in other.call("CLIENT", "LIST")


# -- the configuration ------------------------------------------------------------------------------------


def engine_of(*words: str) -> Engine:
    return Engine(Config.from_command_line(words))


def test_user_lines() -> None:
    engine = engine_of(
        "--user", "bob", "on", ">x", "(+get", "~k)", "--user", "default", "on", "nopass", "+@all", "~*"
    )
    assert [line.split(b" #")[0] for line in engine.users.lines()] == [
        b"user bob on",
        b"user default on nopass sanitize-payload ~* resetchannels +@all",
    ]


def test_user_lines_are_shown_as_redis_shows_them() -> None:
    """A user that a line makes has sanitize-payload only where the line says so; default, which is there, is reset."""
    lines = [
        ("bob", "on", "nopass", "sanitize-payload", "~*", "+@all"),
        ("al", "on", "nopass", "skip-sanitize-payload"),
        ("cy", "on", "nopass", "~a"),
        ("de",),
        ("gi", "skip-sanitize-payload", "sanitize-payload", "on"),
        ("hu", "on", "nopass", "reset", "on", "~x"),
        ("default", "on", "nopass", "~*", "&*", "+@all"),
    ]
    words = [word for line in lines for word in ("--user", *line)]
    oracle = Oracle(*words)
    try:
        assert engine_of(*words).users.lines() == oracle.call("ACL", "LIST")
    finally:
        oracle.close()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--user", "bob", "--user", "bob"], "Duplicate user"),
        (["--user", "bob", "+nosuch"], "Unknown command"),
        (["--user", "bob", "(+get"], "Unmatched parenthesis"),
        (["--user", "b b"], "no spaces"),
        (["--user"], "number of arguments"),
        (["--aclfile", "x", "--user", "bob"], "and in the file aclfile"),
    ],
)
def test_user_lines_that_are_refused(words: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        engine_of(*words)


def test_a_password_is_not_in_the_error() -> None:
    with pytest.raises(ConfigError) as refused:
        engine_of("--user", "bob", ">hunter2", "#" + "a" * 64, "+nosuch")
    assert "user bob (redacted) (redacted) +nosuch" in str(refused.value)
    assert "hunter2" not in str(refused.value) and "aaa" not in str(refused.value)


def test_passwords_of_the_configuration_file_become_digests() -> None:
    """By the first CONFIG REWRITE, as in Redis."""
    digest = hashlib.sha256(b"hunter2").hexdigest()
    users: Users = engine_of("--user", "bob", "on", ">hunter2", "~k").users
    lines = users.config_lines()
    assert lines == [
        f"user bob on #{digest} ~k resetchannels -@all",
        "user default on nopass ~* &* +@all",
    ]
    users.config_written()
    assert users.config_lines() is None
    assert engine_of("--user", "bob", "on", f"#{digest}", "~k").users.config_lines() is None


def test_lines_for_the_configuration_file() -> None:
    engine = engine_of()
    users: Users = engine.users
    assert users.config_lines() is None
    client = Client(engine)
    client.call("CONFIG", "SET", "requirepass", "secret")
    assert users.config_lines() is None  # the setting says it
    client.call("ACL", "SETUSER", "bob", "%R~*", "%W~*", "~a")
    client.call("CONFIG", "SET", "requirepass", "")
    lines = users.config_lines()
    assert lines == [
        "user bob off %RW~* ~a resetchannels -@all",
        "user default on nopass ~* &* +@all",
    ]
    assert engine_of("--user", *lines[0].split()[1:]).users.by_name[b"bob"].denial is not None
    users.config_written()
    assert users.config_lines() is None
