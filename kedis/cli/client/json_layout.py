"""JSON laid out for people: an element a line, what is short in one line. Only blanks outside of strings change."""

from __future__ import annotations

import json
import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_WIDTH = 72
_INDENT = "  "
_SPACED = {",": ", ", ":": ": "}
#: The longest text, in characters, that is tried whether it is JSON.
_LONGEST = 1 << 20


def laid_out(text: str) -> str:
    """Valid JSON in lines; what fits into one line stays in one. O(length of the result)."""
    tokens = _TOKEN.findall(text)
    widths = _widths(tokens)
    parts: list[str] = []
    depth, whole = 0, -1
    for position, token in enumerate(tokens):
        if position <= whole:
            parts.append(_SPACED.get(token, token))
        elif token in "{[":
            length, end = widths[position]
            if end == position + 1 or length + len(_INDENT) * depth <= _WIDTH:
                whole = end
                parts.append(token)
            else:
                depth += 1
                parts.append(token + "\n" + _INDENT * depth)
        elif token in "}]":
            depth -= 1
            parts.append("\n" + _INDENT * depth + token)
        else:
            parts.append(",\n" + _INDENT * depth if token == "," else _SPACED.get(token, token))
    return "".join(parts)


def _widths(tokens: list[str]) -> dict[int, tuple[int, int]]:
    """Of each bracket that opens: its length in one line, and the position of the one that closes it."""
    found: dict[int, tuple[int, int]] = {}
    open_: list[tuple[int, int]] = []
    length = 0
    for position, token in enumerate(tokens):
        if token in "{[":
            open_.append((position, length))
        length += len(_SPACED.get(token, token))
        if token in "}]":
            opened, before = open_.pop()
            found[opened] = length - before, position
    return found


def document(value: bytes) -> str | None:
    """The text of a value that is a JSON object or array with something in it; None for any other."""
    if value[:1] not in (b"{", b"[") or len(value) > _LONGEST:
        return None
    try:
        text = value.decode("utf-8")
        return text if json.loads(text) else None
    except (ValueError, RecursionError):
        return None
