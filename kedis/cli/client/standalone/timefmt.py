"""Formatting of times and durations."""

from __future__ import annotations

import time


def now_ms() -> int:
    """The time of day in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def moment(at_ms: int) -> str:
    """A moment in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms / 1000))


def duration(milliseconds: int) -> str:
    """A span of time, roughly."""
    seconds = max(0, milliseconds) // 1000
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            rest = seconds % length * 60 // length if unit == "hour" else 0
            return f"{count} {unit}{'' if count == 1 else 's'}" + (f" {rest} minutes" if rest else "")
    return f"{seconds} second{'' if seconds == 1 else 's'}"
