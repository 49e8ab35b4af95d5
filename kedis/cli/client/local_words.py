"""Words that look like commands but are for the client: help, peek, connect, clear, quit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kedis.cli.client import colon, manual
from kedis.cli.client.peek import peek

if TYPE_CHECKING:
    from kedis.cli.client.shell import Shell


class Leave(Exception):
    """The user wants out."""


def _leave(_shell: Shell, _words: Sequence[bytes]) -> None:
    raise Leave


def _help(shell: Shell, words: Sequence[bytes]) -> None:
    topic = [os.fsdecode(word) for word in words[1:]]
    shell.display.print(manual.explain(shell.catalogue, topic))


def _clear(shell: Shell, _words: Sequence[bytes]) -> None:
    colon.clear(shell, [])


def _connect(shell: Shell, words: Sequence[bytes]) -> None:
    colon.connect(shell, [os.fsdecode(word) for word in words[1:]])


def _peek(shell: Shell, words: Sequence[bytes]) -> None:
    if len(words) != 2:
        shell.say("peek KEY shows a key's type, TTL, size and first part")
        return
    if shell.link is None:
        shell.connect()
    assert shell.link is not None
    facts, command, part = peek(shell.link, words[1])
    shell.say(facts)
    if command:
        shell.display.show(command, part)


LOCAL_WORDS: dict[bytes, Callable[[Shell, Sequence[bytes]], None]] = {
    b"quit": _leave,
    b"exit": _leave,
    b"help": _help,
    b"?": _help,
    b"clear": _clear,
    b"connect": _connect,
    b"peek": _peek,
}
