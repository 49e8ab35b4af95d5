"""SUBSCRIBE and MONITOR: the commands that listen, and their messages as lines."""

from __future__ import annotations

from kedis.cli.client.display import in_line
from kedis.cli.client.render import elements_of
from kedis.cli.terminal_text import one_line

LISTENING = (b"subscribe", b"psubscribe", b"ssubscribe", b"monitor")


def live_line(message: object) -> str:
    """A message as one line: `news: "hello"`, `news (n*): "hello"`, or the message numbered."""
    parts = elements_of(message)
    if parts is None:
        return one_line(message) if isinstance(message, str) else in_line(message)
    kind = parts[0] if parts else b""
    if kind in (b"message", b"smessage") and len(parts) == 3:
        return f"{_name(parts[1])}: {in_line(parts[2])}"
    if kind == b"pmessage" and len(parts) == 4:
        return f"{_name(parts[2])} ({_name(parts[1])}): {in_line(parts[3])}"
    if len(parts) == 3 and isinstance(parts[2], int):
        return f"({_name(kind)} {_name(parts[1])}, {parts[2]} now)"
    return " ".join(map(_inner, parts))


def _inner(part: object) -> str:
    """A part that may hold others, as the keys of an invalidation do; deeper than that it is numbered."""
    elements = elements_of(part)
    return in_line(part) if elements is None else "[" + " ".join(map(in_line, elements)) + "]"


def _name(value: object) -> str:
    if isinstance(value, bytes):
        return one_line(value.decode("utf-8", "surrogateescape"))
    return in_line(value)
