"""Loading data beside a running event loop, and its progress in the log."""

from __future__ import annotations

import contextlib
import gc
import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import gevent

from kedis.process.clock import monotonic

if TYPE_CHECKING:
    from kedis.config import Config
    from kedis.persistence.aof import Aof
    from kedis.server.network import Network

_INTERVAL = 2.0
#: Seconds of loading between two turns of the loop.
_SLICE = 0.02
_LONGEST_PAUSE = 0.1


class Loading(Protocol):
    """A loader's figures: bytes in total and loaded, commands (or keys) read, keys in the keyspace."""

    total_bytes: int
    loaded_bytes: int
    commands: int

    @property
    def keys(self) -> int: ...


class Loader(Loading, Protocol):
    """What loads."""

    def steps(self) -> Iterator[None]:
        """Load; yields wherever the caller may do other work."""


class KeyDelay:
    """The pause for each key that ``loading`` has loaded, by the setting ``key-load-delay``, which is for tests."""

    def __init__(self, loading: Loading, config: Config) -> None:
        self._loading = loading
        self._config = config
        self._paused_for = loading.keys

    def pauses(self) -> Iterator[None]:
        """Let others run for the time of the keys since the last call, in pieces; none where there is no delay."""
        delay = self._config.key_load_delay
        if delay > 0:
            keys = self._loading.keys
            until = monotonic() + (keys - self._paused_for) * delay / 1e6
            self._paused_for = keys
            while (left := until - monotonic()) > 0:
                gevent.sleep(min(left, _LONGEST_PAUSE))
                yield


class LoadingLog:
    """Logs the progress of a loader every two seconds; nothing for a small file."""

    def __init__(self, loader: Loading, log: logging.Logger, clock: Callable[[], float] = monotonic) -> None:
        self._loader = loader
        self._log = log
        self._clock = clock
        self._began = clock()
        self._next = self._began + _INTERVAL

    def report(self) -> None:
        """Log a line if one is due."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _INTERVAL
        loader = self._loader
        seconds = now - self._began
        rate = loader.loaded_bytes / seconds
        self._log.info(
            "loading: %.0f of %.0f MB (%.0f%%), %d keys, %.0f commands/s, %.0f MB/s, %.0f s left",
            loader.loaded_bytes / 1e6,
            loader.total_bytes / 1e6,
            100 * loader.loaded_bytes / max(loader.total_bytes, 1),
            loader.keys,
            loader.commands / seconds,
            rate / 1e6,
            (loader.total_bytes - loader.loaded_bytes) / max(rate, 1),
        )


@contextlib.contextmanager
def timed_loading(figures: Aof) -> Iterator[None]:
    """The loading state of ``figures``: measures its time, and pauses the cyclic collector."""
    figures.loading_start_time = int(time.time())
    began = monotonic()
    collecting = gc.isenabled()
    gc.disable()  # the data has no cycles, and the collector would take a third of the time
    try:
        yield
    finally:
        figures.loading_start_time = 0
        figures.load_seconds = monotonic() - began
        if collecting:
            gc.enable()


def in_slices(loader: Loader, log: logging.Logger, network: Network) -> Iterator[None]:
    """Load in slices, with the progress in ``log``; after each, let a turn of the loop pass, and yield."""
    greenlet = gevent.getcurrent()
    progress, delay = LoadingLog(loader, log), KeyDelay(loader, network.engine.config)
    until = monotonic() + _SLICE
    for _ in loader.steps():
        yield from delay.pauses()
        if monotonic() < until:
            continue
        progress.report()
        network.next_turn(greenlet.switch)
        network.hub.switch()
        yield
        until = monotonic() + _SLICE
