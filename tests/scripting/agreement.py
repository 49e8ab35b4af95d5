"""Runs a script on the runtime and on real Redis, and gives both replies as they are on the wire."""

from __future__ import annotations

import hashlib
import re
import socket
from typing import Any

import hiredis

from kedis.errors import CommandError
from kedis.resp.replies import encode2, encode3
from kedis.scripting.headers import script_flags
from kedis.scripting.runtime import Runtime
from tests.commands.driver import to_bytes
from tests.oracle import Oracle

_ADDRESS = re.compile(rb"0x[0-9a-f]+")


class Nobody:
    """A caller for scripts that call no commands."""

    def __init__(self) -> None:
        self.logged: list[tuple[int, bytes]] = []
        self.reason: bytes | None = None
        self.ticks = 0

    def call(self, argv: list[bytes]) -> Any:
        raise CommandError("ERR Unknown Redis command called from script")

    def tick(self) -> bytes | None:
        self.ticks += 1
        return self.reason

    def speak(self, protocol: int) -> None:
        pass

    def set_repl(self, targets: int) -> None:
        pass

    def may(self, argv: list[bytes]) -> bool | None:
        return True

    def count(self, error: CommandError, is_counted: bool) -> None:
        pass

    def log(self, level: int, text: bytes) -> None:
        self.logged.append((level, text))


class Scripts:
    """EVAL on a runtime of its own."""

    def __init__(self, memory: int = 64 << 20, caller: Any = None, resp: int = 2) -> None:
        self.runtime = Runtime(memory, "7.0.15")
        self.caller = caller or Nobody()
        self._encode = encode3 if resp == 3 else encode2

    def value(self, script: str | bytes, keys: list[bytes] = [], arguments: list[bytes] = []) -> Any:  # noqa: B006
        """What the script returns; an error as one."""
        source = script if isinstance(script, bytes) else script.encode("latin-1")
        digest = hashlib.sha1(source).hexdigest().encode()
        try:
            self.runtime.define_script(digest, script_flags(source)[1])
            return self.runtime.run_script(self.caller, digest, keys, arguments)
        except CommandError as error:
            return error

    def wire(self, script: str | bytes, keys: list[bytes] = [], arguments: list[bytes] = []) -> bytes:  # noqa: B006
        """The reply as the client gets it."""
        chunks: list[Any] = []
        self._encode(self.value(script, keys, arguments), chunks.append)
        return _ADDRESS.sub(b"0x", b"".join(map(bytes, chunks)))


class Wire:
    """A connection to the oracle that gives replies as bytes."""

    def __init__(self, oracle: Oracle, resp: int = 2) -> None:
        self._socket = socket.create_connection(("127.0.0.1", oracle.port), timeout=60)
        if resp == 3:
            self.call("HELLO", 3)

    def call(self, *words: Any) -> bytes:
        arguments = [to_bytes(word) for word in words]
        parts = [b"*%d\r\n" % len(arguments)]
        parts += [b"$%d\r\n%s\r\n" % (len(argument), argument) for argument in arguments]
        self._socket.sendall(b"".join(parts))
        reader, received = hiredis.Reader(), b""
        while reader.gets() is False:
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError("the oracle closed the connection")
            received += more
            reader.feed(more)
        return received

    def eval(self, script: str | bytes, *words: Any) -> bytes:
        source = script if isinstance(script, bytes) else script.encode("latin-1")
        return _ADDRESS.sub(b"0x", self.call("EVAL", source, *(words or (0,))))

    def close(self) -> None:
        self._socket.close()
