"""A new command takes one declaration and one handler: everything else knows it from its row.

The toy is all that somebody would write in a file of their own in ``kedis/commands/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from kedis.cli.client import secrets
from kedis.cli.client.catalogue import builtin
from kedis.cli.client.completion import CommandCompleter, KeyNames
from kedis.cli.client.secrets import carries_secret
from kedis.commands import load_all
from kedis.engine.flags import DENYOOM, FAST, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import COMMANDS, command, container
from kedis.observability.metrics_reading import calls, command_refusals
from ops.command_table import table
from tests.commands.driver import Client, ErrorReply

load_all()


def declare_toys() -> None:
    """The file of the toy family."""

    @command(
        "TOYSET",
        arity=-3,
        flags=WRITE | DENYOOM | FAST,
        group="string",
        since="7.0.0",
        summary="Stores a toy.",
        keys=[span("OW update", 1)],
        complexity="O(1)",
        syntax='key@0 value ["PASSWORD" password]',
        deprecated=("7.0.1", "SET"),
        secrets=lambda argv: (4,),
    )
    def toyset(client: Any, argv: Sequence[bytes]) -> int:
        client.db.set_value(argv[1], argv[2], "toyset")
        return len(argv[2])

    container("TOY", arity=-2, group="generic", since="7.0.0", summary="Commands about toys.")

    @command("TOY|COUNT", arity=2, flags=FAST, group="generic", since="7.0.0", summary="Counts the toys.")
    def toy_count(client: Any, argv: Sequence[bytes]) -> int:
        return len(client.db)


@pytest.fixture
def client() -> Iterator[Client]:
    declare_toys()
    secrets._commands.cache_clear()
    try:
        yield Client()
    finally:
        del COMMANDS[b"toyset"], COMMANDS[b"toy"]
        secrets._commands.cache_clear()


def test_it_runs_and_is_journalled(client: Client) -> None:
    assert client.call("toySET", "k", "abc") == 3
    assert client.call("GET", "k") == b"abc"
    assert client.call("TOY", "COUNT") == 1
    assert client.journal() == ["0 toySET k abc"]


def test_errors(client: Client) -> None:
    assert client.call("TOYSET", "k") == ErrorReply("ERR wrong number of arguments for 'toyset' command")
    assert client.call("TOY", "COUNT", "x") == ErrorReply(
        "ERR wrong number of arguments for 'toy|count' command"
    )
    assert client.call("TOY", "SIZE") == ErrorReply("ERR unknown subcommand 'SIZE'. Try TOY HELP.")


def test_exec(client: Client) -> None:
    for words in (["MULTI"], ["TOYSET", "a", "1"], ["TOY", "COUNT"]):
        client.call(*words)
    assert client.call("EXEC") == [1, 1]
    client.call("MULTI")
    client.call("TOYSET", "a")
    assert str(client.call("EXEC")).startswith("EXECABORT")


def test_watch_and_pause_and_full_memory_see_a_write(client: Client) -> None:
    other = client.another()
    client.call("WATCH", "k")
    client.call("MULTI")
    other.call("TOYSET", "k", "v")
    assert client.call("EXEC") is None
    client.call("CLIENT", "PAUSE", 1000, "WRITE")
    assert other.engine.run(other.state, [[b"TOYSET", b"k", b"v"]]) == 0
    client.call("CLIENT", "UNPAUSE")
    client.call("CONFIG", "SET", "maxmemory", "1")
    assert str(other.call("TOYSET", "k", "v")).startswith("OOM")


def test_command_info_docs_and_list(client: Client) -> None:
    (info,) = client.call("COMMAND", "INFO", "ToySet")
    assert info[:6] == [b"toyset", -3, [b"write", b"denyoom", b"fast"], 1, 1, 1]
    assert info[6] == [b"@write", b"@string", b"@fast"]
    assert client.call("COMMAND", "INFO", "toy|count")[0][0] == b"toy|count"
    name, facts = client.call("COMMAND", "DOCS", "TOYSET")
    documented = dict(zip(facts[::2], facts[1::2], strict=True))
    assert name == b"toyset" and documented[b"summary"] == b"Stores a toy."
    assert documented[b"replaced_by"] == b"SET" and len(documented[b"arguments"]) == 3
    assert client.call("COMMAND", "COUNT") == len(COMMANDS)
    names = {b"toyset", b"toy|count"}
    assert names <= set(client.call("COMMAND", "LIST"))


def test_keys(client: Client) -> None:
    assert client.call("COMMAND", "GETKEYS", "TOYSET", "k", "v") == [b"k"]
    assert client.call("COMMAND", "GETKEYSANDFLAGS", "TOYSET", "k", "v") == [[b"k", [b"OW", b"update"]]]


def test_acl_categories(client: Client) -> None:
    assert b"toyset" in client.call("ACL", "CAT", "string")
    assert b"toyset" in client.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", "write")
    assert b"toy|count" in client.call("ACL", "CAT", "keyspace")


def test_secrets_are_shown_nowhere(client: Client) -> None:
    watcher = client.another()
    watcher.call("MONITOR")
    client.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
    client.call("TOYSET", "k", "v", "PASSWORD", "sesame")
    (line,) = watcher.pushed()
    assert line.endswith(b'"TOYSET" "k" "v" "PASSWORD" "(redacted)"')
    words = [call[3] for call in client.call("SLOWLOG", "GET")]
    assert [b"TOYSET", b"k", b"v", b"PASSWORD", b"(redacted)"] in words
    assert carries_secret("toyset k v PASSWORD sesame") and not carries_secret("toyset k v")


def test_figures(client: Client) -> None:
    client.call("TOYSET", "k", "v")
    client.call("TOYSET", "k")
    client.call("TOY", "COUNT")
    assert b"cmdstat_toyset:calls=1," in client.call("INFO", "commandstats")
    assert b"cmdstat_toy|count:calls=1," in client.call("INFO", "commandstats")
    assert client.call("LATENCY", "HISTOGRAM", "toyset")[0] == b"toyset"
    observer = client.engine.observer
    assert (("toyset",), 1) in list(calls(observer))
    assert (("toyset", "ERR"), 1) in list(command_refusals(observer))


def test_command_line_and_docs(client: Client) -> None:
    catalogue = builtin()
    assert catalogue.entries["TOYSET"].syntax == "key value [PASSWORD password]"
    completer = CommandCompleter(lambda: catalogue, lambda: (), KeyNames(lambda: None))

    def offered(text: str) -> list[str]:
        return [each.text for each in completer.get_completions(Document(text), CompleteEvent())]

    assert offered("TOYS") == ["TOYSET"]
    assert offered("TOY C") == ["COUNT"]
    assert "PASSWORD" in offered("TOYSET k v P")
    assert "| `TOYSET` | Stores a toy. | O(1) |" in table()


def test_afterwards_nothing_is_left() -> None:
    client = Client()
    assert str(client.call("TOYSET", "k", "v")).startswith("ERR unknown command 'TOYSET'")
    assert "TOYSET" not in builtin().entries and "TOYSET" not in table()
