"""Seeded random calls of the string commands, on Kedis and on real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.commands.agreement import compare, damaged, journalling_oracle, make_client
from tests.oracle import Oracle

FILL = [
    "SET int 10",
    "SET big 9223372036854775806",
    "SET float 3.14",
    "SET word abcabdacbdba",
    "SET other bdcabaxyzacbdb",
    "SET ttl v PXAT 4000000000000",
    "RPUSH list a b c",
    "APPEND int 1",
    "APPEND raw 12",
    "SETRANGE raw 1 7",
]
KEYS = ["int", "big", "float", "word", "other", "ttl", "list", "raw", "none", "none2"]
NUMBERS = ["0", "1", "-1", "2", "-3", "7", "20", "x", "", "1.5", "-0", "01", "+1", " 1"]
BIG_NUMBERS = [
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "9223372036854775",
    "4000000000000",
]
FLOATS = ["1.5", "-3e2", "inf", "-inf", "nan", "0x10", "1e4000", "1e-4000", "1e400", "0.1", ".5", "5."]
VALUES = ["", "v", "5", "abcd", "a b\r\n", b"\xff\x00", "9223372036854775807"]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = journalling_oracle()
    yield server
    server.close()


def moment(random: Random) -> list[str]:
    """An expiry that means the same at both servers: absolute, or refused."""
    return random.choice(
        [
            ["PXAT", random.choice(["4000000000000", "4000000000999", *NUMBERS, *BIG_NUMBERS])],
            ["exat", random.choice(["4000000000", *NUMBERS, *BIG_NUMBERS])],
            ["EX", random.choice(["0", "-1", "x", "9223372036854775", "9223372036854775807"])],
            ["px", random.choice(["0", "-1", "x", "9223372036854775807"])],
        ]
    )


def options(random: Random, words: list[str]) -> list[str]:
    found: list[str] = []
    for _ in range(random.choice([0, 0, 1, 1, 2, 3])):
        found += random.choice([[random.choice(words)], moment(random)])
    return found


def random_call(random: Random) -> list[Any]:
    key, other = random.choice(KEYS), random.choice(KEYS)
    value, another = random.choice(VALUES), random.choice(VALUES)
    number = random.choice(NUMBERS * 3 + BIG_NUMBERS)
    form: list[Any] = random.choice(
        [
            ["GET", key],
            ["SET", key, value],
            ["SET", key, value, *options(random, ["NX", "XX", "GET", "get", "KEEPTTL", "PERSIST", "foo"])],
            ["SET", key, value, *options(random, ["NX", "XX", "GET", "keepttl"])],
            ["SETNX", key, value],
            ["SETEX", key, random.choice(["0", "-1", "x", "9223372036854775"]), value],
            ["PSETEX", key, random.choice(["0", "-1", "x", "9223372036854775807"]), value],
            ["GETSET", key, value],
            ["GETDEL", key],
            ["GETEX", key, *options(random, ["PERSIST", "persist", "KEEPTTL", "NX", "foo"])],
            ["MGET", key, other, random.choice(KEYS)],
            ["MSET", key, value, other, another],
            ["MSETNX", key, value, other, another],
            ["APPEND", key, value],
            ["STRLEN", key],
            ["INCR", key],
            ["DECR", key],
            ["INCRBY", key, number],
            ["DECRBY", key, number],
            ["INCRBYFLOAT", key, random.choice([number, *FLOATS])],
            ["GETRANGE", key, number, random.choice(NUMBERS + BIG_NUMBERS)],
            ["SUBSTR", key, random.choice(NUMBERS), number],
            ["SETRANGE", key, number, value],
            ["LCS", key, other],
            ["LCS", "word", "other", *random.choices(["LEN", "idx", "WITHMATCHLEN", "foo"], k=2)],
            ["LCS", key, other, "IDX", "minmatchlen", number, *random.choice([[], ["WITHMATCHLEN"]])],
            ["TYPE", key],
            ["PEXPIRETIME", key],
        ]
    )
    return damaged(random, form)


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_agree(oracle: Oracle, seed: int) -> None:
    compare(oracle, seed, 2500, random_call, FILL)


@pytest.mark.parametrize("seed", range(2))
def test_common_subsequences_agree(oracle: Oracle, seed: int) -> None:
    """Random texts of few and of many different bytes: which of the longest ones is found must agree too."""
    random = Random(seed)
    client = make_client()
    oracle.call("HELLO", 2)
    for _ in range(120):
        alphabet = random.choice([b"ab", b"abcd", bytes(range(256))])
        for key in ("one", "two"):
            text = bytes(random.choices(alphabet, k=random.choice([0, 1, 8, 9, 30, 200])))
            for server in (client, oracle):
                server.call("SET", key, text)
        for tail in ([], ["LEN"], ["IDX", "WITHMATCHLEN"], ["IDX", "MINMATCHLEN", 3]):
            assert client.call("LCS", "one", "two", *tail) == oracle.call("LCS", "one", "two", *tail)


def test_lengths_agree(oracle: Oracle) -> None:
    """Strings at the limit, which both servers lower to 1 MB here."""
    client = make_client()
    client.engine.config.proto_max_bulk_len = 1 << 20
    oracle.call("HELLO", 2)
    oracle.call("CONFIG", "SET", "proto-max-bulk-len", 1 << 20)
    for words in (
        ["DEL", "s", "t"],
        ["SETRANGE", "s", (1 << 20) - 1, "x"],
        ["SETRANGE", "s", 1 << 20, "x"],
        ["SETRANGE", "s", 1 << 20, ""],
        ["APPEND", "s", "x"],
        ["APPEND", "s", ""],
        ["SETRANGE", "t", (1 << 63) - 1, "x"],
        ["EXISTS", "t"],
        ["STRLEN", "s"],
        ["SET", "a", "x" * 511],
        ["LCS", "a", "a", "LEN"],
        ["APPEND", "a", "x"],
        ["LCS", "a", "a", "LEN"],
        ["LCS", "a", "a"],
    ):
        assert client.call(*words) == oracle.call(*words), words[:3]
    oracle.call("CONFIG", "SET", "proto-max-bulk-len", 512 << 20)
