"""What is sent: valid requests, the mix in its shares, and replies known beforehand that a real server gives."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator

import hiredis
import pytest

import kedis
from kedis.cli.benchmark.server_under_test import Target
from kedis.cli.benchmark.templates import TEMPLATES, Mix, describe, parse_command, parse_mix, parse_ratio
from kedis.cli.benchmark.workload import Workload, filling, prepare
from kedis.resp.requests import RequestParser


@pytest.fixture(scope="module")
def kedis_server() -> Iterator[kedis.Server]:
    with kedis.Server(port=0) as server:
        yield server


def parsed(payload: bytes) -> list[list[bytes]]:
    parser = RequestParser()
    commands = parser.feed(payload)
    assert not parser.pending_bytes
    return commands


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_template_is_a_request_of_the_protocol(name: str) -> None:
    batches = prepare(Workload(parse_mix(name), keys=50, size=10, pipeline=3), 30)
    assert len(batches.payloads) == 10
    for payload in batches.payloads:
        commands = parsed(payload)
        assert len(commands) == 3
        for words in commands:
            assert words[0].decode() == TEMPLATES[name].words[0]
            assert b"{" not in b"".join(words)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_reply_known_beforehand_and_its_type_are_what_kedis_answers(
    name: str, kedis_server: kedis.Server
) -> None:
    template = TEMPLATES[name]
    workload = Workload(parse_mix(name), keys=20, size=7)
    batches = prepare(workload, 20)
    target = Target(port=kedis_server.port)
    with target.conversation() as conversation, target.connect() as link:
        conversation.ask_all(filling(workload, 20))
        for payload, known in zip(batches.payloads, batches.replies, strict=True):
            raw, reply = exchange(link, payload)
            assert not known or raw == known
            assert type(reply) in template.types


def exchange(link: socket.socket, payload: bytes) -> tuple[bytes, object]:
    """The bytes of the reply, and what they mean."""
    link.sendall(payload)
    reader = hiredis.Reader()
    raw = b""
    while True:
        data = link.recv(65536)
        assert data
        raw += data
        reader.feed(data)
        reply = reader.gets()
        if reply is not False:
            return raw, reply


def test_a_mix_has_its_shares() -> None:
    batches = prepare(Workload(parse_mix("get:80,set:15,zadd:5")), 20_000)
    counts = Counter(template.name for row in batches.templates for template in row)
    assert counts["get"] / 20_000 == pytest.approx(0.80, abs=0.02)
    assert counts["set"] / 20_000 == pytest.approx(0.15, abs=0.02)
    assert counts["zadd"] / 20_000 == pytest.approx(0.05, abs=0.01)


def test_the_same_seed_gives_the_same_load_and_each_process_its_own() -> None:
    workload = Workload(parse_mix("get,set"))
    first, again, other = (prepare(workload, 100, stream).payloads for stream in (0, 0, 1))
    assert first == again
    assert first != other


def names(mix: Mix) -> list[tuple[str, float]]:
    return [(template.name, weight) for template, weight in mix]


def test_mixes_ratios_and_commands_of_ones_own() -> None:
    assert names(parse_mix("GET:80, set:15.5,zadd")) == [("get", 80), ("set", 15.5), ("zadd", 1)]
    assert names(parse_mix("lrange")) == [("lrange_100", 1)]
    assert names(parse_ratio("1:10")) == [("set", 1), ("get", 10)]
    assert names(parse_ratio("0:1")) == [("get", 1)]
    assert describe(parse_mix("get:3,set:1")) == "get 75 %, set 25 %"
    workload = Workload(parse_command("SETEX {key} 60 'a {value}'"), keys=1, size=2)
    (words,) = parsed(prepare(workload, 1).payloads[0])
    assert words == [b"SETEX", b"key:000000000000", b"60", b"a " + workload.value]


@pytest.mark.parametrize("text", ["gett", "get:", "get:0", "get:-1", "get:x", "get:inf", "", "get,,set"])
def test_bad_mixes_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_mix(text)


@pytest.mark.parametrize("text", ["1", "1:", ":", "0:0", "-1:2", "a:b", "1:2:3"])
def test_bad_ratios_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_ratio(text)


@pytest.mark.parametrize("text", ["", "  ", "SET 'x"])
def test_bad_commands_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_command(text)


@pytest.mark.parametrize("size", [0, 1, 32, 100_000])
def test_values_have_their_size(size: int) -> None:
    assert len(Workload(parse_mix("set"), size=size).value) == size


def test_containers_are_emptied_and_filled_for_those_that_drain_them() -> None:
    requests = list(filling(Workload(parse_mix("lpop,zadd"), keys=10), 250))
    assert requests[0] == [b"DEL", b"bench:list", b"bench:zset"]
    pushed = sum(len(words) - 2 for words in requests if words[0] == b"RPUSH")
    assert pushed == 250
    assert list(filling(Workload(parse_mix("get"), keys=10, fill=False), 0)) == []
