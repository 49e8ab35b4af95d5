"""Fixtures for tests of programs that use Redis.

``kedis_server`` is an empty server on a free port, ``kedis_client`` a redis-py client of it. Each test gets its own,
which takes milliseconds, so that no test sees another's data, settings or connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import redis

    from kedis.server.threaded_server import Server


@pytest.fixture
def kedis_server() -> Iterator[Server]:
    """An empty Kedis on a free port of 127.0.0.1, given by its attributes ``host``, ``port`` and ``url``."""
    from kedis import Server

    with Server(port=0) as server:
        yield server


@pytest.fixture
def kedis_client(kedis_server: Server) -> Iterator[redis.Redis]:
    """A redis-py client of ``kedis_server``."""
    with kedis_server.client() as client:
        yield client
