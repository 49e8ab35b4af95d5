"""Real threads, locks and system calls, whatever gevent's monkey patch has made of the standard library's.

Under ``gevent.monkey.patch_all()`` a ``threading.Thread`` is a greenlet: one that blocks, or that runs an event loop
of its own, stops the program for ever.  A Kedis server, and what syncs files, need threads of the operating system;
and those who wait for them must let other greenlets run.  So here are

* the originals of what the patch replaces, as far as Kedis needs them (:func:`original`);
* :func:`start_thread`: a real thread, patched or not;
* :class:`Latch`: one thread waits for another; under the patch the wait is cooperative.

The patch may come before or after the import of this module: what is taken here is the original in both cases.  This
is the only module outside of ``server`` and ``cli`` that may import gevent, and it does so only where the program has.
"""

from __future__ import annotations

import contextlib
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
    """Whether threads of this program are greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


_start_new_thread = original("_thread", "start_new_thread")
_allocate_lock = original("_thread", "allocate_lock")
_get_ident = original("_thread", "get_ident")
#: A reentrant lock that belongs to a thread of the operating system.  Greenlets of one thread do not exclude each
#: other by it: nothing may switch while it is held.
RealRLock = original("_thread", "RLock")
RealSocket = original("socket", "socket")
#: gevent's would run its hub in the child.
real_fork = original("os", "fork")
real_waitpid = original("os", "waitpid")
#: gevent's leaves pipes open until a turn of the loop, which may have none any more.
real_close = original("os", "close")
real_sleep = original("time", "sleep")

#: Threads that :func:`start_thread` has started: nobody's greenlets run there but those of a server.
_own_idents: set[int] = set()


class Latch:
    """Is set once, by any thread, and awaited by any number of threads and greenlets.

    Usable between threads of which some run greenlets and some do not.
    """

    def __init__(self) -> None:
        self._lock = RealRLock()
        self._wakers: list[Callable[[], object]] = []
        self.is_set = False

    def set(self) -> None:
        """Wake all who wait, and whoever waits later.  Idempotent; safe to call in a signal handler."""
        with self._lock:
            self.is_set = True
            wakers, self._wakers = self._wakers, []
            for wake in wakers:
                wake()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is set, for at most ``seconds``; returns whether it is."""
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
        """Give way to the other greenlets.  An *async* watcher is what another thread may wake a loop by."""
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
        """Have ``wake`` called by :meth:`set`, unless that has been called."""
        with self._lock:
            if not self.is_set:
                self._wakers.append(wake)
            return not self.is_set

    def _leave(self, wake: Callable[[], object]) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._wakers.remove(wake)


class _ServiceThread(threading.Thread):
    """A thread of Kedis's own, which is no part of the program."""


class RealThread:
    """A thread of the operating system that has been started; :meth:`join` waits for its end."""

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
            self._thread.join()  # it is about to end, and should be gone from the list of threads


def _prepare_hub() -> None:
    """Have the calling thread make its hub now, not later, beside a new thread that makes one, too.

    gevent imports modules when the first hub is made; the locks of imports are gevent's by then and wait by a hub, so
    two threads that make their first hubs at once wait for each other for ever.
    """
    import gevent

    gevent.get_hub()


def start_thread(run: Callable[[], object], name: str) -> RealThread:
    """Run ``run()`` in a daemon thread of its own."""
    return RealThread(run, name)


def is_alone() -> bool:
    """Whether the calling thread is the only one that the program has.  O(threads).

    Under the patch that cannot be known, and is denied: greenlets are not counted anywhere.
    """
    if is_patched():
        return False
    return all(
        thread is threading.current_thread() or isinstance(thread, _ServiceThread)
        for thread in threading.enumerate()
    )
