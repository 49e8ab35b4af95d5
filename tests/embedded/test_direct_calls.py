"""Calls without bytes: the same results, errors, data, records and figures as through the socket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import IntEnum
from random import Random
from typing import Any

import pytest
import redis

import kedis
from kedis.embedded.direct_requests import is_direct
from kedis.embedded.engine_socket import EngineSocket
from kedis.engine.table import every_command
from tests.differential import grammar
from tests.differential.scripts import Script, draw_script
from tests.embedded.two_ways import TwoWays, spelled, two_ways

ROUNDS = int(os.environ.get("KEDIS_EXAMPLES", "300")) // 75
#: CLIENT INFO tells of the buffers of the parser, which direct calls do not use.
NAMES = [name for name in grammar.known_names() if name != "client|info"]
#: The commands that may be called directly.
DIRECT = [row.name for row in every_command() if row.name in NAMES and is_direct(row)]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"protocol": 2},
    {"protocol": 3},
    {"protocol": 2, "decode_responses": True},
    {"protocol": 3, "decode_responses": True},
    {"protocol": 2, "decode_responses": True, "encoding_errors": "replace"},
    {"protocol": 3, "decode_responses": True, "encoding": "latin-1"},
    {"protocol": 2, "legacy_responses": False},
    {"protocol": 3, "legacy_responses": False},
]
clients = pytest.mark.parametrize(
    "options", OPTIONS, ids=lambda options: "-".join(map(str, options.values()))
)


class Text(str):
    """A subclass of a type that may be packed."""


class Number(IntEnum):
    ONE = 1


@clients
@pytest.mark.parametrize("part", range(3))
def test_random_sequences_agree(options: dict[str, Any], part: int) -> None:
    direct = 0
    for seed in range(ROUNDS):
        random = Random(f"{part} {seed} {sorted(options)}")
        with two_ways(**options) as both:
            _play(both, draw_script(random, NAMES if part == 2 else DIRECT), random)
            both.compare_states()
            direct += both.direct
    assert direct > 5 * ROUNDS or part == 2


def _play(both: TwoWays, script: Script, random: Random) -> None:
    """Run a script command by command, and in pipelines."""
    steps = iter([words for _, words in script])
    for words in steps:
        kind = random.randrange(6)
        if kind < 4:
            both.command(spelled(words, random))
        else:
            rest = [words, *(each for each, _ in zip(steps, range(random.randrange(6)), strict=False))]
            both.pipeline([spelled(each, random) for each in rest], kind == 4, random.random() < 0.3)


@pytest.fixture(params=OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def both(request: pytest.FixtureRequest) -> Iterator[TwoWays]:
    with two_ways(**request.param) as stores:
        yield stores
        stores.compare_states()


def test_nothing_of_it_is_packed_or_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    with kedis.connect() as store:
        store.ping()  # connects
        monkeypatch.setattr(EngineSocket, "sendall", None)
        monkeypatch.setattr(EngineSocket, "recv", None)
        assert store.set("key", "value") is True and store.get("key") == b"value"
        assert store.hset("hash", mapping={"a": 1, "b": 2.5}) == 2
        assert store.hgetall("hash") == {b"a": b"1", b"b": b"2.5"}
        assert store.eval("return {1, redis.call('incr', KEYS[1])}", 1, "n") == [1, 1]
        assert store.pipeline(transaction=False).incr("n").lpush("list", "x").execute() == [2, 1]
        assert store.pipeline().incr("n").lrange("list", 0, -1).execute() == [3, [b"x"]]
        with pytest.raises(redis.ResponseError, match="wrong kind of value"):
            store.incr("list")


ODD_ARGUMENTS: list[Any] = [
    ("SET", "key", None),
    ("SET", "key", True),
    ("SET", "key", object()),
    ("SET", "key", [1]),
    ("SET", "key", Text("x")),
    ("SET", "key", Number.ONE),
    ("SET", "key", "\ud800"),
    ("SET", "\ud800", "x"),
    ("SET", "key", float("nan")),
    ("SET", "key", -0.0),
    ("SET", "key", 10**40),
    ("SET", "key", memoryview(b"abcdef")[::2]),
    ("SET", "key", bytearray(b"x")),
    (None, "key"),
    (True,),
    (["GET"], "key"),
    (bytearray(b"GET"), "key"),
    (1.5,),
    (" get ", "key"),
    ("get\tkey",),
    (b"get key",),
    ("GET key",),
    ("GET key", "key"),
    ("object  encoding", "key"),
    ("OBJECT ENCODING x", "key"),
    ("GET",),
    ("\u00e9",),
    (Text("GET"), "key"),
    (),
]


def test_odd_arguments(both: TwoWays) -> None:
    for args in ODD_ARGUMENTS:
        both.command(["SET", "key", "value"])
        both.command(args)
        both.command(["GET", "key"])
        for transaction in (False, True) if args else ():
            both.pipeline([["INCR", "n"], args, ["GET", "key"]], transaction, raise_on_error=True)
            both.pipeline([["INCR", "n"], args, ["GET", "key"]], transaction, raise_on_error=False)
        both.command(["GET", "n"])


@pytest.mark.parametrize("transaction", [False, True])
@pytest.mark.parametrize("raise_on_error", [False, True])
def test_errors_in_the_middle_of_a_pipeline(both: TwoWays, transaction: bool, raise_on_error: bool) -> None:
    both.command(["RPUSH", "list", "x"])
    wrong: list[list[Any]] = [
        ["INCR", "list"],
        ["ECHO"],
        ["NOSUCH"],
        ["EVALSHA", "0" * 40, 0],
        ["GETEX", "n", "EX", 0],
    ]
    for count in range(len(wrong) + 1):
        commands = [["INCR", "n"], *wrong[:count], ["INCR", "n"]]
        both.pipeline(commands, transaction, raise_on_error)
        both.pipeline(commands[::-1], transaction, raise_on_error)
        both.command(["GET", "n"])


def test_watch(both: TwoWays) -> None:
    """With a change in between, without, on the client's own connection, and after an error."""

    def act(client: Any) -> Any:
        found = []
        for changes in (False, True):
            with client.pipeline() as pipe:
                pipe.watch("key")
                found.append(pipe.get("key"))
                if changes:
                    client.set("key", "other")
                pipe.multi()
                pipe.incr("n").get("key").lrange("key", 0, -1)
                try:
                    found.append(pipe.execute(raise_on_error=False))
                except redis.WatchError as error:
                    found.append(error)
                found.append(pipe.watching)
        found.append(client.transaction(lambda pipe: pipe.incr("n"), "key"))
        return found

    both.agree(act, "watch")


def test_redis_py_s_own_options(both: TwoWays) -> None:
    def act(client: Any) -> Any:
        client.set("key", b"\xff")
        client.set_response_callback("INCR", lambda reply, **options: ("incr", reply, sorted(options)))
        client.response_callbacks["ping"] = lambda reply, **options: (reply, sorted(options))
        pipe = client.pipeline().incr("n").dump("n").mget([]).set("key", "x", get=True).ping()
        return [
            client.dump("key"),
            client.mget([]),
            client.execute_command("INCR", "n", keys=["n"], other=1),
            client.ping(),
            client.set("key", "y", get=True),
            client.set("key", "z", nx=True),
            client.set("key", "z", 100),
            client.set(name="key", value="z"),
            client.set("key", "z", ex=100, keepttl=False),
            pipe.execute(),
        ]

    both.agree(act, "options")


def test_text_that_cannot_be_decoded(both: TwoWays) -> None:
    """The same error, and a connection that goes on."""
    both.command(["SET", "key", b"\xff\xfe"])
    both.command(["HSET", "hash", b"\xff", "x"])
    for words in (["GET", "key"], ["HGETALL", "hash"], ["MGET", "key", "key"], ["ECHO", b"\xff"]):
        both.command(words)
        both.command(["PING"])
        for transaction in (False, True):
            both.pipeline([["INCR", "n"], words, ["INCR", "n"]], transaction, raise_on_error=False)
        both.command(["GET", "n"])


def test_commands_that_block_and_are_over_in_time(both: TwoWays) -> None:
    waits: list[list[Any]] = [
        ["XREAD", "BLOCK", 10, "STREAMS", "stream", "$"],
        ["BLMPOP", 0.01, 1, "list", "LEFT"],
        ["BLPOP", "list", 0.01],
        ["BZMPOP", 0.01, 1, "z", "MIN"],
        ["BLMPOP", 0, 1, "list", "LEFT"],  # nobody else is there
    ]
    for words in waits:
        both.command(words)
        both.pipeline([["INCR", "n"], words, ["INCR", "n"], words, ["GET", "n"]], False, True)
        both.pipeline([["INCR", "n"], words, ["GET", "n"]], True, True)


def test_the_state_of_the_connection(both: TwoWays) -> None:
    """What a command changes for those after it on the same connection, whichever way they go."""
    script: list[list[Any]] = [
        ["SELECT", 3],
        ["SET", "key", "three"],
        ["MULTI"],
        ["SET", "key", "queued"],
        ["GET", "key"],
        ["EXEC"],
        ["MULTI"],
        ["INCR", "a", "b"],
        ["EXEC"],
        ["HELLO", 3],
        ["HSET", "hash", "a", 1],
        ["HGETALL", "hash"],
        ["ZADD", "z", 1.5, "m"],
        ["ZRANGE", "z", 0, -1, "WITHSCORES"],
        ["HELLO", 2],
        ["HGETALL", "hash"],
        ["CLIENT", "NO-TOUCH", "ON"],
        ["GET", "key"],
        ["CLIENT", "TRACKING", "ON"],
        ["GET", "key"],
        ["RESET"],
        ["GET", "key"],
        ["QUIT"],
        ["GET", "key"],
    ]
    for words in script:
        both.command(words)
    both.pipeline([["SELECT", 5], ["SET", "key", "five"], ["GET", "key"]], False, True)
    both.pipeline([["SELECT", 6], ["SET", "key", "six"], ["GET", "key"]], True, True)
    both.command(["GET", "key"])


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), MemoryError()], ids=repr)
def test_faults(both: TwoWays, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(_client: Any, _argv: Any) -> Any:
        raise error

    for store in both.stores:
        monkeypatch.setattr(store.engine.table.named(b"append"), "function", fail)
    both.command(["APPEND", "key", "x"])
    for transaction in (False, True):
        both.pipeline(
            [["INCR", "n"], ["APPEND", "key", "x"], ["INCR", "n"]], transaction, raise_on_error=False
        )
    both.command(["GET", "n"])


def test_slow_calls(both: TwoWays, monkeypatch: pytest.MonkeyPatch) -> None:
    for store in both.stores:
        row = store.engine.table.named(b"append")
        append = row.function

        def slowly(client: Any, argv: Any, append: Any = append) -> Any:
            both.clock.now_ns += 50_000_000
            return append(client, argv)

        monkeypatch.setattr(row, "function", slowly)
    both.command(["APPEND", "key", "x"])
    for transaction in (False, True):
        both.pipeline([["INCR", "n"], ["APPEND", "key", "x"]], transaction, raise_on_error=True)
    slow = both.agree(lambda client: [each["command"] for each in client.slowlog_get()], "slowlog")
    assert "APPEND" in str(slow)


def test_expiry(both: TwoWays) -> None:
    both.command(["SET", "key", "x", "PX", 5])
    both.command(["GET", "key"])
    both.clock.now_ns += 10_000_000
    both.command(["GET", "key"])
    both.command(["SET", "key", "x", "PX", 5])
    both.clock.now_ns += 500_000_000
    both.command(["PING"])  # the upkeep is due
    both.command(["DBSIZE"])


@pytest.mark.parametrize("policy", ["allkeys-lru", "noeviction"])
def test_the_limit_of_memory(policy: str) -> None:
    with two_ways() as both:
        both.command(["CONFIG", "SET", "maxmemory-policy", policy])
        both.command(["CONFIG", "SET", "maxmemory", 300_000])
        for number in range(30):
            both.command(["SET", f"key:{number}", "x" * 20_000])
            both.pipeline([["SET", f"other:{number}", "x" * 20_000], ["PING"]], bool(number % 2), False)
        both.command(["DBSIZE"])
        both.compare_states()
        assert policy == "noeviction" or both.direct > 60
