"""The words of the differential tests: few keys, so that commands meet, and arguments right and wrong.

A *part* describes words: bytes stand for themselves, a tuple for any one of its elements, a function draws
from the source of randomness that it is given.  The first element of a tuple is the plainest: failing examples
shrink towards it.

Left out on purpose: times to live of a few milliseconds or seconds, because the two servers would not see them
end at the same command; -2^63+1 as a count of random elements and offsets of hundreds of megabytes, which
Redis takes literally.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Union

Words = list[bytes]
Draw = Callable[[Random], Words]
Part = Union[bytes, tuple["Part", ...], Draw]  # noqa: UP007 - the inner name is a string


def draw(part: Part, random: Random) -> Words:
    """The words that ``part`` gives this time."""
    if isinstance(part, bytes):
        return [part]
    if isinstance(part, tuple):
        return draw(random.choice(part), random)
    return part(random)


def form(*parts: Part) -> Draw:
    """The words of each part, in order."""

    def words(random: Random) -> Words:
        return [word for part in parts for word in draw(part, random)]

    return words


def some(*parts: Part, least: int = 1, most: int = 3) -> Draw:
    """The parts, repeated."""
    once = form(*parts)

    def words(random: Random) -> Words:
        return [word for _ in range(random.randint(least, most)) for word in once(random)]

    return words


def maybe(*parts: Part) -> Draw:
    """The parts, or nothing."""
    return some(*parts, least=0, most=1)


def counted(part: Part) -> Draw:
    """A number of keys and the keys; now and then the number is wrong."""

    def words(random: Random) -> Words:
        keys = some(part)(random)
        wrong = random.randint(0, 9) == 9
        return [
            random.choice((b"0", b"-1", b"2", b"x", b"9223372036854775807")) if wrong else b"%d" % len(keys),
            *keys,
        ]

    return words


def options(*parts: Part) -> Draw:
    """None, one or several of the given options, in any order; repeats may happen."""

    def words(random: Random) -> Words:
        return [
            word
            for _ in range(random.choice((0, 0, 1, 1, 2, 3)))
            for word in draw(random.choice(parts), random)
        ]

    return words


BINARY = b"\x00\xff\r\n"
LONG = b"long" * 20

STRING_KEYS = (b"str:1", b"str:2", b"str:3")
LIST_KEYS = (b"list:1", b"list:2", b"list:3")
SET_KEYS = (b"set:1", b"set:2", b"set:3")
HASH_KEYS = (b"hash:1", b"hash:2")
SORTED_KEYS = (b"zset:1", b"zset:2", b"zset:3")
# Only these have the same score throughout, which lexicographic ranges ask for; the last is always a string.
LEX_KEYS = (b"lex:1", b"lex:2", b"lex:none", b"lex:text")
ODD_KEYS = (b"gone", b"", BINARY)
STREAM_KEYS = (b"stream:1", b"stream:2", b"stream:3")
KEYS = STRING_KEYS + LIST_KEYS + SET_KEYS + HASH_KEYS + SORTED_KEYS + STREAM_KEYS + ODD_KEYS

# Mostly a key of the family's own, sometimes any.
STRING: Part = (STRING_KEYS, STRING_KEYS, STRING_KEYS, STRING_KEYS, STRING_KEYS, KEYS)
LIST: Part = (LIST_KEYS, LIST_KEYS, LIST_KEYS, LIST_KEYS, LIST_KEYS, KEYS)
SET: Part = (SET_KEYS, SET_KEYS, SET_KEYS, SET_KEYS, SET_KEYS, KEYS)
HASH: Part = (HASH_KEYS, HASH_KEYS, HASH_KEYS, HASH_KEYS, HASH_KEYS, KEYS)
SORTED: Part = (SORTED_KEYS, SORTED_KEYS, SORTED_KEYS, SORTED_KEYS, SORTED_KEYS, KEYS)
SORTED_OR_SET: Part = (SORTED_KEYS, SORTED_KEYS, SORTED_KEYS, SORTED_KEYS, SET_KEYS, KEYS)
ANY: Part = KEYS

MAX, MIN = b"9223372036854775807", b"-9223372036854775808"

#: What parsers stumble over.  None of it is a small number above zero.
HOSTILE = (
    b"",
    b" 12",
    b"12 ",
    b"+5",
    b"1_000",
    b"0x10",
    b"007",
    b"-0",
    b"0",
    b"-1",
    MAX,
    MIN,
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"9" * 400,
    b"1e400",
    b"nan",
    b"-nan",
    b"inf",
    b"-Infinity",
    b"1.5",
    b"1e-2",
    b"(",
    b"[",
    b"x",
    b"\xc2\xb2",
    b"1\x00",
    b"\n",
    BINARY,
    LONG,
)
#: Those that C reads as a number although Redis's commands do not.
MISSPELT = frozenset(word for word in HOSTILE if word[:4].strip(b" +\n")[:1].isdigit() and word != b"0")

MEMBER = (b"a", b"b", b"c", b"d", b"e", b"f", b"1", b"2", b"3", b"10", b"-7", b"", BINARY, LONG)
FIELD = (b"f1", b"f2", b"f3", b"f4", b"1", b"", BINARY)
VALUE = (
    b"a",
    b"hello world",
    b"",
    b"0",
    b"10",
    b"-3",
    b"1.5",
    MAX,
    MIN,
    b"3.0e3",
    BINARY,
    LONG,
    b"abcabcabd",
    *HOSTILE,
)
COUNT = (b"1", b"2", b"3", b"5", b"10", b"100", b"0", b"-1", b"-3", b"x", b"", MAX, MIN, b"1.0")
INDEX = (b"0", b"1", b"2", b"-1", b"-2", b"3", b"5", b"-5", b"100", b"-100", MAX, MIN, b"x", b"+1", b"(1")
DELTA = (
    b"1",
    b"2",
    b"-1",
    b"10",
    b"-5",
    b"0",
    MAX,
    MIN,
    b"9223372036854775808",
    b"x",
    b"1.5",
    b" 1",
    b"+1",
    b"01",
)
FLOAT = (
    *(
        b"1",
        b"2",
        b"0.5",
        b"-1.5",
        b"3.14159",
        b"0.1",
        b"0.2",
        b"1e3",
        b"1e20",
        b"-1e17",
        b"123456789012345678",
    ),
    *(
        b"0",
        b"-0",
        b"-0.0",
        b"1e-7",
        b"5e-324",
        b"1e308",
        b"1.7976931348623157e308",
        b"1e400",
        b"-1e400",
        b"1e-400",
    ),
    *(
        b"inf",
        b"-inf",
        b"+inf",
        b"nan",
        b"0x1p3",
        b"0x10",
        b".5",
        b"5.",
        b"+1.5",
        b" 1",
        b"1 ",
        b"1_0",
        b"x",
        b"",
        b"1e",
    ),
    *(
        b"4503599627370497",
        b"9007199254740993",
        b"1e21",
        b"1e22",
        b"0.30000000000000004",
        b"12345.678901234567",
    ),
)
SCORE = (b"1", b"2", b"3", b"4", b"5", b"2.5", b"-1", b"0", *FLOAT)
SCORE_BOUND = (
    *(
        b"-inf",
        b"+inf",
        b"1",
        b"2",
        b"3",
        b"(1",
        b"(2",
        b"(3",
        b"2.5",
        b"-1",
        b"0",
        b"(0",
        b"inf",
        b"(inf",
        b"(-inf",
    ),
    *(b"x", b"", b"(", b"((1", b"[1", b"nan", b"(nan", b"1e400", b" 1", b"0x3"),
)
LEX_BOUND = (
    b"-",
    b"+",
    b"[a",
    b"(a",
    b"[c",
    b"(c",
    b"[z",
    b"[",
    b"(",
    b"a",
    b"",
    b"--",
    b"+x",
    b"[\x00",
    b"(\xff",
)
CURSOR = (
    b"0",
    b"0",
    b"0",
    b"0",
    b"0",
    b"0",
    b"1",
    b"7",
    b"x",
    b"",
    b"-1",
    b"18446744073709551615",
    b"+0",
    b" 0",
    b"00",
)
PATTERN = (
    b"*",
    b"?",
    b"*:1",
    b"[a-c]",
    b"[^a]",
    b"s*",
    b"\\*",
    b"",
    b"[",
    b"*:[13]*",
    b"f?",
    b"zset:\\1",
    b"a**b",
)
DATABASE = (b"0", b"1", b"0", b"1", b"2", b"15", b"16", b"-1", b"x", b"", MAX)
OPTION_WORD = (
    *(
        b"NX",
        b"XX",
        b"GT",
        b"LT",
        b"CH",
        b"INCR",
        b"GET",
        b"KEEPTTL",
        b"EX",
        b"PX",
        b"LIMIT",
        b"COUNT",
        b"MATCH",
        b"TYPE",
    ),
    *(
        b"WITHSCORES",
        b"WITHVALUES",
        b"BYSCORE",
        b"BYLEX",
        b"REV",
        b"WEIGHTS",
        b"AGGREGATE",
        b"REPLACE",
        b"LEFT",
        b"MIN",
    ),
    *(
        b"DB",
        b"PERSIST",
        b"RANK",
        b"MAXLEN",
        b"IDX",
        b"LEN",
        b"BEFORE",
        b"ASYNC",
        b"nx",
        b"withscores",
        b"limit",
    ),
)
# Moments far in the future or past, in s and in ms; spans far from any boundary.
FAR_S = (b"4000000000", b"4000000100", b"9000000000")
FAR_MS = (b"4000000000000", b"4000000100000", b"9000000000000")
BAD_TIME = (b"0", b"-1", b"x", b"", MAX, MIN, b"9223372036854775", b"-9223372036854776", b"1.5", b"+9", b" 9")
AT_S: Part = (FAR_S, FAR_S, FAR_S, b"1", BAD_TIME)
AT_MS: Part = (FAR_MS, FAR_MS, FAR_MS, b"1", BAD_TIME)


def _seconds(random: Random) -> Words:
    """A time span that hardly comes twice: of two equal ones, the clock decides which is GT."""
    return [b"%d" % (1000 * random.randint(1, 100_000))]


def _milliseconds(random: Random) -> Words:
    """The same, and never near a whole span in seconds."""
    return [b"%d" % (1_000_000 * random.randint(1, 100_000) + 500_000)]


IN_S: Part = (_seconds, _seconds, BAD_TIME)
IN_MS: Part = (_milliseconds, _milliseconds, BAD_TIME)
LIMIT = form((b"LIMIT", b"limit"), INDEX, INDEX)
