"""docs/operate/migration.md does what it says: its commands and its application are run, on real servers.

The application writes all the time while the roles change hands; every write that was answered is on the new master,
once. The page speaks of two ports; here they are others.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages import Page
from tests.ports import free_port
from tests.replication.masters import PATIENCE, until

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "migration.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


def blocks(heading: str) -> list[str]:
    """The commands under a heading of the page."""
    text = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert found
    return found


class Place(Page):
    """Two ports and a folder, in which a Redis and a Kedis may be running."""

    def __init__(self, folder: Path) -> None:
        self.redis, self.kedis = free_port(), free_port()
        changes = {
            r"^kedis-server\b": "kedis-server --metrics-port no --repl-diskless-sync-delay 0",
            r"^redis-server\b": "redis-server --save '' --repl-diskless-sync-delay 0",
            r" &$": " >>log 2>&1 &",
        }
        super().__init__(folder, {"6379": self.redis, "7000": self.kedis}, changes)

    def start(self, program: str, port: int) -> None:
        self.run(f"{program} --port {port} &")
        until(lambda: self.answers(port))

    def answers(self, port: int) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.call(port, "PING") == "PONG" or self.call(port, "PING") == b"PONG")
        return False

    def end(self) -> None:
        for port in (self.redis, self.kedis):
            with contextlib.suppress(OSError):
                self.call(port, "SHUTDOWN", "NOSAVE", "NOW", "FORCE")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.end()


class Rest:
    """The page's application, which writes numbers in rising order.

    Attributes:
        answered: the numbers whose write was answered.
        longest_seconds: between two answers.
    """

    def __init__(self, place: Place) -> None:
        names: dict[str, Any] = {}
        exec(compile(place.translate(CODE), "migration.md", "exec"), names)
        self._application = names["Application"]()
        self.answered: list[int] = []
        self.longest_seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Rest:
        self._thread.start()
        self.goes_on()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)

    def _write(self) -> None:
        number, last = 0, time.monotonic()
        while not self._ended.is_set():
            self._application.write("RPUSH", "written", number)
            self.answered.append(number)
            number += 1
            now = time.monotonic()
            self.longest_seconds = max(self.longest_seconds, now - last)
            last = now

    def goes_on(self) -> None:
        goal = len(self.answered) + 100
        until(lambda: len(self.answered) >= goal, "the application does not write")


def assert_all_there(place: Place, port: int, rest: Rest, what: str) -> None:
    """Every answered write is on the master at ``port``."""
    assert place.call(port, "ROLE")[0] == b"master"
    found = [int(word) for word in place.call(port, "LRANGE", "written", 0, -1)]
    assert set(rest.answered) <= set(found)
    print(f"{what}: the application stood still for {rest.longest_seconds:.2f} s")


def fill(place: Place, port: int) -> None:
    for number in range(200):
        place.call(port, "SET", f"key:{number}", number)
    place.call(port, "HSET", "hash", "field", "value")
    place.call(port, "PEXPIRE", "hash", 10_000_000)


def assert_same(place: Place, port: int) -> None:
    assert place.call(port, "GET", "key:199") == b"199"
    assert place.call(port, "HGET", "hash", "field") == b"value"
    assert place.call(port, "PTTL", "hash") > 0


def test_from_redis_to_kedis(place: Place) -> None:
    copy, compare, exchange, look, end = blocks("From Redis to Kedis")
    place.start("redis-server", place.redis)
    fill(place, place.redis)
    with Rest(place) as rest:
        place.run(copy)
        assert place.run(compare).count("state=online") == 1
        rest.goes_on()
        place.run(exchange)
        rest.goes_on()
        assert place.run(look).splitlines()[-1] == "1"
        place.run(end)
        rest.goes_on()
    assert_all_there(place, place.kedis, rest, "from Redis to Kedis")
    assert_same(place, place.kedis)


def test_from_kedis_to_redis(place: Place) -> None:
    copy, compare, exchange, end = blocks("From Kedis to Redis")
    place.start("kedis-server", place.kedis)
    fill(place, place.kedis)
    with Rest(place) as rest:
        place.run(copy)
        place.run(compare)
        rest.goes_on()
        place.run(exchange)
        rest.goes_on()
        place.run(end)
        rest.goes_on()
    assert_all_there(place, place.redis, rest, "from Kedis to Redis")
    assert_same(place, place.redis)


def test_by_hand(place: Place) -> None:
    """As for a Redis that has no FAILOVER."""
    place.start("redis-server", place.redis)
    fill(place, place.redis)
    with Rest(place) as rest:
        place.run(blocks("From Redis to Kedis")[0])
        rest.goes_on()
        place.run(blocks("By hand")[0])
        rest.goes_on()
        until(lambda: b"master_link_status:up" in place.call(place.redis, "INFO", "replication"))
        assert place.call(place.kedis, "WAIT", 1, 60_000) == 1
    assert_all_there(place, place.kedis, rest, "by hand")
    assert_same(place, place.kedis)
