"""Heads of HTTP requests: what is taken, what is refused, and that every bound holds."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from kedis.server.http_requests import BadRequest, Request, parse_head, take_head


def parsed(head: bytes, max_headers: int = 64) -> Request:
    return parse_head(head, max_headers)


def test_a_request_of_prometheus() -> None:
    request = parsed(
        b"GET /metrics?name=x HTTP/1.1\r\nHost: kedis:9121\r\nAccept: text/plain;q=0.5\r\naccept:  */*;q=0.1 "
    )
    assert (request.method, request.path, request.minor_version) == ("GET", "/metrics", 1)
    assert request.headers == {"host": "kedis:9121", "accept": "text/plain;q=0.5, */*;q=0.1"}
    assert request.keeps_alive
    assert not request.has_body


@pytest.mark.parametrize(
    ("version", "connection", "keeps"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: close", False),
        ("1.1", "Connection: x, Close", False),
        ("1.0", "", False),
        ("1.0", "Connection: Keep-Alive", True),
    ],
)
def test_whether_the_connection_stays(version: str, connection: str, keeps: bool) -> None:
    head = f"GET / HTTP/{version}\r\n{connection}".rstrip().encode()
    assert parsed(head).keeps_alive is keeps


@pytest.mark.parametrize(
    ("field", "has_body"),
    [
        (b"Content-Length: 0", False),
        (b"Content-Length: 1", True),
        (b"Content-Length: x", True),
        (b"Content-Length: 0\r\nContent-Length: 5", True),
        (b"Transfer-Encoding: chunked", True),
    ],
)
def test_whether_a_body_follows(field: bytes, has_body: bool) -> None:
    assert parsed(b"GET / HTTP/1.1\r\n" + field).has_body is has_body


def test_the_target_of_a_proxy() -> None:
    assert parsed(b"GET HTTP://kedis:9121/metrics?x HTTP/1.1").path == "/metrics"
    assert parsed(b"GET http://kedis HTTP/1.1").path == "/"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"GET", 400),
        (b"GET /metrics", 400),
        (b"GET  /metrics HTTP/1.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"G\x00T / HTTP/1.1", 400),
        (b"GET /\x1b[2J HTTP/1.1", 400),
        (b"GET /\r HTTP/1.1", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/1.1x", 505),
        (b"GET / \xff", 505),
        (b"GET / HTTP/1.1\r\nno colon", 400),
        (b"GET / HTTP/1.1\r\n: no name", 400),
        (b"GET / HTTP/1.1\r\nName : blank before the colon", 400),
        (b"GET / HTTP/1.1\r\n folded: line", 400),
        (b"GET / HTTP/1.1\r\nName: a\x00b", 400),
        (b"GET / HTTP/1.1\r\nName: a\rb", 400),
        (b"GET / HTTP/1.1" + b"\r\na: b" * 65, 431),
    ],
)
def test_hostile_heads(head: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        parsed(head)
    assert refused.value.status == HTTPStatus(status)


def test_a_head_that_comes_byte_by_byte_is_taken_once() -> None:
    buffer = bytearray()
    taken = []
    for byte in b"\r\nGET / HTTP/1.1\r\nA: b\r\n\r\nGET /next":
        buffer.append(byte)
        if head := take_head(buffer, 100):
            taken.append(head)
    assert taken == [b"GET / HTTP/1.1\r\nA: b"]
    assert buffer == b"GET /next"


def test_bare_line_feeds_are_taken() -> None:
    buffer = bytearray(b"GET / HTTP/1.1\nA: b\n\n")
    head = take_head(buffer, 100)
    assert head is not None
    assert parsed(head).headers == {"a": "b"}


@pytest.mark.parametrize("line", [b"PING\r\n", b"*1\r\n$4\r\nPING\r\n", b"SET a b\r\n", b"\n"])
def test_another_protocol_is_refused_at_its_first_line(line: bytes) -> None:
    with pytest.raises(BadRequest):
        take_head(bytearray(line), 100)


@pytest.mark.parametrize("tail", [b"", b"\r\n\r\n"])
def test_a_head_is_bounded(tail: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        take_head(bytearray(b"GET /" + b"x" * 100 + tail), 100)
    assert refused.value.status == 431
