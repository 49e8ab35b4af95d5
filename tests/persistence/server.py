"""A Kedis process with a folder of its own that can be killed and started again, and a small client of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kedis.resp.replies import encode_command
from tests.commands.driver import reply_reader, to_bytes
from tests.ports import free_port

_START_SECONDS = 60


def encode(*words: Any) -> bytes:
    """One command as it travels and as it stands in the file."""
    return encode_command([to_bytes(word) for word in words])


class Wire:
    """One connection; errors are values."""

    def __init__(self, port: int, timeout: float = 20) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._reader = reply_reader()

    def send(self, *words: Any) -> None:
        self.socket.sendall(encode(*words))

    def receive(self) -> Any:
        while (reply := self._reader.gets()) is False:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("closed")
            self._reader.feed(data)
        return reply

    def call(self, *words: Any) -> Any:
        self.send(*words)
        return self.receive()

    def pipeline(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        self.socket.sendall(b"".join(encode(*words) for words in commands))
        return [self.receive() for _ in commands]

    def close(self) -> None:
        self.socket.close()


class Kedis:
    """``python -m kedis`` on the folder ``directory``; ``prefix`` are words before it, such as strace's."""

    def __init__(
        self,
        directory: Path,
        *flags: str,
        prefix: tuple[str, ...] = (),
        program: tuple[str, ...] = ("-m", "kedis"),
        environment: dict[str, str] | None = None,
        wait: bool = True,
    ) -> None:
        self.port: int = free_port()
        self.directory = directory
        self.log_path = directory.parent / f"{directory.name}.log"
        words = [*prefix, sys.executable, *program, "--port", str(self.port), "--metrics-port", "no"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*words, "--bind", "127.0.0.1", "--dir", str(directory), *flags],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                wire = self.connect()
                ready = wire.call("EXISTS", "x") in (0, 1)
                wire.close()
                if ready:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"kedis does not start:\n{self.log()}")
            time.sleep(0.02)

    def connect(self, timeout: float = 20) -> Wire:
        return Wire(self.port, timeout)

    def call(self, *words: Any) -> Any:
        wire = self.connect()
        try:
            return wire.call(*words)
        finally:
            wire.close()

    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace")

    def kill(self) -> None:
        """SIGKILL to the server and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(30)

    def info(self) -> dict[str, str]:
        text = self.call("INFO", "everything")
        assert isinstance(text, bytes), text
        lines = (line.partition(":") for line in text.decode().splitlines() if ":" in line)
        return {name: value for name, _, value in lines}


def files(directory: Path) -> dict[str, bytes]:
    """Everything in the folder of append-only files; a server may be removing some of them."""
    found = {}
    for path in sorted((directory / "appendonlydir").iterdir()):
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.read_bytes()
    return found


def write_folder(directory: Path, content: dict[str, bytes]) -> None:
    """Make ``content`` the folder of append-only files."""
    folder = directory / "appendonlydir"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in content.items():
        (folder / name).write_bytes(data)
