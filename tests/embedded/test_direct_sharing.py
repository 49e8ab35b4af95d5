"""Direct calls beside other threads and clients: serialised, seen by all who look, and ended with the store."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import kedis
from kedis.embedded.direct_socket import DECLINED
from kedis.embedded.engine_socket import EngineSocket
from kedis.persistence.append_file import AppendFile
from tests.embedded.programs import PATIENCE_SECONDS

WRITES = {"set": lambda store: store.set("key", "x"), "pipe": lambda store: _pipe(store, False)}
WRITES["transaction"] = lambda store: _pipe(store, True)
ways = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


def _pipe(store: Any, transaction: bool) -> Any:
    return store.pipeline(transaction=transaction).set("key", "x").get("key").execute()[0]


@pytest.fixture
def store() -> Iterator[Any]:
    with kedis.connect(socket_timeout=PATIENCE_SECONDS) as connected:
        yield connected


def in_threads(count: int, act: Callable[[int], object]) -> list[BaseException]:
    """Call ``act`` in threads of their own, and wait; returns what they have raised."""
    raised: list[BaseException] = []

    def run(number: int) -> None:
        try:
            act(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    return raised


def test_threads_share_a_store(store: Any) -> None:
    def act(number: int) -> None:
        for turn in range(200):
            store.incr("n")
            store.pipeline(transaction=bool(turn % 2)).incr("n").incr(f"own:{number}").execute()
            assert store.execute_command("ECHO", f"{number} {turn}") == f"{number} {turn}".encode()

    assert in_threads(8, act) == []
    assert store.get("n") == b"3200"
    assert store.mget([f"own:{number}" for number in range(8)]) == [b"200"] * 8
    pool = store.connection_pool
    assert len(pool._available_connections) == pool._created_connections and not pool._in_use_connections


def test_watch_sees_direct_calls_of_others(store: Any) -> None:
    store.set("n", 0)

    def act(_number: int) -> None:
        for _ in range(30):
            store.transaction(lambda pipe: _add_one(pipe), "n")

    assert in_threads(4, act) == []
    assert store.get("n") == b"120"


def _add_one(pipe: Any) -> None:
    number = int(pipe.get("n"))
    pipe.multi()
    pipe.set("n", number + 1)


def blocked(store: Any, count: int = 1) -> None:
    """Until so many clients are blocked."""
    pause = threading.Event()
    while store._embedded.engine.blocking.count != count:
        pause.wait(0.001)


@pytest.mark.parametrize("transaction", [None, False, True])
def test_a_blocked_client_is_served_by_a_direct_call(store: Any, transaction: bool | None) -> None:
    got: list[Any] = []
    waits = [
        lambda: store.blpop(["list"], 0),
        lambda: store.blmpop(0, 1, "list", direction="LEFT"),
        lambda: store.xread({"stream": "$"}, block=0),
        lambda: (
            store.pipeline(transaction=False)
            .incr("n")
            .blmpop(0, 1, "list", direction="LEFT")
            .incr("n")
            .execute()
        ),
    ]
    thread = threading.Thread(
        target=lambda: in_threads(4, lambda n: got.append((n, waits[n]()))), daemon=True
    )
    thread.start()
    blocked(store, 4)
    if transaction is None:
        store.rpush("list", "a", "b", "c")
        store.xadd("stream", {"a": 1}, "1-1")
    else:
        store.pipeline(transaction=transaction).rpush("list", "a", "b", "c").xadd(
            "stream", {"a": 1}, "1-1"
        ).execute()
    thread.join(PATIENCE_SECONDS)
    found = dict(got)
    assert found[2] == [[b"stream", [(b"1-1", {b"a": b"1"})]]]
    assert found[3][::2] == [1, 2]
    popped = [found[0][1], found[1][1][0], found[3][1][1][0]]
    assert sorted(popped) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("protocol", [2, 3])
@ways
def test_who_looks_sees_direct_calls(write: Callable[[Any], object], protocol: int) -> None:
    with kedis.connect(protocol=protocol, socket_timeout=PATIENCE_SECONDS) as store:
        listening = store.pubsub(ignore_subscribe_messages=True)
        listening.psubscribe("__keyspace*", "news")
        for _ in range(2):
            listening.get_message(timeout=PATIENCE_SECONDS)
        store.config_set("notify-keyspace-events", "KA")
        with store.monitor() as monitor:
            assert write(store) is True
            assert next(line for line in monitor.listen() if line["command"] == "SET key x")
        message = listening.get_message(timeout=PATIENCE_SECONDS)
        assert message["data"] == b"set"
        assert store.publish("news", "hello") == 1
        assert listening.get_message(timeout=PATIENCE_SECONDS)["data"] == b"hello"


@ways
def test_a_change_is_told_to_a_client_with_tracking(store: Any, write: Callable[[Any], object]) -> None:
    with kedis.connect() as _other, store.client() as single:
        single.execute_command("HELLO", 3)
        single.execute_command("CLIENT", "TRACKING", "ON")
        single.get("key")
        told: list[Any] = []
        single.connection._parser.invalidation_push_handler_func = told.append
        assert write(store) is True
        single.ping()
        assert told == [[b"invalidate", [b"key"]]]


@pytest.mark.parametrize("words", [["SUBSCRIBE", "news"], ["MONITOR"], ["CLIENT", "REPLY", "OFF"], ["MULTI"]])
def test_a_connection_under_which_something_is_under_way(store: Any, words: list[str]) -> None:
    connection = store.connection_pool.get_connection()
    connection.send_command(*words)
    connection._sock._replies.clear()
    row = store._embedded.engine.table.named(b"get")
    assert connection._sock.call(row, [b"GET", b"key"]) is DECLINED
    assert connection.call_all([(row, [b"GET", b"key"])]) is None
    assert connection.call_transaction([(row, [b"GET", b"key"])]) is DECLINED
    connection.disconnect()


def test_a_pause_holds_direct_calls_up(store: Any) -> None:
    store.client_pause(100, all=False)
    assert store.get("key") is None
    assert store.set("key", "x") is True  # waits for the end of the pause
    assert store._embedded.engine.restrictions.paused_until_ns == 0


@pytest.mark.parametrize("wait", ["xread", "pipeline"])
def test_the_store_is_closed_in_the_middle(wait: str) -> None:
    store: Any = kedis.connect()

    def act(number: int) -> None:
        if number:
            blocked(store)
            store.close()
        elif wait == "xread":
            store.xread({"stream": "$"}, block=0)
        else:
            store.pipeline(transaction=False).set("a", 1).blmpop(0, 1, "list", direction="LEFT").execute()

    (raised,) = in_threads(2, act)
    assert isinstance(raised, redis.ConnectionError)
    for late in WRITES.values():
        with pytest.raises(redis.ConnectionError, match="the store is closed"):
            late(store)


def test_threads_that_go_on_when_the_store_is_closed() -> None:
    store: Any = kedis.connect()
    begun = threading.Barrier(5)

    def act(number: int) -> None:
        store.get("key")
        begun.wait(PATIENCE_SECONDS)
        if number == 0:
            store.close()
            return
        while True:
            store.incr("n")

    raised = in_threads(5, act)
    assert len(raised) == 4 and all(isinstance(error, redis.ConnectionError) for error in raised)


@ways
def test_an_interrupt_in_a_command(store: Any, write: Callable[[Any], object], monkeypatch: Any) -> None:
    """The connection, whose state nobody knows, is replaced; the store goes on."""
    write(store)
    (before,) = store._embedded.engine.clients

    def interrupted(_client: Any, _argv: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store._embedded.engine.table.named(b"set"), "function", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(store)
    assert write(store) is True
    (after,) = store._embedded.engine.clients
    assert after != before and store.ping()


@ways
def test_a_connection_that_was_closed_is_replaced(store: Any, write: Callable[[Any], object]) -> None:
    for client in list(store._embedded.engine.clients.values()):
        client.transport.close()
    assert write(store) is True
    with store.client() as single:
        store.client_kill_filter(_id=single.client_id(), skipme=False)
    assert write(store) is True


def test_a_client_of_one_connection(store: Any) -> None:
    with store.client() as single:
        assert single.set("key", "x") is True and single.get("key") == b"x"
        assert single.pipeline().incr("n").execute() == [1]
    assert store.get("key") == b"x"  # the store is still open
    with kedis.connect(single_connection_client=True) as alone:
        assert alone.set("key", "x") is True and alone.get("key") == b"x"


@pytest.mark.parametrize(
    "options",
    [{"health_check_interval": 1}, {"retry_on_error": [redis.ResponseError]}, {"max_connections": 1}],
    ids=str,
)
def test_options_of_redis_py(options: dict[str, Any]) -> None:
    with kedis.connect(**options) as store:
        assert store.set("key", "x") is True and store.get("key") == b"x"
        with pytest.raises(redis.ResponseError):
            store.incr("key")
        expected = 2 if "retry_on_error" in options else 1
        assert store.info("commandstats")["cmdstat_incrby"]["failed_calls"] == expected


# -- durability ----------------------------------------------------------------------------------------


@ways
@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_the_file_has_it_before_the_answer(
    tmp_path: Path, write: Callable[[Any], object], policy: str
) -> None:
    with kedis.connect(tmp_path, settings={"appendfsync": policy}) as store:
        store.ping()
        assert write(store) is True
        assert b"$3\r\nkey\r\n$1\r\nx\r\n" in b"".join(path.read_bytes() for path in tmp_path.rglob("*.aof"))


@ways
def test_a_disk_that_fails(tmp_path: Path, write: Callable[[Any], object], monkeypatch: Any) -> None:
    """Under everysec the change is refused; it is there again when the disk is."""
    with kedis.connect(tmp_path, settings={"appendfsync": "everysec"}) as store:
        write(store)
        with monkeypatch.context() as patch:
            patch.setattr(AppendFile, "write", _no_space)
            patch.setattr(EngineSocket, "sendall", None)  # the first time directly
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                write(store)
        assert store.get("key") == b"x"  # and what is in memory is written
        assert write(store) is True


@ways
def test_a_disk_that_fails_under_always(
    tmp_path: Path, write: Callable[[Any], object], monkeypatch: Any
) -> None:
    with kedis.connect(tmp_path, settings={"appendfsync": "always"}) as store:
        write(store)
        with monkeypatch.context() as patch:
            patch.setattr(AppendFile, "sync", _no_space)
            with pytest.raises(redis.ConnectionError, match="the append-only file has failed"):
                write(store)
        for again in (write, lambda store: store.get("key")):
            with pytest.raises(redis.ConnectionError, match="the append-only file has failed"):
                again(store)


def _no_space(*_arguments: Any) -> None:
    raise OSError(28, os.strerror(28))
