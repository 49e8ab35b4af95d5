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
