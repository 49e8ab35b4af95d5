"""Scripts and functions through ``kedis.connect()`` and the pytest fixtures, and their cost where there are none."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis

import kedis


def test_scripts() -> None:
    store = kedis.connect()
    assert store.eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", 1, "n", 5) == 5
    script = store.register_script("return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}")
    assert script(keys=["n"], args=["x"]) == [b"n", b"x", b"5"]
    store.script_flush()
    assert script(keys=["n"], args=["x"]) == [b"n", b"x", b"5"]
    with store.pipeline() as pipe:
        script(keys=["n"], args=["y"], client=pipe)
        pipe.incr("n")
        assert pipe.execute() == [[b"n", b"y", b"5"], 6]
    with pytest.raises(redis.ResponseError, match="boom"):
        store.eval("error('boom')", 0)
    store.close()


def test_a_lock() -> None:
    store = kedis.connect()
    with store.lock("lock", timeout=30) as lock:
        assert lock.owned()
        assert lock.extend(5)
    assert not store.exists("lock")
    store.close()


def test_functions_are_kept(tmp_path: Path) -> None:
    library = """#!lua name=lib
    redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)
    """
    store = kedis.connect(str(tmp_path))
    assert store.function_load(library) == b"lib"
    assert store.fcall("add", 1, "n", 5) == 5
    store.close()
    store = kedis.connect(str(tmp_path))
    assert store.fcall("add", 1, "n", 5) == 10
    store.close()


def test_stores_have_scripts_of_their_own() -> None:
    one, other = kedis.connect(), kedis.connect()
    digest = one.script_load("return 1")
    assert one.script_exists(digest) == [True]
    assert other.script_exists(digest) == [False]
    one.close()
    other.close()


def test_the_pytest_fixtures(kedis_client: redis.Redis, kedis_server: kedis.Server) -> None:
    """Scripts, functions and locks of a server within the test, and a slow script, which another client ends."""
    script = kedis_client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert script(keys=["n"], args=[5]) == 5
    library = "#!lua name=lib\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)"
    assert kedis_client.function_load(library) == b"lib"
    assert kedis_client.fcall("twice", 0, 21) == 42
    with kedis_client.lock("lock", timeout=60):
        assert kedis_client.exists("lock")
    assert not kedis_client.exists("lock")
    kedis_client.config_set("busy-reply-threshold", 10)
    ended: list[Exception] = []

    def run() -> None:
        with kedis_server.client() as client, pytest.raises(redis.ResponseError) as caught:
            client.eval("while true do end", 0)
        ended.append(caught.value)

    running = threading.Thread(target=run)
    running.start()
    deadline = time.monotonic() + 60
    while not ended and time.monotonic() < deadline:
        with contextlib.suppress(redis.ResponseError):  # NOTBUSY: it has not begun
            kedis_client.script_kill()
        time.sleep(0.01)
    running.join(60)
    assert "Script killed by user" in str(ended[0])
    assert kedis_client.get("n") == b"5"


def test_a_test_has_the_scripts_of_no_other(kedis_client: redis.Redis) -> None:
    assert kedis_client.function_list() == []
    assert kedis_client.info("memory")["number_of_cached_scripts"] == 0


def test_the_interpreter_is_not_loaded_without_a_script() -> None:
    code = (
        "import sys, kedis; store = kedis.connect(); store.set('a', 1); store.info(); store.function_list();"
        "assert not any(name.startswith('lupa') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("command", ["SORT", "SORT_RO"])
def test_a_script_sees_a_set_in_one_order(command: str) -> None:
    """As in Redis: without an order of its own, ``BY nosort`` of a set is sorted where a script asks."""
    with kedis.connect() as store:
        members = sorted(str(number).encode() for number in range(100))
        store.sadd("set", *reversed(members))
        script = f"return redis.call('{command}', 'set', 'BY', 'nosort', ARGV[1], 'LIMIT', '0', '9')"
        assert store.eval(script, 0, "ASC") == members[:9]
        assert store.eval(script, 0, "DESC") == members[::-1][:9]
        assert set(store.sort("set", by="nosort")) == set(members)
