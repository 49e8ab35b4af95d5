"""The hot path of the router, in both forms: order of replies, framing in place, plain requests from their bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kedis import native
from kedis.commands import load_all
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport
from kedis.resp.reply_framing import FramingError
from kedis.router import flow as chosen
from kedis.router import python_flow
from kedis.router.hash_slots import SLOTS, key_slot
from kedis.router.plain_forms import forms_of
from kedis.router.planning import Planner, encode
from kedis.server.peer import PythonState
from kedis.structures.histogram import Histogram

load_all()
IS_NATIVE = native.PATH == "native"
FORMS = [python_flow, chosen] if IS_NATIVE else [python_flow]


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


class World:
    """A client and two connections to nodes, in one of the forms."""

    def __init__(self, form: Any) -> None:
        self.form = form
        self.clock = Clock()
        self.engine = Engine(clock=self.clock)
        self.cycle = SimpleNamespace(waiting=[])
        self.at_end: list[Callable[[], None]] = []
        self.redirects: list[bytes] = []
        self.noted: list[bytes] = []
        self.takes_over = False
        self.peer = self._peer()
        self.lane = form.Lane(self.peer, self.engine, self.cycle)
        self.replied = 0
        self.lane.on_reply = self._on_reply
        self.flows = [self._flow(), self._flow()]

    def _peer(self) -> Any:
        base: Any = PythonState
        if self.form is not python_flow:
            from kedis.native.path import Peer

            base = Peer
        world = self

        class Fake(base):  # type: ignore[misc]
            def note(self, request: Any, reply: bytes, elapsed: int) -> None:
                world.noted.append(reply)

        peer = Fake()
        peer.client = Client(self.engine, NullTransport())
        peer.closed = peer.queued = False
        return peer

    def _flow(self) -> Any:
        flow = self.form.Flow(Histogram(), self.at_end, self.clock, self.clock)
        flow.flush = lambda: None
        flow.redirected = self._redirected
        flow.opened = True
        return flow

    def _redirected(self, request: Any, reply: bytes) -> bool:
        self.redirects.append(reply)
        return self.takes_over

    def _on_reply(self) -> None:
        self.replied += 1

    def ask(self, flow: int, name: str = "get", wire: bytes = b"*1\r\n$1\r\nx\r\n") -> Any:
        row = self.engine.table.rows[name.encode()]
        request = self.form.UpstreamRequest(self.lane, wire, row, 0, True, self.clock())
        self.lane.begin(request)
        self.flows[flow].submit(request)
        return request

    @property
    def output(self) -> bytes:
        self.peer.surface()
        return b"".join(self.peer.client.out)


@pytest.fixture(params=FORMS, ids=[form.__name__.rpartition(".")[2] for form in FORMS])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_replies_in_the_order_of_the_requests(world: World) -> None:
    for flow in (0, 1, 0, 1):
        world.ask(flow)
    first, second = world.flows
    second.feed(b"+b1\r\n+b2\r\n")
    assert world.output == b""
    assert world.cycle.waiting == []
    first.feed(b"+a1\r\n")
    assert world.output == b"+a1\r\n+b1\r\n"
    assert world.cycle.waiting == [world.peer]
    first.feed(b"+a2\r\n")
    assert world.output == b"+a1\r\n+b1\r\n+a2\r\n+b2\r\n"
    assert world.lane.pending == world.lane.pending_bytes == 0
    assert first.flying == second.flying == 0
    assert world.cycle.waiting == [world.peer]


def test_replies_that_are_already_there_come_first(world: World) -> None:
    world.peer.client.out.append(b"+own\r\n")
    world.ask(0)
    world.flows[0].feed(b"+a\r\n")
    assert world.output == b"+own\r\n+a\r\n"


def test_one_flush_for_a_turn(world: World) -> None:
    world.ask(0)
    world.ask(0)
    assert len(world.at_end) == 1
    assert len(world.flows[0].out) == 2
    assert world.flows[0].appended == 22
    assert world.flows[0].flying == 2


def test_what_is_not_answered_can_be_taken(world: World) -> None:
    requests = [world.ask(0) for _ in range(3)]
    world.flows[0].feed(b"+a\r\n")
    assert world.flows[0].answered_bytes == requests[0].end
    assert world.flows[0].take_flying() == requests[1:]
    assert world.flows[0].flying == 0
    world.lane.deliver(requests[2], b"+c\r\n")
    world.lane.deliver(requests[1], b"-ERR lost\r\n")
    assert world.output == b"+a\r\n-ERR lost\r\n+c\r\n"


def test_a_redirect_is_not_delivered(world: World) -> None:
    request = world.ask(0)
    world.ask(1)
    world.takes_over = True
    world.flows[0].feed(b"-MOVED 1 a:1\r\n")
    world.flows[1].feed(b"+second\r\n")
    assert world.output == b""
    assert world.redirects == [b"-MOVED 1 a:1\r\n"]
    world.flows[1].submit(request)
    world.flows[1].feed(b"+first\r\n")
    assert world.output == b"+first\r\n+second\r\n"


def test_an_error_of_the_client(world: World) -> None:
    world.ask(0)
    world.flows[0].feed(b"-WRONGTYPE x\r\n")
    assert world.output == b"-WRONGTYPE x\r\n"
    assert world.noted == [b"-WRONGTYPE x\r\n"]


def test_the_last_of_several_replies(world: World) -> None:
    request = world.ask(0)
    request.replies = request.expected = 4
    world.flows[0].feed(b"+OK\r\n+QUEUED\r\n-ERR no\r\n")
    assert world.output == b""
    world.flows[0].feed(b"*1\r\n:1\r\n")
    assert request.refusal == b"-ERR no\r\n"
    assert world.redirects == [b"*1\r\n:1\r\n"]
    assert world.output == b"*1\r\n:1\r\n"


def test_a_silent_request(world: World) -> None:
    world.ask(0).silent = True
    world.ask(0)
    world.flows[0].feed(b"+a\r\n+b\r\n")
    assert world.output == b"+b\r\n"


def test_a_client_that_has_left(world: World) -> None:
    world.ask(0)
    world.ask(0)
    world.lane.close()
    assert world.lane.gone
    world.flows[0].feed(b"+a\r\n+b\r\n")
    assert world.output == b""
    assert world.flows[0].flying == 0


def test_a_waiting_greenlet_is_told(world: World) -> None:
    world.ask(0)
    world.lane.paused = True
    world.flows[0].feed(b"+a\r\n")
    assert world.replied == 1


def test_pushes_and_replies_to_nothing(world: World) -> None:
    flow = world.flows[0]
    with pytest.raises(FramingError):
        flow.feed(b"+x\r\n")
    pushes: list[bytes] = []
    flow.on_push = pushes.append
    flow.feed(b"*2\r\n+a\r\n+b\r\n")
    world.ask(0)
    flow.feed(b">1\r\n+p\r\n+reply\r\n")
    assert pushes == [b"*2\r\n+a\r\n+b\r\n", b">1\r\n+p\r\n"]
    assert world.output == b"+reply\r\n"


def test_calls_are_counted(world: World) -> None:
    for elapsed in (1_000, 40_000, 100_000, 5_000_000, 5_000_001, 2_000_000_000):
        world.ask(0)
        world.clock.now += elapsed
        world.flows[0].feed(b"+OK\r\n")
    counters = world.engine.table.rows[b"get"].counters
    assert counters.calls == 6
    assert counters.nanoseconds == 2_010_141_001
    other = type(counters)()
    for elapsed in (1_000, 40_000, 100_000, 5_000_000, 5_000_001, 2_000_000_000):
        other.count(elapsed)
    assert counters.durations() == other.durations()
    durations = world.flows[0].durations
    assert sum(durations.counts) == 6
    assert durations.total == counters.nanoseconds


def test_the_larger_the_replies_the_fewer_may_come(world: World) -> None:
    assert world.lane.limit == 32
    for size, least, most in ((1 << 20, 3, 4), (8 << 20, 1, 1), (10, 1, 2)):
        world.ask(0)
        world.flows[0].feed(b"$%d\r\n%b\r\n" % (size, b"x" * size))
        assert least <= world.lane.limit <= most
    for _ in range(100):
        world.ask(0)
        world.flows[0].feed(b"+OK\r\n")
    assert world.lane.limit == 1024


REPLIES = [
    b"+OK\r\n",
    b"-ERR a\rb\r\n",
    b":12\r\n",
    b"$-1\r\n",
    b"$0\r\n\r\n",
    b"$6\r\n\r\n\r\n\r\n\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*2\r\n$1\r\na\r\n*2\r\n:1\r\n+x\r\n",
    b"%1\r\n+a\r\n~1\r\n#t\r\n",
    b"_\r\n",
    b"=7\r\ntxt:abc\r\n",
    b"|1\r\n+key\r\n:5\r\n*1\r\n:1\r\n",
    b"$9000\r\n" + b"x" * 9000 + b"\r\n",
]


def test_replies_cut_anywhere(world: World) -> None:
    chance = random.Random(281)
    for _ in range(200):
        replies = chance.choices(REPLIES, k=8)
        data = b"".join(replies)
        for _ in replies:
            world.ask(0)
        cuts = sorted(chance.choices(range(len(data) + 1), k=chance.randint(0, 12)))
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if start < end:
                world.flows[0].feed(data[start:end])
        assert world.output == data
        world.peer.client.out.clear()


@pytest.mark.parametrize(
    "data", [b"x\r\n", b"$x\r\n", b"*x\r\n", b"$-2\r\n", b"\r\n", b"*99999999999999\r\n"]
)
def test_what_is_no_reply(world: World, data: bytes) -> None:
    world.ask(0)
    with pytest.raises(FramingError):
        world.flows[0].feed(data)


# -- plain requests from their bytes ------------------------------------------------------------------------

REQUESTS = [
    b"GET k",
    b"get {tag}k",
    b"SET k v",
    b"SET k v EX 10",
    b"DEL k",
    b"DEL k l",
    b"MGET a",
    b"MGET a b",
    b"MSET a 1",
    b"MSET a 1 b 2",
    b"PING",
    b"GeT k",
    b"GET",
    b"HSET h f v",
    b"BLPOP k 0",
    b"EVAL s 1 k",
    b"LPUSH l x",
    b"FLUSHALL",
    b"nonsense x",
]


@pytest.mark.skipif(not IS_NATIVE, reason="the form in Python takes none")
class TestForward:
    @pytest.mark.parametrize("by_slot", [True, False])
    def test_what_is_taken_is_what_was_sent(self, by_slot: bool) -> None:
        world = World(chosen)
        planner = Planner(world.engine.table, by_slot)
        forms = forms_of(world.engine.table, planner)
        chance = random.Random(282)
        taken_in_all = 0
        for _ in range(500):
            lines = chance.choices(REQUESTS, k=chance.randint(1, 6))
            data = b"".join(encode(line.split()) for line in lines)
            if chance.random() < 0.3:
                data = data[: chance.randrange(len(data))]
            if chance.random() < 0.2:
                at = chance.randrange(len(data) or 1)
                data = data[:at] + bytes([chance.choice(b"\r\n$*0x-")]) + data[at + 1 :]
            table = [world.flows[slot % 2] for slot in range(SLOTS)]
            taken = world.lane.forward(data, forms, table, by_slot)
            taken_in_all += taken
            requests = world.flows[0].take_flying() + world.flows[1].take_flying()
            assert sum(len(request.wire) for request in requests) == taken
            for request in requests:
                words = request.wire.split(b"\r\n")[2::2]
                assert encode(words) == request.wire
                assert request.row is world.engine.table.rows[words[0].lower()]
                assert request.slot == (key_slot(words[1]) if by_slot else 0)
                assert request.wire in data
            sent = [wire for flow in world.flows for wire in flow.out]
            assert sent == [request.wire for request in requests]
            for flow in world.flows:
                flow.out.clear()
            world.lane.close()
            world.lane = chosen.Lane(world.peer, world.engine, world.cycle)
        assert taken_in_all > 5_000

    def test_it_stops_where_a_route_is_not_open(self) -> None:
        world = World(chosen)
        forms = forms_of(world.engine.table, Planner(world.engine.table, True))
        table: list[Any] = [None] * SLOTS
        table[key_slot(b"foo")] = world.flows[0]
        one, other = encode([b"GET", b"foo"]), encode([b"GET", b"bar"])
        assert world.lane.forward(one + other + one, forms, table, True) == len(one)
        assert not world.lane.cut
        assert world.lane.forward(one + one[:-1], forms, table, True) == len(one)
        assert world.lane.cut

    def test_it_stops_at_the_bounds(self) -> None:
        world = World(chosen)
        forms = forms_of(world.engine.table, Planner(world.engine.table, False))
        one = encode([b"GET", b"foo"])
        assert world.lane.forward(one * 5000, forms, [world.flows[0]], False) == 32 * len(one)
        world.flows[0].feed(b"+OK\r\n" * 32)
        for _ in range(2):
            taken = world.lane.forward(one * 5000, forms, [world.flows[0]], False)
            assert taken == world.lane.limit * len(one)
            world.flows[0].feed(b"+OK\r\n" * (taken // len(one)))
        assert world.lane.limit == 1024
        world = World(chosen)
        large = encode([b"SET", b"foo", b"x" * 100_000])
        assert world.lane.forward(large * 50, forms, [world.flows[0]], False) == 11 * len(large)

    def test_slots(self) -> None:
        from kedis.native import routing

        chance = random.Random(283)
        for _ in range(3000):
            key = bytes(chance.choices(b"ab{}\0\xff", k=chance.randint(0, 12)))
            assert routing.key_slot(key) == key_slot(key)
