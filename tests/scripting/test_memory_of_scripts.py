"""Scripts that take memory without end, one after the other on one interpreter: each gets an error, the next runs."""

from __future__ import annotations

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from tests.commands.driver import Client, Clock, ErrorReply

FILLERS = (
    "local t = {} for i = 1, 1e9 do t[i] = redis.call('echo', 'x' .. i) end",
    "local t = {} while true do t[#t + 1] = redis.call('keys', '*') end",
    "local t = {} while true do t[#t + 1] = redis.call('lrange', 'l', 0, -1) end",
    "local t = {} while true do t[#t + 1] = {} end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} for i = 1, 1e9 do t[i] = tostring(i) end",
    "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "local t = {} while true do t[#t + 1] = redis.sha1hex(#t) end",
    "local t = {} while true do t[#t + 1] = redis.pcall('nosuch') end",
    "local t = {} while true do t[#t + 1] = cmsgpack.pack({1, 2, 3}) end",
)


def test_scripts_of_eval_without_end() -> None:
    """Those that SCRIPT LOAD has brought stay, the others may go: no other script must run short of memory."""
    client = Client(Engine(Config({"lua-maxmemory": "8mb"}), clock=Clock()))
    loaded = client.call("SCRIPT", "LOAD", "return 'loaded'")
    both = client.call("SCRIPT", "LOAD", "return 0")
    for number in range(20_000):
        assert client.call("EVAL", f"return {number}", 0) == number
    assert client.call("EVALSHA", loaded, 0) == b"loaded"
    assert client.call("EVALSHA", both, 0) == 0
    assert client.call("EVAL", "return #(('x'):rep(1e6))", 0) == 1_000_000
    figures = dict(
        line.split(":") for line in client.call("INFO", "memory").decode().split("\r\n") if ":" in line
    )
    count = int(figures["number_of_cached_scripts"])
    assert 3 <= count < 20_000
    assert int(figures["used_memory_scripts_eval"]) < 200 * count
    assert client.call("SCRIPT", "FLUSH") == b"OK"
    assert client.call("SCRIPT", "EXISTS", loaded, both) == [0, 0]


@pytest.mark.parametrize("first", range(len(FILLERS)))
def test_one_greedy_script_after_the_other(first: int) -> None:
    """In every order of neighbours: what the one leaves behind must not take the room that the bridge needs."""
    client = Client(Engine(Config({"lua-maxmemory": "8mb"}), clock=Clock()))
    client.call("RPUSH", "l", *range(50))
    for at in (first, first, first + 1, first + 3):
        reply = client.call("EVAL", FILLERS[at % len(FILLERS)], 0)
        assert isinstance(reply, ErrorReply) and str(reply).startswith("ERR not enough memory"), reply
        assert client.call("EVAL", "return redis.call('llen', KEYS[1])", 1, "l") == 50
    assert client.engine.faults == 0
