"""The server as a daemon: in the background, with a pid file, under a supervisor.

The fork of :class:`Background` comes before the event loop, threads and sockets.  The child leads a session of its
own.  The parent waits until the child listens, and fails if the child ends before.  (Redis's parent returns at once: a
client may connect too early, and only the log tells of a port in use.)
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Mapping

log = logging.getLogger("kedis")

DEFAULT_PID_FILE = "/var/run/redis.pid"


class Background:
    """Forks: two processes return from the constructor.

    Attributes:
        is_child: true in the one that goes on in the background and calls :meth:`complete`; the other calls
            :meth:`wait` and ends.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self.is_child = os.fork() == 0
        if self.is_child:
            os.close(self._reader)
            os.setsid()
            _to_nowhere(0, 1)
        else:
            os.close(self._writer)

    def wait(self) -> int:
        """In the parent: the exit code, once the child has begun to serve (0) or has ended (1)."""
        with open(self._reader, "rb") as pipe:
            return 0 if pipe.read() else 1

    def complete(self) -> None:
        """In the child: detach from the terminal, and let the parent end."""
        _to_nowhere(2)
        with contextlib.suppress(BrokenPipeError):  # the parent was killed
            os.write(self._writer, b"1")
        os.close(self._writer)


def _to_nowhere(*descriptors: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


class PidFile:
    """The file with the id of this process.

    A file that cannot be written is logged, and the server goes on, as in Redis.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._written = False

    def write(self) -> None:
        """Write it; an existing one is replaced."""
        try:
            with open(self._path, "w") as file:
                file.write(f"{os.getpid()}\n")
            self._written = True
        except OSError as error:
            log.warning("failed to write the pid file %s: %s", self._path, error.strerror)

    def remove(self) -> None:
        """Remove it, if it was written and another server has not written its own id to it since."""
        if self._written:
            self._written = False
            with contextlib.suppress(OSError):
                with open(self._path) as file:
                    is_own = file.read() == f"{os.getpid()}\n"
                if is_own:
                    os.unlink(self._path)


def supervisor(wanted: str, environment: Mapping[str, str] = os.environ) -> str:
    """The supervisor of this process: ``systemd``, ``upstart`` or ``no``.

    Args:
        wanted: the setting ``supervised``; ``auto`` takes whichever is there.

    One that is wanted but absent is logged, and counts as ``no``.
    """
    for name, variable in (("upstart", "UPSTART_JOB"), ("systemd", "NOTIFY_SOCKET")):
        if wanted not in (name, "auto"):
            continue
        if environment.get(variable):
            return name
        if wanted == name:
            log.warning("%s supervision requested, but %s not found", name, variable)
    return "no"


def stop_for_upstart() -> None:
    """Report readiness to Upstart (``expect stop``) by SIGSTOP to this process, which Upstart continues."""
    log.info("supervised by upstart, will stop to signal readiness")
    os.kill(os.getpid(), signal.SIGSTOP)
