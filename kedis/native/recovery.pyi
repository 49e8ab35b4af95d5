"""What Python sees of ``recovery.pyx``."""

from collections.abc import Mapping
from typing import Any

from kedis.engine.client import Client
from kedis.engine.table import Command
from kedis.native.path import Path

class Recovery:
    def __init__(
        self,
        path: Path,
        client: Client,
        handlers: Mapping[bytes, tuple[Any, int, int]],
        counted: Mapping[bytes, Command] | None = None,
    ) -> None: ...
    def whole_bytes(self, data: bytes) -> int: ...
    def run(self, data: bytes, offset: int) -> tuple[int, int, Exception | None]: ...
