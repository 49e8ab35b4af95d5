"""Users beside real Redis: logins, denials and their log, connections that are closed, what MONITOR shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

import kedis
from tests.differential.permission_stories import PERMISSIONS
from tests.differential.scenarios import Connection, play
from tests.differential.user_stories import USERS
from tests.oracle import Oracle

STORIES = USERS | PERMISSIONS
_OPEN = b"ACL SETUSER default reset on nopass ~* &* +@all".split()
#: What differs between any two runs, and what stands for it. Memory and buffers of a client are each server's own.
_VOLATILE = (
    (r"\d{10}\.\d{6} \[(\d+) 127[^\]]*\]", r"TIME [\1 ADDRESS]"),
    (r"\d{10}\.\d{6} \[(\d+) lua\]", r"TIME [\1 lua]"),
    (r"(age-seconds', )[$,]?'?[0-9.e-]+'?", r"\1AGE"),
    (r"\bid=\d+ addr=\S+ laddr=\S+ fd=\d+", "CLIENT"),
    (r"\b(?:age|idle|qbuf|qbuf-free|argv-mem|multi-mem|rbs|rbp|obl|oll|omem|tot-mem)=\S+ ", ""),
)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Those of Redis and Kedis, each with a file of users of its own."""
    files: list[Path] = [tmp_path_factory.mktemp("users") / "users.acl" for _ in range(2)]
    for file in files:
        file.touch()
    oracle = Oracle("--aclfile", str(files[0]))
    try:
        with kedis.Server(aclfile=str(files[1])) as server:
            yield oracle.port, server.port
    finally:
        oracle.close()


def story_of(port: int, script: str) -> list[str]:
    """The story without what differs between any two runs, and without what our own client has a monitor see."""
    forget_users(port)
    story = play(port, script, limit=100_000)
    found = [line for line in story if '"PING"' not in line and '"FLUSHALL"' not in line]
    for pattern, words in _VOLATILE:
        found = [re.sub(pattern, words, line) for line in found]
    return found


def forget_users(port: int) -> None:
    """Leave the server with its first user, who may all, and an empty log."""
    connection = Connection(port)
    connection.call(*_OPEN)
    for _, name in connection.call(b"ACL", b"USERS")[1]:
        if name != b"default":
            connection.call(b"ACL", b"DELUSER", name)
    connection.call(b"ACL", b"LOG", b"RESET")
    connection.call(b"CONFIG", b"SET", b"acllog-max-len", b"128", b"masterauth", b"")
    connection.close()


@pytest.mark.parametrize("name", STORIES)
def test_the_story_is_the_same(ports: tuple[int, int], name: str) -> None:
    theirs, mine = (story_of(port, STORIES[name]) for port in ports)
    assert mine == theirs, "\n".join(unified_diff(theirs, mine, "Redis", "Kedis", n=99, lineterm=""))


def test_a_subscriber_that_closes_itself_gets_its_reply(ports: tuple[int, int]) -> None:
    """Redis 7.0.15 crashes."""
    story = story_of(
        ports[1],
        """
        a: ACL SETUSER bob on nopass +@all ~* resetchannels &a
        b: HELLO 3 AUTH bob x
        b: SUBSCRIBE a
        b: ACL SETUSER bob resetchannels
        a: ACL WHOAMI
        """,
    )
    assert story[-4:] == ["  b gets +OK", "  b is cut off", "a: ACL WHOAMI", "  a gets 'default'"]


def test_who_removes_himself_in_a_transaction_may_nothing_behind_it(ports: tuple[int, int]) -> None:
    """Redis 7.0.15 runs the rest of it as if he might all."""
    story = story_of(
        ports[1],
        """
        a: ACL SETUSER bob on nopass +@all ~* &*
        b: AUTH bob x
        b: MULTI
        b: SET k 1
        b: ACL DELUSER bob
        b: SET k 2
        b: EXEC
        a: GET k
        """,
    )
    assert story[-1] == "  a gets '1'"
