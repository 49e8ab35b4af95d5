"""Durations go by the monotonic clock: setting the wall clock neither lengthens nor shortens them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from kedis.config import Config
from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.embedded.engine_socket import EngineSocket
from kedis.engine.call import expire_blocked
from kedis.engine.engine import Engine
from kedis.observability.observer import Observer
from kedis.persistence.saver import Saver
from kedis.server.network_server import NetworkServer
from tests.commands.driver import Client, Clock

SECOND = 1_000_000_000


class Clocks:
    """An engine with a wall clock and a monotonic clock of its own, and a client."""

    def __init__(self, **settings: str) -> None:
        self.wall, self.monotonic = Clock(), Clock()
        self.monotonic.now_ns = 77 * SECOND
        self.engine = Engine(
            Config({"appendonly": "no", **settings}), clock=self.wall, monotonic=self.monotonic
        )
        self.client = Client(self.engine)

    def passes(self, seconds: float) -> None:
        """Time goes on for both."""
        self.wall.now_ns += int(seconds * SECOND)
        self.monotonic.now_ns += int(seconds * SECOND)

    def is_set(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.wall.now_ns += int(seconds * SECOND)


steps = pytest.mark.parametrize("step", [-3600, 3600], ids=["back", "forward"])


@steps
def test_blocked_clients(step: int) -> None:
    clocks = Clocks()
    assert clocks.client.replies("BLPOP", "list", 10) == []
    clocks.is_set(step)
    clocks.passes(9)
    expire_blocked(clocks.engine)
    assert clocks.client.pushed() == []
    clocks.passes(1)
    expire_blocked(clocks.engine)
    assert clocks.client.pushed() == [None]


@steps
def test_client_pause(step: int) -> None:
    clocks = Clocks()
    clocks.client.call("CLIENT", "PAUSE", 10_000, "WRITE")
    clocks.is_set(step)
    clocks.passes(9)
    assert clocks.client.replies("SET", "a", 1) == []
    clocks.passes(1)
    assert clocks.client.replies("SET", "a", 1) == [b"OK"]


@steps
def test_age_and_idle_time_of_clients(step: int) -> None:
    clocks = Clocks()
    clocks.passes(5)
    clocks.is_set(step)
    line = clocks.client.call("CLIENT", "INFO").decode()
    assert " age=5 idle=5 " in line


@steps
def test_idle_clients_are_closed_in_time(step: int) -> None:
    clocks = Clocks(timeout="10")
    network = NetworkServer(clocks.engine)
    closed: list[Any] = []

    class Idle:
        client = clocks.client.state
        awaits_reply = False

        def close(self) -> None:
            closed.append(self)

    network.connections.add(Idle())  # type: ignore[arg-type]
    clocks.is_set(step)
    clocks.passes(9)
    network.cron.close_idle_clients()
    assert not closed
    clocks.passes(2)
    network.cron.close_idle_clients()
    assert closed


def test_a_client_that_was_blocked_is_not_idle_from_before() -> None:
    """Its time begins with the reply, before which it could not ask anything."""
    clocks = Clocks(timeout="10")
    network = NetworkServer(clocks.engine)
    closed: list[Any] = []
    state = clocks.client.state

    class Blocked:
        client = state
        awaits_reply = False

        def close(self) -> None:
            closed.append(self)

    network.connections.add(Blocked())  # type: ignore[arg-type]
    state.last_command = clocks.engine.table.rows[b"blpop"]
    clocks.engine.blocking.wait_for_task(state, [b"BLPOP", b"k", b"0"])
    clocks.passes(20)
    network.cron.close_idle_clients()
    assert not closed
    clocks.engine.blocking.forget(state)
    clocks.passes(9)
    network.cron.close_idle_clients()
    assert not closed
    clocks.passes(2)
    network.cron.close_idle_clients()
    assert closed


@steps
def test_uptime(step: int) -> None:
    clocks = Clocks()
    clocks.passes(5)
    clocks.is_set(step)
    assert b"\r\nuptime_in_seconds:5\r\n" in clocks.client.call("INFO", "server")


@steps
def test_save_points(step: int) -> None:
    clocks = Clocks(save="60 1")
    saver = Saver(clocks.engine)
    clocks.client.call("SET", "a", 1)
    clocks.is_set(step)
    assert not saver.wants_to_start()
    clocks.passes(61)
    assert saver.wants_to_start()


@steps
@pytest.mark.parametrize("seconds", [0, 5])
def test_a_command_while_the_clock_is_set(step: int, seconds: int) -> None:
    """Neither its counters nor the slow log have seen the step."""
    clocks = Clocks()
    Observer(clocks.engine)

    def echo(_session: Any, argv: Any) -> Any:
        clocks.is_set(step)
        clocks.passes(seconds)
        return argv[1]

    row = clocks.engine.table.rows[b"echo"]
    row.function = echo
    clocks.client.call("ECHO", "x")
    assert row.counters.nanoseconds == seconds * SECOND
    ((longest, calls),) = row.counters.durations()
    assert calls == 1 and seconds * SECOND <= longest <= seconds * SECOND * 129 // 128 + 63
    assert clocks.client.call("SLOWLOG", "LEN") == (1 if seconds else 0)


def test_a_clock_that_is_adjusted_slowly_is_not_set() -> None:
    clocks = Clocks()
    for _ in range(100):
        clocks.is_set(0.0005)
        assert clocks.engine.check_clock() == 0
    clocks.is_set(-1)
    assert clocks.engine.check_clock() == -SECOND


@steps
def test_the_time_over_the_limit_of_memory(step: int) -> None:
    clocks = Clocks()
    clocks.engine.memory.fill_up()
    clocks.is_set(step)
    clocks.passes(3)
    clocks.engine.memory.make_room()
    assert clocks.engine.memory.exceeded_ns == 3 * SECOND


@steps
def test_waits_of_the_store_in_the_process(step: int) -> None:
    embedded = EmbeddedEngine()
    wall = Clock()
    embedded.engine.clock = wall
    wall.now_ns = time.time_ns() + step * SECOND  # set after the wait has begun, as far as the engine knows
    sock = EngineSocket(embedded)
    sock.sendall(b"BLPOP list 0.05\r\n")
    wall.now_ns -= 2 * step * SECOND
    assert sock.recv(100) == b"*-1\r\n"
    embedded.close()


def test_a_frozen_time_module_does_not_stop_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries that freeze time for tests replace the functions of ``time``, and references to them in modules."""

    def frozen() -> int:
        return 42

    genuine: dict[int, Callable[[], int]] = {}
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"):
        genuine[id(getattr(time, name))] = frozen
        monkeypatch.setattr(time, name, frozen)
    import kedis.engine.engine as module

    for name, value in list(vars(module).items()):
        if id(value) in genuine:
            monkeypatch.setattr(module, name, frozen)
    engine = Engine()
    begun = engine.monotonic()
    while engine.monotonic() == begun:
        pass
    assert engine.clock() > 1_000_000 * SECOND
