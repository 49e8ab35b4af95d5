"""The native path where random stories seldom come: at its limits, and when something fails in the middle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kedis import native
from kedis.resp.replies import encode_command
from tests.native.sides import START_NS, Side

if native.PATH == "python" and not native.PURE:
    pytest.skip(native.REASON, allow_module_level=True)


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    pair = Side(True, 2, 0), Side(False, 2, 0)
    yield pair
    for side in pair:
        side.check()


def request(*lines: bytes) -> bytes:
    return b"".join(encode_command(line.split()) for line in lines)


# -- figures of reads -------------------------------------------------------------------------------------


def test_a_read_is_counted_once_though_its_time_was_up_in_between(sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.feed(0, request(*[b"PING"] * 20), budget_ns=0)
        side.clock.step = 10
        side.feed(0, request(*[b"PING"] * 20), budget_ns=25)
        assert (sum(side.waits.counts), side.depths.total) == (2, 40)


def test_a_read_is_counted_though_the_python_path_finds_no_whole_command_in_its_rest(sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.feed(0, request(b"PING", b"PING") + b"GET no")
        assert (sum(side.waits.counts), side.depths.total) == (1, 2)
        side.feed(0, b"thing\r\n")
        assert (sum(side.waits.counts), side.depths.total) == (2, 2)


def test_what_a_read_waits_ends_when_its_last_whole_command_begins(sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.clock.step = 100
        side.feed(0, request(b"GET a", b"GET b") + b"*2\r\n$3\r\nGE")
        assert side.waits.total == 200
        assert side.engine.keyspace.now_ns == START_NS + 300


# -- the state of the client ------------------------------------------------------------------------------


def test_a_command_that_is_refused_is_not_the_last_command(sides: tuple[Side, Side]) -> None:
    native, _ = sides
    native.feed(0, request(b"SET a 1", b"GET"))
    assert native.links[0].client.last_command is native.engine.table.lookup(b"SET")


# -- containers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("setting", "value"), [("hash-max-listpack-entries", 1), ("hash-max-listpack-value", 1)])
def test_a_hash_is_full_after_a_change_by_which_it_exceeds_lowered_limits(
    sides: tuple[Side, Side], setting: str, value: int
) -> None:
    for side in sides:
        side.feed(0, request(b"HSET h field 1 f 2"))
        side.command(1, b"CONFIG", b"SET", setting.encode(), b"%d" % value)
        side.feed(0, request(b"HSET h field 2"))
        assert side.call(0, b"OBJECT", b"ENCODING", b"h") == b"$9\r\nhashtable\r\n"


@pytest.mark.parametrize("line", [b"HINCRBY h f 1", b"HINCRBYFLOAT h f 1"])
def test_an_access_by_hincrby_counts_once(sides: tuple[Side, Side], line: bytes) -> None:
    for side in sides:
        side.command(1, b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-lfu")
        side.command(1, b"CONFIG", b"SET", b"lfu-log-factor", b"0")
        side.feed(0, request(b"HSET h f 1", line))
        assert side.call(0, b"OBJECT", b"FREQ", b"h") == b":6\r\n"
