"""kill -9 and start again, with clients that never stop asking: nobody sees a server that has not loaded its data.

Rounds: 8 of each kind unless ``KEDIS_RESTART_ROUNDS`` says otherwise (100 take about two minutes).  Nothing depends on
time: a round ends when every client has been answered often enough.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.commands.driver import ErrorReply
from tests.persistence.folders import load, strings
from tests.persistence.server import Kedis, Wire
from tests.ports import free_port

ROUNDS = int(os.environ.get("KEDIS_RESTART_ROUNDS", "8"))
#: Answers that each client gets in a round.
ANSWERS = 20
PATIENCE_SECONDS = 120


class Asker(threading.Thread):
    """A client that connects, asks, and connects again, as fast as it can.

    Args:
        keeps: whether what is acknowledged outlives a kill.

    Attributes:
        answers: other than refusals.
        wrong: what it should not have been told.
    """

    def __init__(self, port: int, number: int, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.keeps = keeps
        self.key = f"n{number}"
        self.answers = 0
        #: The last value that was acknowledged, and the length of its list.
        self.acknowledged = 0
        self.pushed = 0
        self.stops = False
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self.stops:
            try:
                wire = Wire(self.port, timeout=PATIENCE_SECONDS)
                try:
                    while not self.stops:
                        self._ask(wire)
                finally:
                    wire.close()
            except OSError:
                pass

    def _ask(self, wire: Wire) -> None:
        """What an empty keyspace would answer otherwise, then a change."""
        self._expect(wire, lambda reply: reply == b"kept", "GET", "before")
        self._expect(
            wire, lambda reply: not self.keeps or int(reply or 0) >= self.acknowledged, "GET", self.key
        )
        value = self.acknowledged + 1
        if self._expect(wire, lambda reply: reply == b"OK", "SET", self.key, value) is not None:
            self.acknowledged = value
        length = self._expect(
            wire, lambda reply: not self.keeps or reply > self.pushed, "RPUSH", f"{self.key}list", value
        )
        self.pushed = length or self.pushed

    def _expect(self, wire: Wire, right: Any, *words: Any) -> Any:
        """The reply; None when it was refused because the server loads."""
        reply = wire.call(*words)
        if isinstance(reply, ErrorReply):
            if not str(reply).startswith("LOADING"):
                self.wrong.append(f"{words}: {reply}")
            return None
        if not right(reply):
            self.wrong.append(f"{words}: {reply!r} after {self.acknowledged}, {self.pushed}")
        self.answers += 1
        return reply


def start(directory: Path, port: int, *flags: str) -> Kedis:
    """A server on ``port`` with a metrics server, which takes its time at the start."""
    words = ("--port", str(port), "--metrics-port", str(free_port()), *flags)
    kedis = Kedis(directory, *words, wait=False)
    kedis.port = port
    return kedis


@pytest.mark.parametrize("kind", ["always", "dump.rdb"])
def test_killed_and_started_again(tmp_path: Path, kind: str) -> None:
    directory, port = tmp_path / "data", free_port()
    directory.mkdir()
    flags = ("--appendonly", "no") if kind == "dump.rdb" else ("--appendfsync", kind)
    kedis = start(directory, port, *flags)
    kedis.wait_until_ready()
    assert kedis.call("SET", "before", "kept") == b"OK"
    if kind == "dump.rdb":
        assert kedis.call("SAVE") == b"OK"
    keeps = kind != "dump.rdb"  # what was changed since a snapshot is gone by right
    clients = [Asker(port, number, keeps) for number in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(ROUNDS):
            wait_for_answers(clients, kedis)
            kedis.kill()
            kedis = start(directory, port, *flags)
        wait_for_answers(clients, kedis)
    finally:
        kedis.kill()
        for client in clients:
            client.stops = True
        for client in clients:
            client.join(PATIENCE_SECONDS)
    assert [wrong for client in clients for wrong in client.wrong] == []
    print(f"{ROUNDS} kills, {kind}: {sum(client.answers for client in clients)} answers, none wrong")
    if not keeps:
        return
    found = strings(load(directory)[0])
    for client in clients:
        assert int(found[client.key.encode()]) >= client.acknowledged
        assert len(found[f"{client.key}list".encode()]) >= client.pushed


def wait_for_answers(clients: list[Asker], kedis: Kedis) -> None:
    due = [client.answers + ANSWERS for client in clients]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(client.answers < answers for client, answers in zip(clients, due, strict=True)):
        assert time.monotonic() < deadline and kedis.process.poll() is None, kedis.log()
        time.sleep(0.01)
