"""The permissions of a user on the native path, which keeps the clients of restricted users."""

from __future__ import annotations

from hashlib import sha1
from random import Random

import pytest

from kedis.engine.users import User
from kedis.resp.replies import encode_command

pytest.importorskip("kedis.native.path", reason="the extension was not built")

from tests.native.sides import Side

#: Calls what it is told to, and gives the error.
SCRIPT = (
    b"local key = ARGV[1] or KEYS[1] return {redis.pcall('GET', key), redis.pcall('MSET', key, 1, 'a1', 2)}"
)
_REQUESTS = """
GET a1 | SET a1 v | GET b1 | SET b1 v | GET kx | GET k | GET foo:1 | GET z | MGET a1 b1 | MGET a1 a2
MSET a1 v b1 v | MSET a1 v b1
DEL a1 z | EXISTS a1 b1 | INCR n | LPUSH b1 x | LRANGE b1 0 -1 | PING | ECHO x | DBSIZE | PUBLISH c1 x
PUBLISH d x | OBJECT HELP
SORT a1 BY w* | COPY a1 b1 | SET a1 v GET | XREAD STREAMS a1 b1 0 0 | ZUNION 2 a1 b1 | SELECT 1 | GET
RENAME a1 a2 | TYPE b1
SINTERCARD 2 a1 b1 | GETEX a1 | PFCOUNT a1 | BITFIELD a1 GET u4 0 | EXPIRE a1 100 | LMOVE b1 b1 LEFT RIGHT
SCAN 0 | GET a*
EVAL x 1 a1 | EVAL x 1 b1 | EVAL x 2 a1 b1 | EVAL x 0 | EVAL x 01 b1 | EVAL x 3 a1 | EVAL x -1 | EVAL x : a1
EVALSHA {sha} 1 a1 | EVALSHA {sha} 1 b1 | EVALSHA {sha} 2 a1 a2 | EVALSHA {sha} 2 a1 b1 | EVALSHA {sha} 0 a1
EVALSHA {sha} 10 a1 b1 a1 a1 a1 a1 a1 a1 a1 a1 GET | EVALSHA {sha} 1 a1 z1 | EVALSHA {sha} 1 a2 a1
XREAD COUNT 1 streams a1 a2 0 0 | XREAD STREAMS a1 b1 | XREAD STREAMS a1 a2 0 | XREAD COUNT STREAMS b1 0
XREAD STREAMS | XREADGROUP GROUP g STREAMS streams a1 > | XREADGROUP GROUP g c STREAMS b1 0
ZUNION 2 a1 b1 | ZINTER 02 a1 b1 | ZUNION 9 a1 b1 | LMPOP 1 b1 LEFT | SINTERCARD 0 b1 | ZDIFF 1 a1 WITHSCORES
""".replace("{sha}", sha1(SCRIPT).hexdigest())
_RULES = [
    "+@all ~a* &*",
    "+@all ~* &*",
    "+@all",
    "+@read +@write ~a1 ~k? ~foo:[0-9]",
    "+@all %R~a* %W~b*",
    "+@all -@write ~*",
    "-@all +get +ping ~a* (+set +mset ~*) (~b* +get)",
    "+get|a1 +echo|x +select|1 ~*",
    r"+@all ~a\* ~",
    "+@all (&c* ~a* +@all)",
    "+ping",
    "+@all %R~a* (%W~a* +@all)",
    "+@all ~*1 ~*[^a]2",
    "+eval +evalsha +get ~a*",
]


def requests() -> list[bytes]:
    lines = [line for row in _REQUESTS.strip().splitlines() for line in row.split(" | ")]
    return [encode_command(line.encode().split()) for line in lines]


@pytest.mark.parametrize("rules", _RULES)
def test_both_paths_agree(rules: str) -> None:
    sides = Side(True, 2, 0), Side(False, 2, 0)
    for side in sides:
        side.command(1, b"ACL", b"SETUSER", b"bob", b"on", b"nopass", *rules.encode().split())
        side.command(1, b"SCRIPT", b"LOAD", SCRIPT)
        side.command(0, b"AUTH", b"bob", b"x")
        side.replies()
    native, python = sides
    for data in [*requests(), b"".join(requests())]:
        for side in sides:
            side.feed(0, data)
        assert native.replies() == python.replies(), data
        assert native.sink.wire == python.sink.wire
    for side in sides:
        side.check()
    logs = [
        [(entry.reason, entry.object, entry.count) for entry in side.engine.users.log.latest(99)]
        for side in sides
    ]
    assert logs[0] == logs[1]


def test_patterns_match_as_on_the_python_path() -> None:
    dice = Random(1)
    sides = Side(True, 2, 0), Side(False, 2, 0)
    for side in sides:
        side.command(1, b"ACL", b"SETUSER", b"bob", b"on", b"nopass", b"+get")
        side.command(0, b"AUTH", b"bob", b"x")
        side.replies()
    for _ in range(120):
        pattern = "".join(
            dice.choices("aab*?[]^-\\", [3, 3, 3, 4, 2, 2, 1, 0.5, 0.5, 0.2], k=dice.randrange(10))
        ).encode()
        keys = ["".join(dice.choices("ab*", [4, 4, 1], k=dice.randrange(9))) for _ in range(40)]
        for side in sides:
            side.command(1, b"ACL", b"SETUSER", b"bob", b"resetkeys", b"~" + pattern)
            side.replies()
        for key in [*keys, "a" * 2000]:
            for side in sides:
                side.feed(0, encode_command([b"GET", key.encode()]))
            assert sides[0].replies() == sides[1].replies(), (pattern, key)
    assert sides[0].path is not None and sides[0].path.commands > 200


def test_a_restricted_user_stays_on_the_native_path() -> None:
    side = Side(True, 2, 0)
    side.command(1, b"ACL", b"SETUSER", b"bob", b"on", b"nopass", b"+@all", b"-@dangerous", b"~a*", b"~b?")
    side.command(0, b"AUTH", b"bob", b"x")
    side.replies()
    assert side.path is not None
    before = side.path.commands
    side.feed(
        0,
        b"".join(encode_command([*words]) for words in ((b"SET", b"a1", b"v"), (b"GET", b"b1"), (b"PING",))),
    )
    assert side.path.commands == before + 3


def test_nothing_asks_python_where_keys_are_found_by_a_number_or_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    side = Side(True, 2, 0)
    side.command(
        1, b"ACL", b"SETUSER", b"bob", b"on", b"nopass", b"+@all", b"-@dangerous", b"~[ab]?*", b"~c*"
    )
    side.command(1, b"SCRIPT", b"LOAD", SCRIPT)
    side.command(0, b"AUTH", b"bob", b"x")
    side.replies()
    asked: list[object] = []
    may = User.may
    monkeypatch.setattr(User, "may", lambda user, *call: asked.append(call) or may(user, *call))
    for words in (
        (b"ZUNION", b"2", b"a1", b"b1"),
        (b"XREAD", b"COUNT", b"1", b"streams", b"a1", b"b1", b"0", b"0"),
        (b"GET", b"a1"),
    ):
        side.feed(0, encode_command(words))
        assert b"NOPERM" not in side.replies()[0], words
    assert not asked


def test_new_rules_hold_from_the_next_request_on() -> None:
    side = Side(True, 2, 0)
    side.command(1, b"ACL", b"SETUSER", b"bob", b"on", b"nopass", b"+@all", b"~a*")
    side.command(0, b"AUTH", b"bob", b"x")
    replies = []
    for rule in (b"+get", b"-get", b"+get", b"resetkeys", b"~*"):
        side.command(1, b"ACL", b"SETUSER", b"bob", rule)
        side.replies()
        side.feed(0, encode_command([b"GET", b"a1"]))
        replies.append(side.replies()[0][:7])
    assert replies == [b"$-1\r\n", b"-NOPERM", b"$-1\r\n", b"-NOPERM", b"$-1\r\n"]
