"""A server whose every step gives way to clients that never rest: nothing depends on how long a step takes.

:func:`in_own_hub` runs a test in a thread with a hub of its own.  :class:`Crowd` is the clients; while it is
``pressing`` a step of the server's start or end, every method of the classes of :data:`STEPS`, begins and ends only
after each client has been answered, or turned away, twice more.
"""

from __future__ import annotations

import inspect
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import socket

from kedis.persistence.aof import Aof
from kedis.persistence.folder import Folder
from kedis.server import loading
from kedis.server.aof_faults import AofFaults
from kedis.server.aof_policy import AofPolicy
from kedis.server.app import App
from kedis.server.group_commit import GroupCommit
from kedis.server.listeners import Listeners
from kedis.server.metrics_http import MetricsServer
from kedis.server.network import Network
from kedis.server.network_server import NetworkServer
from kedis.server.snapshot_policy import SnapshotPolicy
from tests.commands.driver import reply_reader
from tests.persistence.server import encode

STEPS = (
    App,
    NetworkServer,
    Network,
    Listeners,
    MetricsServer,
    AofPolicy,
    AofFaults,
    GroupCommit,
    SnapshotPolicy,
    Aof,
    Folder,
)
#: What must not be interrupted, and cannot be where nothing gives way on purpose.
_AT_ONCE = frozenset(
    [
        "write",
        "_write",
        "save_at_end",
        "save_and_stop",
        "request_stop",
        "next_turn",
        "pass_turn",
        "_run_deferred",
    ]
)
_ENOUGH_TURNS = 100_000
_A_TURN = 1e-5


def in_own_hub(test: Callable[[], None]) -> None:
    """Run ``test`` in a thread with a hub of its own; raises what it raises."""
    failures: list[BaseException] = []

    def run() -> None:
        hub = gevent.get_hub()
        try:
            test()
        except BaseException as failure:
            failures.append(failure)
        finally:
            hub.destroy(destroy_loop=True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


class Client:
    """Asks one question after the other, on a new connection whenever it has lost one.

    Args:
        at_once: questions that are sent before the first reply is read.

    Attributes:
        replies: (what was asked, the reply) in order.
        rounds: attempts so far, those that were turned away included.
    """

    def __init__(self, port: int, questions: Iterator[tuple[Any, ...]], at_once: int = 1) -> None:
        self.port = port
        self.at_once = at_once
        self.questions = questions
        self.replies: list[tuple[tuple[Any, ...], Any]] = []
        self.rounds = 0
        self.greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port)) as connection:
                    self._ask(connection)
            except OSError:
                pass
            self.rounds += 1
            gevent.sleep(0)

    def _ask(self, connection: Any) -> None:
        reader = reply_reader()
        while batch := list(itertools.islice(self.questions, self.at_once)):
            connection.sendall(b"".join(encode(*question) for question in batch))
            for question in batch:
                while (reply := reader.gets()) is False:
                    data = connection.recv(1 << 16)
                    if not data:
                        return
                    reader.feed(data)
                self.replies.append((question, reply))
                self.rounds += 1


class Crowd:
    """Clients of ``port`` that write and read from before the server listens until they are told to leave.

    Belongs to the greenlet that makes it, which starts and ends the server.

    Attributes:
        pressing: whether the steps of the server give way to the clients.
        most_turns: after so many turns of the loop a step goes on although not every client has been answered; None
            where that must not be.
    """

    def __init__(self, port: int, kinds: list[Iterator[tuple[Any, ...]]]) -> None:
        self._owner = gevent.getcurrent()
        self._port = port
        self.clients = [Client(port, questions) for questions in kinds]
        self.pressing = True
        self.most_turns: int | None = None

    def join(self, questions: Iterator[tuple[Any, ...]], at_once: int = 1) -> None:
        """One client more."""
        self.clients.append(Client(self._port, questions, at_once))

    def press(self) -> None:
        """Let every client be answered twice more, if it is the server that has come to a step."""
        if self.pressing and gevent.getcurrent() is self._owner:
            self.wait()

    def wait(self) -> None:
        """Wait until every client has been answered twice more."""
        due = [client.rounds + 2 for client in self.clients]
        for _ in range(_ENOUGH_TURNS if self.most_turns is None else self.most_turns):
            if all(client.rounds >= rounds for client, rounds in zip(self.clients, due, strict=True)):
                return
            gevent.sleep(_A_TURN)
        assert self.most_turns is not None, "the clients get no answers"

    def replies(self) -> list[tuple[tuple[Any, ...], Any]]:
        """What was asked and answered, client by client."""
        return [each for client in self.clients for each in client.replies]

    def leave(self) -> None:
        """End the clients."""
        gevent.killall([client.greenlet for client in self.clients])


def slow_down(patch: pytest.MonkeyPatch, crowd: Crowd) -> None:
    """Have every step of a server give way to ``crowd``, and loading after each batch of commands."""
    patch.setattr(loading, "_SLICE", 0.0)
    for owner in STEPS:
        for name, member in list(vars(owner).items()):
            if inspect.isfunction(member) and not name.startswith("__") and name not in _AT_ONCE:
                patch.setattr(owner, name, _pressed(member, crowd))


def _pressed(function: Callable[..., Any], crowd: Crowd) -> Callable[..., Any]:
    def pressed(*arguments: Any, **named: Any) -> Any:
        crowd.press()
        result = function(*arguments, **named)
        crowd.press()
        return result

    return pressed
