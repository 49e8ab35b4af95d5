"""Connections to other servers, by name or address.

A name is looked up by a thread, which nobody can hurry while the name service does not answer. These threads are few,
and of a pool of their own, so that they are not missing for the disk; who waits for one waits for its time only.
"""

from __future__ import annotations

import _socket
import contextlib
from functools import cache
from typing import Any

import gevent
from gevent import socket
from gevent.threadpool import ThreadPool

from kedis.process.clock import monotonic

_MOST_LOOKUPS = 4


@cache
def _lookups() -> ThreadPool:
    return ThreadPool(_MOST_LOOKUPS)


def _look_up(host: str, port: int | str) -> list[Any] | Exception:
    """The addresses of ``host``, or why there are none: what a thread of gevent's raises is printed, besides."""
    try:
        return _socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except (OSError, ValueError, OverflowError) as error:
        return error


def connect(host: str, port: int | str, seconds: float, source: str = "") -> socket.socket:
    """Connect within ``seconds``, the time for the name included; the socket has them as its time-out.

    The addresses of a name are tried one after the other, and share the time: one that does not answer leaves some.

    ``source`` is the address to connect from; one that this machine does not have is passed over, as in Redis.

    Raises OSError, of which TimeoutError when the time is up, and ValueError or OverflowError for what cannot be an
    address.
    """
    until = monotonic() + seconds
    over = TimeoutError("timed out")
    with gevent.Timeout(seconds, over):
        found = _lookups().apply(_look_up, (host, port))
        if isinstance(found, Exception):
            raise found
        refusal = OSError(f"no address for {host}")
        for left, (family, kind, protocol, _, address) in zip(range(len(found), 0, -1), found, strict=True):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(max((until - monotonic()) / left, 0.001))
                if source:
                    with contextlib.suppress(OSError):
                        sock.bind((source, 0))
                sock.connect(address)
                sock.settimeout(seconds)
            except BaseException as error:
                sock.close()
                if error is over or not isinstance(error, OSError):
                    raise
                refusal = error
            else:
                return sock
        raise refusal
