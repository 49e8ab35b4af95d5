"""COMMAND: what it says of every command is what Redis says."""

from __future__ import annotations

from typing import Any

import pytest

from kedis.commands import load_all
from kedis.engine.table import CommandTable, every_command
from kedis.errors import CommandError
from tests.commands.driver import Client, ErrorReply
from tests.oracle import Oracle

load_all()
ROWS = {row.name: row for row in every_command()}
#: Facts about CLIENT SETINFO are those of the first version that has it.
NEWER_THAN_THE_ORACLE = {"client|setinfo", "client|no-touch"}


@pytest.fixture
def client() -> Client:
    return Client()


def without_notes(fact: Any) -> Any:
    """``fact`` less the prose that Redis adds to some key specifications (RESP2: flat maps)."""
    if not isinstance(fact, list):
        return fact
    parts = [without_notes(part) for part in fact]
    if parts[:1] == [b"notes"]:
        return parts[2:]
    return parts


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_command_is_described_as_in_redis(client: Client, oracle: Oracle, name: str) -> None:
    (mine,) = client.call("COMMAND", "INFO", name)
    (theirs,) = oracle.call("COMMAND", "INFO", name)
    if theirs is None:
        assert name in NEWER_THAN_THE_ORACLE, "Redis does not know it"
        return
    assert mine[:9] == without_notes(theirs)[:9]
    theirs_below = {child[0]: child for child in theirs[9]}
    for child in mine[9]:
        if child[0].decode() not in NEWER_THAN_THE_ORACLE:
            assert child[0] in theirs_below


@pytest.mark.parametrize("name", ["get", "mset", "sintercard", "client|id", "lmove", "auth"])
def test_shapes_of_resp3(oracle3: Oracle, name: str) -> None:
    (mine,), (theirs,) = Client(resp=3).call("COMMAND", "INFO", name), oracle3.call("COMMAND", "INFO", name)
    for spec in theirs[8]:
        spec.pop(b"notes", None)
    assert mine == theirs
    assert [type(fact) for fact in mine] == [type(fact) for fact in theirs]


def test_the_bytes_of_a_reply_in_resp3() -> None:
    client = Client(resp=3)
    client.engine.run(client.state, [[b"COMMAND", b"INFO", b"get"]])
    assert b"".join(client.state.out).split(b"\r\n")[:13] == (
        b"*1 *10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read".split()
    )


def test_all_commands_without_words(client: Client) -> None:
    everything = client.call("COMMAND")
    assert len(everything) == client.call("COMMAND", "COUNT") == len(client.engine.table.rows)
    assert client.call("COMMAND", "INFO") == everything
    assert client.call("command", "info", "NoSuch", "GET")[0] is None
    assert client.call("COMMAND", "INFO", "GET")[0][0] == b"get"


def test_every_command_is_documented() -> None:
    for row in every_command():
        assert row.summary and row.complexity and row.since, row.name
        assert row.summary.endswith(".") and len(row.summary) <= 110, row.name
        assert not row.complexity.endswith("."), row.name


@pytest.mark.parametrize("category", ["transaction", "string", "hash", "list", "set", "fast", "CONNECTION"])
def test_list_by_category(client: Client, oracle: Oracle, category: str) -> None:
    mine = set(client.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", category))
    theirs = set(oracle.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", category))
    known = {name.encode() for name in ROWS if name not in NEWER_THAN_THE_ORACLE}
    assert mine & known == theirs & known
    assert mine


def test_list_by_pattern(client: Client) -> None:
    assert sorted(client.call("COMMAND", "LIST", "FILTERBY", "PATTERN", "H?ETNX")) == [b"hsetnx"]
    assert b"client|id" in client.call("COMMAND", "LIST", "FILTERBY", "PATTERN", "client*")
    assert client.call("COMMAND", "LIST", "FILTERBY", "MODULE", "search") == []
    assert sorted(client.call("COMMAND", "LIST")) == sorted(name.encode() for name in ROWS)


@pytest.mark.parametrize(
    "line",
    [
        "GETKEYS",
        "GETKEYS get",
        "GETKEYS get a",
        "GETKEYS get a b",
        "GETKEYS GET a",
        "GETKEYS nosuch a",
        "GETKEYS object foo",
        "GETKEYS object encoding x",
        "GETKEYS client id",
        "GETKEYS ping a b c d",
        "GETKEYS mset a 1 b 2",
        "GETKEYS mset a 1 b",
        "GETKEYS sunionstore a",
        "GETKEYS sunionstore a b c",
        "GETKEYS sintercard 3 a",
        "GETKEYS sintercard 2 a b limit 3",
        "GETKEYS sintercard 0 a",
        "GETKEYS lmove a b left right",
        "GETKEYS bitop and a b c",
        "GETKEYS object|encoding x y",
        "GETKEYS client|id x",
        "LIST FILTERBY foo bar",
        "LIST FILTERBY",
        "LIST FILTERBY ACLCAT nosuch",
        "LIST foo",
        "COUNT x",
        "foo",
    ],
)
def test_keys_and_errors_as_in_redis(client: Client, oracle: Oracle, line: str) -> None:
    assert client.call("COMMAND", *line.split()) == oracle.call("COMMAND", *line.split())


def test_help(client: Client) -> None:
    lines = client.call("COMMAND", "HELP")
    assert lines[0] == b"COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert b"GETKEYS" in lines and lines[-2] == b"HELP"


def test_command_alone_is_counted_apart_from_its_subcommands(client: Client) -> None:
    client.call("COMMAND")
    client.call("COMMAND", "COUNT")
    assert client.call("COMMAND", "nosuch") == ErrorReply(
        "ERR unknown subcommand 'nosuch'. Try COMMAND HELP."
    )
    row = client.engine.table.rows[b"command"]
    assert (row.counters.calls, row.subcommands[b"count"].counters.calls) == (1, 1)


#: What COMMAND DOCS tells in Redis's words; all else are facts.
PROSE = {b"summary", b"complexity", b"history", b"replaced_by", b"subcommands"}


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_command_is_documented_as_in_redis(
    oracle: Oracle, oracle3: Oracle, name: str, resp: int
) -> None:
    mine = Client(resp=resp).call("COMMAND", "DOCS", name)
    theirs = (oracle if resp == 2 else oracle3).call("COMMAND", "DOCS", name)
    if name in NEWER_THAN_THE_ORACLE:
        assert not theirs
        return
    (_, mine), (_, theirs) = (docs if resp == 2 else next(iter(docs.items())) for docs in (mine, theirs))
    if resp == 2:
        mine, theirs = (dict(zip(docs[::2], docs[1::2], strict=True)) for docs in (mine, theirs))
    assert {fact: value for fact, value in mine.items() if fact not in PROSE} == {
        fact: value for fact, value in theirs.items() if fact not in PROSE
    }
    assert mine[b"summary"].endswith(b".")
    assert (b"replaced_by" in mine) == (b"replaced_by" in theirs)


@pytest.mark.parametrize(
    ("request_", "family"),
    [
        (("JSON.SET", "k", "$", "1"), "JSON values"),
        (("ft.search", "i", "*"), "search"),
        (("HEXPIRE", "h", "1"), "expiry of single fields (Redis 7.4)"),
        (("VADD", "v"), "vector sets (Redis 8.0)"),
    ],
)
def test_a_command_of_a_missing_family_says_so(request_: tuple[str, ...], family: str) -> None:
    shown = "".join(f"'{word}' " for word in request_[1:])
    with pytest.raises(CommandError) as caught:
        CommandTable().resolve([word.encode() for word in request_])
    assert str(caught.value) == (
        f"ERR unknown command '{request_[0]}', with args beginning with: {shown}(Kedis has no {family} yet)"
    )


@pytest.mark.parametrize("name", ["JSON", "JSON.", ".SET", "FOO.BAR", "HEXPIR", "x" * 100000])
def test_other_unknown_commands_are_answered_as_by_redis(name: str) -> None:
    with pytest.raises(CommandError) as caught:
        CommandTable().resolve([name.encode()])
    assert str(caught.value) == f"ERR unknown command '{name[:128]}', with args beginning with: "
