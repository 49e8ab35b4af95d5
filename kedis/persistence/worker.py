"""Slow file work in a thread of its own, one job after the other; results come back to whoever owns the worker.

Order is the point: a job that is handed in later sees the disk as the earlier ones left it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

Job = Callable[[], Any]
Done = Callable[[Any, OSError | None], None]


def ignore(result: Any, error: OSError | None) -> None:
    """A ``done`` for jobs whose outcome nobody needs."""


class Worker:
    """Runs jobs in a thread.

    Args:
        notify: called in the thread after each job; it must get the owner to call :meth:`collect`.
    """

    def __init__(self, notify: Callable[[], Any]) -> None:
        self._notify = notify
        self._jobs: SimpleQueue[tuple[Job, Done] | None] = SimpleQueue()
        self._results: deque[tuple[Done, Any, OSError | None]] = deque()
        self._thread = Thread(target=self._run, name="kedis-aof", daemon=True)
        self._thread.start()

    def submit(self, job: Job, done: Done = ignore) -> None:
        """Have ``job()`` run in the thread, and then ``done(result, error)`` in :meth:`collect`."""
        self._jobs.put((job, done))

    def collect(self) -> None:
        """Call what was handed in as ``done`` for every job that has ended; in the owner's thread."""
        while self._results:
            done, result, error = self._results.popleft()
            done(result, error)

    def close(self) -> None:
        """Finish all jobs, end the thread, collect the results."""
        self._jobs.put(None)
        self._thread.join()
        self.collect()

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                self._results.append((done, job(), None))
            except OSError as error:
                self._results.append((done, None, error))
            self._notify()


class InlineWorker:
    """The same for a program without an event loop: jobs are done at once."""

    def submit(self, job: Job, done: Done = ignore) -> None:
        try:
            result = job()
        except OSError as error:
            done(None, error)
        else:
            done(result, None)

    def collect(self) -> None: ...

    def close(self) -> None: ...
