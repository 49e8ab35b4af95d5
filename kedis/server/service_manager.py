"""Telling the service manager (systemd, ``Type=notify``) that the server is loading, ready, or about to end.

The protocol is one datagram with lines ``NAME=value`` to the Unix socket that ``NOTIFY_SOCKET`` names; a name that
begins with ``@`` is in Linux's abstract name space.  Nothing is answered.  Without the variable nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping

import gevent

log = logging.getLogger("kedis.server")

#: While the data are loading: how often more time is asked for, and how much, in seconds.
_ASK_EVERY = 10.0
_ASK_FOR = 60


def notify(*lines: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send ``lines`` (``READY=1``, ``STOPPING=1``, ``STATUS=…``) to the service manager, if there is one.

    Returns whether they were sent; a manager that cannot be reached is logged and is no reason to end.
    """
    path = environment.get("NOTIFY_SOCKET", "")
    if not path:
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), address)
    except OSError as error:
        log.warning("cannot tell the service manager %s at %s: %s", " ".join(lines), path, error)
        return False
    return True


class MoreTime:
    """Asks for more time to start, as long as the context lasts and the event loop turns.

    By default systemd kills a unit of ``Type=notify`` that is not ready after 90 seconds; a large file takes longer.

    Args:
        send: sends lines to the service manager, as :func:`notify`.
        interval: seconds between two requests.
    """

    def __init__(self, send: Callable[..., object], interval: float = _ASK_EVERY) -> None:
        self._send = send
        self._timer = gevent.get_hub().loop.timer(interval, interval)

    def __enter__(self) -> None:
        self._timer.start(self._ask)

    def __exit__(self, *exception: object) -> None:
        self._timer.stop()
        self._timer.close()

    def _ask(self) -> None:
        self._send("STATUS=loading the data", f"EXTEND_TIMEOUT_USEC={_ASK_FOR * 1_000_000}")
