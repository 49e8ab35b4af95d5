"""COMMAND GETKEYS and GETKEYSANDFLAGS beside Redis, on arguments in any order.

The arguments are what the commands' options are made of, so that an option's word often stands where a value belongs.
"""

from __future__ import annotations

from random import Random

import pytest

from kedis.commands import load_all
from kedis.commands.parsing.grammar import Argument, parse
from kedis.engine.flags import NO_MANDATORY_KEYS
from kedis.engine.table import Command, every_command
from tests.commands.driver import Client, ErrorReply
from tests.oracle import Oracle

load_all()
INVALID = ErrorReply("ERR Invalid arguments specified for command")
#: Commands of Redis 7.2.
_NEWER = {"client|no-touch", "client|setinfo"}
ROWS = [row for row in every_command() if row.function is not None and row.name not in _NEWER]
#: Their keys are found by a keyword, a count or a function.
MOVING = [row for row in ROWS if row.moves_keys]
VALUES = ["", "a", "b", "k", "0", "1", "1", "2", "2", "3", "-1", "5", "10", "km", "*"]


@pytest.fixture(scope="module")
def client() -> Client:
    return Client()


def options(arguments: tuple[Argument, ...]) -> list[str]:
    """All words of a command's options."""
    found = [argument.token for argument in arguments if argument.token]
    for argument in arguments:
        found += options(argument.arguments)
    return found


def call(random: Random, row: Command, vocabulary: list[str]) -> list[str]:
    """The command with arguments by chance, now and then fewer than there must be."""
    names = row.name.split("|")
    count = abs(row.arity) - len(names) + random.choice([-1, 0, 0, 0, 1, 2, 3, 4, 6, 8])
    if row.arity > 0 and random.random() < 0.8:
        count = row.arity - len(names)
    words = []
    for _ in range(max(count, 0)):
        word = random.choice(vocabulary if random.random() < 0.5 else VALUES)
        words.append(word.lower() if random.random() < 0.3 else word)
    return [*names, *words]


@pytest.mark.parametrize("row", MOVING, ids=lambda row: row.name)
def test_keys_that_are_searched(row: Command, client: Client, oracle: Oracle) -> None:
    random = Random(row.name)
    vocabulary = options(parse(row.syntax)) or VALUES
    replies = errors = 0
    for _ in range(400):
        words = call(random, row, vocabulary)
        for question in ("GETKEYS", "GETKEYSANDFLAGS"):
            ours = client.call("COMMAND", question, *words)
            assert ours == oracle.call("COMMAND", question, *words), words
            errors += isinstance(ours, ErrorReply)
            replies += 1
    assert 0 < errors < replies


@pytest.mark.parametrize("row", [row for row in ROWS if not row.moves_keys], ids=lambda row: row.name)
def test_keys_in_fixed_places(row: Command, client: Client, oracle: Oracle) -> None:
    random = Random(row.name)
    vocabulary = [*options(parse(row.syntax)), *VALUES]
    for _ in range(12):
        words = call(random, row, vocabulary)
        ours = client.call("COMMAND", "GETKEYSANDFLAGS", *words)
        assert ours == oracle.call("COMMAND", "GETKEYSANDFLAGS", *words), words


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ('MIGRATE h 1 "" 0 10 AUTH keys KEYS a b', ["a", "b"]),
        ('MIGRATE h 1 "" 0 10 AUTH2 keys pw KEYS a b', ["a", "b"]),
        ('MIGRATE h 1 "" 0 10 AUTH2 u keys KEYS a b', ["a", "b"]),
        ('MIGRATE h 1 "" 0 10 COPY keys a keys auth', ["a", "keys", "auth"]),
        ("MIGRATE h 1 k 0 10", ["k"]),
        ("MIGRATE h 1 k 0 10 AUTH keys", ["k"]),
        ("MIGRATE h 1 k 0 10 KEYS a", None),
        ('MIGRATE h 1 "" 0 10 KEYS', [""]),
        ("MIGRATE h 1 k 0 10 KEYS", ["k"]),
        ('MIGRATE h 1 "" 0 10 AUTH keys KEYS', None),
        ("GEORADIUS g 1 2 3 km STORE", ["g"]),
        ("GEORADIUS g 1 2 3 km STORE s", ["g", "s"]),
        ("GEORADIUS g 1 2 3 km STOREDIST", ["g"]),
        ("GEORADIUS g 1 2 3 km STORE s STOREDIST", ["g", "s"]),
        ("GEORADIUSBYMEMBER g m 3 km STORE", ["g"]),
        ("GEORADIUSBYMEMBER g m 3 km STOREDIST d", ["g", "d"]),
    ],
)
def test_a_keyword_that_is_a_value_or_the_last_word(
    words: str, keys: list[str] | None, client: Client, oracle: Oracle
) -> None:
    call = [word.replace('""', "") for word in words.split()]
    expected = INVALID if keys is None else [key.encode() for key in keys]
    for server in (client, oracle):
        assert server.call("COMMAND", "GETKEYS", *call) == expected


@pytest.mark.parametrize("count", ["+1", " 1", "1 ", "1_0", "01", "1.0", "", "-1", "0", "9" * 19, "9" * 5000])
@pytest.mark.parametrize(
    "row", [row for row in MOVING if any(spec.count_at is not None for spec in row.keys)]
)
def test_counts_are_whole_numbers(row: Command, count: str, client: Client) -> None:
    """A difference: Redis also finds the keys, without flags, after a count that the command itself refuses."""
    at = next(spec.index for spec in row.keys if spec.count_at is not None)
    words = [row.name, *["k"] * (at - 1), count, *["k"] * 12]
    # A script need not have keys: none were found.
    assert client.call("COMMAND", "GETKEYS", *words) == ([] if row.flags & NO_MANDATORY_KEYS else INVALID)
