"""Stands in for fakeredis: its classes are clients of the server that is running."""

from __future__ import annotations

import sys
import types
from typing import Any

import redis


class FakeServer:
    """All are the same server."""


class FakeStrictRedis(redis.Redis):
    """A client of the server at port 6379."""

    def __init__(self, *, server: FakeServer | None = None, **options: Any) -> None:
        super().__init__(host="127.0.0.1", port=6379, **options)


module = types.ModuleType("fakeredis")
module.FakeServer, module.FakeStrictRedis, module.FakeRedis = FakeServer, FakeStrictRedis, FakeStrictRedis  # type: ignore[attr-defined]
sys.modules["fakeredis"] = module
