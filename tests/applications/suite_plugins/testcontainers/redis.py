"""Stands in for testcontainers: the container is the server that is running."""

from __future__ import annotations

from typing import Any


class RedisContainer:
    """The server at port 6379."""

    port = 6379

    def __init__(self, image: str) -> None: ...

    def __enter__(self) -> RedisContainer:
        return self

    def __exit__(self, *exception: Any) -> None: ...

    def get_container_host_ip(self) -> str:
        return "127.0.0.1"

    def get_exposed_port(self, port: int) -> int:
        return port
