"""``kedis.Server`` in programs of all kinds: started again, stopped anywhere, under gevent's monkey patch."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path

import pytest
import redis

import kedis
from kedis.process.threads import Latch
from kedis.server.start_error import StartError
from tests.embedded.programs import PATIENCE_SECONDS, run_program


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def native_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def until(condition: object) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 100):
        if condition():  # type: ignore[operator]
            return
        pause.wait(0.01)
    raise TimeoutError


def test_started_again_and_again() -> None:
    """On the same port, empty each time, and twice is once."""
    server = kedis.Server()
    ports = set()
    for _ in range(5):
        assert server.start() is server
        with server as same:
            assert same is server
            ports.add(server.port)
            assert server.client().incr("n") == 1
        server.stop()
    assert len(ports) == 1
    with kedis.Server().start() as other:
        assert other.client().ping()


def test_nothing_is_left_of_fifty_rounds(tmp_path: Path) -> None:
    server = kedis.Server(appendonly=True, dir=str(tmp_path))
    with server:
        server.client().incr("n")
    open_before, threads_before = descriptors(), native_threads()
    for _ in range(50):
        server.start()
        peers = [socket.create_connection((server.host, server.port)) for _ in range(3)]
        for peer, words in zip(peers, (b"SUBSCRIBE news", b"BLPOP l 0", b"MONITOR"), strict=True):
            peer.settimeout(PATIENCE_SECONDS)
            peer.sendall(words + b"\r\nPING\r\n")
        peers[0].recv(1)
        server.stop()
        for peer in peers:
            while peer.recv(4096):
                pass  # up to the end, of which everybody learns
            peer.close()
    assert descriptors() <= open_before  # those that others have left may go
    until(lambda: native_threads() <= threads_before)
    assert "kedis" not in [thread.name for thread in threading.enumerate()]


def test_a_subscriber_learns_of_a_restart() -> None:
    server = kedis.Server().start()
    listening = server.client(decode_responses=True).pubsub(ignore_subscribe_messages=True)
    listening.subscribe("news")
    assert listening.get_message(timeout=PATIENCE_SECONDS) is None
    server.stop()
    server.start()
    assert listening.get_message(timeout=1) is None  # redis-py connects and subscribes anew
    until(lambda: server.client().publish("news", "again"))
    message = listening.get_message(timeout=PATIENCE_SECONDS)
    while message is None:
        message = listening.get_message(timeout=PATIENCE_SECONDS)
    assert message["data"] == "again"
    server.stop()


def test_a_copy_of_its_descriptors_keeps_no_client_connected() -> None:
    """A child that is forked between accept and registration has such copies, and nobody who would close them."""
    with kedis.Server() as server, socket.create_connection((server.host, server.port)) as client:
        client.settimeout(PATIENCE_SECONDS)
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"+PONG\r\n"
        copies = []
        for fd in descriptors():
            try:
                with socket.socket(fileno=os.dup(int(fd))) as copy:
                    if copy.getsockname()[:2] == client.getpeername()[:2]:
                        copies.append(copy.dup())
            except OSError:  # no socket
                continue
        assert len(copies) == 2, "of the listening socket and the connection"
        server.stop()
        assert client.recv(100) == b""
        for copy in copies:
            copy.close()


@pytest.mark.parametrize("kept", [True, False], ids=["folder", "memory"])
def test_a_start_that_fails_leaves_nothing_and_may_be_repeated(tmp_path: Path, kept: bool) -> None:
    settings = {"appendonly": True, "dir": str(tmp_path)} if kept else {}
    with kedis.Server(**settings) as first:
        first.client().ping()
        second = kedis.Server(**settings) if kept else kedis.Server(port=first.port)
        first.client().close()
        open_before, threads_before = descriptors(), native_threads()
        for _ in range(10):
            with pytest.raises(StartError, match=r"in use|another server"):
                second.start()
        assert len(descriptors()) <= len(open_before)
        until(lambda: native_threads() <= threads_before)
        second.stop()
    with second:
        assert second.client().ping()


def test_stopped_from_other_threads_while_clients_are_busy() -> None:
    with kedis.Server() as server:

        def write() -> None:
            with pytest.raises(redis.RedisError):
                while True:
                    server.client().incr("n")

        writers = [threading.Thread(target=write, daemon=True) for _ in range(2)]
        stoppers = [threading.Thread(target=server.stop, daemon=True) for _ in range(3)]
        for thread in (*writers, *stoppers):
            thread.start()
        for thread in stoppers:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


def test_stopped_in_the_middle_of_the_start(tmp_path: Path) -> None:
    with kedis.Server(appendonly=True, dir=str(tmp_path)) as server:
        pipe = server.client().pipeline(transaction=False)
        for number in range(20_000):
            pipe.set(f"key:{number}", number)
        pipe.execute()
    for _ in range(20):
        server = kedis.Server(appendonly=True, dir=str(tmp_path))
        outcome: list[object] = []

        def start(server: kedis.Server = server, outcome: list[object] = outcome) -> None:
            try:
                outcome.append(server.start())
            except StartError as error:
                outcome.append(str(error))

        thread = threading.Thread(target=start, daemon=True)
        thread.start()
        until(lambda server=server: server._life is not None)
        server.stop()
        thread.join(PATIENCE_SECONDS)
        assert outcome in ([server], ["the server was stopped while it started"])
    with server:
        assert server.client().dbsize() == 20_000


def test_shutdown_by_a_client_and_a_new_start() -> None:
    server = kedis.Server().start()
    with server.client() as client, pytest.raises(redis.ConnectionError):
        client.shutdown(nosave=True)
        client.ping()
    with server:
        assert server.client().ping()


def test_save_points_are_obeyed_at_the_end(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        with kedis.Server(dir=str(tmp_path), save="3600 1") as server:
            assert server.client().incr("n") == expected


def test_in_an_asyncio_program() -> None:
    async def program() -> bytes:
        with kedis.Server() as server:
            client = redis.asyncio.Redis(host=server.host, port=server.port)
            await asyncio.gather(*(client.incr("n") for _ in range(20)))
            value: bytes = await client.get("n")
            await client.aclose()
            return value

    assert asyncio.run(program()) == b"20"


NEVER_STOPPED = """
    import sys, kedis
    server = kedis.Server(dir=sys.argv[1], save="3600 1").start()
    print(server.client().incr("n"))
"""


def test_the_program_ends_without_stopping_it(tmp_path: Path) -> None:
    assert run_program(NEVER_STOPPED, tmp_path) == ["1"]
    assert run_program(NEVER_STOPPED, tmp_path) == ["2"]


PATCH = "from gevent import monkey; monkey.patch_all()"
ORDERS = {
    "before": (PATCH, ""),
    "after import": ("import kedis", PATCH),
    "after use": ("import kedis; kedis.Server().start().stop(); kedis.connect().close()", PATCH),
    "by locust": ("import locust", ""),
}

PATCHED = """
    {first}
    {second}
    import os, sys, threading, time
    import gevent, kedis
    turns = []
    def turn():
        while True:
            turns.append(1)
            time.sleep(0.001)
    gevent.spawn(turn)
    settings = {{"appendonly": True, "appendfsync": "always", "enable_debug_command": "local"}}
    server = kedis.Server(dir=sys.argv[1], **settings)
    starts = [gevent.spawn(server.start) for _ in range(3)]
    gevent.joinall(starts, raise_error=True)
    def left():
        return len(os.listdir("/proc/self/fd"))
    with server:
        clients = [server.client() for _ in range(20)]
        gevent.joinall([gevent.spawn(client.incr, "n") for client in clients], raise_error=True)
        listening = clients[0].pubsub(ignore_subscribe_messages=True)
        listening.subscribe("news")
        waits = gevent.spawn(lambda: next(listening.listen())["data"])
        while not clients[1].publish("news", "hello"):
            pass
        print(waits.get(), clients[1].get("n"))
        thread = threading.Thread(target=clients[2].blpop, args=("l",))
        thread.start()
        clients[3].rpush("l", 1)
        thread.join()
        for begin, running, status in (
            ("bgsave", "rdb_bgsave_in_progress", "rdb_last_bgsave_status"),
            ("bgrewriteaof", "aof_rewrite_in_progress", "aof_last_bgrewrite_status"),
        ):
            getattr(clients[4], begin)()
            while clients[4].info("persistence")[running]:
                gevent.sleep(0.01)
            print(begin, clients[4].info("persistence")[status])
        before = len(turns)
        clients[5].execute_command("DEBUG", "SLEEP", "0.2")
        print("others run while one waits:", len(turns) - before > 1)
        listening.close()
        for client in clients:
            client.close()
    before = left()
    for _ in range(10):
        with server:
            with server.client() as client:
                assert client.get("n") == b"20"
        try:
            with server:
                kedis.Server(port=server.port).start()
        except Exception as error:
            assert "in use" in str(error), error
    print("left open:", left() - before)
    server.start()                           # and the program ends
"""


@pytest.mark.parametrize("order", ORDERS)
def test_under_the_monkey_patch(tmp_path: Path, order: str) -> None:
    first, second = ORDERS[order]
    lines = run_program(PATCHED.format(first=first, second=second), tmp_path)
    assert lines == [
        "b'hello' b'20'",
        "bgsave ok",
        "bgrewriteaof ok",
        "others run while one waits: True",
        "left open: 0",
    ]


PATCHED_STORE = """
    {first}
    {second}
    import sys, threading, time
    import gevent, kedis
    with kedis.connect(sys.argv[1], settings={{"notify-keyspace-events": "Ex"}}, socket_timeout=None) as store:
        listening = store.pubsub(ignore_subscribe_messages=True)
        listening.subscribe("news", "__keyevent@0__:expired")
        for _ in range(2):
            listening.get_message(timeout=60)
        waits = gevent.spawn(lambda: next(listening.listen())["data"])
        gevent.sleep(0.01)                   # it waits by now, and others run
        store.publish("news", "hello")
        print(waits.get())
        waits = gevent.spawn(store.blpop, "l", 0)
        gevent.sleep(0.01)
        store.rpush("l", 1)
        print(waits.get())
        waits = gevent.spawn(listening.get_message, timeout=60)
        gevent.get_hub().threadpool.apply(store.publish, ("news", "from a real thread"))
        print(waits.get()["data"])
        store.set("a", 1, px=20)
        print(listening.get_message(timeout=60)["data"])
        store.client_pause(3_600_000, all=False)
        waits = gevent.spawn(store.incr, "n")
        gevent.sleep(0.01)
        store.client_unpause()
        print(waits.get())
        began = time.monotonic()
        print(listening.get_message(timeout=0.3), time.monotonic() - began >= 0.3)
    with kedis.connect(sys.argv[1]) as store:
        print(store.get("n"))
"""


@pytest.mark.parametrize("order", ORDERS)
def test_a_store_under_the_monkey_patch(tmp_path: Path, order: str) -> None:
    first, second = ORDERS[order]
    assert run_program(PATCHED_STORE.format(first=first, second=second), tmp_path) == [
        "b'hello'",
        "(b'l', b'1')",
        "b'from a real thread'",
        "b'a'",
        "1",
        "None True",
        "b'1'",
    ]


def test_a_start_that_is_interrupted_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Ctrl-C, say, or a time limit of the program's."""
    server = kedis.Server()

    def interrupt(_latch: Latch, _seconds: float | None = None) -> bool:
        raise KeyboardInterrupt

    threads_before = native_threads()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Latch, "wait", interrupt)
        server.start()
    server.stop()
    until(lambda: native_threads() <= threads_before)
    with server:
        assert server.client().ping()
