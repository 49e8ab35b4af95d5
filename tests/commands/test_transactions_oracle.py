"""Two clients with random transactions over a few keys, on Kedis and on Redis: replies and journals agree."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.commands.agreement import journal_of, journalling_oracle, make_client
from tests.oracle import Oracle

CALLS = 4000
KEYS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = journalling_oracle()
    yield server
    server.close()


def random_call(random: Random) -> list[str]:
    key, other = random.choice(KEYS), random.choice(KEYS)
    return random.choice(
        [
            ["MULTI"],
            ["MULTI"],
            ["EXEC"],
            ["EXEC"],
            ["EXEC"],
            ["DISCARD"],
            ["WATCH", key],
            ["WATCH", key, other],
            ["UNWATCH"],
            ["SELECT", random.choice(["0", "1", "x"])],
            ["SET", key, random.choice(["1", "word"])],
            ["SET", key, "1", "PXAT", "4000000000000", "GET"],
            ["GET", key],
            ["INCR", key],
            ["DEL", key, other],
            ["GETDEL", key],
            ["RPUSH", key, "x"],
            ["LPOP", key],
            ["RENAME", key, other],
            ["FLUSHDB"],
            ["FLUSHALL"],
            ["SWAPDB", "0", random.choice(["0", "1", "2"])],
            ["GET"] if random.random() < 0.2 else ["PING"],
            ["FOO", "bar"] if random.random() < 0.2 else ["DBSIZE"],
            ["RESET"] if random.random() < 0.1 else ["EXISTS", key, other],
        ]
    )


@pytest.mark.parametrize("seed", range(3))
def test_random_transactions_agree(oracle: Oracle, seed: int) -> None:
    random = Random(seed)
    client = make_client()
    pairs = [(client, oracle), (client.another(), oracle.another())]
    for _, redis in pairs:
        redis.call("RESET")
    oracle.call("FLUSHALL")
    already = len(journal_of(oracle))
    for step in range(CALLS):
        kedis, redis = random.choice(pairs)
        words = random_call(random)
        got, expected = kedis.call(*words), redis.call(*words)
        assert got == expected, (step, words)
        assert type(got) is type(expected), (step, words)
    mine = [line.partition(" ")[2] for line in client.journal()]
    assert mine == journal_of(oracle)[already:]
    for database in client.engine.keyspace.databases:
        database.check()
