"""Fixtures for tests of programs that use Redis, sync and async.

============================  =======================================================================
``kedis_store``               a ``redis.Redis`` on an empty store in the process, without a socket
``kedis_async_store``         a ``redis.asyncio.Redis`` on the same store
``kedis_server``              an empty server on a free port, see ``kedis.Server``
``kedis_client``              a ``redis.Redis`` of that server
``kedis_async_client``        a ``redis.asyncio.Redis`` of that server
============================  =======================================================================

Each test gets its own. With ``module`` or ``session`` in the name (``kedis_session_server``, ``kedis_module_client``,
…) there is one for the module or the session, at one address, and each test finds it empty.

Empty means new: no data, scripts, functions, users, clients and figures of another test, and the settings as they were
given. They are given by the marker, ``@pytest.mark.kedis(maxmemory="1mb", decode_responses=True)``, and by the option
``kedis`` of the configuration file, a line for each: ``maxmemory = 1mb``. Both take settings and options of the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from kedis.embedded.async_client import InProcessAsyncClient
    from kedis.embedded.redis_client import InProcessClient
    from kedis.server.threaded_server import Server

Scope = Literal["function", "module", "session"]

#: What makes those of a scope wider than a test new again, by the name of the fixture.
_renewals = pytest.StashKey[dict[str, Callable[[], object]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "kedis",
        "settings of Kedis, and options of its clients, for its fixtures: name = value",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "kedis(**settings): settings of Kedis, and options of its clients, for its fixtures in this test",
    )
    config.stash[_renewals] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the test find what it shares with others as new."""
    renewals = item.config.stash[_renewals]
    if renewals:
        for name in getattr(item, "fixturenames", ()):
            if name in renewals:
                renewals[name]()


def _given(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of clients, and the settings, for the scope of ``request``."""
    from kedis.embedded.opening import client_parameters, sorted_out

    given: dict[str, Any] = {}
    for line in request.config.getini("kedis"):
        name, equals, value = line.partition("=")
        if not equals:
            raise pytest.UsageError(f"kedis: {line!r} is not of the form name = value")
        name = name.strip()
        given[name] = _option(value.strip()) if name in client_parameters() else value.strip()
    for marker in reversed(list(request.node.iter_markers("kedis"))):
        given |= marker.kwargs
    return sorted_out("connect", given)


def _option(text: str) -> Any:
    """The value of an option of redis-py's, which wants Python's types."""
    known = {"true": True, "yes": True, "false": False, "no": False, "none": None}
    if text.lower() in known:
        return known[text.lower()]
    return int(text) if text.lstrip("-").isdigit() else text


# -- what a scope has -------------------------------------------------------------------------------------


def _serve(request: pytest.FixtureRequest) -> Iterator[Server]:
    from kedis import Server

    with Server(**_given(request)[1]) as server:

        def renew() -> None:
            server.stop()
            server.start()

        with _renewed(request, renew):
            yield server


def _open(request: pytest.FixtureRequest) -> Iterator[InProcessClient]:
    from kedis.embedded.opening import open_store
    from kedis.embedded.redis_client import InProcessClient

    options, settings = _given(request)

    def opened() -> Any:
        return open_store("connect", None, None, settings, options)

    first = opened()
    with (
        InProcessClient(first.embedded, **first.options) as store,
        _renewed(request, lambda: store.replace_store(opened().embedded)),
    ):
        yield store


def _talk(request: pytest.FixtureRequest, server: Server) -> Iterator[redis.Redis]:
    with server.client(**_given(request)[0]) as client:
        yield client


class _renewed:
    """Renew a fixture of a wider scope for each test while the block lasts."""

    def __init__(self, request: pytest.FixtureRequest, renew: Callable[[], object]) -> None:
        self._name = request.fixturename or ""
        self._renewals = request.config.stash[_renewals]
        self._renew = renew
        self._is_shared = request.scope != "function"

    def __enter__(self) -> None:
        if self._is_shared:
            self._renewals[self._name] = self._renew

    def __exit__(self, *_exception: object) -> None:
        self._renewals.pop(self._name, None)


# -- a test -----------------------------------------------------------------------------------------------


@pytest.fixture
def kedis_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """An empty Kedis on a free port of 127.0.0.1, given by its attributes ``host``, ``port`` and ``url``."""
    yield from _serve(request)


@pytest.fixture
def kedis_client(request: pytest.FixtureRequest, kedis_server: Server) -> Iterator[redis.Redis]:
    """A redis-py client of ``kedis_server``."""
    yield from _talk(request, kedis_server)


@pytest.fixture
def kedis_async_client(request: pytest.FixtureRequest, kedis_server: Server) -> Iterator[redis.asyncio.Redis]:
    """A redis-py client for asyncio of ``kedis_server``; for pytest-asyncio, anyio, or ``asyncio.run`` in the test."""
    client = kedis_server.aclient(**_given(request)[0])
    yield client
    _drop(client)


@pytest.fixture
def kedis_store(request: pytest.FixtureRequest) -> Iterator[InProcessClient]:
    """A redis-py client of an empty store in this process."""
    yield from _open(request)


@pytest.fixture
def kedis_async_store(
    request: pytest.FixtureRequest, kedis_store: InProcessClient
) -> Iterator[InProcessAsyncClient]:
    """A redis-py client for asyncio of the store of ``kedis_store``; see ``kedis_async_client``."""
    from kedis import aconnect

    client = aconnect(store=kedis_store, **_given(request)[0])
    yield client
    _drop(client)


def _drop(client: Any) -> None:
    """End the connections of a client whose event loop is closed, or about to be."""
    pool = client.connection_pool
    connections = [*pool._available_connections, *pool._in_use_connections]
    if client.connection is not None:
        connections.append(client.connection)
        client.connection = None
    for connection in connections:
        writer, connection._writer, connection._reader = connection._writer, None, None
        transport: Any = getattr(writer, "transport", None)
        if transport is not None and transport._loop.is_closed():
            # A closed loop does not close its sockets.
            transport._closing = True
            if transport._sock is not None:
                transport._sock.close()
                transport._sock = None
        elif writer is not None:
            writer.close()
    pool.reset()


# -- a module, a session ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kedis_module_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A Kedis for the tests of a module, at one address, which each of them finds empty."""
    yield from _serve(request)


@pytest.fixture(scope="module")
def kedis_module_client(request: pytest.FixtureRequest, kedis_module_server: Server) -> Iterator[redis.Redis]:
    """A redis-py client of ``kedis_module_server``."""
    yield from _talk(request, kedis_module_server)


@pytest.fixture(scope="module")
def kedis_module_store(request: pytest.FixtureRequest) -> Iterator[InProcessClient]:
    """A redis-py client of a store in this process for the tests of a module, which each of them finds empty."""
    yield from _open(request)


@pytest.fixture(scope="session")
def kedis_session_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A Kedis for all tests, at one address, which each of them finds empty."""
    yield from _serve(request)


@pytest.fixture(scope="session")
def kedis_session_client(
    request: pytest.FixtureRequest, kedis_session_server: Server
) -> Iterator[redis.Redis]:
    """A redis-py client of ``kedis_session_server``."""
    yield from _talk(request, kedis_session_server)


@pytest.fixture(scope="session")
def kedis_session_store(request: pytest.FixtureRequest) -> Iterator[InProcessClient]:
    """A redis-py client of a store in this process for all tests, which each of them finds empty."""
    yield from _open(request)
