"""Slow file work in a thread of its own, one job after the other; results come back to whoever owns the worker.

Order is the point: a job that is handed in later sees the disk as the earlier ones left it.

The two threads wake each other by a byte in a pipe, not by a lock.  A write to a pipe lets go of the interpreter
before it wakes the reader, who so finds it free; a lock wakes its waiter first, who then waits for the interpreter
(both ways together some 50 us of every sync, 4 to 6 % of what ``appendfsync always`` serves).
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

_ROOM = 4096  # bytes taken from the pipe of notices at a time; more than there ever are


def ignore(result: Any, error: Exception | None) -> None:
    """A ``done`` for jobs whose outcome nobody needs."""


class Worker:
    """Runs jobs in a thread.

    Attributes:
        notice_fd: readable when the owner is to call :meth:`collect`.
        pending: jobs handed in and not collected yet.
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
        """Have ``job()`` run in the thread, and then ``done(result, error)`` in :meth:`collect`.

        ``error`` is whatever exception the job has ended with; then ``result`` is None.
        """
        self._jobs.append((job, done))
        self.pending += 1
        os.write(self._ring_fd, b"j")

    def collect(self) -> None:
        """Call what was handed in as ``done`` for every job that has ended; in the owner's thread.

        What a ``done`` raises is passed on; the outcomes behind it are for the next call.
        """
        with contextlib.suppress(BlockingIOError):
            os.read(self.notice_fd, _ROOM)
        while self._results:
            done, result, error = self._results.popleft()
            self.pending -= 1
            done(result, error)

    def close(self) -> None:
        """Finish all jobs, end the thread, collect the results.  Nothing may watch ``notice_fd`` any more."""
        self._jobs.append(None)
        os.write(self._ring_fd, b"j")
        self._thread.join()
        self.collect()
        self.abandon()

    def abandon(self) -> None:
        """Close the pipes and do nothing else; in a forked child, which has no such thread."""
        while self._descriptors:
            real_close(self._descriptors.pop())

    def _run(self) -> None:
        while os.read(self._bell_fd, 1) and (item := self._jobs.popleft()) is not None:
            job, done = item
            try:
                self._results.append((done, job(), None))
            except Exception as error:  # of whatever kind: somebody waits for the outcome
                self._results.append((done, None, error))
            os.write(self._notify_fd, b"n")


class InlineWorker:
    """The same for a program without an event loop: jobs are done at once."""

    def submit(self, job: Job, done: Done = ignore) -> None:
        try:
            result = job()
        except Exception as error:
            done(None, error)
        else:
            done(result, None)

    def collect(self) -> None: ...

    def close(self) -> None: ...
