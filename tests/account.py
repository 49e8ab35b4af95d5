"""The self-check of the account of memory after every test, whatever the test was about.

Every engine of this process takes part: those behind the drivers of commands, servers in threads, in-process
clients.  An engine that lives longer than a test (a fixture of a module) is checked after each of its tests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import gevent
import pytest

from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.engine.engine import Engine
from kedis.server.app import App
from tests.commands.driver import Client

_WAIT_SECONDS = 60

#: What owns an engine, and how something is run where that engine may be looked at.
_OWNERS: WeakKeyDictionary[Any, Callable[[Callable[[], None]], None]] = WeakKeyDictionary()


def check(engine: Engine) -> None:
    """Verify all that ``engine`` holds and the account of it; what waits to be freed is freed first."""
    keyspace = engine.keyspace
    if keyspace.loading:
        return
    while keyspace.lazy_free.free(lambda: 0):
        pass
    keyspace.check()


@pytest.fixture(autouse=True)
def account_of_memory() -> Iterator[None]:
    """Fails the test that leaves an engine whose account is not what it holds."""
    yield
    for owner, run in list(_OWNERS.items()):
        run(lambda engine=owner.engine: check(engine))


def _at_once(action: Callable[[], None]) -> None:
    action()


def _in_its_loop() -> Callable[[Callable[[], None]], None]:
    """For an engine that is made in this thread and served by its event loop."""
    thread, loop = threading.current_thread(), gevent.get_hub().loop

    def run(action: Callable[[], None]) -> None:
        if thread is threading.current_thread():
            action()
            return
        done = threading.Event()
        failures: list[BaseException] = []

        def step() -> None:
            try:
                action()
            except BaseException as failure:
                failures.append(failure)
            done.set()

        try:
            loop.run_callback_threadsafe(step)
        except Exception:  # the loop is gone
            thread.join(_WAIT_SECONDS)
        waited = 0
        while thread.is_alive() and waited < _WAIT_SECONDS and not done.wait(1):
            waited += 1
        if failures:
            raise failures[0]
        if not done.is_set() and not thread.is_alive():
            action()

    return run


def _register(kind: type, how: Callable[[], Callable[[Callable[[], None]], None]]) -> None:
    initialise: Callable[..., None] = kind.__init__  # type: ignore[misc]

    def registering(self: Any, *arguments: Any, **options: Any) -> None:
        initialise(self, *arguments, **options)
        _OWNERS[self] = how()

    kind.__init__ = registering  # type: ignore[misc]


_register(Client, lambda: _at_once)
_register(EmbeddedEngine, lambda: _at_once)
_register(App, _in_its_loop)
