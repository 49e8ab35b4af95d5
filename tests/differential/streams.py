"""The streams' part of the grammar: ids near each other, few groups and consumers, small nodes.

An id of ``*`` is not drawn, because the clocks are two.
"""

from __future__ import annotations

from random import Random

from tests.differential import vocabulary as v
from tests.differential.vocabulary import Part, Words, form, maybe, options, some

#: The settings of both servers: nodes so small that their borders are met all the time.
NODES = {b"stream-node-max-entries": b"3", b"stream-node-max-bytes": b"150"}

_KEYS = v.STREAM_KEYS
STREAM: Part = (_KEYS, _KEYS, _KEYS, _KEYS, _KEYS, _KEYS, v.KEYS)
_TOP = b"18446744073709551615"


def _near(random: Random) -> Words:
    """An id of which others are near."""
    return [b"%d-%d" % (random.randint(1, 12), random.choice((0, 1, 1, 2, 3)))]


_ODD: Part = (
    *(b"0", b"0-0", b"0-1", b"5", b"7", b"12", b"-", b"+", b"$", b">", b"5-*", b"9-*", b"0-*", _TOP, b"5-"),
    *(_TOP + b"-" + _TOP, _TOP + b"-*", b"18446744073709551616", b"9223372036854775808-3", b"+5-1", b"05-1"),
    *(
        b"5--1",
        b"5--01",
        b" 5-1",
        b"5 -1",
        b"5- 1",
        b"-5",
        b"5-1-1",
        b"5-x",
        b"x",
        b"(5",
        b"5\x00-x",
        b"1_0",
        b"",
    ),
    *(b"5-" + b"0" * 123 + b"1", b"5-" + b"0" * 140 + b"1"),
)
ID: Part = (_near, _near, _near, _near, _near, _near, _ODD)
BOUND: Part = (
    *(
        b"-",
        b"+",
        _near,
        _near,
        lambda random: [b"(" + _near(random)[0]],
        b"3",
        b"(3",
        b"(-",
        b"(",
        b"(0",
        b"(0-0",
    ),
    *(b"(" + _TOP + b"-" + _TOP, b"(" + _TOP, b"0", _ODD),
)


def _rising(random: Random) -> Words:
    """An id that is often above those that were added before."""
    return [b"%d-%d" % (random.choice((1, 2, 3, 5, 8, 13, 20, 30, 50, 80)), random.randint(0, 300))]


_NEW_ID: Part = (_rising, _rising, _rising, _rising, b"13-*", b"50-*", b"80-*", ID)
_LENGTH: Part = (b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"10", b"-1", b"x", v.MAX)
_LIMIT: Part = form(b"LIMIT", (b"0", b"1", b"2", b"3", b"4", b"6", b"100", b"-1", b"x", v.MAX))
_OPERATOR: Part = (form(), b"~", b"~", b"=")
_TRIM: Part = (
    form(b"MAXLEN", _OPERATOR, _LENGTH),
    form(b"MAXLEN", b"~", _LENGTH, maybe(_LIMIT)),
    form(b"MINID", _OPERATOR, (_rising, ID)),
    form(b"minid", b"~", (_rising, ID), maybe(_LIMIT)),
    form(b"maxlen", _OPERATOR, _LENGTH, maybe(_LIMIT)),
)
_FIELDS: Part = (
    form(b"f", v.VALUE),
    form(b"f", v.VALUE),
    form(b"f", v.VALUE, b"g", v.VALUE),
    form(b"f", v.VALUE, b"g", v.VALUE),
    some(v.FIELD, v.VALUE),
)
_GROUP: Part = (b"g1", b"g1", b"g1", b"g2", b"g2", b"", b"nogroup")
_CONSUMER: Part = (b"alice", b"alice", b"bob", b"carol", b"")
_IDLE: Part = (b"0", b"0", b"0", b"100000000", b"-1", b"x", v.MAX)
_COUNT: Part = form(b"COUNT", (b"1", b"2", b"3", b"10", b"0", b"-1", b"x", v.MAX))
_BLOCK: Part = form(b"BLOCK", (b"0", b"1", b"10", b"0", b"-1", b"x", b"1.5"))
_READ: Part = form(b"ENTRIESREAD", (b"0", b"1", b"3", b"100", b"-1", b"-2", b"x"))


def _streams(*ids: Part) -> Part:
    """STREAMS with one to three keys and as many ids; now and then one is missing."""

    def words(random: Random) -> Words:
        count = random.randint(1, 3)
        keys = [v.draw(STREAM, random)[0] for _ in range(count)]
        found = [v.draw(ids, random)[0] for _ in range(count)]
        return [b"STREAMS", *keys, *(found[1:] if random.randint(0, 20) == 20 else found)]

    return words


STREAMS: dict[str, Part] = {
    "xadd": form(STREAM, maybe((_TRIM, b"NOMKSTREAM", _TRIM)), _NEW_ID, _FIELDS),
    "xtrim": form(STREAM, _TRIM),
    "xdel": form(STREAM, some((_rising, _rising, ID, b"*"))),
    "xlen": STREAM,
    "xrange": form(STREAM, BOUND, BOUND, options(_COUNT)),
    "xrevrange": form(STREAM, BOUND, BOUND, options(_COUNT)),
    "xsetid": form(
        STREAM,
        (_rising, ID),
        options(
            form(b"ENTRIESADDED", (b"0", b"5", b"100", b"-1", b"x")), form(b"MAXDELETEDID", (_rising, ID))
        ),
    ),
    "xread": form(options(_COUNT, _BLOCK), _streams(_near, b"0", b"$", ID)),
    "xreadgroup": form(
        form(b"GROUP", _GROUP, _CONSUMER),
        options(_COUNT, _COUNT, _BLOCK, b"NOACK"),
        _streams(b">", b">", b">", b"0", ID),
    ),
    "xack": form(STREAM, _GROUP, some((_rising, ID))),
    "xpending": form(
        STREAM,
        _GROUP,
        maybe(
            maybe(b"IDLE", _IDLE),
            (b"-", BOUND),
            (b"+", BOUND),
            (b"1", b"2", b"10", b"-1", b"x"),
            maybe(_CONSUMER),
        ),
    ),
    "xclaim": form(
        form(STREAM, _GROUP, _CONSUMER, _IDLE, some((_rising, _near, ID), most=6)),
        options(
            *(b"FORCE", b"JUSTID", b"FORCE", form(b"IDLE", (b"0", b"200000000", b"-5", v.MAX, v.MIN, b"x"))),
            form(b"TIME", (b"1000", b"0", b"-1", v.MAX, b"x")),
            form(b"RETRYCOUNT", (b"0", b"7", b"-1", b"x")),
            form(b"LASTID", (_rising, ID)),
        ),
    ),
    "xautoclaim": form(
        form(STREAM, _GROUP, _CONSUMER, _IDLE, (b"0", b"-", BOUND)),
        options(b"JUSTID", form(b"COUNT", (b"1", b"2", b"3", b"100", b"0", b"-1", b"x", v.MAX))),
    ),
    "xgroup": (b"NOSUCH", form()),
    "xgroup|create": form(
        STREAM, _GROUP, (b"0", b"0", b"$", ID), options(b"MKSTREAM", b"MKSTREAM", b"mkstream", _READ)
    ),
    "xgroup|setid": form(STREAM, _GROUP, (b"0", b"$", ID), options(_READ)),
    "xgroup|destroy": form(STREAM, _GROUP),
    "xgroup|createconsumer": form(STREAM, _GROUP, _CONSUMER),
    "xgroup|delconsumer": form(STREAM, _GROUP, _CONSUMER),
    "xinfo": (b"NOSUCH", form()),
    "xinfo|stream": form(STREAM, maybe((b"FULL", b"full", b"x"), maybe(_COUNT))),
    "xinfo|groups": STREAM,
    "xinfo|consumers": form(STREAM, _GROUP),
}

#: Streams with groups, to begin with.
FILLS = (
    [b"XADD", b"stream:1", b"5-1", b"f", b"1", b"g", b"2"],
    [b"XADD", b"stream:2", _TOP + b"-5", b"f", b"x"],
    [b"XGROUP", b"CREATE", b"stream:1", b"g1", b"0", b"MKSTREAM"],
    [b"XGROUP", b"CREATE", b"stream:2", b"g1", b"0", b"MKSTREAM"],
    [b"XGROUP", b"CREATE", b"stream:3", b"g2", b"0", b"MKSTREAM", b"ENTRIESREAD", b"2"],
)
