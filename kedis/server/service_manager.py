"""Telling the service manager (systemd, ``Type=notify``) that the server is ready, or about to end.

The protocol is one datagram with lines ``NAME=value`` to the Unix socket that ``NOTIFY_SOCKET`` names; a name that
begins with ``@`` is in Linux's abstract name space.  Nothing is answered.  Without the variable nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger("kedis.server")


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
