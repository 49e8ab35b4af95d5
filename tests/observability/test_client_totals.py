"""Totals over clients: whole, and never more than a slice of work at once."""

from __future__ import annotations

from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport
from kedis.observability.client_totals import _SLICE
from kedis.observability.observer import Observer


class Counted(NullTransport):
    """Holds bytes, and counts how often it is asked."""

    def __init__(self, received: int, unsent: int) -> None:
        self.received, self.unsent = received, unsent
        self.asked = 0

    def input_bytes(self) -> int:
        self.asked += 1
        return self.received

    def output_bytes(self) -> int:
        return self.unsent


def crowd(count: int) -> tuple[Engine, list[Counted]]:
    engine = Engine()
    Observer(engine)
    transports = [Counted(number % 7, number) for number in range(count)]
    for transport in transports:
        engine.connect(Client(engine, transport))
    return engine, transports


def shown(engine: Engine) -> dict[bytes, int]:
    lines = engine.observer.info([b"clients"]).split(b"\r\n")
    return {name: int(value) for name, _, value in (line.partition(b":") for line in lines) if value}


def test_few_are_counted_at_once() -> None:
    engine, transports = crowd(_SLICE)
    transports[3].unsent = 10_000
    assert shown(engine)[b"client_recent_max_output_buffer"] == 10_000
    transports[3].unsent = 0
    assert shown(engine)[b"client_recent_max_output_buffer"] == _SLICE - 1


def test_of_many_each_info_looks_at_a_slice() -> None:
    """INFO of 10,000 clients took 10 ms. (The samples taken with it every 100 ms look at a slice as well.)"""
    engine, transports = crowd(10 * _SLICE)
    for _ in range(25):
        before = sum(transport.asked for transport in transports)
        engine.observer.info([])
        assert sum(transport.asked for transport in transports) - before <= 2 * _SLICE
    found = shown(engine)
    assert found[b"connected_clients"] == 10 * _SLICE
    assert found[b"client_recent_max_input_buffer"] == 6
    assert found[b"client_recent_max_output_buffer"] == 10 * _SLICE - 1
    assert all(transport.asked >= 2 for transport in transports)


def test_clients_that_leave_meanwhile() -> None:
    engine, transports = crowd(3 * _SLICE)
    engine.observer.info([])
    for client in list(engine.clients.values())[: 2 * _SLICE + 1]:
        engine.disconnect(client)
    transports[-1].unsent = 123_456
    assert shown(engine)[b"client_recent_max_output_buffer"] == 123_456
