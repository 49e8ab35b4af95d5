"""What a user may: the quick answer is the one that tells why not, for every command and all kinds of rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest

from kedis.engine import acl_selector
from kedis.engine.acl_selector import Selector
from kedis.engine.keyspec import KeySpec
from kedis.engine.table import Command
from kedis.engine.users import User
from tests.commands.driver import Client

_RULES = [
    "+@all ~* &*",
    "+@all ~a*",
    "+@all ~a*:[0-9] ~b",
    "+@all %R~a* %W~b*",
    "+@all -@write &c* ~*",
    "+get +set +eval ~a* (+@all ~b*) (+xread %R~*)",
    "+select|0 +config|get +@read (%W~a* +@write)",
    "(+@all ~a* ~b* &a*)",
    "-@all",
]
_WORDS = [
    "a",
    "a1",
    "b",
    "b:1",
    "c1",
    "a:7",
    "0",
    "1",
    "2",
    "3",
    "01",
    "-1",
    "x",
    "STREAMS",
    "streams",
    "STORE",
    "GET",
    "KEYS",
    "",
]


def _all_commands(client: Client) -> list[Command]:
    rows = client.engine.table.rows.values()
    return [each for row in rows for each in (row, *row.subcommands.values()) if each.function is not None]


@pytest.mark.parametrize("rules", _RULES)
def test_the_quick_answer_is_the_long_one(rules: str) -> None:
    client = Client()
    assert client.call("ACL", "SETUSER", "bob", "on", "nopass", *rules.split()) == b"OK"
    bob, dice = client.engine.users.by_name[b"bob"], Random(rules)
    allowed = 0
    for command in _all_commands(client):
        name = [part.encode() for part in command.name.split("|")]
        for _ in range(30):
            size = command.arity if command.arity > 0 else -command.arity + dice.choice((0, 0, 1, 2, 5))
            argv = [*name, *(dice.choice(_WORDS).encode() for _ in range(size - len(name)))]
            assert command.accepts(len(argv))
            assert bob.may(command, argv) is (bob.denial(command, argv) is None), argv
            allowed += bob.may(command, argv)
    assert allowed


def test_what_is_allowed_is_not_asked_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    client.call("ACL", "SETUSER", "bob", "on", "nopass", "+@all", "-@dangerous", "~a*", "~b?[0-9]")
    client.call("AUTH", "bob", "x")
    asked: list[object] = []
    for kind in (User, Selector):
        denial = kind.denial

        def counted(self, *call, denial=denial):  # type: ignore[no-untyped-def]
            asked.append(call)
            return denial(self, *call)

        monkeypatch.setattr(kind, "denial", counted)
    for words in (
        "SET a1 v",
        "GET bx1",
        "MSET a1 v a2 v",
        "EVAL x 1 a1",
        "PING",
        "RENAME a1 a3",
        "ZUNION 1 a9",
    ):
        assert "NOPERM" not in str(client.call(*words.split()))
    assert not asked
    assert "NOPERM" in str(client.call("GET", "c"))
    assert asked


def test_new_rules_make_new_answers() -> None:
    client = Client()
    client.call("ACL", "SETUSER", "bob", "on", "nopass", "+@all", "~a*")
    bob, get = client.engine.users.by_name[b"bob"], client.engine.table.named(b"get")
    answers = [bob.may(get, [b"GET", b"a1"])]
    for rule in ("-get", "+get", "resetkeys", "%R~a?", "reset"):
        client.call("ACL", "SETUSER", "bob", rule)
        answers.append(bob.may(get, [b"GET", b"a1"]))
    assert answers == [True, False, True, False, True, False]


def test_patterns_are_compared_once_for_a_key_that_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever command asks; the answers of keys that are many, or long, are not kept."""
    compared: list[bytes] = []

    def counted(pattern: bytes) -> Callable[[bytes], bool]:
        def matches(key: bytes) -> bool:
            compared.append(key)
            return key.endswith(b"1")

        return matches

    monkeypatch.setattr(acl_selector, "compile_glob", counted)
    client = Client()
    client.call("ACL", "SETUSER", "bob", "+@all", "~*[1]")
    bob, table = client.engine.users.by_name[b"bob"], client.engine.table.rows

    def may(*words: bytes) -> bool:
        return bob.may(table[words[0].lower()], words)

    assert [may(b"GET", b"k1"), may(b"HGET", b"k1", b"f"), may(b"GET", b"k2"), may(b"GET", b"k2")] == [
        *(True, True, False, False),
    ]
    assert compared[0] == b"k1" and compared.count(b"k1") == 1
    for number in range(3000):
        may(b"GET", b"%d1" % number)
    compared.clear()
    for key in (b"01", b"29991", b"x" * 500, b"x" * 500 + b"1", b"x" * 500 + b"1"):
        may(b"GET", key)
    assert b"01" in compared and b"29991" not in compared
    assert compared.count(b"x" * 500 + b"1") == 2


def test_the_words_of_xread_are_searched_once_for_all_selectors(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[object] = []
    positions = KeySpec.positions

    def counted(self: KeySpec, argv: Sequence[bytes]) -> range:
        searched.append(self)
        return positions(self, argv)

    monkeypatch.setattr(KeySpec, "positions", counted)
    client = Client()
    client.call("ACL", "SETUSER", "bob", "+@all", "~a*", "(+@all ~b*)", "(+@all ~c*)")
    bob, xread = client.engine.users.by_name[b"bob"], client.engine.table.named(b"xread")
    assert xread is not None
    assert bob.may(xread, [b"XREAD", b"streams", b"c1", b"0"])
    assert len(searched) == 1
    assert not bob.may(xread, [b"XREAD", b"STREAMS", b"a1", b"c1", b"0", b"0"])
    assert len(searched) == 2
