"""Histories of many clients are linearizable, over kill -9 too; and the checker sees what is not.

The long ones are ``make test-linearizability``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.linearizability.checker import NotLinearizable, check
from tests.linearizability.model import UNKNOWN, Operation
from tests.linearizability.run import history


def operation(kind: str, argument: Any, result: Any, invoked: int, returned: int, pair: int = 0) -> Operation:
    return Operation(0, pair, kind, argument, result, invoked, returned)


RIGHT: dict[str, list[Operation]] = {
    "one after the other": [operation("set", 1, b"OK", 0, 1), operation("get", None, 1, 2, 3)],
    "at the same time, seen": [operation("set", 1, b"OK", 0, 9), operation("get", None, 1, 1, 2)],
    "at the same time, not seen": [operation("set", 1, b"OK", 0, 9), operation("get", None, None, 1, 2)],
    "no answer, done": [operation("set", 1, UNKNOWN, 0, 1), operation("get", None, 1, 2, 3)],
    "no answer, not done": [operation("set", 1, UNKNOWN, 0, 1), operation("get", None, None, 2, 3)],
    "other keys": [operation("set", 1, b"OK", 0, 1), operation("get", None, None, 2, 3, pair=1)],
    "three increments": [operation("increment", None, number, 0, 9) for number in (3, 1, 2)],
    "a pop waits for a push": [operation("blocking pop", None, 7, 0, 9), operation("push", 7, 1, 1, 2)],
    "a watched change": [
        operation("set", 1, b"OK", 0, 1),
        operation("get", None, 1, 2, 3),
        operation("exec", (1, 2), True, 4, 5),
        operation("get", None, 2, 6, 7),
    ],
}
WRONG: dict[str, list[Operation]] = {
    "a stale read": [
        operation("set", 1, b"OK", 0, 1),
        operation("set", 2, b"OK", 2, 3),
        operation("get", None, 1, 4, 5),
    ],
    "a lost write": [operation("set", 1, b"OK", 0, 1), operation("get", None, None, 2, 3)],
    "a read taken back": [
        operation("set", 1, UNKNOWN, 0, 1),
        operation("get", None, 1, 2, 3),
        operation("get", None, None, 4, 5),
    ],
    "done later": [
        operation("set", 1, UNKNOWN, 0, 1),
        operation("get", None, None, 2, 3),
        operation("get", None, 1, 4, 5),
    ],
    "a lost update": [operation("increment", None, 1, 0, 9), operation("increment", None, 1, 1, 8)],
    "popped twice": [
        operation("push", 7, 1, 0, 1),
        operation("pop", None, 7, 2, 5),
        operation("pop", None, 7, 3, 6),
    ],
    "half a transaction": [
        operation("unit", 7, (1, 1, (7,)), 0, 9),
        operation("range", None, (7,), 1, 2),
        operation("get", None, None, 3, 4),
    ],
    "a change of what was not watched": [
        operation("set", 1, b"OK", 0, 1),
        operation("set", 3, b"OK", 2, 3),
        operation("exec", (1, 2), True, 4, 5),
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right(name: str) -> None:
    assert check(RIGHT[name]) == len(RIGHT[name])


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong(name: str) -> None:
    with pytest.raises(NotLinearizable, match="no order explains"):
        check(WRONG[name])


def test_a_history(tmp_path: Path) -> None:
    found = history(tmp_path / "data", 4000, kills=0)
    assert check(found) > 3000
    assert {each.kind for each in found} >= {"unit", "script", "exec", "blocking pop"}


def test_a_history_over_kills(tmp_path: Path) -> None:
    found = history(tmp_path / "data", 3000, kills=2)
    assert check(found) > 2000
    assert any(each.result is UNKNOWN for each in found)


def test_lost_data_are_seen(tmp_path: Path) -> None:
    """A server that keeps nothing."""
    found = history(tmp_path / "data", 1500, kills=1, flags=("--appendonly", "no", "--save", ""))
    with pytest.raises(NotLinearizable):
        check(found)


def test_a_server_that_forgets_to_watch_is_seen(tmp_path: Path) -> None:
    program = ("-m", "tests.linearizability.unwatchful_kedis")
    for seed in range(10):  # whether two clients meet is chance
        found = history(tmp_path / f"data{seed}", 4000, kills=0, program=program, seed=seed)
        try:
            check(found)
        except NotLinearizable:
            return
        print(f"seed {seed} has shown nothing", file=sys.stderr)
    pytest.fail("a fault that was there has not been seen")
