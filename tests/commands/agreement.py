"""The same calls on Kedis and on real Redis: replies, data and journals must be equal.

Times in the calls must be absolute and far away, or past, because the two servers do not share a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.commands.driver import Client, Clock
from tests.oracle import Oracle

Words = Sequence[Any]


def journalling_oracle() -> Oracle:
    """A Redis whose append-only file can be read after each command."""
    return Oracle("--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--appendfsync", "always")


def make_client(resp: int = 2) -> Client:
    """A client whose clock shows the present, so that past and future mean the same to both servers."""
    client = Client(resp=resp)
    clock = client.engine.clock
    assert isinstance(clock, Clock)
    clock.now_ns = time.time_ns()
    client.engine.config.enable_debug_command = "yes"
    return client


def journal_of(oracle: Oracle) -> list[str]:
    """The commands in the oracle's append-only file, without SELECT, as lines."""
    (path,) = Path(oracle.directory.name, "appendonlydir").glob("*.incr.aof")
    data = path.read_bytes()
    lines, position = [], 0
    while position < len(data):
        end = data.index(b"\r\n", position)
        count, position = int(data[position + 1 : end]), end + 2
        words = []
        for _ in range(count):
            end = data.index(b"\r\n", position)
            length, position = int(data[position + 1 : end]), end + 2
            words.append(data[position : position + length])
            position += length + 2
        if words[0] != b"SELECT":
            lines.append(b" ".join(words).decode("utf-8", "surrogateescape"))
    return lines


def compare(
    oracle: Oracle,
    seed: int,
    calls: int,
    random_call: Callable[[Random], Words],
    fill: Sequence[str],
    refill_every: int = 60,
) -> None:
    """Run random calls on both servers, in RESP2 or RESP3 by the seed.

    ``fill`` are the commands that make the data; they are run anew every ``refill_every`` calls, on emptied
    servers.  Compared are each reply, the data digest every now and then, and at the end the journals.
    """
    random = Random(seed)
    resp = 2 + seed % 2
    client = make_client(resp)
    oracle.call("HELLO", resp)
    oracle.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)  # keys that are due go when they are looked at, as in Kedis
    oracle.call("FLUSHALL")
    already = len(journal_of(oracle))
    for step in range(calls):
        if step % refill_every == 0:
            for line in ("FLUSHALL", *fill):
                words = line.split()
                assert client.call(*words) == oracle.call(*words), words
        words = list(random_call(random))
        got, expected = client.call(*words), oracle.call(*words)
        assert got == expected, (step, words, got, expected)
        assert type(got) is type(expected), (step, words)
        if step % 20 == 0:
            touched = ["EXISTS", *sorted(client.state.db.data)]  # removes what is due, in the same order
            assert len(touched) == 1 or client.call(*touched) == oracle.call(*touched), (step, words)
            assert client.call("DEBUG", "DIGEST") == oracle.call("DEBUG", "DIGEST"), (step, words)
    mine = [line.partition(" ")[2] for line in client.journal()]
    assert mine == journal_of(oracle)[already:]
    for database in client.engine.keyspace.databases:
        database.check()


def damaged(random: Random, words: list[Any]) -> list[Any]:
    """``words``, one time in ten with an argument lost, doubled or too many."""
    if random.random() < 0.9:
        return words
    place = random.randint(1, len(words))
    return random.choice([words[:place], words[:place] + words[place - 1 :], [*words, "x"]])
