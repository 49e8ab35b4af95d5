"""What a server does with streams beside their commands, as Redis does: client-side caching, MIGRATE, eviction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.driver import ErrorReply
from tests.oracle import Oracle
from tests.persistence.server import Kedis, Wire

FILL = """
    XADD s 1-1 f 1
    XADD s 2-1 f 2 g x
    XADD s 3-1 f 3
    XADD s 4-1 f 4
    XADD other 1-1 f 1
    XGROUP CREATE s g 0
    XREADGROUP GROUP g a COUNT 2 STREAMS s >
    XDEL s 3-1
""".strip().splitlines()
READS = """
    XRANGE s - +
    XREVRANGE s + -
    XLEN s
    XREAD STREAMS s other 0 0
    XREAD BLOCK 1 STREAMS s $
    XPENDING s g
    XPENDING s g - + 10
    XINFO STREAM s
    XINFO GROUPS s
    XINFO CONSUMERS s g
    XRANGE nothing - +
    XREADGROUP GROUP g a STREAMS s 0
""".strip().splitlines()
WRITES = """
    XADD s 5-1 f 1
    XADD s NOMKSTREAM 5-2 f 1
    XADD nothing 5-2 f 1
    XADD s MAXLEN 3 6-1 f 1
    XADD s MAXLEN 100 7-1 f 1
    XDEL s 1-1
    XDEL s 99-1
    XTRIM s MAXLEN 1
    XTRIM s MAXLEN 100
    XSETID s 9-9
    XACK s g 1-1
    XCLAIM s g b 0 1-1 2-1
    XAUTOCLAIM s g b 0 0
    XREADGROUP GROUP g b STREAMS s >
    XREADGROUP GROUP g c NOACK STREAMS s >
    XGROUP CREATE s h 0
    XGROUP CREATE new h 0 MKSTREAM
    XGROUP SETID s g 0
    XGROUP CREATECONSUMER s g z
    XGROUP DELCONSUMER s g a
    XGROUP DESTROY s g
    COPY s twin
    RENAME s renamed
    EXPIRE s 1000
    DEL s
""".strip().splitlines()


@pytest.fixture(scope="module")
def kedis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kedis]:
    server = Kedis(tmp_path_factory.mktemp("around") / "data", "--appendonly", "no")
    yield server
    server.kill()


class Pair:
    """A reader and a writer of each server; the reader speaks RESP3."""

    def __init__(self, kedis: Kedis, oracle: Oracle) -> None:
        self.readers = [Wire(kedis.port), Wire(oracle.port)]
        self.writers = [Wire(kedis.port), Wire(oracle.port)]
        for reader in self.readers:
            reader.call("HELLO", 3)

    def write(self, line: str) -> None:
        found = [writer.call(*line.split()) for writer in self.writers]
        assert isinstance(found[0], ErrorReply) == isinstance(found[1], ErrorReply), line

    def read(self, line: str) -> None:
        for reader in self.readers:
            reader.call(*line.split())

    def told(self) -> list[list[Any]]:
        """The messages to each reader up to now."""
        found = []
        for reader in self.readers:
            reader.send("PING", "the end")
            messages = []
            while (message := reader.receive()) != b"the end":
                messages.append(list(message))
            found.append(messages)
        return found

    def close(self) -> None:
        for wire in self.readers + self.writers:
            wire.close()


@pytest.fixture
def pair(kedis: Kedis, oracle: Oracle) -> Iterator[Pair]:
    pair = Pair(kedis, oracle)
    yield pair
    pair.close()


@pytest.mark.parametrize("mode", ["", "BCAST", "NOLOOP"])
def test_invalidations(pair: Pair, mode: str) -> None:
    """Of each reading followed by each change."""
    messages = 0
    for read in READS:
        for write in WRITES:
            pair.write("FLUSHALL")
            for line in FILL:
                pair.write(line)
            pair.read(f"CLIENT TRACKING on {mode}")
            pair.told()
            pair.read(read)
            pair.write(write)
            ours, theirs = pair.told()
            assert ours == theirs, (read, write)
            messages += len(ours)
            pair.read("CLIENT TRACKING off")
        if mode:
            break  # what was read makes no difference
    assert messages >= len(WRITES) // 3


def figures(wire: Any) -> list[Any]:
    """What can be seen of the stream ``s``, but for what depends on the clock."""
    found = [
        wire.call(*words)
        for words in (("XRANGE", "s", "-", "+"), ("XINFO", "GROUPS", "s"), ("XPENDING", "s", "g"))
    ]
    shown = wire.call("XINFO", "STREAM", "s")
    pending = wire.call("XPENDING", "s", "g", "-", "+", 10)
    return [*found, shown, [[each[0], each[1], each[3]] for each in pending], wire.call("DEBUG", "DIGEST")]


def test_a_stream_migrates_with_its_groups(kedis: Kedis, oracle: Oracle) -> None:
    wire = kedis.connect()
    wire.call("FLUSHALL")
    oracle.call("FLUSHALL")
    wire.call("CONFIG", "SET", "stream-node-max-entries", 2)
    oracle.call("CONFIG", "SET", "stream-node-max-entries", 2)
    for line in FILL:
        wire.call(*line.split())
    before = figures(wire)[:-1]
    assert wire.call("MIGRATE", "127.0.0.1", oracle.port, "s", 0, 10_000) == b"OK"
    assert wire.call("EXISTS", "s") == 0
    assert figures(oracle)[:-1] == before
    oracle.call("XADD", "s", "8-1", "f", "5")
    oracle.call("XREADGROUP", "GROUP", "g", "b", "COUNT", 1, "STREAMS", "s", ">")
    before = figures(oracle)[:-1]
    assert oracle.call("MIGRATE", "127.0.0.1", kedis.port, "s", 0, 10_000) == b"OK"
    assert oracle.call("EXISTS", "s") == 0
    assert figures(wire)[:-1] == before
    for server in (wire, oracle):
        server.call("CONFIG", "SET", "stream-node-max-entries", 100)
    wire.close()


def test_what_a_full_memory_refuses(tmp_path: Path) -> None:
    """The same commands on streams that Redis refuses."""
    kedis, oracle = Kedis(tmp_path / "data", "--appendonly", "no"), Oracle("--appendonly", "no")
    for line in FILL:
        kedis.call(*line.split())
        oracle.call(*line.split())
    for call in (kedis.call, oracle.call):
        call("CONFIG", "SET", "maxmemory", 1)
    for line in READS + WRITES:
        found = [call(*line.split()) for call in (kedis.call, oracle.call)]
        refused = [isinstance(each, ErrorReply) and str(each).startswith("OOM") for each in found]
        assert refused[0] == refused[1], line
    kedis.kill()
    oracle.close()


@pytest.mark.parametrize(
    "policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl", "volatile-lru"]
)
def test_streams_are_evicted(tmp_path: Path, policy: str) -> None:
    """Whole, with their groups, and the memory of all of it is freed."""
    kedis = Kedis(tmp_path / "data", "--appendonly", "no", "--maxmemory-policy", policy)
    wire = kedis.connect()
    limit = 3_000_000
    wire.call("CONFIG", "SET", "maxmemory", limit)
    for stream in range(60):
        key = f"s{stream}"
        wire.call("XGROUP", "CREATE", key, "g", 0, "MKSTREAM")
        wire.call("EXPIRE", key, 1000 + stream)
        replies = wire.pipeline([("XADD", key, "*", "f", "x" * 100, "g", number) for number in range(500)])
        assert not any(isinstance(reply, ErrorReply) for reply in replies)
        wire.call("XREADGROUP", "GROUP", "g", "c", "COUNT", 200, "STREAMS", key, ">")
    info = kedis.info()
    assert int(info["evicted_keys"]) > 10
    assert int(info["used_memory_dataset"]) <= 1.1 * limit
    assert 0 < wire.call("DBSIZE") < 50
    if policy == "allkeys-lru":
        assert wire.call("EXISTS", "s59", "s0") == 1
    wire.call("CONFIG", "SET", "maxmemory", 0)
    wire.call("FLUSHALL")
    assert int(kedis.info()["used_memory_dataset"]) < 1_000_000
    wire.close()
    kedis.kill()
