"""Slow file work in a thread of its own, one job after the other; results are collected by the owner's thread.

The order matters: a later job sees the disk as the earlier ones left it.

The two threads wake each other by a byte in a pipe, not by a lock. A write to a pipe releases the interpreter
before it wakes the reader, which then finds it free; a lock wakes its waiter first, which then waits for the
interpreter (both ways together some 50 us of every sync, 4 to 6 % of the throughput of ``appendfsync always``).
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from kedis.process.threads import real_close, start_thread

Job = Callable[[], Any]
Done = Callable[[Any, Exception | None], None]

_ROOM = 4096  # maximum number of bytes read from the notice pipe at a time; more than it ever holds


def ignore(result: Any, error: Exception | None) -> None:
    """A ``done`` for jobs without an interesting outcome."""


class Worker:
    """Runs jobs in a thread.

    Attributes:
        notice_fd: readable when the owner must call :meth:`collect`.
        pending: number of submitted jobs that are not collected yet.
    """

    def __init__(self) -> None:
        self._jobs: deque[tuple[Job, Done] | None] = deque()
        self._results: deque[tuple[Done, Any, Exception | None]] = deque()
        self.pending = 0
        self._bell_fd, self._ring_fd = os.pipe()
        self.notice_fd, self._notify_fd = os.pipe()
        self._descriptors = [self._bell_fd, self._ring_fd, self.notice_fd, self._notify_fd]
        os.set_blocking(self.notice_fd, False)
        self._thread = start_thread(self._run, "kedis-aof")

    def submit(self, job: Job, done: Done = ignore) -> None:
        """Run ``job()`` in the thread, and then ``done(result, error)`` in :meth:`collect`.

        ``error`` is the exception that ended the job, with a ``result`` of None; otherwise ``error`` is None.
        """
        self._jobs.append((job, done))
        self.pending += 1
        os.write(self._ring_fd, b"j")

    def collect(self) -> None:
        """Call the ``done`` of every job that has ended; in the owner's thread.

        An exception of a ``done`` is passed on; the outcomes behind it are left for the next call.
        """
        with contextlib.suppress(BlockingIOError):
            os.read(self.notice_fd, _ROOM)
        while self._results:
            done, result, error = self._results.popleft()
            self.pending -= 1
            done(result, error)

    def close(self) -> None:
        """Finish all jobs, end the thread, collect the results. ``notice_fd`` must not be watched any more."""
        self._jobs.append(None)
        os.write(self._ring_fd, b"j")
        self._thread.join()
        self.collect()
        self.abandon()

    def abandon(self) -> None:
        """Close the pipes only; for a forked child, which has no such thread."""
        while self._descriptors:
            real_close(self._descriptors.pop())

    def _run(self) -> None:
        while os.read(self._bell_fd, 1) and (item := self._jobs.popleft()) is not None:
            job, done = item
            try:
                self._results.append((done, job(), None))
            except Exception as error:  # of any kind: the owner waits for the outcome
                self._results.append((done, None, error))
            os.write(self._notify_fd, b"n")


class InlineWorker:
    """A worker for a program without an event loop: runs jobs inline."""

    def submit(self, job: Job, done: Done = ignore) -> None:
        try:
            result = job()
        except Exception as error:
            done(None, error)
        else:
            done(result, None)

    def collect(self) -> None: ...

    def close(self) -> None: ...
