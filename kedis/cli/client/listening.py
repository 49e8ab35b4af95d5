"""SUBSCRIBE and MONITOR live: which commands listen, and a line for each thing heard."""

from __future__ import annotations

from collections.abc import Sequence

from kedis.cli.client.display import readable, visible
from kedis.cli.client.render import elements_of, numbered

LISTENING = (b"subscribe", b"psubscribe", b"ssubscribe", b"monitor")


def live_line(message: object) -> str:
    """A message as one line: `news: "hello"`, `news (n*): "hello"`, or what else came."""
    parts = elements_of(message)
    if parts is None:
        return _shown(message) if not isinstance(message, str) else visible(message)
    kind = parts[0] if parts else b""
    if kind in (b"message", b"smessage") and len(parts) == 3:
        return f"{_name(parts[1])}: {_shown(parts[2])}"
    if kind == b"pmessage" and len(parts) == 4:
        return f"{_name(parts[2])} ({_name(parts[1])}): {_shown(parts[3])}"
    if len(parts) == 3 and isinstance(parts[2], int):
        return f"({_name(kind)} {_name(parts[1])}, {parts[2]} now)"
    return " ".join(map(_inner, parts))


def _inner(part: object) -> str:
    elements: Sequence[object] | None = elements_of(part)
    return _shown(part) if elements is None else "[" + " ".join(map(_inner, elements)) + "]"


def _name(value: object) -> str:
    return visible(value.decode("utf-8", "backslashreplace")) if isinstance(value, bytes) else _shown(value)


def _shown(value: object) -> str:
    return visible(numbered(value, b"", readable).decode("utf-8", "backslashreplace"))
