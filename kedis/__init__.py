"""Kedis: a Redis-compatible in-memory data store in Python.

    import kedis

    with kedis.Server(port=0) as server:          # a real server, in a thread of this process
        server.client().set("greeting", "hello")  # or any Redis client, at server.host and server.port

    store = kedis.connect()                        # no socket at all: a redis.Redis on an engine in this process
    store.incr("visits")

    async with kedis.aconnect() as store:          # the same for asyncio, without a thread
        await store.incr("visits")

Modules are imported on first use, so ``import kedis`` costs a program nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kedis.version import REDIS_VERSION, VERSION

if TYPE_CHECKING:
    from kedis.embedded.async_client import aconnect as aconnect
    from kedis.embedded.patching import Patch as patch
    from kedis.embedded.redis_client import connect as connect
    from kedis.process.forked import ForkedError as ForkedError
    from kedis.server.threaded_server import Server as Server

__version__ = VERSION

__all__ = ["REDIS_VERSION", "ForkedError", "Server", "__version__", "aconnect", "connect", "patch"]


def __getattr__(name: str) -> Any:
    if name == "Server":
        if sys.platform == "win32":
            raise ImportError("kedis.Server needs Linux or macOS; kedis.connect() works on Windows, too")
        from kedis.server.threaded_server import Server

        return Server
    if name == "aconnect":
        from kedis.embedded.async_client import aconnect

        return aconnect
    if name == "patch":
        from kedis.embedded.patching import Patch

        return Patch
    if name == "connect":
        from kedis.embedded.redis_client import connect

        return connect
    if name == "ForkedError":
        from kedis.process.forked import ForkedError

        return ForkedError
    raise AttributeError(f"module 'kedis' has no attribute {name!r}")
