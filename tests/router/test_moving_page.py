"""docs/operate/moving-into-a-cluster.md does what it says: its commands and its application are run on a real cluster.

The application writes all the time; every write that was answered is behind the door afterwards.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages import Page
from tests.ports import free_port
from tests.replication.masters import PATIENCE, until
from tests.router.clusters import Cluster
from tests.router.doors import Wire
from tests.wire.kedis_process import KedisProcess

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operate" / "moving-into-a-cluster.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


class Place(Page):
    """The page's ports, in truth others."""

    def __init__(self, nodes: Cluster) -> None:
        self.old, self.beside = free_port(), free_port()
        ports = {"7000": self.old, "7001": self.beside}
        ports |= {f"710{n + 1}": node.known for n, node in enumerate(nodes.masters)}
        changes = {r"^kedis-server\b": "kedis-server --metrics-port no", r" &$": " >/dev/null 2>&1 &"}
        super().__init__(ROOT, ports, changes)

    def end(self) -> None:
        for port in (self.old, self.beside):
            with contextlib.suppress(OSError):
                self.call(port, "SHUTDOWN", "NOSAVE")


@pytest.fixture
def place(nodes: Cluster) -> Iterator[Place]:
    made = Place(nodes)
    yield made
    made.end()


class Rest:
    """The page's application, in threads, each of which writes numbers in rising order to keys of all slots.

    Attributes:
        answered: key -> the number whose write was answered last.
        longest_seconds: between two answers.
    """

    def __init__(self, place: Place, writers: int = 3) -> None:
        names: dict[str, Any] = {}
        exec(compile(place.translate(CODE), "moving-into-a-cluster.md", "exec"), names)
        self._make = names["Application"]
        self.answered: dict[str, int] = {}
        self.count = [0] * writers
        self.longest_seconds = 0.0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(writers)]

    def __enter__(self) -> Rest:
        for thread in self._threads:
            thread.start()
        self.goes_on()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _write(self, writer: int) -> None:
        application, number, last = self._make(), 0, time.monotonic()
        while not self._ended.is_set():
            key = f"written:{writer}:{number % 500}"
            application.write("SET", key, number)
            self.answered[key] = number
            application.write("RPUSH", f"log:{writer}", number)
            number += 1
            self.count[writer] = number
            now = time.monotonic()
            self.longest_seconds = max(self.longest_seconds, now - last)
            last = now

    def goes_on(self) -> None:
        goals = [count + 100 for count in self.count]
        until(lambda: all(n >= goal for n, goal in zip(self.count, goals, strict=True)), "nobody writes")


def fill(place: Place) -> None:
    """Values of all types, one that will expire, and a function."""
    wire = Wire(place.old)
    wire.pipeline(("SET", f"key:{number}", number) for number in range(2000))
    for words in (
        ("HSET", "hash", "field", "value"),
        ("ZADD", "zset", 1, "m"),
        ("SADD", "set", 1, 2, "three"),
        ("RPUSH", "list", *range(1000)),
        ("XADD", "stream", "1-1", "f", "v"),
        ("XGROUP", "CREATE", "stream", "group", "0"),
        ("SET", "expires", "x", "PX", 10_000_000),
        ("FUNCTION", "LOAD", "#!lua name=mine\nredis.register_function('seven', function() return 7 end)"),
    ):
        assert not str(wire.call(*words)).startswith("ERR"), words
    wire.close()


def test_a_kedis_becomes_the_door(place: Place, nodes: Cluster) -> None:
    beside, move, door, look = BLOCKS
    with KedisProcess(port=place.old), contextlib.ExitStack():
        fill(place)
        with Rest(place) as rest:
            assert "router_shards:3" in place.run(beside)
            rest.goes_on()
            print(place.run(move))
            place.run(door)
            rest.goes_on()
            assert "router_shards:3" in place.run(look)
    print(f"the application stood still for {rest.longest_seconds:.2f} s")
    wire = Wire(place.old)
    values = wire.pipeline(("GET", key) for key in rest.answered)
    wire.close()
    assert list(map(int, values)) == list(rest.answered.values())
    for writer, count in enumerate(rest.count):
        log = [int(each) for each in place.call(place.old, "LRANGE", f"log:{writer}", 0, -1)]
        assert sorted(set(log)) == list(range(max(count, len(set(log)))))
    assert place.call(place.old, "GET", "key:1999") == b"1999"
    assert place.call(place.old, "LLEN", "list") == 1000
    assert place.call(place.old, "XINFO", "GROUPS", "stream")[0][1] == b"group"
    assert 0 < place.call(place.old, "PTTL", "expires") <= 10_000_000
    assert place.call(place.old, "FCALL", "seven", 1, "x") == 7
    assert all(node.call("DBSIZE") for node in nodes.masters)


def test_a_move_that_fails_leaves_all_as_it_was(place: Place) -> None:
    """Behind the door are keys already: the program says so, and writers go on where they are."""
    with KedisProcess(port=place.old), KedisProcess(port=place.beside):
        fill(place)
        place.call(place.beside, "SET", "x", 1)
        script = BLOCKS[1].replace("\n", " 2>&1 && exit 1 || true\n")
        assert "keys behind the door already" in place.run(script)
        assert place.call(place.old, "SET", "key", "goes on") == b"OK"
        assert place.call(place.old, "CONFIG", "GET", "notify-keyspace-events")[1] == b""
