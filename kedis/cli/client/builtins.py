"""Built-in commands, which the client runs itself: help, peek, connect, clear, quit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from kedis.cli.client import manual, meta_commands
from kedis.cli.client.peek import peek
from kedis.cli.client.session import Session


class Quit(Exception):
    """The user leaves."""


def _quit(_session: Session, _words: Sequence[bytes]) -> None:
    raise Quit


def _help(session: Session, words: Sequence[bytes]) -> None:
    topic = [os.fsdecode(word) for word in words[1:]]
    session.display.print(manual.explain(session.catalogue, topic))


def _clear(session: Session, _words: Sequence[bytes]) -> None:
    meta_commands.clear(session, [])


def _connect(session: Session, words: Sequence[bytes]) -> None:
    meta_commands.connect(session, [os.fsdecode(word) for word in words[1:]])


def _peek(session: Session, words: Sequence[bytes]) -> None:
    if len(words) != 2:
        session.say("peek KEY shows a key's type, TTL, size and first part")
        return
    if session.link is None:
        session.connect()
    assert session.link is not None
    facts, command, part = peek(session.link, words[1])
    session.say(facts)
    if command:
        session.display.show(command, part)


BUILTINS: dict[bytes, Callable[[Session, Sequence[bytes]], None]] = {
    b"quit": _quit,
    b"exit": _quit,
    b"help": _help,
    b"?": _help,
    b"clear": _clear,
    b"connect": _connect,
    b"peek": _peek,
}
