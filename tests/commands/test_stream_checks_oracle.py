"""The order in which the stream commands check their arguments and their key, as real Redis does it.

Each form is the product of its slots: keys that are absent, of another type, empty, filled or at the last id, with good
and bad words in every place.  Of several faults the same must be told, and a call that is refused changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from tests.commands.agreement import make_client
from tests.commands.driver import Client, ErrorReply
from tests.oracle import Oracle, oracle, oracle3

__all__ = ["oracle", "oracle3"]

_TOP = "18446744073709551615"
FILL = f"""
SET string x
XADD empty 5-0 a b
XDEL empty 5-0
XADD plain 5-0 a b
XADD s 5-0 a b
XADD s 6-0 a b
XADD s 6-1 a b
XGROUP CREATE s g 0
XREADGROUP GROUP g c COUNT 2 STREAMS s >
XDEL s 5-0
XADD top {_TOP}-{_TOP} a b
XGROUP CREATE top g 0
"""
KEYS = ("none", "string", "empty", "plain", "s", "top")
GROUPS = ("g", "nogroup")
#: A form's slots; an alternative is a line of words.
FORMS: dict[str, Sequence[Sequence[str]]] = {
    "XADD": (
        KEYS,
        (
            *(
                "",
                "NOMKSTREAM",
                "MAXLEN 5",
                "MAXLEN x",
                "MAXLEN -1",
                "MAXLEN ~ 5 LIMIT -1",
                "MAXLEN 5 LIMIT 1",
            ),
            *(
                "MAXLEN ~ 1 LIMIT 0",
                "LIMIT 1",
                "LIMIT x",
                "MAXLEN 1 MINID 1",
                "MINID x",
                "MAXLEN",
                "MAXLEN ~",
            ),
            *("NOMKSTREAM MAXLEN = 1", "FOO"),
        ),
        ("*", "0", "0-*", "0-0", "x", "x-*", "1-0", "99-1", f"{_TOP}-*", f"{_TOP}-{_TOP}", "-", "6-*"),
        ("", "a", "a b", "a b c"),
    ),
    "XTRIM": (
        KEYS,
        (
            *(
                "MAXLEN",
                "MAXLEN 1",
                "MAXLEN x",
                "MAXLEN -1",
                "MAXLEN ~ 1",
                "MAXLEN ~",
                "MAXLEN = 0",
                "MINID 6",
            ),
            *("MINID x", "MINID ~ 6", "MINID -", "MAXLEN 1 MINID 1", "MINID 1 MAXLEN 1", "FOO", "NOMKSTREAM"),
        ),
        ("", "LIMIT", "LIMIT x", "LIMIT -1", "LIMIT 0", "LIMIT 5", "LIMIT 5 FOO", "x"),
    ),
    "XDEL": (KEYS, ("x", "6-0", "6-0 x", "x 6-0", "-", "6-0 6-0", "99")),
    "XSETID": (
        KEYS,
        ("x", "0", "5", "6-1", "99", "-", f"{_TOP}-{_TOP}"),
        (
            *("", "ENTRIESADDED", "ENTRIESADDED x", "ENTRIESADDED -1", "ENTRIESADDED 0", "ENTRIESADDED 9"),
            *("MAXDELETEDID", "MAXDELETEDID x", "MAXDELETEDID 1", "MAXDELETEDID 0", "MAXDELETEDID 100"),
            *("ENTRIESADDED 0 MAXDELETEDID 100", "MAXDELETEDID 100 ENTRIESADDED x", "FOO", "FOO 1"),
            "ENTRIESADDED 1 ENTRIESADDED 9",
        ),
    ),
    "XLEN": (KEYS, ("", "x")),
    "XRANGE": (
        KEYS,
        ("-", "x", "(x", f"({_TOP}-{_TOP}", "6", "(", "+"),
        ("+", "x", "(0-0", "(-", "6", "-"),
        ("", "COUNT", "COUNT x", "COUNT 0", "COUNT -1", "COUNT 1", "FOO 1", "COUNT 0 COUNT 1", "COUNT 1 x"),
    ),
    "XREVRANGE": (
        KEYS,
        ("+", "x", "(x", "(0-0", "6"),
        ("-", "x", f"({_TOP}-{_TOP}", "6"),
        ("", "COUNT x", "COUNT 0", "COUNT 1", "FOO 1"),
    ),
    "XREAD": (
        (
            *(
                "",
                "COUNT",
                "COUNT x",
                "COUNT 0",
                "COUNT -1",
                "COUNT 1",
                "GROUP g c",
                "GROUP g",
                "NOACK",
                "FOO",
            ),
            *("BLOCK", "BLOCK x", "BLOCK -1", "BLOCK -1 COUNT x", "COUNT 1 COUNT 2"),
        ),
        ("STREAMS", ""),
        (
            *(f"{key} {start}" for key in KEYS for start in ("0", "$", ">", "x", "+", "5")),
            *("", "s", "s plain 0", "s plain 0 0", "s string 0 0", "string s 0 x", "s string x 0", "s s x >"),
            *("none string 0 0", "none string > x", "string none 0 0 0 0", "s plain $ x"),
        ),
    ),
    "XREADGROUP": (
        (
            *("GROUP g c", "GROUP g", "GROUP nogroup c", "", "GROUP g c NOACK", "GROUP g c COUNT x"),
            *("GROUP g c BLOCK x", "GROUP g c BLOCK -1", "GROUP g c COUNT -1", "NOACK", "COUNT 1", "FOO"),
            *("GROUP g c GROUP nogroup d", "GROUP g new"),
        ),
        ("STREAMS", ""),
        (
            *(f"{key} {start}" for key in KEYS for start in ("0", "$", ">", "x", "+", "5")),
            *(
                "",
                "s",
                "s top > >",
                "s none > >",
                "s plain > >",
                "s plain x >",
                "s string > >",
                "string s > x",
            ),
            *("s string x >", "top s > $", "plain s > x", "none string > x", "s top 0 0 0"),
        ),
    ),
    "XGROUP CREATE": (
        KEYS,
        ("g", "new"),
        ("0", "$", "x", "-", "+", ""),
        (
            *(
                "",
                "MKSTREAM",
                "ENTRIESREAD",
                "ENTRIESREAD x",
                "ENTRIESREAD -2",
                "ENTRIESREAD -1",
                "ENTRIESREAD 3",
            ),
            *(
                "FOO",
                "MKSTREAM ENTRIESREAD x",
                "MKSTREAM MKSTREAM MKSTREAM MKSTREAM",
                "ENTRIESREAD 3 MKSTREAM x",
            ),
        ),
    ),
    "XGROUP SETID": (
        KEYS,
        GROUPS,
        ("0", "$", "x", "-", "+", ""),
        (
            *("", "MKSTREAM", "ENTRIESREAD", "ENTRIESREAD x", "ENTRIESREAD -2", "ENTRIESREAD 3", "FOO"),
            *("ENTRIESREAD 3 ENTRIESREAD 4", "ENTRIESREAD 3 ENTRIESREAD x"),
        ),
    ),
    "XGROUP DESTROY": (KEYS, GROUPS, ("", "x")),
    "XGROUP CREATECONSUMER": (KEYS, GROUPS, ("c", "new", "", "c x")),
    "XGROUP DELCONSUMER": (KEYS, GROUPS, ("c", "new", "", "c x")),
    "XACK": (KEYS, GROUPS, ("", "x", "5-0", "5-0 x", "x 5-0", "-", "6-0 6-0")),
    "XPENDING": (
        KEYS,
        GROUPS,
        ("", "IDLE", "IDLE x", "IDLE 0", "IDLE -1", "FOO"),
        ("", "-", "- +", "- + 10", "x + 10", "- x 10", "- + x", "- + -1", f"({_TOP}-{_TOP} + 9", "- (0-0 9"),
        ("", "c", "nobody", "c x"),
    ),
    "XCLAIM": (
        KEYS,
        GROUPS,
        ("c", "new"),
        ("x", "0", "-1", "99999999"),
        ("5-0", "6-0", "x", "6-0 5-0", "6-0 x", "99-0", ""),
        (
            *(
                "",
                "IDLE",
                "IDLE x",
                "IDLE -5",
                "TIME x",
                "RETRYCOUNT x",
                "RETRYCOUNT -1",
                "FORCE",
                "JUSTID",
                "FOO",
            ),
            *("LASTID", "LASTID x", "LASTID 9", "FORCE JUSTID LASTID x", "FOO 1", "RETRYCOUNT 3 FORCE"),
        ),
    ),
    "XAUTOCLAIM": (
        KEYS,
        GROUPS,
        ("c", "new"),
        ("x", "0", "-1", "99999999"),
        ("0", "x", "-", f"({_TOP}-{_TOP}", "(5-0", ""),
        (
            "",
            "COUNT",
            "COUNT x",
            "COUNT 0",
            "COUNT 1",
            "COUNT 576460752303423488",
            "JUSTID",
            "FOO",
            "COUNT 1 x",
        ),
    ),
    "XINFO STREAM": (
        KEYS,
        (
            "",
            "FULL",
            "FOO",
            "FULL COUNT",
            "FULL COUNT x",
            "FULL COUNT 1",
            "FULL FOO 1",
            "FULL COUNT 1 x",
            "COUNT 1",
        ),
    ),
    "XINFO GROUPS": (KEYS, ("", "x")),
    "XINFO CONSUMERS": (KEYS, ("", "g", "nogroup", "g x")),
    # HELP alone is in words of our own.
    "XGROUP": (("FOO", "HELP x", "CREATE", "SETID s", ""), ("", "s", "string g 0")),
    "XINFO": (("FOO", "HELP x", "STREAM", "GROUPS", "CONSUMERS", ""), ("", "s", "string g 0")),
}
_MOMENT = re.compile(r"(?<![-\w'])\d{4,}(?![-\w'])|(?<=', )\d+(?=, 1\])|(?<='idle'[,:] )\d+")
#: Forms whose replies the protocols tell in other ways.
_TOLD_OTHERWISE = ("XREAD", "XREADGROUP", "XPENDING", "XINFO STREAM", "XINFO GROUPS", "XINFO CONSUMERS")


def fill(*servers: Client | Oracle) -> None:
    """Make the data anew."""
    for server in servers:
        for line in ("FLUSHALL", *FILL.strip().splitlines()):
            assert not isinstance(server.call(*line.split()), ErrorReply), line


def comparable(reply: Any, words: Sequence[str]) -> str:
    """A reply as text, without what the clock says."""
    if "*" in words and not isinstance(reply, ErrorReply) and reply is not None:
        return "an id"
    return _MOMENT.sub("moment", repr(reply))


def differences(client: Client, oracle: Oracle, form: str) -> Iterator[tuple[str, Any, Any]]:
    """The calls of `form` that are answered otherwise or change other data."""
    fill(client, oracle)
    untouched = oracle.call("DEBUG", "DIGEST")
    for slots in product(*FORMS[form]):
        words = " ".join([form, *slots]).split()
        got, expected = client.call(*words), oracle.call(*words)
        if comparable(got, words) != comparable(expected, words):
            yield " ".join(words), got, expected
        digests = client.call("DEBUG", "DIGEST"), oracle.call("DEBUG", "DIGEST")
        if digests[0] != digests[1] and "*" not in words:
            yield " ".join(words), "data", "other data"
        if isinstance(got, ErrorReply) and digests[0] != untouched:
            yield " ".join(words), got, "nothing changed"
        if digests != (untouched, untouched) or not isinstance(got, ErrorReply):
            fill(client, oracle)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_fault_is_told(oracle: Oracle, form: str) -> None:
    assert list(differences(make_client(), oracle, form)) == []


@pytest.mark.parametrize("form", _TOLD_OTHERWISE)
def test_the_same_is_told_in_resp3(oracle3: Oracle, form: str) -> None:
    assert list(differences(make_client(3), oracle3, form)) == []
