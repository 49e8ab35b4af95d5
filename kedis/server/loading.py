"""Loading beside a running event loop, and the lines in the log that say how far it has come."""

from __future__ import annotations

import contextlib
import gc
import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import gevent

if TYPE_CHECKING:
    from kedis.persistence.aof import Aof
    from kedis.server.network import Network

_INTERVAL = 2.0
#: How long loading may keep the loop from serving those who ask meanwhile.
_SLICE = 0.02


class Loading(Protocol):
    """Figures of what loads: bytes in all and done, commands (or keys) read, keys there."""

    total_bytes: int
    loaded_bytes: int
    commands: int

    @property
    def keys(self) -> int: ...


class LoadingLog:
    """Reports on a loader every two seconds, so that a small file is loaded without a word."""

    def __init__(
        self, loader: Loading, log: logging.Logger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._loader = loader
        self._log = log
        self._clock = clock
        self._began = clock()
        self._next = self._began + _INTERVAL

    def report(self) -> None:
        """Write a line if it is time for one."""
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
    """While this lasts, data are being loaded: its time is taken, and the cyclic collector rests."""
    figures.loading_start_time = int(time.time())
    began = time.monotonic()
    collecting = gc.isenabled()
    gc.disable()  # the data makes no cycles, and a third of the time would go into looking for them
    try:
        yield
    finally:
        figures.loading_start_time = 0
        figures.load_seconds = time.monotonic() - began
        if collecting:
            gc.enable()


def in_slices(steps: Iterator[None], progress: LoadingLog, network: Network) -> Iterator[None]:
    """Run ``steps``; after each slice of time let a turn of the loop pass, and yield."""
    greenlet = gevent.getcurrent()
    until = time.monotonic() + _SLICE
    for _ in steps:
        if time.monotonic() < until:
            continue
        progress.report()
        network.next_turn(greenlet.switch)
        network.hub.switch()
        yield
        until = time.monotonic() + _SLICE
