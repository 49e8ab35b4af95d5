"""Random programs on Kedis and on real Redis: the same replies, byte for byte, and the same data afterwards."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from kedis import native
from kedis.config import Config
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.observability.observer import Observer
from tests.commands.driver import Transport, to_bytes
from tests.oracle import Oracle
from tests.scripting.agreement import Wire
from tests.scripting.programs import program

_ADDRESS = re.compile(rb"0x[0-9a-f]+")
_PROGRAMS = 400


class Kedis:
    """A client of an engine of its own, whose replies are bytes."""

    def __init__(self, resp: int, path: str = "python") -> None:
        self.engine = Engine(Config({"enable-debug-command": "yes"}))
        if path == "native":
            from kedis.native.path import Path

            self.engine.native = Path(self.engine).call_command
        Observer(self.engine)
        self.client = Client(self.engine, Transport("tcp"), address="127.0.0.1:50000")
        self.engine.connect(self.client)
        self.client.speak(resp)

    def call(self, *words: object) -> bytes:
        self.engine.run(self.client, [[to_bytes(word) for word in words]])
        reply = b"".join(map(bytes, self.client.out))
        self.client.out.clear()
        return reply


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    oracle = Oracle()
    yield oracle
    oracle.close()


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("path", ["python", "native"])
def test_random_programs(path: str, resp: int, oracle: Oracle) -> None:
    if path == "native" and native.PATH != "native":
        pytest.skip(native.describe())
    rng = random.Random(20 + resp)
    redis, kedis = Wire(oracle, resp), Kedis(resp, path)
    redis.call("FLUSHALL")
    for number in range(_PROGRAMS):
        source = program(rng)
        words = ("EVAL", source, 2, "k1", "k2", "a", "15")
        expected, got = redis.call(*words), kedis.call(*words)
        assert _ADDRESS.sub(b"", got) == _ADDRESS.sub(b"", expected), source
        if number % 20 == 19:
            assert kedis.call("DEBUG", "DIGEST") == redis.call("DEBUG", "DIGEST")
            assert kedis.engine.keyspace.check() is None
    redis.close()
