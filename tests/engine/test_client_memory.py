"""A client that has left is freed at once: no reference of its own leads back to it."""

from __future__ import annotations

import gc
from weakref import ref

from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport


class Watched(Client):
    """A client that takes weak references."""

    __slots__ = ("__weakref__",)


def test_no_cycle_of_references_keeps_a_client() -> None:
    engine = Engine()
    client = Watched(engine, NullTransport())
    engine.connect(client)
    engine.run(client, [[b"MULTI"], [b"SET", b"k", b"v"], [b"EXEC"], [b"WATCH", b"k"], [b"SUBSCRIBE", b"c"]])
    gone = ref(client)
    gc.disable()
    try:
        engine.disconnect(client)
        del client
        assert gone() is None
    finally:
        gc.enable()
