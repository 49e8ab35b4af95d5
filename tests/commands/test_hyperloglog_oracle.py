"""Seeded random calls of the HyperLogLog commands on Kedis and on real Redis; the strings must be equal too."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from kedis.structures import hyperloglog_registers as rows
from tests.commands.agreement import compare, damaged, journalling_oracle, make_client
from tests.oracle import Oracle

FILL = [
    "SET s foo",
    "SET n 12",
    "RPUSH list a",
    "PFADD ttl x",
    "PEXPIREAT ttl 4000000000000",
    "SET short HYLL",
]
KEYS = ["a", "b", "c", "d", "ttl"]
OTHERS = ["s", "n", "list", "short"]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = journalling_oracle()
    yield server
    server.close()


def key(random: Random) -> str:
    return random.choice(KEYS if random.random() < 0.95 else OTHERS)


def random_call(random: Random) -> list[Any]:
    size = random.choice([0, 1, 1, 2, 5, 40, 200, 900])
    elements = [f"e{random.getrandbits(random.choice([6, 14, 40])):x}" for _ in range(size)]
    form: list[Any] = random.choice(
        [
            ["PFADD", key(random), *elements],
            ["PFADD", key(random), *elements],
            ["PFCOUNT", key(random)],
            ["PFCOUNT", key(random), key(random), key(random)],
            ["PFMERGE", key(random), *[key(random) for _ in range(random.randint(0, 3))]],
            ["GET", key(random)],
            ["GET", key(random)],
            ["STRLEN", key(random)],
            ["DEL", key(random)],
            ["PEXPIRETIME", key(random)],
        ]
    )
    return damaged(random, form) if len(form) < 5 else form


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_agree(oracle: Oracle, seed: int) -> None:
    compare(oracle, seed, 800, random_call, FILL, refill_every=40)


def test_strings_are_equal_after_every_element(oracle: Oracle) -> None:
    """From empty until after the change to dense, with elements of all lengths."""
    client, random = make_client(), Random(1)
    for server in (client, oracle):
        server.call("FLUSHALL")
    dense = 0
    while dense < 50:
        element = random.randbytes(random.randrange(40))
        assert client.call("PFADD", "h", element) == oracle.call("PFADD", "h", element)
        value = client.call("GET", "h")
        assert value == oracle.call("GET", "h")
        dense += len(value) == 12304


@pytest.mark.parametrize("rank", [31, 32, 33, 34, 50, 51])
def test_the_highest_ranks(oracle: Oracle, rank: int) -> None:
    """Only one element in 2**32 has such a rank, so it is made by running the hash backwards."""
    client = make_client()
    for register in (0, 1, 2, 3, 9000, 16383):
        bits = 1 << (rank - 1) if rank <= 50 else 0
        element = element_with_hash(bits << 14 | register)
        assert rows.place(element) == (register, rank)
        for server in (client, oracle):
            server.call("FLUSHALL")
        for words in (
            ["PFADD", "h", "a", "b"],
            ["PFADD", "h", element],
            ["PFADD", "h", element],
            ["PFCOUNT", "h"],
            ["PFMERGE", "m", "h"],
            ["PFADD", "x", "c"],
            ["PFMERGE", "x", "h"],
            ["PFCOUNT", "x"],
            *[["GET", name] for name in "hmx"],
        ):
            assert client.call(*words) == oracle.call(*words), words


def element_with_hash(value: int) -> bytes:
    """The 8 bytes whose MurmurHash64A is ``value``: every step of it can be undone."""
    mask, multiplier, seed = (1 << 64) - 1, 0xC6A4A7935BD1E995, 0xADC83B19
    inverse = pow(multiplier, -1, 1 << 64)

    def unmixed(number: int) -> int:
        return number ^ number >> 47  # its own inverse, as 47 is over half of 64

    value = unmixed(unmixed(value) * inverse & mask)
    word = value * inverse & mask ^ seed ^ 8 * multiplier & mask
    return (unmixed(word * inverse & mask) * inverse & mask).to_bytes(8, "little")


def test_redis_reads_what_kedis_wrote_and_the_other_way_round(oracle: Oracle) -> None:
    client, random = make_client(), Random(3)
    for server in (client, oracle):
        server.call("FLUSHALL")
    for size in (0, 1, 10, 100, 1000, 2000, 20_000):
        client.call("PFADD", "mine", *[random.randbytes(8) for _ in range(size)])
        oracle.call("PFADD", "theirs", *[random.randbytes(8) for _ in range(size)])
        oracle.call("SET", "mine", client.call("GET", "mine"))
        client.call("SET", "theirs", oracle.call("GET", "theirs"))
        for words in (["PFCOUNT", "mine"], ["PFCOUNT", "theirs"], ["PFCOUNT", "mine", "theirs"]):
            assert client.call(*words) == oracle.call(*words)
