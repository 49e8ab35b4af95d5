"""Stream commands called by scripts: what Lua sees of their replies, in both protocols, as in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.commands.driver import Client
from tests.oracle import Oracle

SCRIPTS = (
    "return redis.call('XRANGE','s','-','+')",
    "return redis.call('XREVRANGE','s','+','-','COUNT',1)",
    "return redis.call('XREAD','STREAMS','s','none','0','0')",
    "return redis.call('XREAD','STREAMS','none','0')",
    "return redis.call('XREAD','BLOCK',0,'STREAMS','s','$')",
    "return redis.call('xreadgroup','GROUP','g','c','BLOCK',0,'STREAMS','s','0')",
    "return redis.call('XREADGROUP','GROUP','g','c','COUNT',1,'STREAMS','s','>')[1][2][1][2][1]",
    "return redis.call('XPENDING','s','g')",
    "return redis.call('XINFO','GROUPS','s')",
    "redis.setresp(3); return redis.call('XREAD','STREAMS','s','0').map['s']",
    "redis.setresp(3); return redis.call('XINFO','GROUPS','s')[1].map.name",
    "return redis.call('XADD','s','3-*','f','v')",
    "return redis.pcall('XADD','s','1-1','f','v')",
    "return #redis.call('XRANGE','long','-','+')",
    "return redis.call('XRANGE','long','-','+')[2100]",
)


@pytest.fixture(scope="module")
def redis() -> Iterator[Oracle]:
    server = Oracle()
    yield server
    server.close()


@pytest.mark.parametrize("resp", [2, 3])
def test_replies_in_lua(redis: Oracle, resp: int) -> None:
    client = Client(resp=resp)
    redis.call("HELLO", resp)
    redis.call("FLUSHALL")
    for words in (
        ["XADD", "s", "1-1", "a", "1", "b", "2"],
        ["XADD", "s", "2-1", "c", "1"],
        ["XGROUP", "CREATE", "s", "g", "0"],
        *(["XADD", "long", f"{number}-1", "n", number] for number in range(1, 2200)),
    ):
        assert client.call(*words) == redis.call(*words)
    for script in SCRIPTS:
        assert client.call("EVAL", script, 0) == redis.call("EVAL", script, 0), script
