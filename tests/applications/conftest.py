"""A Kedis server for real applications."""

from __future__ import annotations

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
