"""HTTP/1.x request heads, sans-IO: bytes in, a :class:`Request` or a :class:`BadRequest` out.

Just enough of RFC 9112 for a port that is read from: GET and HEAD, no bodies.  A head is bounded in bytes and in
header fields before anything is made of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus

#: Characters of a method and of the name of a header field (``token``).
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VERSION = re.compile(rb"HTTP/1\.([01])")
_END = re.compile(rb"\r?\n\r?\n")
#: Bytes that are forbidden in a value or a target.
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class BadRequest(Exception):
    """A request that is refused; the connection is closed after the answer."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request.

    Attributes:
        path: of the target, without its query.
        keeps_alive: whether the connection may serve another request.
        headers: lower-case names; fields of the same name are joined by a comma.
        peer: the IP address from which it came.
    """

    method: str
    path: str
    minor_version: int
    keeps_alive: bool
    headers: dict[str, str] = field(default_factory=dict)
    peer: str = ""

    @property
    def has_body(self) -> bool:
        """Whether bytes follow that are not the next request."""
        return "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"


def take_head(buffer: bytearray, max_bytes: int) -> bytes | None:
    """Take the first head off ``buffer``; None while it is not whole.  O(len(buffer)).

    One empty line before it is skipped, as some clients send it after a body.  Raises BadRequest when the head is
    longer than ``max_bytes``, and for an invalid request line as soon as it is complete: a client of another
    protocol waits for a reply.
    """
    if buffer.startswith(b"\r\n"):
        del buffer[:2]
    found = _END.search(buffer)
    if (found.end() if found else len(buffer)) > max_bytes:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is too long")
    if found is None:
        if (end := buffer.find(b"\n")) >= 0:
            _parse_line(bytes(buffer[:end]).removesuffix(b"\r"))
        return None
    head = bytes(buffer[: found.start()])
    del buffer[: found.end()]
    return head


def parse_head(head: bytes, max_headers: int, peer: str = "") -> Request:
    """The request of ``peer`` whose head (without the empty line) is given.  Raises BadRequest."""
    first, *lines = [line.removesuffix(b"\r") for line in head.split(b"\n")]
    method, target, minor = _parse_line(first)
    if len(lines) > max_headers:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields")
    headers = _parse_headers(lines)
    connection = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    keeps_alive = "close" not in connection and (minor == 1 or "keep-alive" in connection)
    return Request(method, _path(target), minor, keeps_alive, headers, peer)


def _parse_line(line: bytes) -> tuple[str, str, int]:
    """Method, target and minor version of a request line.  Raises BadRequest."""
    words = line.split(b" ")
    version = _VERSION.fullmatch(words[-1])
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not words[1] or _CONTROLS.search(words[1]):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed request line")
    if version is None:
        raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.0 and HTTP/1.1")
    return words[0].decode(), words[1].decode("latin-1"), int(version[1])


def _parse_headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or _CONTROLS.search(value):
            raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed header field")
        key, text = name.decode().lower(), value.strip(b" \t").decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _path(target: str) -> str:
    """The path of a target in origin form (``/metrics?x=1``) or absolute form (``http://host/metrics``)."""
    if target[:7].lower() == "http://":
        target = "/" + target[7:].partition("/")[2]
    return target.partition("?")[0]
