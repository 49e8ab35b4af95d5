"""Replies with their wire types kept: a simple string is not a bulk string, a null array not a null bulk.

A reply is a pair ``(kind, value)``: the first byte of its encoding as text, and bytes, an int, None, or a list of
replies.  Maps are lists in which key and value alternate.
"""

from __future__ import annotations

from typing import Any

Reply = tuple[str, Any]

_LINES = "+-:,#("
_BULKS = "$="
_LISTS = "*~>"


def parse(data: bytes, at: int = 0) -> tuple[Reply, int] | None:
    """The reply that begins at ``at`` and where it ends; None when it is not complete.  O(bytes)."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    kind, line = chr(data[at]), data[at + 1 : end]
    end += 2
    if kind == "_":
        return (kind, None), end
    if kind in _LINES:
        return (kind, int(line) if kind == ":" else line), end
    length = int(line)
    if length < 0:
        return (kind, None), end
    if kind in _BULKS:
        if len(data) < end + length + 2:
            return None
        return (kind, data[end : end + length]), end + length + 2
    if kind not in _LISTS and kind != "%":
        raise ValueError(f"not a reply: {data[at : at + 40]!r}")
    parts = []
    for _ in range(2 * length if kind == "%" else length):
        found = parse(data, end)
        if found is None:
            return None
        parts.append(found[0])
        end = found[1]
    return (kind, parts), end


def is_error(reply: Reply) -> bool:
    return reply[0] == "-"


def items(reply: Reply) -> list[Reply]:
    """The elements of a reply that is a list of some kind; none for any other."""
    return reply[1] if isinstance(reply[1], list) else []


def flatten(reply: Reply) -> list[bytes]:
    """All the bytes in a reply, nested or not, in order; numbers as their digits."""
    if isinstance(reply[1], list):
        return [text for part in reply[1] for text in flatten(part)]
    return [] if reply[1] is None else [reply[1] if isinstance(reply[1], bytes) else b"%d" % reply[1]]


def show(reply: Reply, limit: int = 400) -> str:
    """A reply on one line, for people."""
    text = _show(reply)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _show(reply: Reply) -> str:
    kind, value = reply
    if isinstance(value, list):
        return f"{kind}[{', '.join(map(_show, value))}]"
    if value is None:
        return f"{kind} nil"
    if kind == "$":
        return ascii(value)[1:]
    return f"{kind}{value.decode('utf-8', 'backslashreplace') if isinstance(value, bytes) else value}"
