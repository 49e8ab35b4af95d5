"""Who does what when: a script for several clients, run over sockets on real Redis and on Kedis, step by step.

A script is text, a step a line::

    a: BLPOP list 0
    b: RPUSH list x y
    a: PING | ECHO hello
    c: CLIENT UNBLOCK {a}
    a waits: BLPOP other 0.1
    a waits
    b leaves

``a: …`` has client ``a`` send a command, or several at once; ``{a}`` stands for the id of client ``a``, ``"…"`` for
words with spaces, ``\\n`` for a new line.  ``a waits`` until something has come for ``a``, with ``a waits: …`` for
the replies to what it sends, however long they take: it is not told whether it was blocked meanwhile.  ``b leaves``
closes the connection.  Clients are connected, in the order of their names, before the first step.

What is compared is the *story*: after each step, what every client has received (replies and messages alike, with
their wire types) and whether the one that acted is now blocked.

No step sleeps.  A step is over when the acting client has its replies, or a client of our own sees it blocked in CLIENT
LIST; what others were sent by then is on its way within the turn of the server's loop, so that it has arrived when our
own client has been answered some more times.
"""

from __future__ import annotations

import contextlib
import re
import select
import shlex
import socket
import time
from collections.abc import Sequence
from difflib import unified_diff

from kedis.resp.replies import encode_command
from tests.differential.replies import Reply, parse, show

_WAIT_SECONDS = 20
#: Round trips after which everything that a step has caused has been sent: some of it comes a turn later.
_SETTLING = 4


class Connection:
    """One client of a script."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_WAIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ended = False
        self._data = b""

    def send(self, *commands: Sequence[bytes]) -> None:
        """Send commands at once."""
        self.socket.sendall(b"".join(map(encode_command, commands)))

    def received(self, seconds: float = 0.0) -> list[Reply]:
        """The replies that have come, waiting up to ``seconds`` for more bytes if there are none yet."""
        while not self.ended and select.select([self.socket], [], [], seconds)[0]:
            with contextlib.suppress(ConnectionResetError):
                piece = self.socket.recv(1 << 16)
                self._data += piece
                self.ended = not piece
            seconds = 0.0
        found = []
        while self._data and (reply := parse(self._data)) is not None:
            found.append(reply[0])
            self._data = self._data[reply[1] :]
        return found

    def call(self, *words: bytes) -> Reply:
        """Send one command and wait for its reply, which nothing may come before."""
        self.send(words)
        deadline = time.monotonic() + _WAIT_SECONDS
        while not (replies := self.received(0.1)):
            if self.ended or time.monotonic() > deadline:
                raise TimeoutError(f"no reply to {words!r}")
        assert len(replies) == 1, replies
        return replies[0]

    def close(self) -> None:
        self.ended = True
        self.socket.close()


class Stage:
    """The clients of one script on one server."""

    def __init__(self, port: int, script: str, limit: int = 400) -> None:
        self._limit = limit
        self.steps = [line.strip() for line in script.strip().splitlines() if line.strip()]
        self.story: list[str] = []
        self._gone: set[str] = set()
        self._observer = Connection(port)
        self._observer.call(b"FLUSHALL")
        names = sorted({line.split(":")[0].split()[0] for line in self.steps})
        self._clients = {name: Connection(port) for name in names}
        self._ids = {name: str(client.call(b"CLIENT", b"ID")[1]) for name, client in self._clients.items()}

    def play(self) -> list[str]:
        """Run all steps; returns the story."""
        try:
            for step in self.steps:
                self.story.append(step)
                self._play(step)
        finally:
            for client in (*self._clients.values(), self._observer):
                client.close()
        return self.story

    def _play(self, step: str) -> None:
        subject, _, text = step.partition(":")
        name, _, verb = subject.partition(" ")
        commands = [self._words(part) for part in text.split(" | ")] if text else []
        if commands and verb in ("", "waits"):
            self._clients[name].send(*commands)
            self._wait(name, len(commands), or_blocked=not verb)
        elif verb == "waits":
            self._wait(name, 1, or_blocked=False)
        elif verb == "leaves":
            self._clients[name].close()
            self._gone.add(name)
            self._await_absence(self._ids[name])
        else:
            raise ValueError(f"no step of a script: {step}")
        self._settle()

    def _words(self, text: str) -> list[bytes]:
        for name, number in self._ids.items():
            text = text.replace("{" + name + "}", number)
        return [word.replace(r"\n", "\n").encode() for word in shlex.split(text)]

    def _wait(self, name: str, replies: int, or_blocked: bool) -> None:
        """Wait for ``replies`` to client ``name``, or until it is blocked or cut off."""
        client = self._clients[name]
        deadline = time.monotonic() + _WAIT_SECONDS
        while replies > 0 and not client.ended:
            received = client.received(0.002)
            self._tell(name, received)
            replies -= len(received)
            if not received and or_blocked and self._is_blocked(name):
                self._tell(name, client.received())
                self.story.append(f"  {name} is blocked")
                return
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join([*self.story, f"nothing comes for {name}"]))

    def _is_blocked(self, name: str) -> bool:
        line = self._observer.call(b"CLIENT", b"LIST", b"ID", self._ids[name].encode())[1]
        fields = dict(field.partition(b"=")[::2] for field in line.split())
        return b"b" in fields.get(b"flags", b"")

    def _await_absence(self, number: str) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while self._observer.call(b"CLIENT", b"LIST", b"ID", number.encode())[1].strip():
            if time.monotonic() > deadline:
                raise TimeoutError(f"client {number} stays")

    def _settle(self) -> None:
        """Tell what everybody has received, and who has been cut off."""
        for _ in range(_SETTLING):
            self._observer.call(b"PING")
        there = re.findall(rb"(?m)^id=(\d+) ", self._observer.call(b"CLIENT", b"LIST")[1])
        for name, client in self._clients.items():
            if not client.ended:
                self._tell(name, client.received())
                if self._ids[name].encode() not in there:  # its end is under way
                    self._wait(name, 1_000_000, or_blocked=False)
            if client.ended and name not in self._gone:
                self._gone.add(name)
                self.story.append(f"  {name} is cut off")

    def _tell(self, name: str, replies: Sequence[Reply]) -> None:
        hello = f"'id', :{self._ids[name]}"  # the one fact in its replies that is the client's own
        self.story += [
            f"  {name} gets {show(reply, self._limit).replace(hello, 'its id')}" for reply in replies
        ]


def play(port: int, script: str, limit: int = 400) -> list[str]:
    """Run ``script`` on the server at ``port``, which is emptied first; returns the story.

    ``limit`` is how many characters it has of a reply.
    """
    return Stage(port, script, limit).play()


def assert_same_story(redis_port: int, kedis_port: int, script: str) -> list[str]:
    """Run ``script`` on both servers and compare; returns the story of Redis."""
    theirs = play(redis_port, script)
    mine = play(kedis_port, script)
    assert mine == theirs, "\n".join(unified_diff(theirs, mine, "Redis", "Kedis", n=99, lineterm=""))
    return theirs
