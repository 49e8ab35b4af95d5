"""A Kedis server for real applications."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator

import pytest

import kedis


@pytest.fixture(scope="module")
def server() -> Iterator[kedis.Server]:
    with kedis.Server(port=0) as running:
        yield running


@pytest.fixture
def url(server: kedis.Server) -> str:
    """Where an empty server is."""
    with server.client() as client:
        client.flushall()
    return f"redis://{server.host}:{server.port}/0"


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """Workers take SIGINT and SIGTERM for themselves, and would keep them for the tests that follow."""
    known = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for each, handler in known.items():
        signal.signal(each, handler)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Workers set the process's logging up for themselves, and disable the loggers that are there."""
    manager, root = logging.root.manager, logging.root
    known = {name: each for name, each in manager.loggerDict.items() if isinstance(each, logging.Logger)}
    state = {name: (each.level, each.propagate, each.disabled) for name, each in known.items()}
    level, handlers, disabled = root.level, root.handlers[:], manager.disable
    yield
    root.level, root.handlers[:], manager.disable = level, handlers, disabled
    for name, each in known.items():
        each.level, each.propagate, each.disabled = state[name]
        each.manager._clear_cache()
