"""--hotkeys, --intrinsic-latency, --latency-dist, --show-pushes, --verbose; beside redis-cli where it has the like."""

from __future__ import annotations

import re

import pytest

from kedis.cli.client.modes import hot_keys, intrinsic_latency, latency_spectrum
from kedis.cli.client.output import Output
from kedis.cli.client.render import Form
from tests.cli.program import call, closed_port, kedis_cli, redis_cli

_HOT = re.compile(rb"hot key found with counter: (\d+)\tkeyname: (.*)")


def test_hot_keys_are_those_of_redis_cli(port: int) -> None:
    call(port, "CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-decay-time", "0")
    try:
        for number in range(30):
            call(port, "SET", f"k {number}", "v")
        for _ in range(200):
            call(port, "GET", "k 7")
        ours, theirs = (program("-p", str(port), "--hotkeys") for program in (kedis_cli, redis_cli))
        assert (ours.code, ours.err) == (0, "")
        assert b"Sampled 30 keys in the keyspace!" in ours.out
        found, expected = _HOT.findall(ours.out), _HOT.findall(theirs.out)
        assert found[0] == expected[0] and found[0][1] == b'"k 7"'
        assert len(found) == hot_keys.MOST
        assert [counter for counter, _ in found] == [counter for counter, _ in expected]
        assert kedis_cli("-p", str(port), "--hotkeys", "--pattern", "k 1?").out.count(b"keyname") == 10
    finally:
        call(port, "CONFIG", "SET", "maxmemory-policy", "noeviction", "lfu-decay-time", "1")


def test_hot_keys_of_a_server_that_does_not_count(port: int) -> None:
    call(port, "SET", "a", "1")
    ended = kedis_cli("-p", str(port), "--hotkeys")
    assert ended.code == 1 and "LFU" in ended.err and ended.err.count("\n") == 1


def test_only_the_hottest_are_kept() -> None:
    result = hot_keys.Hottest()
    for number in range(100):
        result.add(b"%d" % number, number)
        result.add(b"99", 99)
    assert result.ordered() == [(number, b"%d" % number) for number in range(99, 99 - hot_keys.MOST, -1)]


def test_intrinsic_latency_with_a_clock() -> None:
    times = iter([0, 100, 200, 5_200, 5_300, 6_300, 1_000_000_000])
    runs, told = intrinsic_latency.Runs(), []
    intrinsic_latency.measure(1.0, runs, told.append, lambda: next(times))
    assert (runs.count, runs.worst_ns, runs.total_ns) == (6, 999_993_700, 1_000_000_000)
    assert told == [100, 5_000, 999_993_700]


def test_intrinsic_latency_needs_no_server() -> None:
    ended = kedis_cli("-p", str(closed_port()), "--intrinsic-latency", "0.05")
    assert (ended.code, ended.err) == (0, "")
    assert re.search(
        rb"\d+ total runs \(avg latency: [\d.]+ microseconds / [\d.]+ nanoseconds per run\)", ended.out
    )
    assert re.search(rb"Max latency so far: \d+ microseconds\.\n", ended.out)


class _Slow:
    """A link whose answers take given times, and the clock that shows them."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def send(self, words: object) -> object:
        self.now += self.seconds.pop(0)
        return "PONG"


def test_the_spectrum_with_a_clock() -> None:
    link = _Slow(0.0001, 0.0001, 0.2, 100.0)
    counts = latency_spectrum.measure(link, 50.0, link.clock, lambda seconds: None)  # type: ignore[arg-type]
    assert sum(counts) == 4 and counts[-1] == 1
    assert latency_spectrum.plain(counts) == "<=0.125ms 50.0% <=200ms 25.0% >60000ms 25.0%"
    painted = latency_spectrum.painted(counts)
    assert painted.startswith("\x1b[38;5;0m\x1b[48;5;0m.\x1b[48;5;247m-") and painted.endswith("?\x1b[0m")


def test_the_spectrum_without_a_terminal_is_one_row(port: int) -> None:
    ended = kedis_cli("-p", str(port), "--latency-dist", "-i", "0.05")
    assert (ended.code, ended.err) == (0, "")
    shares = re.findall(rb"(?:<=|>)[\d.]+ms ([\d.]+)%", ended.out)
    assert ended.out.count(b"\n") == 1 and 99 < sum(map(float, shares)) < 101


_TRACKED = b"CLIENT TRACKING on\nGET a\nSET a 2\nGET b\nFLUSHALL\nGET b\n"


@pytest.mark.parametrize("flags", [["--show-pushes", "yes"], ["--show-pushes", "no"], []])
def test_pushes_are_those_of_redis_cli(port: int, flags: list[str]) -> None:
    call(port, "MSET", "a", "1", "b", "1")
    words = ["-p", str(port), "-3", *flags]
    ours = kedis_cli(*words, stdin=_TRACKED)
    call(port, "MSET", "a", "1", "b", "1")
    assert (ours.out, ours.err) == (redis_cli(*words, stdin=_TRACKED).out, "")
    assert (b"invalidate\na\n" in ours.out) == (flags[-1:] == ["yes"])


def test_an_invalidation_on_a_terminal(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Output(Form.HUMAN, on_terminal=True).show_push([b"invalidate", [b"a", b"\x1bb"]])
    assert capfdbinary.readouterr().out == b'-> invalidate: "a", "\\x1bb"\n'


def test_verbose_tells_commands_and_times_but_no_arguments(port: int) -> None:
    ended = kedis_cli("-p", str(port), "--verbose", "-n", "1", "SET", "secret", "word")
    assert (ended.out, ended.code) == (b"OK\n", 0)
    first, second = ended.err.splitlines()
    assert first == f"connected to 127.0.0.1:{port}, database 1, RESP2"
    assert re.fullmatch(r"SET \(3 words\): [\d.]+ ms", second)
