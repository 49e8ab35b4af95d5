"""The notation in which the arguments of commands are written down."""

from __future__ import annotations

import pytest

from kedis.cli.client.catalogue import argument_syntax
from kedis.commands import load_all
from kedis.commands.parsing.grammar import parse
from kedis.commands.syntax_table import DEPRECATED, SYNTAX, SYSTEM
from kedis.engine.table import every_command

load_all()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key@0 value", "key value"),
        ('[condition("NX" | "XX")~2.6.12]', "[NX|XX]"),
        ('where("BEFORE" | "AFTER") pivot', "<BEFORE|AFTER> pivot"),
        ("key@0 key@1...", "key key [key ...]"),
        ('["GET" pattern:pattern@1...+]', "[GET pattern [GET pattern ...]]"),
        ('["WEIGHTS" weight:int...]', "[WEIGHTS weight [weight ...]]"),
        ('["LIMIT" offset_count{offset:int count:int}]', "[LIMIT offset count]"),
        ("addr:ip:port", "addr:ip:port"),
    ],
)
def test_notation(text: str, shown: str) -> None:
    """As kedis-cli shows it."""
    assert " ".join(argument_syntax(argument.document()) for argument in parse(text)) == shown


def test_types_and_versions() -> None:
    seconds, *_ = parse('["EX" seconds:int~2.6.12!7.0.0] at:time score:double')
    assert seconds.document() == {
        b"name": b"seconds",
        b"type": b"integer",
        b"token": b"EX",
        b"since": b"2.6.12",
        b"deprecated_since": b"7.0.0",
        b"flags": seconds.document()[b"flags"],
    }
    assert [argument.type for argument in parse("at:time score:double x:pattern")] == [
        "unix-time",
        "double",
        "pattern",
    ]


@pytest.mark.parametrize("text", ["[key", "a(b", "a{b", "a]", "a(b|)", "...", ")"])
def test_what_breaks_the_rules_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"should be|out of place"):
        parse(text)


def test_only_commands_that_exist_are_described() -> None:
    names = {row.name for row in every_command()}
    assert set(DEPRECATED) | SYSTEM <= names | {"restore-asking"}
    assert set(SYNTAX) <= names | {"dump", "restore", "restore-asking", "migrate", "bgsave"}
