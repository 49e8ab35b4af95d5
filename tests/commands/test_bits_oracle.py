"""Seeded random calls of the commands on bits, on Kedis and on real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.commands.agreement import compare, damaged, journalling_oracle
from tests.oracle import Oracle

FILL = [
    "SET word foobar",
    "SET number 12345",
    "SET ttl v PXAT 4000000000000",
    "SETBIT bit 77 1",
    "SETRANGE ones 0 x",
    "BITOP NOT ones ones",
    "SETRANGE long 300 end",
    "SET empty x",
    "APPEND empty y",
    "RPUSH list a b c",
]
KEYS = ["word", "number", "ttl", "bit", "ones", "long", "empty", "list", "none", "none2"]
OFFSETS = ["0", "1", "7", "8", "13", "31", "100", "999", "2400"]
BAD_OFFSETS = ["-1", "x", "", "01", "+1", "4294967296", "9223372036854775807", "9223372036854775808"]
POSITIONS = ["0", "1", "-1", "2", "-3", "5", "7", "47", "-48", "300", "-300", "x", "9223372036854775807"]
POSITIONS += ["-9223372036854775808"]
NUMBERS = ["0", "1", "-1", "7", "200", "-200", "70000", "9223372036854775807", "-9223372036854775808"]
TYPES = ["u1", "u8", "i8", "i1", "u5", "i13", "u32", "i32", "u63", "i64"]
BAD_TYPES = ["u0", "u64", "i65", "8", "x8", "u", "", "u08", "U8"]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = journalling_oracle()
    yield server
    server.close()


def mostly(random: Random, good: list[str], bad: list[str]) -> str:
    return random.choice(good if random.random() < 0.95 else bad)


def field(random: Random) -> list[str]:
    mark = random.choice(["", "", "#"])
    offset = mark + mostly(random, OFFSETS[:5] if mark else OFFSETS[:-1], BAD_OFFSETS)
    return [mostly(random, TYPES, BAD_TYPES), offset]


def operations(random: Random, overflows: list[str]) -> list[str]:
    words: list[str] = []
    for _ in range(random.randint(0, 4)):
        words += random.choice(
            [
                ["GET", *field(random)],
                ["SET", *field(random), mostly(random, NUMBERS, ["x", ""])],
                ["incrby", *field(random), mostly(random, NUMBERS, ["x", ""])],
                ["OVERFLOW", mostly(random, overflows, ["foo", ""])],
            ]
        )
    return words


def random_call(random: Random) -> list[Any]:
    key = random.choice(KEYS)
    start, end = random.choice(POSITIONS), random.choice(POSITIONS)
    units = random.choice([[], [], ["BIT"], ["byte"], ["foo"], ["BIT", "BIT"]])
    sources = random.choices(KEYS, weights=[5] * 7 + [1, 3, 3], k=random.randint(1, 4))
    operation = random.choice(["AND", "or", "XOR", "NOT", "foo"])
    form: list[Any] = random.choice(
        [
            [
                "SETBIT",
                key,
                mostly(random, OFFSETS, BAD_OFFSETS),
                mostly(random, ["0", "1"], ["2", "x", "01"]),
            ],
            ["GETBIT", key, mostly(random, OFFSETS, BAD_OFFSETS)],
            ["BITCOUNT", key],
            ["BITCOUNT", key, start, end, *units],
            ["BITPOS", key, mostly(random, ["0", "1"], ["2", "x"])],
            ["BITPOS", key, random.choice("01"), start],
            ["BITPOS", key, random.choice("01"), start, end, *units],
            ["BITOP", operation, random.choice([k for k in KEYS if k != "long"]), *sources],
            ["BITFIELD", key, *operations(random, ["WRAP", "sat"])],
            # Where a FAIL cannot make the string grow: Redis does not journal that, Kedis does.
            ["BITFIELD", "long", *operations(random, ["WRAP", "SAT", "FAIL"])],
            ["BITFIELD_RO", key, *operations(random, ["WRAP"])],
            ["BITFIELD_RO", key, "GET", *field(random), "GET", *field(random)],
            ["GET", key],
            ["OBJECT", "ENCODING", key],
            ["PEXPIRETIME", key],
        ]
    )
    return damaged(random, form)


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_agree(oracle: Oracle, seed: int) -> None:
    compare(oracle, seed, 3000, random_call, FILL)
