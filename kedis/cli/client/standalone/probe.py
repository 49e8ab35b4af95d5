"""Detecting the return of a server: a thread that sends a PING every second, and announces it once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kedis.cli.client.link import LinkLost, Refused, ServerLink
from kedis.cli.client.target import Target
from kedis.cli.client.wire import ErrorReply

INTERVAL_SECONDS = 1.0
_TIMEOUT_SECONDS = 2.0


def is_there(target: Target) -> bool:
    """Whether the server replies, be it with NOAUTH. Takes some seconds at most."""
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
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread without waiting for it. Idempotent."""
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.wait(self._interval_seconds):
            if is_there(self._target):
                break
        # While a command runs the prompt is not shown: announced at the next one.
        while not self._stopping.is_set() and not self._announce():
            self._stopping.wait(self._interval_seconds / 10)
