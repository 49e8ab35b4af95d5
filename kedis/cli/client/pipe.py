"""--pipe: mass insertion. Standard input goes to the server as it is, while replies are counted.

The input is RESP or inline commands; the server accepts both. Writing and reading run concurrently, since a server
whose replies are not read stops reading too. An ECHO of random bytes follows the input; its reply is the last. Runs of
`+OK` are counted in C, without an object for each.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import hiredis

from kedis.cli.client.link import LinkLost, ServerLink
from kedis.cli.client.output import complain
from kedis.resp.replies import encode_command

_CHUNK = 262_144
_OK = b"+OK\r\n"
# Max. errors shown one by one; a wrong file of a million lines must not fill the terminal.
_ERRORS_SHOWN = 100


class _Complaint(Exception):
    """An error reply from the reader."""


@dataclass
class Tally:
    """Counts of the replies."""

    replies: int = 0
    errors: int = 0
    finished: bool = False


def run(link: ServerLink, source: int, timeout: float, progress: Callable[[int, int], None]) -> Tally:
    """Send all that the file descriptor `source` yields and count the replies.

    Args:
        timeout: seconds without a reply, once all is sent, after which to give up; 0 waits for ever.
        progress: called now and then with the bytes sent and the replies received.

    Raises LinkLost when the server closes the connection.
    """
    transfer = _Transfer(link.connection, source, timeout, progress)
    try:
        transfer.run()
    except OSError as error:
        raise LinkLost(f"Lost {link.description}: {error.strerror or error}") from None
    return transfer.tally


class _Transfer:
    """The state of one mass insertion."""

    def __init__(
        self, connection: socket.socket, source: int, timeout: float, progress: Callable[[int, int], None]
    ) -> None:
        self.tally = Tally()
        self._socket = connection
        self._source = source
        self._timeout = timeout
        self._progress = progress
        self._marker = os.urandom(20).hex().encode()
        self._reader = hiredis.Reader(replyError=_Complaint)
        self._pending = memoryview(b"")
        self._last = b"\n"
        self._sent = 0
        self._ended = False

    def run(self) -> None:
        self._socket.setblocking(False)
        server = self._socket.fileno()
        quiet_since = shown_at = time.monotonic()
        while not self.tally.finished:
            # A slow source (a pipe) must not delay the replies.
            sources: list[int] = [] if self._ended or self._pending else [self._source]
            to_server = [server] if self._pending else []
            readable, writable, _ = select.select([server, *sources], to_server, [], 0.5)
            now = time.monotonic()
            if self._source in readable:
                self._take_input()
            if writable:
                self._send()
            if server in readable:
                self._receive()
                quiet_since = now
            waiting = self._ended and not self._pending
            if not waiting:
                quiet_since = now
            elif self._timeout and now - quiet_since > self._timeout:
                return
            if now - shown_at > 0.25:
                self._progress(self._sent, self.tally.replies)
                shown_at = now

    def _take_input(self) -> None:
        data = os.read(self._source, _CHUNK)
        if data:
            self._last = data[-1:]
        else:
            self._ended = True
            # A last line without its newline would swallow the ECHO.
            gap = b"" if self._last == b"\n" else b"\r\n"
            data = gap + encode_command([b"ECHO", self._marker])
        self._pending = memoryview(data)

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._pending)
        except BlockingIOError:
            return
        self._pending = self._pending[sent:]
        self._sent += sent
        if self._ended and not self._pending:
            sys.stdout.write("All data transferred. Waiting for the last reply...\n")
            sys.stdout.flush()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError(0, "the server closed the connection")
        if not self._reader.has_data() and data.count(_OK) * len(_OK) == len(data):
            self.tally.replies += len(data) // len(_OK)
            return
        self._reader.feed(data)
        try:
            self._count()
        except (hiredis.ProtocolError, TypeError) as error:  # TypeError: a map whose key is a list
            raise LinkLost(f"The server does not speak the Redis protocol: {error}") from None

    def _count(self) -> None:
        tally, take = self.tally, self._reader.gets
        while (reply := take()) is not False:
            if type(reply) is _Complaint:
                self._complain(str(reply))
            elif reply == self._marker and self._ended:
                tally.finished = True
                return
            tally.replies += 1

    def _complain(self, text: str) -> None:
        self.tally.errors += 1
        if self.tally.errors <= _ERRORS_SHOWN:
            complain(text)
        elif self.tally.errors == _ERRORS_SHOWN + 1:
            sys.stderr.write("(more errors are only counted)\n")


def main(link: ServerLink, timeout: float) -> int:
    """Run --pipe from standard input with its messages; returns the exit code. Raises LinkLost."""
    tally = run(link, sys.stdin.fileno(), timeout, _progress)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if tally.finished:
        print("Last reply received from server.")
    else:
        print(f"No replies for {timeout:g} seconds: exiting.", file=sys.stderr)
        tally.errors += 1
    print(f"errors: {tally.errors}, replies: {tally.replies}", flush=True)
    return 1 if tally.errors else 0


def _progress(sent: int, replies: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{sent / 1e6:,.1f} MB sent, {replies:,} replies")
        sys.stderr.flush()
