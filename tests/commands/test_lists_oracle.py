"""Seeded random calls of the list commands, on Kedis and on real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.commands.agreement import compare, damaged, journalling_oracle
from tests.oracle import Oracle

LONG = [f"e{number % 40}" for number in range(1500)]
FILL = [
    "RPUSH short a b c a b a",
    "RPUSH one a",
    "LPUSH long " + " ".join(LONG),
    "RPUSH ttl a b c",
    "PEXPIREAT ttl 4000000000000",
    "SET string v",
]
KEYS = ["short", "one", "long", "ttl", "string", "none", "none2"]
ELEMENTS = ["a", "b", "c", "e7", "e39", "", "new\r\n"]
NUMBERS = ["0", "1", "-1", "2", "-2", "3", "5", "-5", "40", "x", "", "1.5"]
FAR_NUMBERS = ["700", "-700", "1499", "1500", "-1500", "9223372036854775807", "-9223372036854775808"]
SIDES = ["LEFT", "right", "Left", "up"]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = journalling_oracle()
    yield server
    server.close()


def random_call(random: Random) -> list[Any]:
    key, other = random.choice(KEYS), random.choice(KEYS)
    element = random.choice(ELEMENTS)
    elements = random.choices(ELEMENTS, k=random.choice([1, 1, 2, 5]))
    number, another = (random.choice(NUMBERS + FAR_NUMBERS) for _ in range(2))
    small = random.choice(["0", "1", "2", "3", "-1", "x", "9223372036854775807"])
    side, other_side = random.choice(SIDES), random.choice(SIDES)
    search: list[str] = []
    for _ in range(random.choice([0, 1, 1, 2, 3])):
        search += [random.choice(["RANK", "COUNT", "maxlen"]), random.choice([small, number])]
    form: list[Any] = random.choice(
        [
            ["LPUSH", key, *elements],
            ["RPUSH", key, *elements],
            ["LPUSHX", key, *elements],
            ["RPUSHX", key, *elements],
            ["LPOP", key],
            ["RPOP", key],
            ["LPOP", key, small],
            ["RPOP", key, small],
            ["LLEN", key],
            ["LRANGE", key, number, another],
            ["LRANGE", "long", random.randint(-1600, 1600), random.randint(-1600, 1600)],
            ["LINDEX", key, number],
            ["LSET", key, number, element],
            ["LINSERT", key, random.choice(["BEFORE", "after", "x"]), element, random.choice(ELEMENTS)],
            ["LREM", key, random.choice([small, "-2", number]), element],
            ["LTRIM", key, number, another],
            ["LPOS", key, element, *search],
            ["LMOVE", key, other, side, other_side],
            ["LMOVE", key, key, side, other_side],
            ["RPOPLPUSH", key, other],
            ["LMPOP", "1", key, side],
            ["LMPOP", "2", key, other, side, "COUNT", small],
            ["LMPOP", random.choice(NUMBERS), key, other, side, "count", small],
            ["EXISTS", key],
            ["OBJECT", "ENCODING", key],
            ["PEXPIRETIME", key],
        ]
    )
    return damaged(random, form)


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_agree(oracle: Oracle, seed: int) -> None:
    compare(oracle, seed, 2500, random_call, FILL)
