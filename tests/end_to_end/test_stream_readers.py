"""Many clients that wait for streams: each is woken by what concerns it, and others cost nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import redis

import kedis
from kedis.commands import load_all
from kedis.config import Config
from kedis.engine.blocking import Blocking
from kedis.engine.call import expire_blocked
from kedis.engine.engine import Engine
from tests.account import check
from tests.commands.driver import Client, Clock, ErrorReply

load_all()


@pytest.fixture
def server() -> Iterator[kedis.Server]:
    with kedis.Server(port=0) as server:
        yield server


def in_thread(work: object) -> tuple[threading.Thread, list[object]]:
    """Run ``work`` beside; its value or exception is put into the list."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(work())  # type: ignore[operator]
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def test_a_key_that_expires_by_itself_ends_the_wait(server: kedis.Server) -> None:
    """No command comes after it: the periodic work must wake the reader."""
    main, reader = redis.Redis(port=server.port), redis.Redis(port=server.port, socket_timeout=60)
    main.xgroup_create("s", "g", mkstream=True)
    thread, found = in_thread(lambda: reader.xreadgroup("g", "c", {"s": ">"}, block=0))
    while not main.info("clients")["blocked_clients"]:
        time.sleep(0.005)
    main.pexpire("s", 50)
    thread.join(60)
    assert not thread.is_alive()
    assert "the stream key no longer exists" in str(found[0])


def attempts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The key of each attempt to serve a reader, from now on."""
    tried: list[bytes] = []
    ready = Blocking.ready

    def counted(blocking: Blocking) -> Iterator[object]:
        for waiter, attempt, key in ready(blocking):
            tried.append(key)
            yield waiter, attempt, key

    monkeypatch.setattr(Blocking, "ready", counted)
    return tried


@pytest.mark.parametrize("waiting", [1, 1000])
def test_a_reader_is_woken_and_others_are_not_tried(waiting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait for other streams, one XADD tries one of them."""
    engine = Engine(Config(), clock=Clock())
    clients = [Client(engine) for _ in range(waiting)]
    for number, client in enumerate(clients):
        assert client.replies("XREAD", "BLOCK", 0, "STREAMS", f"s{number}", "$") == []
    tried = attempts(monkeypatch)
    writer = Client(engine)
    assert writer.call("XADD", "s0", "1-1", "f", "v") == b"1-1"
    assert tried == [b"s0"]
    assert clients[0].pushed() == [[[b"s0", [[b"1-1", [b"f", b"v"]]]]]]
    assert all(client.pushed() == [] for client in clients[1:])
    assert writer.call("XDEL", "s0", "1-1") == 1
    assert tried == [b"s0"], "what takes entries away wakes nobody"
    check(engine)


def test_all_readers_of_one_stream_are_served_and_one_of_each_group() -> None:
    engine = Engine(Config(), clock=Clock())
    writer = Client(engine)
    writer.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    readers = [Client(engine) for _ in range(300)]
    members = [Client(engine) for _ in range(300)]
    for number, (reader, member) in enumerate(zip(readers, members, strict=True)):
        assert reader.replies("XREAD", "BLOCK", 0, "STREAMS", "s", "$") == []
        assert member.replies("XREADGROUP", "GROUP", "g", f"c{number}", "BLOCK", 0, "STREAMS", "s", ">") == []
    assert writer.call("XADD", "s", "1-1", "f", "v") == b"1-1"
    entry = [[[b"s", [[b"1-1", [b"f", b"v"]]]]]]
    assert all(reader.pushed() == entry for reader in readers)
    assert [member.pushed() == entry for member in members] == [True] + [False] * 299
    assert writer.call("XGROUP", "DESTROY", "s", "g") == 1
    gone = [ErrorReply("NOGROUP the consumer group this client was blocked on no longer exists")]
    assert all(member.pushed() == gone for member in members[1:])
    check(engine)


def test_members_of_a_group_are_not_tried_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry is for one of them: when the next has got nothing, nor would those behind; other groups are served."""
    engine = Engine(Config(), clock=Clock())
    writer = Client(engine)
    groups = ["g", "h", "i"]
    for group in groups:
        writer.call("XGROUP", "CREATE", "s", group, "$", "MKSTREAM")
    members = [Client(engine) for _ in range(300)]
    for number, member in enumerate(members):
        words = ["GROUP", groups[number % 3], f"c{number}", "BLOCK", 0, "STREAMS", "s", ">"]
        assert member.replies("XREADGROUP", *words) == []
    reader = Client(engine)
    assert reader.replies("XREAD", "BLOCK", 0, "STREAMS", "s", "$") == []
    tried = attempts(monkeypatch)
    for number in range(3):
        tried.clear()
        writer.call("XADD", "s", f"{number + 1}-1", "f", "v")
        entry = [[[b"s", [[b"%d-1" % (number + 1), [b"f", b"v"]]]]]]
        assert [at for at, member in enumerate(members) if member.pushed() == entry] == [
            3 * number + at for at in range(3)
        ]
        assert reader.pushed() == (entry if number == 0 else [])
        assert len(tried) <= 2 * len(groups) + 2
    check(engine)


def test_a_thousand_timeouts_are_punctual() -> None:
    """By a clock that the test moves: nobody is answered early, everybody at the first look after the time."""
    clock = Clock()
    engine = Engine(Config(), clock=clock)
    clients = [Client(engine) for _ in range(1000)]
    for number, client in enumerate(clients):
        assert client.replies("XREAD", "BLOCK", 10 + number, "STREAMS", "s", "$") == []
    begun = clock.now_ns
    for elapsed_ms in (9, 10, 500, 1008, 1009):
        clock.now_ns = begun + elapsed_ms * 1_000_000
        expire_blocked(engine)
        assert engine.blocking.count == 1000 - max(0, elapsed_ms - 9)
    assert all(client.pushed() == [None] for client in clients)
    assert engine.blocking.count == 0
