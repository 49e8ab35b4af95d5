"""What Python sees of ``lua_bridge.pyx``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lupa.lua51 import LuaRuntime

from kedis.config import Config
from kedis.engine.client import Client, Services
from kedis.engine.table import Command

def open_bridge(
    runtime: LuaRuntime,
    host: Any,
    call: Callable[..., Any],
    encode: Callable[[Any], Any],
    tick: Callable[[], bytes | None],
    stop_for: Callable[[BaseException], Any],
) -> Bridge | None: ...

class Bridge:
    protocol: int
    most_kilobytes: int
    collects_above: int

    def __init__(
        self,
        call: Callable[..., Any],
        encode: Callable[[Any], Any],
        tick: Callable[[], bytes | None],
        stop_for: Callable[[BaseException], Any],
    ) -> None: ...
    @property
    def kilobytes(self) -> int: ...
    def address(self) -> bytes: ...
    def attach(self, engine: Services) -> None: ...
    def disengage(self) -> None: ...
    def engage(self, run: Any, inner: Client, effects: list[Any], forbidden: int, is_plain: bool) -> None: ...
    def refresh(self) -> None: ...
    def run_function(self, name: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Any: ...
    def run_script(self, name: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Any: ...
    def serve(
        self,
        service: Any,
        runtime: Any,
        engine: Services,
        flags: Mapping[bytes, int],
        inner: Client,
        run_type: type,
        forbidden_flags: Callable[..., int],
        limit_ns: Callable[[int], int],
    ) -> None: ...

class ScriptCall:
    def answer(self) -> None: ...
    def run(self) -> bool: ...

class Scripts:
    def __init__(
        self,
        service: Any,
        runtime: Any,
        engine: Services,
        flags: Mapping[bytes, int],
        inner: Client,
        run_type: type,
        forbidden_flags: Callable[..., int],
        limit_ns: Callable[[int], int],
    ) -> None: ...
    def follow(self, config: Config) -> None: ...
    def serve(
        self, client: Client, argv: list[bytes], command: Command, enter: Callable[[ScriptCall], Any]
    ) -> Any: ...
