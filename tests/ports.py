"""A port for a server that cannot tell which one it took, in suites that run side by side.

The kernel gives ports of the ephemeral range to any socket that asks for one, so a port of that range that was free
just now may be taken a moment later by a test in another process.  Below the range nobody gets a port unasked.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

_LOWEST = 10_000
_EPHEMERAL = 32_768


def free_port() -> int:
    """A TCP port that is free, that no other call in this process got, and hardly any elsewhere."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")


def _shuffled() -> Iterator[int]:
    ports = list(range(_LOWEST, _EPHEMERAL))
    # Workers of one run seed `random` alike; this must differ in each.
    random.SystemRandom().shuffle(ports)
    return iter(ports)


_ports = _shuffled()
