"""Seeded random calls of the geo commands, on Kedis and on real Redis.

No two positions of a set are the same: among members at one distance COUNT may choose others than Redis does.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from kedis.structures.packed import SortedSet
from tests.commands.agreement import compare, damaged, journalling_oracle, make_client
from tests.oracle import Oracle

PLACES = [(Random(seed).uniform(-180, 180), Random(-seed).uniform(-85, 85)) for seed in range(1, 60)]
PLACES += [
    (13.361389, 38.115556),
    (15.087269, 37.502669),
    (0, 0),
    (-180, -85.05112878),
    (180, 0),
    (0.001, 0.001),
]
PLACES += [
    (-179.999, 10),
    (179.999, 10.3),
    (30, 84.9),
    (-150, 84.95),
    (12, -84.9),
    (13.361389, 40),
    (14, 38.115556),
]
BAD_PLACES = [("x", 1), (1, "x"), (180.1, 0), (0, 85.06), ("nan", 0), (1, "inf"), ("", "")]
UNITS = ["m", "km", "KM", "ft", "mi"]
LENGTHS = ["0", "1", "100", "1500.5", "20000", "300000", "5e6", "1e7", "3e7", "1e-9", "inf", "1e300"]
BAD_LENGTHS = ["-1", "x", "", "nan", "-0.0"]
KEYS = ["world", "world", "town", "ttl", "none"]

FILL = [
    *(f"GEOADD world {lon!r} {lat!r} p{number}" for number, (lon, lat) in enumerate(PLACES)),
    *(
        f"GEOADD town {15 + number / 977!r} {37 + number * number / 91013!r} t{number}"
        for number in range(40)
    ),
    "GEOADD ttl 1 1 a 1.01 1.02 b",
    "PEXPIREAT ttl 4000000000000",
    "SET s x",
    "SET string x PXAT 4000000000000",
]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = journalling_oracle()
    yield server
    server.close()


def mostly(random: Random, good: list[Any], bad: list[Any]) -> Any:
    return random.choice(good if random.random() < 0.97 else bad)


def key(random: Random) -> str:
    return str(mostly(random, KEYS, ["s"]))


def member(random: Random) -> str:
    names = [f"p{random.randrange(70)}", f"t{random.randrange(42)}", "a", "b", "new1"]
    return random.choice(names)


def new_place(random: Random) -> list[Any]:
    near = [15 + random.random() / 10, 37 + random.random() / 10]
    anywhere = [random.uniform(-180, 180), random.uniform(-85, 85)]
    return list(mostly(random, [near, anywhere], BAD_PLACES))


def place(random: Random) -> list[Any]:
    return random.choice([new_place(random), list(random.choice(PLACES))])


def circle(random: Random) -> list[Any]:
    return [mostly(random, LENGTHS, BAD_LENGTHS), mostly(random, UNITS, ["foo", ""])]


def options(random: Random, more: list[list[Any]]) -> list[Any]:
    count = ["COUNT", mostly(random, [1, 2, 5, 30], [0, -1, "x"])]
    all_of_them = [
        ["WITHDIST"],
        ["withhash"],
        ["WITHCOORD"],
        ["ASC"],
        ["desc"],
        count,
        ["ANY"],
        [*count, "ANY"],
    ]
    chosen = random.choices(all_of_them + more, k=random.choice([0, 1, 1, 2, 3]))
    return [word for words in chosen for word in words]


def search(random: Random) -> list[Any]:
    """Centre and shape, now and then too few or too many of them."""
    centre = random.choice([["FROMMEMBER", member(random)], ["fromlonlat", *place(random)]])
    box = ["BYBOX", mostly(random, LENGTHS, BAD_LENGTHS), *circle(random)]
    parts = [centre, random.choice([["BYRADIUS", *circle(random)], box])]
    if random.random() < 0.1:
        parts.pop(random.randrange(2))
    if random.random() < 0.1:
        parts.append(random.choice([["BYRADIUS", *circle(random)], box, ["FROMMEMBER", "p1"], ["foo"]]))
    return [word for part in parts for word in part]


def random_call(random: Random) -> list[Any]:
    target = random.choice(["out", "out", "out2", "string"])
    store = [["STORE", target], ["storedist", target]]
    new = [word for _ in range(random.randint(1, 2)) for word in (*new_place(random), member(random))]
    flags = random.choices(["NX", "XX", "CH", "ch"], k=random.choice([0, 0, 1, 1, 2]))
    form: list[Any] = random.choice(
        [
            ["GEOADD", "ttl", *flags, *new],
            ["GEOADD", random.choice(["ttl", "fresh", "s"]), *flags, *new],
            [
                "GEODIST",
                key(random),
                member(random),
                member(random),
                *random.choice([[], ["km"], circle(random)[1:]]),
            ],
            ["GEOHASH", key(random), member(random), member(random)],
            ["GEOPOS", key(random), member(random), member(random)],
            [
                "GEOSEARCH",
                key(random),
                *search(random),
                *options(random, [["STOREDIST"]] if random.random() < 0.1 else []),
            ],
            ["GEOSEARCH", key(random), *search(random), *options(random, [])],
            ["geosearchstore", target, key(random), *search(random), *options(random, [["STOREDIST"]] * 3)],
            ["GEORADIUS", key(random), *place(random), *circle(random), *options(random, store)],
            ["GEORADIUS_RO", key(random), *place(random), *circle(random), *options(random, [])],
            ["GEORADIUSBYMEMBER", key(random), member(random), *circle(random), *options(random, store)],
            ["GEORADIUSBYMEMBER_RO", key(random), member(random), *circle(random), *options(random, [])],
            ["PEXPIRETIME", random.choice(["ttl", "string"])],
            ["EXISTS", target],
        ]
    )
    return damaged(random, form)


@pytest.mark.parametrize("seed", range(6))
def test_random_calls_agree(oracle: Oracle, seed: int) -> None:
    compare(oracle, seed, 2500, random_call, FILL, refill_every=500)


@pytest.mark.parametrize("seed", range(3))
def test_members_come_in_the_same_order(oracle: Oracle, seed: int) -> None:
    """Sets of many members at all latitudes, circles and boxes of all sizes, unsorted: the order of the search."""
    client, random = make_client(), Random(seed)
    for server in (client, oracle):
        server.call("FLUSHALL")
    for start in range(0, 1000, 100):
        words: list[Any] = []
        for number in range(start, start + 100):
            words += [random.uniform(-180, 180), random.uniform(-85, 85), number]
        for server in (client, oracle):
            server.call("GEOADD", "g", *words)
    for _ in range(400):
        size = 10 ** random.uniform(2, 4.4)
        shape = random.choice([["BYRADIUS", size], ["BYBOX", size, 10 ** random.uniform(2, 4.4)]])
        place = [random.uniform(-180, 180), random.uniform(-85, 85)]
        call = ["GEOSEARCH", "g", "FROMLONLAT", *place, *shape, "km"]
        assert client.call(*call) == oracle.call(*call), call


def test_scores_that_no_position_gives(oracle: Oracle) -> None:
    """Any sorted set can be asked for positions; what the conversions of C make of its scores is the answer."""
    client, random = make_client(), Random(5)
    numbers = [-5, -0.5, 1.5, 1e16, 2.0**52, 2.0**53, 2.0**63, 2.0**64, 1.5e19, 1e300, -(2.0**63), -1e300]
    numbers += [float("inf"), float("-inf")] + [
        random.choice([-1, 1]) * 2 ** random.uniform(0, 70) for _ in range(200)
    ]
    scores = {b"%r" % number: float(number) for number in numbers}
    client.state.db.set_value(b"g", SortedSet.from_scores(dict(scores)))
    oracle.call("HELLO", 2)
    oracle.call("FLUSHALL")
    for member, score in scores.items():
        oracle.call("ZADD", "g", repr(score), member)
    for member in scores:
        for words in (
            ["GEOPOS", "g", member],
            ["GEOHASH", "g", member],
            ["GEODIST", "g", member, "-5"],
            ["GEOSEARCH", "g", "FROMMEMBER", member, "BYRADIUS", 5000, "km", "WITHDIST", "WITHHASH"],
        ):
            assert client.call(*words) == oracle.call(*words), words
