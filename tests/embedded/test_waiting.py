"""In-process pub/sub, MONITOR, expiry events and CLIENT PAUSE wait as they would over a socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

import kedis
from tests.embedded.programs import PATIENCE_SECONDS, run_program


@pytest.fixture
def store() -> Iterator[redis.Redis]:
    with kedis.connect(socket_timeout=PATIENCE_SECONDS) as connected:
        yield connected


def subscribed(store: redis.Redis, *channels: str) -> Any:
    listening = store.pubsub(ignore_subscribe_messages=True)
    listening.subscribe(*channels)
    for _ in channels:
        assert listening.get_message(timeout=PATIENCE_SECONDS) is None  # the confirmation
    return listening


def once_it_waits(store: redis.Redis, act: Callable[[], object]) -> threading.Thread:
    """Call ``act`` in a thread as soon as somebody waits in the store."""

    def run() -> None:
        clients = store._embedded.engine.clients  # type: ignore[attr-defined]
        pause = threading.Event()
        while not any(session.transport._latches for session in list(clients.values())):
            pause.wait(0.001)
        act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("options", [{}, {"protocol": 2}, {"protocol": 3}, {"decode_responses": True}])
def test_a_message_from_another_thread_is_waited_for(options: dict[str, Any]) -> None:
    with kedis.connect(**options) as store:
        listening = subscribed(store, "news")
        once_it_waits(store, lambda: store.publish("news", "hello"))
        message = listening.get_message(timeout=PATIENCE_SECONDS)
        assert message is not None and message["data"] in (b"hello", "hello")


def test_the_end_of_the_timeout_is_waited_for(store: redis.Redis) -> None:
    listening = subscribed(store, "news")
    began = time.monotonic()
    assert listening.get_message(timeout=0.3) is None
    assert time.monotonic() - began >= 0.3
    assert listening.get_message(timeout=0) is None
    assert listening.get_message() is None


class CountedClock:
    """The engine's clock, which everything that is done reads; spinning reads it 100,000 times a second."""

    def __init__(self, store: redis.Redis) -> None:
        self.reads = 0
        engine = store._embedded.engine  # type: ignore[attr-defined]
        self._clock = engine.clock
        engine.clock = self

    def __call__(self) -> int:
        self.reads += 1
        now: int = self._clock()
        return now


def test_a_reader_that_waits_does_not_spin(store: redis.Redis) -> None:
    listening = subscribed(store, "news")
    store.set("volatile", 1, ex=1000)  # for which the periodic work is done meanwhile, ten times a second
    clock = CountedClock(store)
    began = time.monotonic()
    assert listening.get_message(timeout=1) is None
    assert time.monotonic() - began >= 1
    assert clock.reads < 500


def test_listen(store: redis.Redis) -> None:
    listening = subscribed(store, "news")
    once_it_waits(store, lambda: store.publish("news", "hello"))
    assert next(listening.listen())["data"] == b"hello"


def test_several_messages_at_once_come_one_by_one(store: redis.Redis) -> None:
    """They are read together; the rest is found without anything new to read."""
    listening = subscribed(store, "news")
    for number in range(5):
        store.publish("news", number)
    got = [listening.get_message() for _ in range(5)]
    assert [message and message["data"] for message in got] == [b"0", b"1", b"2", b"3", b"4"]
    assert listening.get_message() is None


def test_no_message_is_lost_or_doubled_beside_many_publishers(store: redis.Redis) -> None:
    """The subscription is written to by one thread while another reads it."""
    listening = subscribed(store, "news")
    threads = [
        threading.Thread(target=lambda: [store.publish("news", number) for number in range(200)], daemon=True)
        for _ in range(4)
    ]
    threads.append(threading.Thread(target=lambda: [listening.ping() for _ in range(200)], daemon=True))
    for thread in threads:
        thread.start()
    got = 0
    pongs = 0
    while got < 800 or pongs < 200:
        message = listening.get_message(timeout=PATIENCE_SECONDS)
        assert message is not None, (got, pongs)
        got += message["type"] == "message"
        pongs += message["type"] == "pong"
    assert (got, pongs) == (800, 200)


def test_a_reader_is_woken_by_the_reply_to_what_another_thread_writes() -> None:
    with kedis.connect() as store:  # without a timeout, at the end of which the reply would be found
        listening = subscribed(store, "news")
        got: list[Any] = []
        reader = threading.Thread(target=lambda: got.append(listening.parse_response()), daemon=True)
        reader.start()
        once_it_waits(store, listening.ping).join(PATIENCE_SECONDS)
        reader.join(PATIENCE_SECONDS)
        assert got in ([b"PONG"], [[b"pong", b""]])


def test_a_thread_of_redis_py(store: redis.Redis) -> None:
    got: list[bytes] = []
    arrived = threading.Event()

    def handle(message: dict[str, Any]) -> None:
        got.append(message["data"])
        arrived.set()

    listening = store.pubsub(ignore_subscribe_messages=True)
    listening.subscribe(news=handle)
    worker = listening.run_in_thread(sleep_time=PATIENCE_SECONDS)
    once_it_waits(store, lambda: store.publish("news", "hello"))
    assert arrived.wait(PATIENCE_SECONDS) and got == [b"hello"]
    worker.stop()
    store.publish("news", "the end")  # or it would wait for the next message
    worker.join(PATIENCE_SECONDS)
    assert not worker.is_alive()


def test_monitor(store: redis.Redis) -> None:
    with store.monitor() as monitor:
        once_it_waits(store, lambda: store.set("n", 1))
        while (command := monitor.next_command()["command"]) != "SET n 1":
            assert command.startswith(("HELLO", "CLIENT")), "the other connection introduces itself"


def test_closing_wakes_the_reader(store: redis.Redis) -> None:
    for close in (lambda: store.client_kill_filter(_type="pubsub"), store.close):
        listening = subscribed(store, "news")
        once_it_waits(store, close)
        with pytest.raises(redis.ConnectionError):
            listening.parse_response(block=True)
            listening.parse_response(block=True)  # redis-py subscribes anew after CLIENT KILL


def test_the_event_of_an_expiry_comes_by_itself() -> None:
    """Nobody sends a command, and there is no other thread."""
    with kedis.connect(settings={"notify-keyspace-events": "Ex"}, socket_timeout=PATIENCE_SECONDS) as store:
        listening = subscribed(store, "__keyevent@0__:expired")
        store.set("a", 1, px=20)
        assert listening.get_message(timeout=PATIENCE_SECONDS)["data"] == b"a"
        store.set("b", 1, px=20)
        assert next(listening.listen())["data"] == b"b"
        store.set("c", 1, px=20)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (message := listening.get_message()) is None:  # one that only looks gets it, too
            assert time.monotonic() < deadline
        assert message["data"] == b"c"


def test_an_expiry_that_a_reader_has_noticed_is_in_the_journal(tmp_path: Any) -> None:
    with kedis.connect(tmp_path, settings={"notify-keyspace-events": "Ex"}) as store:
        listening = subscribed(store, "__keyevent@0__:expired")
        store.set("a", 1, px=20)
        assert listening.get_message(timeout=PATIENCE_SECONDS)["data"] == b"a"
        written = b"".join(path.read_bytes() for path in (tmp_path / "appendonlydir").glob("*.incr.aof"))
        assert b"\r\nDEL\r\n$1\r\na\r\n" in written


ALONE = """
    import sys, kedis
    with kedis.connect(sys.argv[1] or None, socket_timeout=None) as store:
        store.set("volatile", 1, ex=1000)
        print(store.blpop(["list"], timeout=0))
        connection = store.connection_pool.get_connection()
        try:
            connection.read_response()
        except Exception as error:
            print(type(error).__name__)
"""


@pytest.mark.parametrize("kept", [True, False], ids=["folder", "memory"])
def test_alone_nobody_could_end_a_wait(tmp_path: Any, kept: bool) -> None:
    """A folder has a thread that syncs, which is none of the program's."""
    assert run_program(ALONE, tmp_path if kept else "") == ["None", "TimeoutError"]


def test_unpause_from_another_thread(store: redis.Redis) -> None:
    store.client_pause(
        1000 * PATIENCE_SECONDS, all=False
    )  # one that holds up all holds up CLIENT UNPAUSE, too
    threads = [threading.Thread(target=store.incr, args=("n",), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    once_it_waits(store, store.client_unpause).join(PATIENCE_SECONDS)
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    assert store.get("n") == b"3"


def test_the_end_of_a_pause(store: redis.Redis) -> None:
    """Nobody else is there: it ends by itself, without spinning."""
    clock = CountedClock(store)
    began = time.monotonic()
    store.client_pause(700)
    assert store.set("n", 1)
    assert time.monotonic() - began >= 0.699
    assert clock.reads < 500
    store.client_pause(300, all=False)
    assert store.get("n") == b"1", "reading is not held up"
    with store.pipeline(transaction=False) as pipe:
        assert pipe.get("n").incr("n").get("n").execute() == [b"1", 2, b"2"]


def test_a_pause_longer_than_the_timeout_of_the_client() -> None:
    with kedis.connect(socket_timeout=0.2) as store:
        store.client_pause(1000 * PATIENCE_SECONDS, all=False)
        with pytest.raises(redis.TimeoutError):
            store.set("n", 1)
        store.client_unpause()
        assert store.set("n", 2)


def test_a_pause_holds_up_expiry(store: redis.Redis) -> None:
    listening = subscribed(store, "__keyevent@0__:expired")
    store.config_set("notify-keyspace-events", "Ex")
    store.set("a", 1, px=1)
    store.client_pause(1000 * PATIENCE_SECONDS, all=False)
    assert listening.get_message(timeout=0.5) is None
    store.client_unpause()
    assert listening.get_message(timeout=PATIENCE_SECONDS)["data"] == b"a"


def test_commands_behind_a_pause_run_in_order_and_once(store: redis.Redis) -> None:
    """A client that does not read sends on."""
    connection = store.connection_pool.get_connection()
    store.client_pause(1000 * PATIENCE_SECONDS, all=False)
    connection.send_command("RPUSH", "l", 1)
    connection.send_command("RPUSH", "l", 2)
    assert store.lrange("l", 0, -1) == []
    store.client_unpause()
    connection.send_command("RPUSH", "l", 3)
    assert [connection.read_response() for _ in range(3)] == [1, 2, 3]
    assert store.lrange("l", 0, -1) == [b"1", b"2", b"3"]


def test_the_collector_may_close_a_subscription_anywhere(store: redis.Redis) -> None:
    """In the middle of a command, too: the subscribers must not change while one publishes."""
    engine = store._embedded.engine  # type: ignore[attr-defined]
    first, second = subscribed(store, "news"), subscribed(store, "news")
    transport = first.connection._sock
    second.connection._sock.wants_send = (
        transport.close
    )  # what a collection would do while a message is delivered
    session = second.connection._sock.client
    session.transport = second.connection._sock
    assert store.publish("news", 1) == 2
    assert store.publish("news", 2) == 1
    assert transport.client.id not in engine.clients
