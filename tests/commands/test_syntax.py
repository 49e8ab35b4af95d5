"""The notation in which the arguments of commands are written down."""

from __future__ import annotations

import pytest

from kedis.cli.client.catalogue import argument_syntax
from kedis.commands import load_all
from kedis.commands.parsing.grammar import Argument, parse
from kedis.engine.table import Command, every_command

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


@pytest.mark.parametrize("row", [row for row in every_command() if row.syntax], ids=lambda row: row.name)
def test_syntax_of_a_command(row: Command) -> None:
    """It parses, names each key specification, and fits a fixed arity: so many arguments are not optional."""
    arguments = parse(row.syntax)
    specs = {spec for argument in arguments for spec in key_specs(argument)}
    assert specs <= set(range(len(row.keys)))
    least = 1 + row.name.count("|") + sum(map(fewest, arguments))
    assert row.arity < 0 or row.arity == least


def key_specs(argument: Argument) -> set[int]:
    inner = {spec for child in argument.arguments for spec in key_specs(child)}
    return inner if argument.key_spec is None else inner | {argument.key_spec}


def fewest(argument: Argument) -> int:
    """How many words ``argument`` takes at least."""
    if argument.optional:
        return 0
    parts = list(map(fewest, argument.arguments))
    named = 1 if argument.token is not None and argument.type != "pure-token" else 0
    if argument.type == "oneof":
        return named + min(parts)
    return named + (sum(parts) if parts else 1)
