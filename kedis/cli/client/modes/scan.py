"""--scan: the names of the keys, by SCAN, which does not block the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from kedis.cli.client import expected
from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import Link
from kedis.cli.client.output import Output
from kedis.cli.client.render import Form, render
from kedis.cli.client.wire import ErrorReply


def ask(link: Link, *words: bytes) -> object:
    """Send a command that must succeed. Raises ServerSays for an error reply, LinkLost."""
    reply = link.send(words)
    if isinstance(reply, ErrorReply):
        raise ServerSays(str(reply))
    return reply


def pages(
    link: Link,
    pattern: bytes | None = None,
    count: int | None = None,
    key_type: str | None = None,
    interval: float = 0.0,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[list[bytes]]:
    """The keys of the database, page by page; a key may be returned twice, as by SCAN itself.

    Raises ServerSays, LinkLost.
    """
    options: list[bytes] = []
    if pattern is not None:
        options += [b"MATCH", pattern]
    if count is not None:
        options += [b"COUNT", b"%d" % count]
    if key_type is not None:
        options += [b"TYPE", key_type.encode()]
    cursor = b"0"
    while True:
        cursor, keys = expected.page(ask(link, b"SCAN", cursor, *options), "SCAN")
        yield keys
        if cursor == b"0":
            return
        if interval:
            pause(interval)


def run(
    link: Link,
    output: Output,
    pattern: bytes | None,
    count: int | None,
    key_type: str | None,
    interval: float,
) -> int:
    """Print every key on a line; returns the exit code. Raises ServerSays, LinkLost."""
    for keys in pages(link, pattern, count, key_type, interval):
        if keys:
            output.write(b"".join([_line(key, output) for key in keys]))
    return 0


def _line(key: bytes, output: Output) -> bytes:
    if output.form is Form.RAW:
        return key + output.after_reply
    return render(key, output.form) + b"\n"
