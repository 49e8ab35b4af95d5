"""The image's health check: the server says that it is ready, and answers on its port.

    python health.py [PORT [METRICS_PORT]]

It needs no password: to a PING without one the server answers ``-NOAUTH``, which is an answer.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

_SECONDS = 2.0


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall(request)
        return connection.recv(1000)


def trouble(port: int, metrics_port: int) -> str:
    """What is wrong; empty when all is well."""
    try:
        status = _ask(metrics_port, b"GET /readyz HTTP/1.0\r\n\r\n").decode().partition("\r\n")[0]
        if " 200 " not in status:
            return f"not ready: {status}"
        answer = _ask(port, b"PING\r\n")
    except OSError as error:
        return str(error)
    return "" if answer.startswith((b"+PONG", b"-NOAUTH")) else f"PING was answered {answer!r}"


def main(words: Sequence[str]) -> int:
    """Returns 0 when the server is well, else 1."""
    ports = [int(word) for word in words]
    wrong = trouble(*(ports + [6379, 9121][len(ports) :]))
    print(wrong or "well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
