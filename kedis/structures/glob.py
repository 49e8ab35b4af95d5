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
Where pattern and string are short, one regular expression does all of that at once, in a quarter of the time.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby

Matcher = Callable[[bytes], bool]
#: What stands between two stars: a literal, or an expression. A pattern keeps nothing else, 8 bytes for a star.
Part = bytes | re.Pattern[bytes]

_ANY = frozenset(range(256))
_ONE = tuple(frozenset((byte,)) for byte in range(256))
#: Maximum length of a pattern with special characters, in bytes; a longer one matches nothing, because compiling takes
#: 10 us a byte at worst. Redis likewise lets patterns with more than 1,000 stars match nothing.
LONGEST_PATTERN = 4096
#: Lengths up to which one regular expression is quicker than a search for each segment.
_SHORT_PATTERN, _SHORT_STRING = 64, 512
#: It takes 100 us to make, so that patterns that are hardly used do without.
_USES_BEFORE_COMPILING = 100
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
    segments = segments_of(pattern, nocase)
    if len(segments) == 1:
        return _fixed(segments[0])
    if len(pattern) <= _SHORT_PATTERN:
        return _starred_and_short(segments)
    return _starred(segments)


def prefix_of(pattern: bytes) -> bytes | None:
    """``shop:`` for the pattern ``shop:*``, which matches what begins so; None for a pattern of another form."""
    prefix = pattern[:-1]
    return prefix if pattern.endswith(b"*") and not _META.search(prefix) else None


def _fixed(segment: list[frozenset[int]]) -> Matcher:
    """A matcher for a pattern without a star, which matches strings of its own length."""
    length, part = len(segment), _part(segment)
    return lambda string: len(string) == length and _stands_at(part, string, 0)


def _starred(segments: list[list[frozenset[int]]]) -> Matcher:
    """A matcher for segments separated by stars; an end segment is empty where the pattern has a star there."""
    tail_length = len(segments[-1])
    shortest = max(1, sum(map(len, segments)))
    head, *middle, tail = map(_part, segments)
    head_length = len(segments[0])
    inner = [part for part in middle if part]

    def matches(string: bytes) -> bool:
        if len(string) < shortest:
            return False
        tail_at = len(string) - tail_length
        if not (_stands_at(head, string, 0) and _stands_at(tail, string, tail_at)):
            return False
        position = head_length
        for part in inner:
            position = _end_of(part, string, position, tail_at)
            if position < 0:
                return False
        return True

    return matches


def _starred_and_short(segments: list[list[frozenset[int]]]) -> Matcher:
    """The same as :func:`_starred`, quicker for short strings once it has been used for some."""
    matches_long = _starred(segments)
    short: Callable[[bytes], object] | None = None
    left = _USES_BEFORE_COMPILING

    def matches(string: bytes) -> bool:
        nonlocal short, left
        if short is not None and 0 < len(string) <= _SHORT_STRING:
            return short(string) is not None
        left -= 1
        if not left:
            short = re.compile(_starred_expression(segments), re.DOTALL).match
        return matches_long(string)

    return matches


def _starred_expression(segments: list[list[frozenset[int]]]) -> bytes:
    """For strings that are not empty. An atomic group is not tried again once it has matched: its place stays."""
    head, *middle, tail = segments
    inner = b"".join(b"(?>.*?%b)" % _classes(segment) for segment in middle if segment)
    end = rb"(?>.{%d,})\Z(?<=%b)" % (len(tail), _classes(tail)) if tail else b""
    return _classes(head) + inner + end


def _part(segment: list[frozenset[int]]) -> Part:
    """A segment as it is searched for, given as the set of bytes allowed at each place."""
    if all(len(allowed) == 1 for allowed in segment):
        return bytes([byte for (byte,) in segment])
    return re.compile(_classes(segment), re.DOTALL)


def _stands_at(part: Part, string: bytes, position: int) -> bool:
    if type(part) is bytes:
        return string.startswith(part, position)
    return part.match(string, position) is not None  # type: ignore[union-attr]


def _end_of(part: Part, string: bytes, start: int, end: int) -> int:
    """Where the leftmost place of ``part`` within ``string[start:end]`` ends; -1 where there is none."""
    if type(part) is bytes:
        found = string.find(part, start, end)
        return found + len(part) if found >= 0 else -1
    match = part.search(string, start, end)  # type: ignore[union-attr]
    return match.end() if match is not None else -1


def _classes(segment: list[frozenset[int]]) -> bytes:
    """An expression of one class per place, `{n}` for n equal places: it can match in one way only."""
    parts = []
    for allowed, run in groupby(segment):
        repeats = sum(1 for _ in run)
        times = b"{%d}" % repeats if repeats > 1 else b""
        parts.append(_class(allowed) + times)
    return b"".join(parts)


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


def segments_of(pattern: bytes, nocase: bool = False) -> list[list[frozenset[int]]]:
    """Cut at the stars; each segment is a list of the sets of bytes allowed at its places. O(len(pattern))."""
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
            allowed = frozenset(_cases(byte)) if nocase else _ONE[byte]
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
