"""Servers for the tests of the command line: one Kedis and, where it is installed, one Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle import Oracle
from tests.wire.kedis_process import KedisProcess


@pytest.fixture(scope="session")
def kedis_port() -> Iterator[int]:
    """The port of a Kedis that all tests of the command line share."""
    server = KedisProcess()
    yield server.address[1]
    server.close()


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """The port of a real Redis that all tests of the command line share."""
    server = Oracle()
    yield server.port
    server.close()


@pytest.fixture(params=["kedis", "redis"])
def port(request: pytest.FixtureRequest) -> int:
    """Each of the two servers in turn, emptied."""
    from tests.cli.program import call

    number: int = request.getfixturevalue(f"{request.param}_port")
    call(number, "FLUSHALL")
    return number
