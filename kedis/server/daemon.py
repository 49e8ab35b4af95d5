"""The server as a daemon: in the background, with a pid file, under a supervisor.

:class:`Background` is begun before anything that a fork does not copy well: no event loop, no thread, no socket is
there yet.  The child leads a client of its own.  The parent, which is the command that was typed, waits for the
child to say that it listens, and fails where the child ends without having said so.  (Redis's parent returns at
once: whoever asks for the port then may come too early, and learns of a port in use from the log alone.)
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
    """Two processes from here on.

    Attributes:
        is_child: whether this one is to go on in the background and call :meth:`complete`; the other is to call
            :meth:`wait` and end.
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
        """In the child: let go of the terminal, and let the parent end."""
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
    """The file that tells others the id of this process.

    A server does without a file that cannot be written, as Redis does; but the log says so.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._written = False

    def write(self) -> None:
        """Write it, over that of another server if need be."""
        try:
            with open(self._path, "w") as file:
                file.write(f"{os.getpid()}\n")
            self._written = True
        except OSError as error:
            log.warning("failed to write the pid file %s: %s", self._path, error.strerror)

    def remove(self) -> None:
        """Remove it, if it was written."""
        if self._written:
            self._written = False
            with contextlib.suppress(OSError):
                os.unlink(self._path)


def supervisor(wanted: str, environment: Mapping[str, str] = os.environ) -> str:
    """What supervises this process: ``systemd``, ``upstart`` or ``no``.

    Args:
        wanted: the setting ``supervised``; ``auto`` takes whichever is there.

    One that was wanted and is not there is logged, and is none.
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
    """Upstart (``expect stop``) takes a job that has stopped itself for ready, and continues it."""
    log.info("supervised by upstart, will stop to signal readiness")
    os.kill(os.getpid(), signal.SIGSTOP)
