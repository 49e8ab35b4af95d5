"""Work in a child process, which has the data as they were at the fork.

The child shares the parent's memory, copied page by page as either writes to it; in Python that includes the reference
counts of all objects that the child uses. It must not run the event loop: it closes all descriptors it has inherited,
the lock of the folder among them, does its work, reports the outcome through a pipe, and ends with ``os._exit``.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kedis.persistence.reasons import reason_with_file
from kedis.process.clock import monotonic
from kedis.process.threads import real_close, real_fork, real_waitpid

_NICENESS = 10


#: PR_SET_PDEATHSIG of prctl(2).
_SET_DEATH_SIGNAL = 1


@dataclass(frozen=True)
class Outcome:
    """The outcome of a child: the reason of its failure or "", and the bytes of memory it had of its own."""

    failure: str
    copied_bytes: int


class Child:
    """A process that runs ``work``. Raises OSError or MemoryError when it cannot be created.

    Args:
        keeps: a descriptor that stays open in it.

    Attributes:
        pid: of the process.
        notice_fd: readable when it has ended, or is about to.
        fork_seconds: time for which the fork blocked the parent.
    """

    def __init__(self, work: Callable[[], None], keeps: int | None = None) -> None:
        self._pipe, out = os.pipe()
        gc.collect(1)  # or garbage would be frozen, and never freed
        gc.freeze()  # otherwise a collection in the child would touch, and so copy, every object
        began, parent = monotonic(), os.getpid()
        try:
            self.pid = real_fork()
        except Exception:
            real_close(self._pipe)
            real_close(out)
            raise
        if self.pid == 0:
            _live(work, parent, out, out if keeps is None else keeps)
        self.fork_seconds = monotonic() - began
        real_close(out)

    @property
    def notice_fd(self) -> int:
        return self._pipe

    def poll(self) -> Outcome | None:
        """The outcome of the child; None while it runs."""
        try:
            pid, status = real_waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # other code has taken its status; its report decides
            pid, status = self.pid, 0
        if not pid:
            return None
        with os.fdopen(self._pipe, "rb") as pipe:
            content = pipe.read()
        try:
            report: dict[str, Any] = json.loads(content)
        except ValueError:  # it ended before, or while, it wrote one
            report = {}
        failure = report.get("error", f"the child process ended with status {status}")
        return Outcome(failure, report.get("copied_bytes", 0))

    def kill(self) -> None:
        """Kill a child that has not been polled to its end."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # other code has taken its status
            os.kill(self.pid, signal.SIGKILL)
            real_waitpid(self.pid, 0)
        real_close(self._pipe)


def _live(work: Callable[[], None], parent: int, out: int, kept: int) -> None:
    """Run the work in the child, with no descriptors but these two. Never returns."""
    report: dict[str, Any] = {"error": "", "copied_bytes": 0}
    try:
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
        first, second = sorted((out, kept))
        os.closerange(3, first)
        os.closerange(first + 1, second)
        os.closerange(second + 1, os.sysconf("SC_OPEN_MAX"))
        _end_with(parent)
        os.nice(_NICENESS)
        gc.disable()
        work()
        report["copied_bytes"] = _private_bytes()
    except BaseException as error:
        report["error"] = reason_with_file(error)
    try:
        os.write(out, json.dumps(report).encode())
    finally:
        os._exit(1 if report["error"] else 0)


def _end_with(parent: int) -> None:
    """Have the system kill this process when ``parent`` is gone: nobody waits for what it makes. On Linux alone."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL))
        if os.getppid() != parent:  # it has gone before it was asked for
            os._exit(1)


def _private_bytes() -> int:
    """Memory of this process that is no longer shared with the parent, in bytes; 0 where that is unknown."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        with open("/proc/self/smaps_rollup") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Private_Dirty:"))
    except OSError:
        return 0
