"""What Python sees of ``path.pyx``."""

from collections import deque
from collections.abc import Callable, Sequence
from socket import SocketType
from typing import Any

from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.table import Command
from kedis.resp.long_replies import Chunk
from kedis.resp.requests import RequestParser
from kedis.structures.histogram import Histogram

class Row:
    def __init__(self, command: Command) -> None: ...

class Peer:
    client: Client
    closed: bool
    commands_before: int
    fd: int
    noted_bytes: int
    parser: RequestParser
    queued: bool
    sealed: list[Chunk]
    sock: SocketType | Any
    tls: Any
    unsent: deque[Any]

    @property
    def input_bytes_here(self) -> int: ...
    @property
    def output_bytes_here(self) -> int: ...
    def drop_buffers_here(self) -> None: ...
    def surface(self) -> None: ...

class Path:
    depths: Histogram
    scripts: Any
    selective: bool
    shows_only_durable: bool
    touches: Callable[[list[bytes]], bool] | None
    waits: Histogram
    wrote: bool

    def __init__(self, engine: Engine) -> None: ...
    @property
    def commands(self) -> int: ...
    @property
    def taken(self) -> int: ...
    def begin_turn(self) -> None: ...
    def call_command(self, client: Client, command: Command, argv: Sequence[bytes]) -> Any: ...
    def feed(self, peer: Peer, data: bytes, budget_ns: int, turn_began_ns: int) -> tuple[bytes, str]: ...
    def serve_scripts(self, scripts: Any) -> None: ...
    def serves(self, client: Client) -> bool: ...
    def settle(self) -> None: ...

def is_served(command: Command) -> bool: ...
def rows_with_forms(path: Path) -> dict[Any, Row]: ...
