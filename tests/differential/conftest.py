"""The servers whose stories are compared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import kedis
from tests.oracle import Oracle


@pytest.fixture
def redis_port(oracle: Oracle) -> int:
    return oracle.port


@pytest.fixture(scope="module")
def kedis_port() -> Iterator[int]:
    with kedis.Server(port=0) as server:
        yield server.port
