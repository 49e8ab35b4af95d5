"""Glob patterns as Redis matches them, in bounded time.

`*` any run of bytes, `?` one byte, `[abc]`, `[^abc]`, `[a-z]` one byte of a set (a range may be written
backwards), `\\x` the byte x itself, inside brackets too. The odd corners are Redis's:

- a bracket that is never closed ends with the pattern; `[]` matches nothing and `[^]` any one byte;
- in `[a-]` the dash makes a range up to the bracket, which therefore does not close;
- bytes from 128 on come before 0 in a range, since Redis compares signed characters;
- a backslash at the very end stands for itself;
- an empty string is matched by the empty pattern only, not by `**`. A lone `*` matches it, which is how KEYS
  and SCAN treat that pattern.

The stars cut a pattern into segments of fixed length. The first is anchored at the start, the last at the
end, and taking the leftmost place for each in between is always right, so every segment is searched for
once: no backtracking, at worst len(pattern) * len(string) steps. A literal segment is found by
`bytes.find`, another by a regular expression that consists of one class per byte without repetition.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby

Matcher = Callable[[bytes], bool]
# Start of the segment at or after `start`, ending at or before `end`; -1 if there is none.
Finder = Callable[[bytes, int, int], int]

_ANY = frozenset(range(256))
#: Maximum length of a pattern with special characters, in bytes; a longer one matches nothing, because compiling takes
#: 10 us a byte at worst. Redis likewise lets patterns with more than 1,000 stars match nothing.
LONGEST_PATTERN = 4096
_META = re.compile(rb"[*?\[\\]")


def compile_glob(pattern: bytes, nocase: bool = False) -> Matcher:
    """Return the predicate "this string matches `pattern`"; `nocase` ignores the case of ASCII letters.

    Compiling is O(len(pattern)); a match at worst O(len(pattern) * len(string)). Every pattern is valid, but see
    `LONGEST_PATTERN`.
    """
    if pattern == b"*":
        return lambda string: True
    if not nocase:
        if not _META.search(pattern):
            return pattern.__eq__
        prefix = prefix_of(pattern)
        if prefix:
            return lambda string: string.startswith(prefix)
    if len(pattern) > LONGEST_PATTERN:
        return lambda string: False
    segments = _segments(pattern, nocase)
    if len(segments) == 1:
        return _fixed(segments[0])
    return _starred(segments)


def prefix_of(pattern: bytes) -> bytes | None:
    """``shop:`` for the pattern ``shop:*``, which matches what begins so; None for a pattern of another form."""
    prefix = pattern[:-1]
    return prefix if pattern.endswith(b"*") and not _META.search(prefix) else None


def _fixed(segment: list[frozenset[int]]) -> Matcher:
    """A matcher for a pattern without a star, which matches strings of its own length."""
    length = len(segment)
    find = _finder(segment)
    return lambda string: len(string) == length and find(string, 0, length) == 0


def _starred(segments: list[list[frozenset[int]]]) -> Matcher:
    """A matcher for segments separated by stars; an end segment is empty where the pattern has a star there."""
    head, *middle, tail = segments
    head_length, tail_length = len(head), len(tail)
    shortest = max(1, sum(map(len, segments)))
    find_head, find_tail = _finder(head), _finder(tail)
    inner = [(_finder(segment), len(segment)) for segment in middle if segment]

    def matches(string: bytes) -> bool:
        if len(string) < shortest:
            return False
        tail_at = len(string) - tail_length
        if find_head(string, 0, head_length) != 0 or find_tail(string, tail_at, len(string)) != tail_at:
            return False
        position = head_length
        for find, length in inner:
            position = find(string, position, tail_at)
            if position < 0:
                return False
            position += length
        return True

    return matches


def _finder(segment: list[frozenset[int]]) -> Finder:
    """A finder for a segment, given as the set of bytes allowed at each place."""
    if all(len(allowed) == 1 for allowed in segment):
        literal = bytes(next(iter(allowed)) for allowed in segment)
        return lambda string, start, end: string.find(literal, start, end)
    search = _expression(segment).search

    def find(string: bytes, start: int, end: int) -> int:
        found = search(string, start, end)
        return -1 if found is None else found.start()

    return find


def _expression(segment: list[frozenset[int]]) -> re.Pattern[bytes]:
    """One class per place, `{n}` for n equal places: it can match in one way only."""
    parts = []
    for allowed, run in groupby(segment):
        repeats = sum(1 for _ in run)
        times = b"{%d}" % repeats if repeats > 1 else b""
        parts.append(_class(allowed) + times)
    return re.compile(b"".join(parts), re.DOTALL)


@lru_cache(256)
def _class(allowed: frozenset[int]) -> bytes:
    if allowed == _ANY:
        return b"."
    if not allowed:
        return rb"[^\x00-\xff]"
    ranges = []
    for first in sorted(byte for byte in allowed if byte - 1 not in allowed):
        last = next(byte for byte in range(first, 256) if byte + 1 not in allowed)
        ranges.append(b"\\x%02x-\\x%02x" % (first, last))
    return b"[" + b"".join(ranges) + b"]"


def _segments(pattern: bytes, nocase: bool) -> list[list[frozenset[int]]]:
    """Cut at the stars; each segment is a list of the sets of bytes allowed at its places."""
    segments: list[list[frozenset[int]]] = [[]]
    position = 0
    while position < len(pattern):
        byte = pattern[position]
        position += 1
        if byte == 0x2A:  # *
            segments.append([])
            continue
        if byte == 0x3F:  # ?
            allowed = _ANY
        elif byte == 0x5B:  # [
            allowed, position = _bracket(pattern, position, nocase)
        else:
            if byte == 0x5C and position < len(pattern):  # backslash
                byte = pattern[position]
                position += 1
            allowed = frozenset(_cases(byte) if nocase else (byte,))
        segments[-1].append(allowed)
    return segments


def _bracket(pattern: bytes, position: int, nocase: bool) -> tuple[frozenset[int], int]:
    """The set of a bracket whose content begins at `position`, and the position after it."""
    negated = pattern[position : position + 1] == b"^"
    position += negated
    allowed: set[int] = set()
    while position < len(pattern):
        byte = pattern[position]
        left = len(pattern) - position
        if byte == 0x5C and left >= 2:
            allowed.add(pattern[position + 1])  # always case-sensitive
            position += 2
        elif byte == 0x5D:  # ]
            position += 1
            break
        elif left >= 3 and pattern[position + 1] == 0x2D:  # -
            allowed.update(_range(byte, pattern[position + 2], nocase))
            position += 3
        else:
            allowed.update(_cases(byte) if nocase else (byte,))
            position += 1
    return (_ANY - allowed if negated else frozenset(allowed)), position


def _range(first: int, last: int, nocase: bool) -> set[int]:
    low, high = sorted((_signed(first), _signed(last)))
    if nocase:
        # As in Redis, the ends are ordered first and lower-cased after.
        low, high = _lower(low), _lower(high)
        return {byte for byte in range(256) if low <= _signed(_lower(byte)) <= high}
    return {byte & 0xFF for byte in range(low, high + 1)}


def _signed(byte: int) -> int:
    """The byte as a signed `char`, as in Redis, where 128 to 255 come before 0."""
    return byte - 256 if byte > 127 else byte


def _lower(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


def _cases(byte: int) -> set[int]:
    return {byte, _lower(byte), byte - 32 if 97 <= byte <= 122 else byte}
