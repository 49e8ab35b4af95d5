"""Redis's Sentinel over Kedis and Redis servers: processes with files of their own, which are killed and restarted."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from tests.ports import free_port
from tests.replication.masters import PATIENCE, Raw, until

NAME = "mymaster"
#: A failover takes its time by itself: seconds.
FAILOVER_PATIENCE = 3 * PATIENCE
#: Sentinel's own rhythm, in ms, ten times as fast as usual but patient with a machine that stands still: what it takes
#: for a sign of a wrong clock (tilt) stops it for half a minute otherwise.
_RHYTHM = {
    "info-period": 500,
    "publish-period": 300,
    "ask-period": 200,
    "tilt-trigger": 60_000,
    "tilt-period": 1_000,
    "slave-reconf-timeout": 5_000,
    "min-link-reconnect-period": 1_000,
}
#: Of a server that keeps nothing and hurries; ``port`` and ``folder`` are put in.
SERVER = """bind 127.0.0.1
port {port}
dir "{folder}"
appendonly no
save ""
enable-debug-command yes
repl-diskless-sync-delay 0
repl-ping-replica-period 1
"""
_SENTINEL = """bind 127.0.0.1
port {port}
dir "{folder}"
sentinel monitor {name} 127.0.0.1 {master} {quorum}
sentinel down-after-milliseconds {name} {down_after_ms}
sentinel failover-timeout {name} 10000
"""


class Node:
    """A server, or a Sentinel, with a file of settings that it may rewrite.

    Args:
        words, last: the program, and what it is given before the file and behind it.
        port: where it listens.
    """

    def __init__(
        self,
        words: Sequence[str],
        port: int,
        folder: Path,
        settings: str,
        kind: str,
        last: Sequence[str] = (),
    ) -> None:
        self.port = port
        self.kind = kind
        self.folder = folder
        folder.mkdir()
        self.file = folder / "server.conf"
        self.file.write_text(settings)
        self._words = [*words, str(self.file), *last]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it, and wait until it answers."""
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen([*self._words, *options], stdout=log, stderr=log)
        until(self.is_alive, f"{self.kind} does not start: {self.log()[-2000:]}")

    def is_alive(self) -> bool:
        """Whether it answers."""
        with contextlib.suppress(OSError):
            return self.call("PING") in (b"PONG", "PONG")
        return False

    def kill(self) -> None:
        """End it with SIGKILL. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> None:
        """Wait until it has ended by itself."""
        assert self._process is not None
        self._process.wait(PATIENCE)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def call(self, *words: Any) -> Any:
        """The reply to one command, on a connection of its own."""
        connection = Raw(self.port)
        try:
            return connection.call(*words)
        finally:
            connection.close()

    def info(self, section: str = "replication") -> dict[str, str]:
        lines = self.call("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


class Gate:
    """A port that leads to another one, and can be cut like a cable: what is sent is lost, and nobody learns of it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.port: int = self._listener.getsockname()[1]
        self._open = True
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        self._open = False

    def heal(self) -> None:
        """Let connections through again; those from before are at an end."""
        self._open = True
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.heal()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            if not self._open:
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            self._sockets.append(far)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if self._open:
                    other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)


class Watch:
    """Servers, the first of which is the master at first, and the Sentinels that watch them.

    Args:
        kinds: ``kedis`` or ``redis`` for each server.
        sentinels: how many; the majority of them decides.
        gate: whether the first server is reached through a :class:`Gate` only.
    """

    def __init__(
        self,
        folder: Path,
        kinds: Sequence[str],
        *,
        sentinels: int = 3,
        down_after_ms: int = 1000,
        gate: bool = False,
    ) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not installed: no Sentinel, which is the same program")
        self.nodes = [make_node(kind, number, folder, program) for number, kind in enumerate(kinds)]
        first = self.nodes[0]
        self.gate = Gate(first.port) if gate else None
        #: The port under which others know each server.
        self.known = {node.port: node for node in self.nodes}
        master = first.port
        if self.gate is not None:
            master = self.gate.port
            self.known[master] = first
            with first.file.open("a") as file:
                file.write(f"replica-announce-port {master}\n")
        for node in self.nodes[1:]:
            with node.file.open("a") as file:
                file.write(f"replicaof 127.0.0.1 {master}\n")
        self.sentinels = []
        for number in range(sentinels):
            port = free_port()
            settings = _SENTINEL.format(
                port=port,
                folder=folder / f"sentinel-{number}",
                name=NAME,
                master=master,
                quorum=sentinels // 2 + 1,
                down_after_ms=down_after_ms,
            )
            place = folder / f"sentinel-{number}"
            self.sentinels.append(Node([program], port, place, settings, "sentinel", ["--sentinel"]))

    def start(self) -> None:
        """Start everything, and wait until all know all."""
        for node in self.nodes:
            node.start()
        for sentinel in self.sentinels:
            self.start_sentinel(sentinel)
        self.settle()

    def start_sentinel(self, sentinel: Node) -> None:
        sentinel.start()
        sentinel.call("SENTINEL", "DEBUG", *(word for pair in _RHYTHM.items() for word in pair))

    def close(self) -> None:
        for node in (*self.sentinels, *self.nodes):
            node.kill()
        if self.gate is not None:
            self.gate.close()

    # -- what the Sentinels say -------------------------------------------------------------------------------

    def address(self) -> tuple[str, int] | None:
        """Where all Sentinels say that the master is; None while they differ."""
        told = {tuple(each.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)) for each in self.running()}
        if len(told) != 1:
            return None
        host, port = told.pop()
        return host.decode(), int(port)

    def running(self) -> list[Node]:
        return [sentinel for sentinel in self.sentinels if sentinel.is_running]

    @property
    def master(self) -> Node:
        """The server that the Sentinels hold to be the master."""
        address = until(self.address, "the Sentinels differ")
        return self.known[address[1]]

    @property
    def replicas(self) -> list[Node]:
        master = self.master
        return [node for node in self.nodes if node is not master]

    def described(self, what: str) -> list[dict[str, str]]:
        """SENTINEL REPLICAS, SENTINELS or MASTER of the first Sentinel."""
        found = self.sentinels[0].call("SENTINEL", what, NAME)
        rows = found if found and isinstance(found[0], list) else [found]
        return [_fields(row) for row in rows]

    def settle(self) -> None:
        """Wait until one server is the master of all others, and every Sentinel sees it so; each may become it."""
        for node in self.nodes:  # one that was started again has what a Sentinel had written to its file
            node.call("CONFIG", "SET", "replica-priority", 100)
        _until(self._is_settled, self._state)

    def _is_settled(self) -> bool:
        address = self.address()
        if address is None:
            return False
        master, count = self.known[address[1]], len(self.nodes) - 1
        info = master.info()
        if info["role"] != "master" or info["connected_slaves"] != str(count):
            return False
        if any(f"slave{n}" in info and "state=online" not in info[f"slave{n}"] for n in range(count)):
            return False
        return all(self._sees_all(sentinel, count) for sentinel in self.running())

    def _sees_all(self, sentinel: Node, count: int) -> bool:
        master = _fields(sentinel.call("SENTINEL", "MASTER", NAME))
        rows = [_fields(row) for row in sentinel.call("SENTINEL", "REPLICAS", NAME)]
        replicas = [row for row in rows if row["flags"] == "slave" and row["master-link-status"] == "ok"]
        others = sentinel.call("SENTINEL", "SENTINELS", NAME)
        return (
            master["flags"] == "master"
            and len(replicas) == count
            and all(row["role-reported"] == "slave" for row in replicas)
            and len(others) == len(self.sentinels) - 1
        )

    def _state(self) -> str:
        servers = [
            f"{node.kind} {node.port}: {node.info() if node.is_running else 'down'}" for node in self.nodes
        ]
        views = [str(_fields(sentinel.call("SENTINEL", "MASTER", NAME))) for sentinel in self.running()]
        return "\n".join([str(self.address()), *servers, *views])

    def another_master(self, former: Node) -> Node:
        """Wait until the Sentinels name another master than ``former``, which says itself that it is one."""

        def other() -> Node | None:
            address = self.address()
            found = None if address is None else self.known[address[1]]
            if found is None or found is former or found.info()["role"] != "master":
                return None
            return found

        found = _until(other, self._state)
        assert isinstance(found, Node)
        return found

    def promote(self, node: Node) -> None:
        """SENTINEL FAILOVER to ``node``, which is a replica; everything is settled afterwards."""
        former = self.master
        for other in self.replicas:
            other.call("CONFIG", "SET", "replica-priority", 100 if other is node else 0)
        self._await_priorities({"0", "100"} if len(self.nodes) > 2 else {"100"})
        self.fail_over()
        assert self.another_master(former) is node
        self.settle()
        self._await_priorities({"100"})

    def fail_over(self) -> None:
        """SENTINEL FAILOVER, as soon as the Sentinel knows a replica that may be the master."""

        def accepted() -> bool:
            return self.sentinels[0].call("SENTINEL", "FAILOVER", NAME) == b"OK"

        _until(accepted, self._state)

    def _await_priorities(self, wanted: set[str]) -> None:
        _until(lambda: {row["slave-priority"] for row in self.described("REPLICAS")} == wanted, self._state)

    # -- clients ----------------------------------------------------------------------------------------------

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", sentinel.port) for sentinel in self.sentinels]

    def client(self, **options: Any) -> Sentinel:
        """redis-py's client of the Sentinels."""
        defaults: dict[str, Any] = {"socket_timeout": 5.0, "retry": Retry(NoBackoff(), 0)}
        return Sentinel(self.addresses, **{**defaults, **options})


def make_node(kind: str, number: int, folder: Path, program: str) -> Node:
    """A server of a kind, ``kedis`` or ``redis``, with a place of its own in ``folder``."""
    port = free_port()
    place = folder / f"{kind}-{number}"
    settings = SERVER.format(port=port, folder=place)
    if kind == "redis":
        return Node([program], port, place, settings, kind)
    return Node([sys.executable, "-m", "kedis"], port, place, settings + "metrics-port no\n", kind)


def _fields(row: list[bytes]) -> dict[str, str]:
    words = [word.decode() for word in row]
    return dict(zip(words[::2], words[1::2], strict=True))


def _until(condition: Callable[[], Any], state: Callable[[], str]) -> Any:
    """Like :func:`until`, with more patience, for servers that may be down; ``state`` is told where it ends."""
    deadline = time.monotonic() + FAILOVER_PATIENCE
    while True:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        assert time.monotonic() < deadline, state()
        time.sleep(0.05)


class Writer:
    """An application that writes all the time, each value once, by way of the Sentinels.

    Attributes:
        confirmed: values that ``needed`` replicas had confirmed when the write was answered.
        longest_pause_seconds: between two answers.
    """

    def __init__(self, watch: Watch, needed: int) -> None:
        self._client = watch.client().master_for(NAME)
        self._needed = needed
        self.confirmed: list[int] = []
        self.longest_pause_seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)

    def _write(self) -> None:
        number, answered = 0, time.monotonic()
        while not self._ended.is_set():
            number += 1
            try:
                # On one connection, or WAIT would ask for the writes of another.
                with self._client.pipeline(transaction=False) as pipe:
                    _, count = (
                        pipe.rpush("written", number).execute_command("WAIT", self._needed, 1000).execute()
                    )
            except redis.RedisError:
                time.sleep(0.02)
                continue
            now = time.monotonic()
            self.longest_pause_seconds = max(self.longest_pause_seconds, now - answered)
            answered = now
            if count >= self._needed:
                self.confirmed.append(number)

    def goes_on(self, count: int = 20) -> None:
        """Wait until ``count`` more writes are confirmed."""
        goal = len(self.confirmed) + count
        _until(lambda: len(self.confirmed) >= goal, lambda: f"{len(self.confirmed)} writes confirmed")

    def lost(self, master: Node) -> set[int]:
        """What was confirmed and is not on ``master``."""
        return set(self.confirmed) - set(map(int, master.call("LRANGE", "written", 0, -1)))


@contextlib.contextmanager
def watched(folder: Path, kinds: Sequence[str], **options: Any) -> Iterator[Watch]:
    """A :class:`Watch` that runs, and ends with the block."""
    watch = Watch(folder, kinds, **options)
    try:
        watch.start()
        yield watch
    finally:
        watch.close()
