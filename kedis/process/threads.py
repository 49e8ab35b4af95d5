"""Real threads, locks and system calls, whether gevent's monkey patch has replaced the standard library's or not.

Under ``gevent.monkey.patch_all()`` a ``threading.Thread`` is a greenlet: one that blocks, or that runs an event loop
of its own, stops the program for ever. A Kedis server, and the syncing of files, need threads of the operating system;
waiting for them must let other greenlets run. This module offers

* the originals of the patched functions that Kedis needs (:func:`original`);
* :func:`start_thread`: a real thread, patched or not;
* :class:`Latch`: one thread waits for another; under the patch the wait is cooperative.

The patch may come before or after the import of this module: the originals are found in both cases. This is the only
module outside ``server`` and ``cli`` that may import gevent, and it does so only where the program has imported it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any


def original(module: str, name: str) -> Any:
    """``module.name`` of the standard library as it was before any patch."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    return getattr(import_module(module), name)


def is_patched() -> bool:
    """Whether the threads of this program are greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


_start_new_thread = original("_thread", "start_new_thread")
_allocate_lock = original("_thread", "allocate_lock")
_get_ident = original("_thread", "get_ident")
#: A reentrant lock owned by a thread of the operating system. Greenlets of one thread do not exclude each
#: other by it: no switch may happen while it is held.
RealRLock = original("_thread", "RLock")
RealSocket = original("socket", "socket")
#: The original fork, None where there is none: gevent's would run its hub in the child.
real_fork: Any = original("os", "fork") if hasattr(os, "fork") else None
real_waitpid = original("os", "waitpid")
#: The original close: gevent's keeps pipes open until the next turn of the loop, which may never come.
real_close = original("os", "close")
real_sleep = original("time", "sleep")

#: Idents of the threads started by :func:`start_thread`: they run no greenlets but those of a server.
_own_idents: set[int] = set()


class Latch:
    """A one-time event: set by any thread, awaited by any number of threads and greenlets.

    Usable between threads of which some run greenlets and some do not.
    """

    def __init__(self) -> None:
        self._lock = RealRLock()
        self._wakers: list[Callable[[], object]] = []
        self.is_set = False

    def set(self) -> None:
        """Wake all present and future waiters. Idempotent; safe to call in a signal handler."""
        with self._lock:
            self.is_set = True
            wakers, self._wakers = self._wakers, []
            for wake in wakers:
                wake()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for at most ``seconds`` until it is set; returns whether it is."""
        if self.is_set or (seconds is not None and seconds <= 0):
            return self.is_set
        if seconds is not None:
            seconds = min(seconds, threading.TIMEOUT_MAX)
        if is_patched() and _get_ident() not in _own_idents:
            self._wait_in_greenlet(seconds)
        else:
            self._wait_in_thread(seconds)
        return self.is_set

    def _wait_in_thread(self, seconds: float | None) -> None:
        bell = _allocate_lock()
        bell.acquire()
        ring = bell.release
        if self._join(ring):
            try:
                bell.acquire(timeout=-1 if seconds is None else seconds)
            finally:
                self._leave(ring)

    def _wait_in_greenlet(self, seconds: float | None) -> None:
        """Wait while other greenlets run. Another thread may wake a loop only by an *async* watcher."""
        import gevent
        from gevent.hub import Waiter

        hub = gevent.get_hub()
        waiter = Waiter(hub)
        watcher = hub.loop.async_()
        watcher.start(waiter.switch, None)
        ring = watcher.send
        try:
            if self._join(ring):
                with gevent.Timeout(seconds, False):
                    waiter.get()
        finally:
            self._leave(ring)
            watcher.stop()
            watcher.close()

    def _join(self, wake: Callable[[], object]) -> bool:
        """Register ``wake`` to be called by :meth:`set`; returns False when that has been called."""
        with self._lock:
            if not self.is_set:
                self._wakers.append(wake)
            return not self.is_set

    def _leave(self, wake: Callable[[], object]) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._wakers.remove(wake)


class _ServiceThread(threading.Thread):
    """A thread of Kedis's own, not counted among the program's."""


class RealThread:
    """A started thread of the operating system; :meth:`join` waits for its end."""

    def __init__(self, run: Callable[[], object], name: str) -> None:
        self._run = run
        self._ended = Latch()
        self._thread: threading.Thread | None = None
        if is_patched():
            _prepare_hub()
            _start_new_thread(self._live, ())
        else:
            self._thread = _ServiceThread(target=self._live, name=name, daemon=True)
            self._thread.start()

    def _live(self) -> None:
        ident = _get_ident()
        _own_idents.add(ident)
        try:
            self._run()
        finally:
            _own_idents.discard(ident)
            self._ended.set()

    def join(self) -> None:
        """Wait until it has ended."""
        self._ended.wait()
        if self._thread is not None and not is_patched():
            self._thread.join()  # it is about to end, and must leave the list of threads


def _prepare_hub() -> None:
    """Make the calling thread create its hub now, before a new thread creates one at the same time.

    gevent imports modules when the first hub is made; import locks are gevent's by then and wait by a hub, so
    two threads that make their first hubs at the same time deadlock.
    """
    import gevent

    gevent.get_hub()


def start_thread(run: Callable[[], object], name: str) -> RealThread:
    """Run ``run()`` in a new daemon thread of the operating system."""
    return RealThread(run, name)


def is_alone() -> bool:
    """Whether the calling thread is the only one of the program. O(threads).

    Always False under the patch: greenlets are not counted anywhere.
    """
    if is_patched():
        return False
    return all(
        thread is threading.current_thread() or isinstance(thread, _ServiceThread)
        for thread in threading.enumerate()
    )
