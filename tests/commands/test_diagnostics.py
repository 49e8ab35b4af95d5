"""SLOWLOG and LATENCY."""

from __future__ import annotations

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from tests.commands.driver import START_NS, Client
from tests.oracle import Oracle

START = START_NS // 10**9


class TickingClock:
    """Every reading takes ``step_ns``, so every command takes as long."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.step_ns = 0

    def __call__(self) -> int:
        self.now_ns += self.step_ns
        return self.now_ns


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
def client(clock: TickingClock) -> Client:
    return Client(Engine(Config(), clock=clock))


def test_slow_commands_are_remembered(client: Client, clock: TickingClock) -> None:
    client.call("SET", "fast", 1)
    clock.step_ns = 12_000_000
    client.call("CLIENT", "SETNAME", "me")
    client.call("SET", "slow", 1)
    clock.step_ns = 0
    assert client.call("SLOWLOG", "LEN") == 2
    newest, oldest = client.call("SLOWLOG", "GET")
    assert oldest[3:] == [[b"CLIENT", b"SETNAME", b"me"], b"127.0.0.1:50000", b"me"]
    assert newest == [1, START, 12_000, [b"SET", b"slow", b"1"], b"127.0.0.1:50000", b"me"]
    assert client.call("SLOWLOG", "GET", 1) == [newest]
    assert client.call("SLOWLOG", "GET", 0) == []
    assert client.call("SLOWLOG", "GET", -1) == [newest, oldest]
    assert client.call("SLOWLOG", "RESET") == b"OK"
    assert client.call("SLOWLOG", "LEN") == 0


def test_a_command_that_waited_is_remembered_when_it_is_served(client: Client) -> None:
    """Not for the wait: for what serving it took, with the words that were sent."""
    client.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
    waiting = client.another()
    assert waiting.replies("BLPOP", "list", 0) == []
    client.call("SLOWLOG", "RESET")
    client.call("RPUSH", "list", "a")
    assert waiting.pushed() == [[b"list", b"a"]]
    words = [entry[3] for entry in client.call("SLOWLOG", "GET")]
    assert words[:3] == [[b"RPUSH", b"list", b"a"], [b"BLPOP", b"list", b"0"], [b"SLOWLOG", b"RESET"]]


def test_the_threshold_follows_the_setting(client: Client, clock: TickingClock) -> None:
    clock.step_ns = 5_000_000
    client.call("SET", "k", 1)
    assert client.call("SLOWLOG", "LEN") == 0
    client.call("CONFIG", "SET", "slowlog-log-slower-than", 5000)
    client.call("SET", "k", 1)
    client.call("CONFIG", "SET", "slowlog-log-slower-than", -1)
    client.call("SET", "k", 1)
    assert [call[3][0] for call in client.call("SLOWLOG", "GET")] == [b"SET", b"CONFIG"]


def test_the_length_follows_the_setting(client: Client) -> None:
    client.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
    for number in range(5):
        client.call("SET", "k", number)
    client.call("CONFIG", "SET", "slowlog-max-len", 2)
    assert client.call("SLOWLOG", "LEN") == 2
    assert [call[0] for call in client.call("SLOWLOG", "GET")] == [7, 6]
    client.call("CONFIG", "SET", "slowlog-max-len", 0)
    assert client.call("SLOWLOG", "LEN") == 0


LOGGED = [
    ["LPUSH", "k", *range(31)],
    ["LPUSH", "k", *range(29)],
    ["LPUSH", "k", *range(30)],
    ["SET", "k", "x" * 128],
    ["SET", "k", "x" * 129],
    ["SET", "x" * 5000, "1"],
    ["AUTH", "secret"],
    ["AUTH", "default", "secret"],
    ["HELLO", "2", "AUTH", "default", "secret", "SETNAME", "s"],
    ["HELLO", "2", "SETNAME", "auth", "AUTH", "default", "secret"],
    ["HELLO", "2", "AUTH", "default", "secret", "AUTH", "default", "again"],
    ["CONFIG", "SET", "hz", "10", "requirepass", ""],
    ["CONFIG", "SET", "Masterauth", "secret"],
    ["GET", "k"],
    ["LPUSH", *["y" * 200] * 40],
    ["NOSUCH", "x"],
    ["GET"],
    ["MULTI"],
    ["SET", "k", "1"],
    ["EXEC"],
    ["ACL", "SETUSER", "bob", "on", ">secret"],
    ["ACL", "SETUSER", "bob", ">secret", "wrong"],
    ["ACL", "GETUSER", "bob"],
    ["MIGRATE", "127.0.0.1", "1", "nothing", "0", "10", "AUTH", "secret"],
    ["MIGRATE", "127.0.0.1", "1", "", "0", "10", "COPY", "auth2", "bob", "secret", "KEYS", "n1", "n2"],
    ["MULTI"],
    ["AUTH", "secret"],
    ["AUTH", "bob", "secret"],
    ["HELLO", "2", "AUTH", "default", "secret"],
    ["ACL", "SETUSER", "bob", ">secret"],
    ["CONFIG", "SET", "masterauth", "secret"],
    ["MIGRATE", "127.0.0.1", "1", "nothing", "0", "10", "AUTH", "secret"],
    ["EXEC"],
    ["EVAL", "return redis.pcall('migrate', '127.0.0.1', 1, 'nothing', 0, 10, 'AUTH', 'secret')", "0"],
    ["EVAL", "return redis.pcall('auth', 'secret')", "0"],
    ["EVAL", "return 1", "0", "secret"],
]


def test_words_are_cut_and_secrets_blanked_as_in_redis(client: Client, oracle: Oracle) -> None:
    for server in (client, oracle):
        server.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
        server.call("SLOWLOG", "RESET")
        for words in LOGGED:
            server.call(*words)
    mine, theirs = client.call("SLOWLOG", "GET", -1), oracle.call("SLOWLOG", "GET", -1)
    oracle.call("CONFIG", "SET", "slowlog-log-slower-than", "10000")
    assert [call[3] for call in mine] == [call[3] for call in theirs]
    assert [type(part) for part in mine[0]] == [type(part) for part in theirs[0]]


@pytest.mark.parametrize(
    "line",
    [
        "SLOWLOG GET x",
        "SLOWLOG GET -2",
        "SLOWLOG GET 1 2",
        "SLOWLOG LEN x",
        "SLOWLOG nosuch",
        "LATENCY LATEST",
        "LATENCY LATEST x",
        "LATENCY HISTORY",
        "LATENCY HISTORY command",
        "LATENCY RESET",
        "LATENCY RESET a b",
        "LATENCY HISTOGRAM nosuch",
        "LATENCY HISTOGRAM lpop",
        "LATENCY nosuch",
    ],
)
def test_as_in_redis(client: Client, oracle: Oracle, line: str) -> None:
    assert client.call(*line.split()) == oracle.call(*line.split())


def test_latency_events(client: Client, clock: TickingClock) -> None:
    assert b"latency-monitor-threshold is 0" in client.call("LATENCY", "DOCTOR")
    assert client.call("CONFIG", "SET", "latency-monitor-threshold", 4) == b"OK"
    assert b"No event" in client.call("LATENCY", "DOCTOR")
    clock.step_ns = 5_000_000
    client.call("KEYS", "*")
    clock.step_ns = 7_000_000
    client.call("GET", "k")
    clock.step_ns = 0
    assert client.call("SLOWLOG", "LEN") == 0, "slower-than is 10 ms"
    assert client.call("LATENCY", "LATEST") == [
        [b"command", START, 5, 5],
        [b"fast-command", START, 7, 7],
    ]
    assert client.call("LATENCY", "HISTORY", "fast-command") == [[START, 7]]
    report = client.call("LATENCY", "DOCTOR")
    assert b"fast-command: 1 seconds" in report and b"at most 7 ms" in report
    assert client.call("LATENCY", "RESET", "command", "nosuch") == 1
    assert client.call("LATENCY", "RESET") == 1
    assert client.call("LATENCY", "LATEST") == []


def test_histogram(client: Client, clock: TickingClock) -> None:
    for step in (300, 900, 1_000, 3_000, 3_000, 40_000):
        clock.step_ns = step
        client.call("SET", "k", 1)
    clock.step_ns = 0
    client.call("CLIENT", "ID")
    assert client.call("LATENCY", "HISTOGRAM", "set") == [
        b"set",
        [b"calls", 6, b"histogram_usec", [1, 3, 4, 5, 66, 6]],
    ]
    (name, figures) = client.call("LATENCY", "HISTOGRAM", "client")
    assert (name, figures[:2]) == (b"client|id", [b"calls", 1])
    assert client.call("LATENCY", "HISTOGRAM", "SET", "client|id")[::2] == [b"set", b"client|id"]
    assert sorted(client.call("LATENCY", "HISTOGRAM")[::2]) == [b"client|id", b"latency|histogram", b"set"]


def test_histogram_is_a_map_in_resp3(client: Client) -> None:
    other = client.another(resp=3)
    other.call("SET", "k", 1)
    assert other.call("LATENCY", "HISTOGRAM", "set") == {b"set": {b"calls": 1, b"histogram_usec": {1: 1}}}


def test_help(client: Client) -> None:
    assert b"GET" in client.call("SLOWLOG", "HELP")
    assert b"HISTOGRAM" in client.call("LATENCY", "HELP")


def test_the_graph_of_slow_events(client: Client, clock: TickingClock) -> None:
    latency = client.engine.observer.latency
    latency.threshold_ms = 1
    for ago, length in ((86400, 50), (3600, 10), (61, 200), (3, 3)):
        latency.add(b"command", START - ago, length)
    clock.step_ns = 0
    # The marks are those that Redis 7.0.15 draws for these four lengths.
    assert client.call("LATENCY", "GRAPH", "command").decode().splitlines() == [
        "command - high 200 ms, low 3 ms (all time high 200 ms)",
        "-" * 80,
        *("  # ", "  | ", "  | ", "#_|_", "    ", "1113", "dhms"),
    ]


def test_a_graph_of_many_events_has_a_line_for_each_eighty(client: Client) -> None:
    latency = client.engine.observer.latency
    latency.threshold_ms = 1
    for second in range(160):
        latency.add(b"fork", START - 160 + second, 1 + second)
    first, second = client.call("LATENCY", "GRAPH", "fork").decode().split("-" * 80 + "\n")[1].split("\n\n")
    assert {len(line) for line in (first + "\n" + second).splitlines()} == {80}
    assert set(first.splitlines()[0]) == {" "}
    assert second.splitlines()[0].endswith("#")


@pytest.mark.parametrize("words", [("MEMORY", "DOCTOR"), ("MEMORY", "MALLOC-STATS"), ("LATENCY", "DOCTOR")])
def test_text_for_people_is_verbatim(client: Client, oracle3: Oracle, words: tuple[str, ...]) -> None:
    """In RESP3 ``=``, as Redis's; in RESP2 a bulk string."""
    for resp, mark in ((3, b"="), (2, b"$")):
        other = client.another(resp)
        other.engine.run(other.state, [[word.encode() for word in words]])
        assert b"".join(other.state.out)[:1] == mark
    oracle3._socket.sendall(" ".join(words).encode() + b"\r\n")
    assert oracle3._socket.recv(65536)[:1] == b"="
