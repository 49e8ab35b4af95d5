"""Stream ids in arguments: ``ms-sequence``, ``ms`` alone, the ends ``-`` and ``+``, and exclusive bounds ``(id``.

Simplified in nothing: each half is read as Redis reads it, by a canonical number or else by the rules of C's
``strtoull``, which skips white space, takes a sign and leading zeros, and counts ``-0...`` back from 2**64.
"""

from __future__ import annotations

import re

from kedis.commands.parsing.numbers import INT64_MIN, UINT64_MAX
from kedis.errors import CommandError
from kedis.errors.stream_errors import INVALID_END, INVALID_ID, INVALID_START
from kedis.structures.stream_id import HALF_MAX, ID_MAX, SEQUENCE_BITS

#: Longer arguments are refused unread.
_LONGEST = 127
_LAX = re.compile(rb"[ \t\n\v\f\r]*+([+-]?)([0-9]++)")


def parse_id(raw: bytes, missing_sequence: int = 0, strict: bool = True) -> int:
    """The id that `raw` spells.

    Args:
        missing_sequence: the sequence number of an id that has only a time.
        strict: whether ``-`` and ``+`` are refused; otherwise they are the lowest and the highest id.

    Raises CommandError. O(1): a long argument is refused unread.
    """
    if len(raw) < 40:  # nearly all
        ms, _, sequence = raw.partition(b"-")
        if ms.isdigit() and sequence.isdigit() and len(ms) < 20 and len(sequence) < 20:
            return int(ms) << SEQUENCE_BITS | int(sequence)
    if len(raw) > _LONGEST:
        raise CommandError(INVALID_ID)
    if not strict and raw in (b"-", b"+"):
        return 0 if raw == b"-" else ID_MAX
    ms, dash, sequence = raw.partition(b"\0")[0].partition(b"-")
    high = _half(ms)
    low = _half(sequence) if dash else missing_sequence
    return high << SEQUENCE_BITS | low


def parse_time_of_partial(raw: bytes) -> int | None:
    """The time of ``ms-*``, the id whose sequence number XADD chooses; None for any other form. Raises CommandError."""
    ms, _, sequence = raw.partition(b"\0")[0].partition(b"-")
    if sequence != b"*" or len(raw) > _LONGEST:
        return None
    return _half(ms)


def _half(text: bytes) -> int:
    if len(text) < 20 and text.isdigit():
        return int(text)
    match = _LAX.fullmatch(text)
    if match is None or (text[0] == 45 and text[1] != 48 and int(text) >= INT64_MIN):
        raise CommandError(INVALID_ID)
    value = int(match[2])
    if value > UINT64_MAX:
        raise CommandError(INVALID_ID)
    return -value & UINT64_MAX if match[1] == b"-" else value


def parse_start(raw: bytes) -> int:
    """The lower bound of an interval as an inclusive id. Raises CommandError."""
    if len(raw) > 1 and raw[0] == 40:  # (
        stream_id = parse_id(raw[1:])
        if stream_id == ID_MAX:
            raise CommandError(INVALID_START)
        return stream_id + 1
    return parse_id(raw, strict=False)


def parse_end(raw: bytes) -> int:
    """The upper bound of an interval as an inclusive id. Raises CommandError."""
    if len(raw) > 1 and raw[0] == 40:  # (
        stream_id = parse_id(raw[1:], HALF_MAX)
        if stream_id == 0:
            raise CommandError(INVALID_END)
        return stream_id - 1
    return parse_id(raw, HALF_MAX, strict=False)
