"""Scripts and functions that state what they do, where a state of the server forbids that: refused as in real Redis.

They are refused before they run, MULTI does not queue them, and EXEC runs nothing of a transaction that has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import kedis
from tests.oracle import Oracle
from tests.scripting.agreement import Wire

_READ, _WRITE = "return redis.call('GET', 'x')", "return redis.call('SET', 'x', '1')"
_LIBRARY = f"""#!lua name=stated
redis.register_function('writes', function() {_WRITE} end)
redis.register_function{{function_name='reads', callback=function() {_READ} end, flags={{'no-writes'}}}}
redis.register_function{{function_name='grows', callback=function() {_READ} end, flags={{'allow-oom'}}}}
"""
_SCRIPTS = [
    _WRITE,
    _READ,
    f"#!lua\n{_WRITE}",
    f"#!lua\n{_READ}",
    f"#!lua flags=no-writes\n{_READ}",
    f"#!lua flags=no-writes\n{_WRITE}",
    f"#!lua flags=allow-oom\n{_READ}",
    f"#!lua flags=allow-stale,no-writes\n{_READ}",
    f"#!lua flags=nonsense\n{_READ}",
]
#: They cannot be compiled, or have a header that is wrong.
_BROKEN = [
    "#!lua\nno lua",
    "#!lua flags=no-writes\nno lua",
    "no lua",
    "#!lua what\nno lua",
    "#!python\n1",
    "#!lua",
]
_CALLS: list[tuple[Any, ...]] = [
    *((name, script, 0) for name in ("EVAL", "EVAL_RO") for script in _SCRIPTS),
    *(
        (name, hashlib.sha1(script.encode()).hexdigest(), 0)
        for name in ("EVALSHA", "EVALSHA_RO")
        for script in (*_SCRIPTS[:-1], "return 'not loaded'")
    ),
    *((name, f, 0) for name in ("FCALL", "FCALL_RO") for f in ("writes", "reads", "grows", "none")),
    *((name, script, 0) for name in ("EVAL", "EVAL_RO") for script in _BROKEN),
    *(
        (*start, keys)
        for start in (
            *(("EVAL", script) for script in _SCRIPTS[:5]),
            *(("EVALSHA", hashlib.sha1(script.encode()).hexdigest()) for script in _SCRIPTS[:5]),
            *(("FCALL", name) for name in ("writes", "reads", "none")),
        )
        for keys in ("many", 2, -1)
    ),
    ("SET", "x", "2"),
    ("GET", "x"),
]


@dataclass
class State:
    """What brings a server into a state, and back out of it."""

    begin: list[tuple[Any, ...]]
    end: list[tuple[Any, ...]]


_REPLICA = ("REPLICAOF", "127.0.0.1", 1)
_MASTER = ("REPLICAOF", "NO", "ONE")
_STALE = ("CONFIG", "SET", "replica-serve-stale-data")
_STATES = {
    "a replica": State([_REPLICA], [_MASTER]),
    "a replica with old data": State([(*_STALE, "no"), _REPLICA], [_MASTER, (*_STALE, "yes")]),
    "memory is full": State([("CONFIG", "SET", "maxmemory", 1)], [("CONFIG", "SET", "maxmemory", 0)]),
    "too few replicas": State(
        [("CONFIG", "SET", "min-replicas-to-write", 3)], [("CONFIG", "SET", "min-replicas-to-write", 0)]
    ),
}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Any, Any]]:
    oracle = Oracle()
    try:
        with kedis.Server() as server:
            yield oracle, server
    finally:
        oracle.close()


def replies(server: Any, state: State) -> dict[tuple[Any, ...], list[bytes]]:
    """What each of the calls gets: queued before the state begins, alone, and queued while it holds."""
    admin = Wire(server)
    admin.call("FUNCTION", "LOAD", "REPLACE", _LIBRARY)
    for script in _SCRIPTS[:-1]:
        admin.call("SCRIPT", "LOAD", script)
    admin.call("SET", "x", "0")
    early = {call: Wire(server) for call in _CALLS}
    found = {call: [wire.call("MULTI"), wire.call(*call)] for call, wire in early.items()}
    for words in state.begin:
        assert admin.call(*words) == b"+OK\r\n"
    try:
        for call, wire in early.items():
            found[call] += [wire.call("EXEC"), wire.call(*call)]
            found[call] += [wire.call("MULTI"), wire.call(*call), wire.call("EXEC")]
            wire.close()
    finally:
        for words in state.end:
            admin.call(*words)
        admin.close()
    return found


@pytest.mark.parametrize("name", _STATES)
def test_refused_as_in_redis(servers: tuple[Any, Any], name: str) -> None:
    expected, found = (replies(server, _STATES[name]) for server in servers)
    assert [call for call in expected if found[call] != expected[call]] == []
