"""Noticing quietly that a server is back: a thread that asks for PONG every second, and tells once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kedis.cli.client.link import LinkLost, Refused, ServerLink
from kedis.cli.client.target import Target
from kedis.cli.client.wire import ErrorReply

INTERVAL_SECONDS = 1.0
_TIMEOUT_SECONDS = 2.0


def is_there(target: Target) -> bool:
    """Whether the server answers, if only about the password. At most some seconds."""
    try:
        link = ServerLink(target, 2, _TIMEOUT_SECONDS)
    except Refused:
        return True
    except LinkLost:
        return False
    try:
        reply = link.send([b"PING"])
    except LinkLost:
        return False
    finally:
        link.close()
    return not isinstance(reply, ErrorReply) or reply.startswith("NOAUTH")


class Probe:
    """Watches for the return of a server, from `start` until `stop`.

    Args:
        target: the server.
        announce: called once when it is back; False means that it could not be told just now.
    """

    def __init__(
        self, target: Target, announce: Callable[[], bool], interval_seconds: float = INTERVAL_SECONDS
    ) -> None:
        self._target = target
        self._announce = announce
        self._interval_seconds = interval_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="kedis-cli-probe", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; may be called twice. Does not wait."""
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.wait(self._interval_seconds):
            if is_there(self._target):
                break
        # While a command runs nobody reads: it is told at the next prompt.
        while not self._stopping.is_set() and not self._announce():
            self._stopping.wait(self._interval_seconds / 10)
