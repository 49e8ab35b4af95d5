"""SCRIPT, EVALSHA, FUNCTION and FCALL: their replies beside those of real Redis, and what is theirs alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

import kedis
from kedis.config import Config
from kedis.engine.absent import NoEventLoop
from kedis.engine.counters import MOST_CODES
from kedis.engine.engine import Engine
from tests.commands.driver import Client, ErrorReply, to_bytes
from tests.differential.scenarios import Connection
from tests.oracle import Oracle
from tests.scripting.agreement import Wire
from tests.scripting.test_programs import Kedis


def digest(script: str) -> str:
    return hashlib.sha1(script.encode()).hexdigest()


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    oracle = Oracle()
    yield oracle
    oracle.close()


_LIBRARY = """#!lua name=lib
redis.register_function('get', function(keys, args) return redis.call('GET', keys[1]) end)
redis.register_function{function_name='both', callback=function(keys, args) return {keys, args} end,
  flags={'no-writes'}, description='what it was given'}
redis.register_function('fails', function()
  error('x') end)
redis.register_function('calls', function(keys) return redis.call('INCR', keys[1]) end)
"""

_NAMES = ["a-b", "a.b", "", "a b", "ok_1", "Ü"]

_CALLS: list[tuple[Any, ...]] = [
    ("SCRIPT", "LOAD", "return 7"),
    ("EVALSHA", digest("return 7"), 0),
    ("EVALSHA", digest("return 7").upper(), 0),
    ("EVALSHA_RO", digest("return 7"), 0),
    ("SCRIPT", "EXISTS", digest("return 7"), "x", digest("return 8")),
    ("SCRIPT", "LOAD", "x x"),
    ("SCRIPT", "FLUSH", "NOW"),
    ("SCRIPT", "FLUSH", "ASYNC", "x"),
    ("SCRIPT", "FLUSH", "async"),
    ("EVALSHA", digest("return 7"), 0),
    ("EVALSHA", "x", 0),
    ("EVAL", "return {KEYS, ARGV}", 2, "a", "b", "c"),
    ("EVAL", "return {KEYS, ARGV}", 0, "a"),
    ("EVAL", "return 1", -1),
    ("EVAL", "return 1", 3, "k"),
    ("EVAL", "return 1", "x"),
    ("EVAL", "return 1"),
    ("EVAL", "", 0),
    ("EVAL", "#!lua flags=no-writes\nreturn redis.call('SET', 'k', 'v')", 0),
    ("EVAL_RO", "return redis.call('SET', 'k', 'v')", 0),
    ("EVAL_RO", "return redis.call('PUBLISH', 'c', 'v')", 0),
    ("EVAL_RO", "return redis.call('GET', 'k')", 0),
    ("EVAL_RO", "#!lua\nreturn 1", 0),
    ("EVAL_RO", "#!lua flags=no-writes\nreturn 1", 0),
    ("SCRIPT", "KILL"),
    ("FUNCTION", "KILL"),
    ("SCRIPT", "DEBUG", "no"),
    ("SCRIPT", "DEBUG", "x"),
    ("SCRIPT", "NOSUCH"),
    ("FUNCTION", "LOAD", _LIBRARY),
    ("FUNCTION", "LOAD", _LIBRARY),
    ("FUNCTION", "LOAD", "REPLACE", _LIBRARY),
    ("FUNCTION", "LOAD", "OTHER", _LIBRARY),
    ("FUNCTION", "LOAD", "REPLACE"),
    ("FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('GET', function() end)"),
    ("FUNCTION", "LOAD", "#!lua name=other\nreturn 1"),
    ("FUNCTION", "LOAD", "#!lua name=other\nx ="),
    ("FUNCTION", "LOAD", "#!lua name=other\n\nx = 1"),
    ("FUNCTION", "LOAD", "#!lua name=other\nredis.call('PING')"),
    ("FUNCTION", "LOAD", "#!js name=other\nx"),
    ("FUNCTION", "LOAD", "return 1"),
    *(
        ("FUNCTION", "LOAD", f"#!lua name={name}\nredis.register_function('f', function() end)")
        for name in _NAMES
    ),
    ("FUNCTION", "DELETE", "ok_1"),
    ("FUNCTION", "DELETE", "ok_1"),
    ("SET", "k", "v"),
    ("FCALL", "get", 1, "k"),
    ("FCALL", "GET", 1, "k"),
    ("FCALL", "both", 2, "a", "b", "c"),
    ("FCALL_RO", "both", 0),
    ("FCALL_RO", "get", 1, "k"),
    ("FCALL", "fails", 0),
    ("FCALL", "calls", 1, "k"),
    ("FCALL", "calls", 1, "n"),
    ("FCALL", "nosuch", 0),
    ("FCALL", "get", "x"),
    ("FCALL", "get", -1),
    ("FCALL", "get", 9, "k"),
    ("FUNCTION", "STATS"),
    ("FUNCTION", "LIST", "LIBRARYNAME", "nosuch"),
    ("FUNCTION", "LIST", "x"),
    ("FUNCTION", "LIST", "LIBRARYNAME"),
    ("FUNCTION", "LIST", "WITHCODE", "WITHCODE"),
    ("FUNCTION", "DUMP", "x"),
    ("FUNCTION", "RESTORE", "x"),
    ("FUNCTION", "RESTORE", "x", "y"),
    ("FUNCTION", "RESTORE", "x", "FLUSH", "y"),
    ("FUNCTION", "FLUSH", "x"),
    ("FUNCTION", "FLUSH", "SYNC", "x"),
    ("FUNCTION", "FLUSH", "ASYNC"),
    ("FCALL", "get", 1, "k"),
    ("FUNCTION", "LIST"),
    ("FUNCTION", "STATS"),
    ("EVAL", "redis.call('SELECT', 3) return redis.call('SET', 'k', 'three')", 0),
    ("GET", "k"),
    ("EVAL", "redis.call('SET', 'k', 'w') return redis.call('LPUSH', 'k', 'v')", 0),
    ("GET", "k"),
    ("MULTI",),
    ("EVAL", "return redis.call('INCR', 'm')", 0),
    ("EVAL", "return redis.call('LPUSH', 'k', 'v')", 0),
    ("EVAL", "return {1, 'x', {ok = 'fine'}, {double = 1.5}}", 0),
    ("EXEC",),
    ("WATCH", "w"),
    ("EVAL", "return redis.call('SET', 'w', 1)", 0),
    ("MULTI",),
    ("PING",),
    ("EXEC",),
    ("EVAL", "return redis.call('WAIT', 0, 0)", 0),
    ("EVAL", "redis.setresp(3) return redis.call('HGETALL', 'nosuch')", 0),
    ("EVAL", "return redis.call('HGETALL', 'nosuch')", 0),
    ("COMMAND", "GETKEYS", "EVAL", "return 1", 2, "a", "b", "c"),
    ("COMMAND", "GETKEYS", "FCALL", "f", 1, "a", "b"),
]


@pytest.mark.parametrize("resp", [2, 3])
def test_replies(resp: int, oracle: Oracle) -> None:
    redis, kedis = Wire(oracle, resp), Kedis(resp)
    redis.call("FLUSHALL")
    redis.call("SCRIPT", "FLUSH")
    for words in _CALLS:
        assert kedis.call(*words) == redis.call(*words), words
    redis.close()


def test_payloads_go_both_ways(oracle: Oracle) -> None:
    kedis = Client()
    oracle.call("CONFIG", "SET", "rdbcompression", "no")
    kedis.call("CONFIG", "SET", "rdbcompression", "no")
    oracle.call("FUNCTION", "FLUSH")
    oracle.call("FUNCTION", "LOAD", _LIBRARY)
    kedis.call("FUNCTION", "LOAD", _LIBRARY)
    payload = oracle.call("FUNCTION", "DUMP")
    assert kedis.call("FUNCTION", "DUMP") == payload
    oracle.call("CONFIG", "SET", "rdbcompression", "yes")
    payload = oracle.call("FUNCTION", "DUMP")
    assert kedis.call("FUNCTION", "RESTORE", payload) == ErrorReply("ERR Library lib already exists")
    assert kedis.call("FUNCTION", "RESTORE", payload, "REPLACE") == b"OK"
    kedis.call(
        "FUNCTION", "LOAD", "#!lua name=more\nredis.register_function('more', function() return 1 end)"
    )
    both = kedis.call("FUNCTION", "DUMP")
    assert oracle.call("FUNCTION", "RESTORE", both, "FLUSH") == b"OK"
    assert oracle.call("FCALL", "more", 0) == 1
    assert kedis.call("FUNCTION", "RESTORE", payload, "FLUSH") == b"OK"
    assert kedis.call("FCALL", "more", 0) == ErrorReply("ERR Function not found")
    assert kedis.call("FCALL", "both", 1, "k") == [[b"k"], []]


def test_a_payload_that_does_not_fit_changes_nothing() -> None:
    client = Client()
    client.call("FUNCTION", "LOAD", "#!lua name=a\nredis.register_function('f', function() return 'a' end)")
    other = Client()
    other.call("FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('x', function() end)")
    other.call("FUNCTION", "LOAD", "#!lua name=y\nredis.register_function('F', function() end)")
    payload = other.call("FUNCTION", "DUMP")
    assert client.call("FUNCTION", "RESTORE", payload) == ErrorReply("ERR Function F already exists")
    assert [library[1] for library in client.call("FUNCTION", "LIST")] == [b"a"]
    assert client.call("FCALL", "f", 0) == b"a"


def test_functions_list_what_redis_lists(oracle: Oracle) -> None:
    redis, kedis = Wire(oracle, 3), Kedis(3)
    library = "#!lua name=one\nredis.register_function{function_name='f', callback=function() end, flags={'no-writes'}}"
    redis.call("FUNCTION", "FLUSH")
    for words in (("FUNCTION", "LOAD", library), ("FUNCTION", "LIST", "LIBRARYNAME", "O*", "WITHCODE")):
        assert kedis.call(*words) == redis.call(*words)
    redis.close()


@pytest.mark.parametrize(
    ("script", "effects"),
    [
        ("return redis.call('set', 'k', 'v')", ["0 set k v"]),
        (
            "redis.call('SET', 'k', 'v', 'EX', 10) redis.call('INCRBYFLOAT', 'n', 1.5)",
            ["0 MULTI", "0 SET k v PXAT 1700000010000", "0 SET n 1.5 KEEPTTL", "0 EXEC"],
        ),
        ("return redis.call('GET', 'k')", []),
        ("redis.call('DEL', 'nosuch')", []),
        ("redis.call('SET', 'k', 'v') redis.call('LPUSH', 'k', 'v')", ["0 SET k v"]),
        ("redis.call('SET', 'k', 'v') error('after all')", ["0 SET k v"]),
        ("redis.set_repl(redis.REPL_NONE) redis.call('SET', 'k', 'v')", []),
        (
            "redis.set_repl(0) redis.call('SET', 'a', 1) redis.set_repl(redis.REPL_ALL) redis.call('SET', 'b', 2)",
            ["0 SET b 2"],
        ),
        (
            "redis.set_repl(redis.REPL_AOF) redis.call('SET', 'k', 'v') redis.call('SET', 'l', 'v')",
            ["0 MULTI", "0 SET k v", "0 SET l v", "0 EXEC"],
        ),
        ("redis.set_repl(redis.REPL_REPLICA) redis.call('SET', 'k', 'v')", []),
        ("redis.call('SELECT', 2) redis.call('SET', 'k', 'v')", ["2 SET k v"]),
    ],
)
def test_effects_are_propagated(script: str, effects: list[str]) -> None:
    client = Client()
    client.call("EVAL", script, 0)
    assert client.journal() == effects


def test_effects_of_a_script_in_a_transaction_are_the_transactions() -> None:
    client = Client()
    client.call("MULTI")
    client.call("SET", "a", 1)
    client.call("EVAL", "redis.call('SET', 'b', 2) redis.call('SET', 'c', 3)", 0)
    client.call("EXEC")
    assert client.journal() == ["0 MULTI", "0 SET a 1", "0 SET b 2", "0 SET c 3", "0 EXEC"]


def test_libraries_are_propagated_as_they_came() -> None:
    client = Client()
    client.call("FUNCTION", "LOAD", "REPLACE", _LIBRARY)
    client.call("FUNCTION", "LOAD", _LIBRARY)  # an error
    client.call("FUNCTION", "DELETE", "lib")
    client.call("SCRIPT", "LOAD", "return 1")
    assert client.journal() == [f"0 FUNCTION LOAD REPLACE {_LIBRARY}", "0 FUNCTION DELETE lib"]


def test_time_stands_still_in_a_script() -> None:
    engine = Engine(Config())
    client = Client(engine)
    script = """
    redis.call('SET', 'k', 'v', 'PX', 1)
    for i = 1, 1e6 do end
    return {redis.call('PTTL', 'k'), redis.call('GET', 'k')}
    """
    assert client.call("EVAL", script, 0) == [1, b"v"]


def test_blocked_clients_are_served_by_a_script() -> None:
    client = Client()
    waiting = Client(client.engine)
    assert waiting.replies("BLPOP", "list", 0) == []
    assert client.call("EVAL", "return redis.call('RPUSH', 'list', 'a', 'b')", 0) == 2
    assert waiting.pushed() == [[b"list", b"a"]]
    assert client.call("LRANGE", "list", 0, -1) == [b"b"]


def test_what_is_counted(oracle: Oracle) -> None:
    script = "redis.call('set', 'kk', 'v') redis.pcall('incr', 'kk') redis.call('lpush', 'kk', 1)"
    counted = []
    for call in (oracle.call, Client().call):
        call("DEL", "kk")
        call("CONFIG", "RESETSTAT")
        call("EVAL", script, 0)
        call("EVAL", "return redis.call('nosuch')", 0)
        call("EVAL", "return redis.call('get')", 0)
        call("EVAL", "return redis.error_reply('MINE oops')", 0)
        call("EVAL", "error('x')", 0)
        call("EVAL", "return {1, redis.error_reply('X y'), {err='Z'}, {{err='X z'}}}", 0)
        call("EVAL", "return {redis.pcall('nosuch'), redis.pcall('get')}", 0)
        call("EVAL", "return {redis.pcall('incr', 'kk'), {map={a=redis.error_reply('MY oops')}}}", 0)
        call("EVAL_RO", "return {{}, {set={[redis.error_reply('OUR oops')]=1}}}", 0)
        call("FUNCTION", "FLUSH")
        call(
            "FUNCTION",
            "LOAD",
            "#!lua name=l\nredis.register_function('f', function() return {{err='F x'}} end)",
        )
        call("FCALL", "f", 0)
        info = call("INFO", "commandstats", "errorstats", "stats").decode()
        lines = [
            line.split(",usec")[0] + line[line.find(",rejected") :]
            for line in info.splitlines()
            if line.startswith(
                (
                    "cmdstat_set",
                    "cmdstat_incr",
                    "cmdstat_lpush",
                    "cmdstat_eval",
                    "cmdstat_get:",
                    "cmdstat_fcall",
                )
            )
        ]
        lines += [
            line for line in info.splitlines() if line.startswith(("errorstat_", "total_error_replies"))
        ]
        counted.append(sorted(lines))
    assert counted[1] == counted[0]


def test_monitor_shows_the_script_and_its_commands() -> None:
    client = Client()
    monitor = Client(client.engine)
    monitor.call("MONITOR")
    client.call("EVAL", "return redis.call('set', 'kk', ARGV[1])", 0, "v")
    lines = [line.split(b" ", 1)[1] for line in monitor.pushed()]
    assert lines == [
        b'[0 127.0.0.1:50000] "EVAL" "return redis.call(\'set\', \'kk\', ARGV[1])" "0" "v"',
        b'[0 lua] "set" "kk" "v"',
    ]


def test_the_slow_log_has_the_script_and_its_commands(oracle: Oracle) -> None:
    """On the native path as well, where the server has it, with EVALSHA and inside MULTI."""
    body = "redis.call('set', KEYS[1], 'v') redis.call('lpush', 'list', 'x', 'y') return redis.call('get', KEYS[1])"
    calls = [
        ("EVAL", body, 1, "k"),
        ("EVALSHA", digest(body), 1, "k"),
        ("MULTI",),
        ("EVALSHA", digest(body), 1, "k"),
        ("SET", "k", "w"),
        ("EXEC",),
    ]
    with kedis.Server() as server:
        logs = []
        for port in (oracle.port, server.port):
            connection = Connection(port)
            for words in (("CONFIG", "SET", "slowlog-log-slower-than", 0), ("SLOWLOG", "RESET"), *calls):
                connection.call(*map(to_bytes, words))
            log = connection.call(b"SLOWLOG", b"GET", b"-1")[1]
            logs.append([(entry[1][3][1], entry[1][4][1] == b"?:0", entry[1][5]) for entry in log])
            connection.call(b"CONFIG", b"SET", b"slowlog-log-slower-than", b"10000")
            connection.close()
    assert logs[1] == logs[0]
    assert len(logs[0]) > len(calls) + 6


def test_tracking_remembers_what_a_script_has_read() -> None:
    client = Client(resp=3)
    client.call("CLIENT", "TRACKING", "ON")
    client.call("EVAL", "return redis.call('GET', 'k')", 1, "k")
    Client(client.engine).call("SET", "k", "v")
    assert client.pushed() == [[b"invalidate", [b"k"]]]


def test_a_script_does_not_tell_its_own_client_twice() -> None:
    client = Client(resp=3)
    client.call("CLIENT", "TRACKING", "ON", "NOLOOP")
    client.call("GET", "k")
    assert client.replies("EVAL", "return redis.call('SET', 'k', 'v')", 1, "k") == [b"OK"]


def test_key_events() -> None:
    client = Client()
    client.call("CONFIG", "SET", "notify-keyspace-events", "KEA")
    listener = Client(client.engine)
    listener.replies("PSUBSCRIBE", "__keyevent@0__:*")
    client.call("EVAL", "redis.call('SET', 'k', 'v') redis.call('DEL', 'k')", 0)
    assert [message[2:] for message in listener.pushed()] == [
        [b"__keyevent@0__:set", b"k"],
        [b"__keyevent@0__:del", b"k"],
    ]


def _fill(client: Any) -> None:
    client("CONFIG", "SET", "maxmemory-policy", "noeviction")
    client("SET", "big", "x" * 3_000_000)
    client("CONFIG", "SET", "maxmemory", 1_000_000)


def test_scripts_while_memory_is_full(oracle: Oracle) -> None:
    scripts = [
        "return redis.call('GET', 'nosuch')",
        "redis.call('GET', 'nosuch') return redis.call('SET', 'k', 'v')",
        "redis.call('DEL', 'nosuch') return redis.call('SET', 'k', 'v')",
        "#!lua\nreturn 1",
        "#!lua flags=no-writes\nreturn redis.call('GET', 'nosuch')",
        "#!lua flags=allow-oom\nreturn redis.call('SET', 'k', 'v')",
        "return redis.pcall('SET', 'k', 'v')",
    ]
    client = Client()
    _fill(client.call)
    _fill(oracle.call)
    try:
        for script in scripts:
            assert client.call("EVAL", script, 0) == oracle.call("EVAL", script, 0), script
    finally:
        oracle.call("CONFIG", "SET", "maxmemory", 0)


def test_scripts_while_the_disk_fails() -> None:
    client = Client()
    client.engine.restrictions.set_write_error("MISCONF Errors writing to the AOF file: x")
    assert client.call("EVAL", "return redis.call('GET', 'k')", 0) is None
    refused = client.call("EVAL", "return redis.call('SET', 'k', 'v')", 0)
    assert str(refused).startswith("MISCONF Errors writing to the AOF file: x script: ")
    assert str(client.call("EVAL", "#!lua\nreturn 1", 0)).startswith("MISCONF")


@pytest.mark.parametrize("fault", ["disk", "replicas"])
def test_a_script_that_has_written_writes_on_when_a_fault_comes_meanwhile(fault: str) -> None:
    """Others run while a script is slow, and so may come what refuses writes: half a script would be worse."""
    client = Client()
    client.call("CONFIG", "SET", "busy-reply-threshold", 1)
    engine = client.engine
    engine.monotonic = count(1, 1_000_000).__next__

    class Loop(NoEventLoop):
        def turn(self, _client: object) -> None:
            engine.keyspace.databases[0].set_value(b"turned", b"1")
            if fault == "disk":
                engine.restrictions.set_write_error("MISCONF Errors writing to the AOF file: x")
            else:
                engine.restrictions.set_few_replicas(True)

    engine.loop = Loop()
    script = (
        "redis.call('SET', 'a', 1) repeat until redis.call('GET', 'turned') return redis.call('SET', 'b', 2)"
    )
    assert client.call("EVAL", script, 0) == b"OK"
    assert client.call("EVAL", "return redis.pcall('SET', 'c', 3)", 0).__class__ is ErrorReply
    assert client.call("MGET", "a", "b", "c") == [b"1", b"2", None]


def test_scripts_on_a_stale_replica(oracle: Oracle) -> None:
    """Who may run while the master is away gets nothing of the old data by a script either."""
    client = Client()
    client.call("SET", "k", "v")
    client.engine.restrictions.set_replica(read_only=True, master_down=True)
    oracle.call("CONFIG", "SET", "replica-serve-stale-data", "no")
    oracle.call("REPLICAOF", "127.0.0.1", 1)
    try:
        for flags in ("allow-stale,no-writes", "no-writes"):
            for body in ("redis.call('GET', 'k')", "redis.pcall('GET', 'k')", "redis.call('PING')", "1"):
                script = f"#!lua flags={flags}\nreturn {body}"
                assert client.call("EVAL", script, 0) == oracle.call("EVAL", script, 0), script
    finally:
        oracle.call("REPLICAOF", "NO", "ONE")
        oracle.call("CONFIG", "SET", "replica-serve-stale-data", "yes")


def test_many_calls_in_one_script() -> None:
    client = Client()
    assert (
        client.call(
            "EVAL", "for i = 1, 100000 do redis.call('INCR', 'n') end return redis.call('GET', 'n')", 0
        )
        == b"100000"
    )
    assert client.engine.keyspace.check() is None


def test_long_arguments_and_results() -> None:
    client = Client()
    words = [f"m{index}" for index in range(7900)]
    assert client.call("EVAL", "return redis.call('SADD', 's', unpack(ARGV))", 0, *words) == 7900
    assert client.call("EVAL", "return #ARGV", 0, *range(20_000)) == 20_000
    assert len(client.call("EVAL", "return redis.call('SMEMBERS', 's')", 0)) == 7900
    assert client.call("EVAL", "local t = {} for i = 1, 50000 do t[i] = i end return t", 0) == list(
        range(1, 50_001)
    )


def test_info_shows_scripts() -> None:
    client = Client()
    assert b"number_of_cached_scripts:0\r\n" in client.call("INFO", "memory")
    client.call("EVAL", "return 1", 0)
    client.call("FUNCTION", "LOAD", _LIBRARY)
    info = client.call("INFO", "memory").decode()
    figures = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    assert figures["number_of_cached_scripts"] == "1"
    assert figures["number_of_functions"] == "4"
    assert figures["number_of_libraries"] == "1"
    assert int(figures["used_memory_vm_eval"]) > 100_000
    assert int(figures["used_memory_scripts"]) > len(_LIBRARY)


def test_the_interpreter_is_made_when_it_is_needed() -> None:
    client = Client()
    client.call("FUNCTION", "LIST")
    client.call("SCRIPT", "FLUSH")
    client.call("SCRIPT", "EXISTS", "x")
    client.call("INFO", "everything")
    assert b"used_memory_vm_eval:0\r\n" in client.call("INFO", "memory")


def test_the_limit_of_memory_follows_the_setting() -> None:
    client = Client()
    client.call("CONFIG", "SET", "lua-maxmemory", "16mb")
    script = "return #string.rep('x', 5e6)"
    assert client.call("EVAL", script, 0) == 5_000_000
    client.call("CONFIG", "SET", "lua-maxmemory", "8mb")
    refused = client.call("EVAL", "local t = {} for i = 1, 30 do t[i] = ('x'):rep(1e6) .. i end", 0)
    assert str(refused).startswith("ERR not enough memory script: ")
    client.call("CONFIG", "SET", "lua-maxmemory", "64mb")
    assert (
        client.call("EVAL", "local t = {} for i = 1, 30 do t[i] = ('x'):rep(1e6) .. i end return #t", 0) == 30
    )


def test_codes_that_scripts_invent_are_bounded() -> None:
    """INFO errorstats and the counters of a command keep the first kinds, and count the others as one."""
    client = Client()
    for number in range(300):
        reply = client.call("EVAL", f"return redis.error_reply('X{number} y')", 0)
        assert reply == ErrorReply(f"X{number} y")
    stats = client.call("INFO", "errorstats").decode().splitlines()[1:]
    assert len(stats) == MOST_CODES + 1
    assert "errorstat_X0:count=1" in stats
    assert f"errorstat_ERRORSTATS_OVERFLOW:count={300 - MOST_CODES}" in stats
    assert "total_error_replies:300" in client.call("INFO", "stats").decode()
    assert len(client.engine.table.resolve([b"eval", b"x", b"0"]).counters.errors) == MOST_CODES + 1
    client.call("EVAL", "return redis.error_reply('X0 y')", 0)
    assert "errorstat_X0:count=2" in client.call("INFO", "errorstats").decode()
    client.call("CONFIG", "RESETSTAT")
    client.call("EVAL", "return redis.error_reply('NEW y')", 0)
    assert client.call("INFO", "errorstats").decode().splitlines()[1:] == ["errorstat_NEW:count=1"]
