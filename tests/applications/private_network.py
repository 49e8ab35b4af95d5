"""Runs a program beside a server of its own at port 6379, in a network of its own (Linux).

    unshare --net --map-root-user python -m tests.applications.private_network kedis FOLDER -- COMMAND ...

Many test suites know no other port than 6379, where a server may be running. In the new network nothing is, and nothing
outside can be reached. ``redis`` is the one that is installed; the exit code is that of the command. A command named
``redis-server`` is for its children the wanted server, too.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

PORT = 6379
_SECONDS = 60
#: The number of the call that sets the flags of an interface, and the flags: up, running.
_SET_FLAGS, _UP = 0x8914, 0x1 | 0x40
_SHIM = """#!/bin/sh
PYTHONPATH={root} exec {python} -m kedis "$@" --metrics-port no
"""


def server_words(server: str) -> list[str]:
    """The command that starts ``redis`` or ``kedis``."""
    if server == "redis":
        return [shutil.which("redis-server") or "redis-server"]
    return [sys.executable, "-m", "kedis", "--metrics-port", "no"]


def bring_up_loopback() -> None:
    """Bring the loopback interface up, which is down in a new network. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


def start(server: str, folder: Path, port: int = PORT, *settings: str) -> subprocess.Popen[bytes]:
    """Start a server that keeps nothing, and wait until it listens."""
    words = [
        *server_words(server),
        "--port",
        str(port),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    with open(folder / f"{server}-{port}.log", "ab") as log:
        process = subprocess.Popen([*words, *settings], stdout=log, stderr=log)
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server} does not start, see {folder}") from None
            time.sleep(0.05)


def main() -> int:
    server, folder, _, *command = sys.argv[1:]
    bring_up_loopback()
    here = Path(folder).resolve()
    shims = here / "bin"
    shims.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "SUITE_SERVER": server, "SUITE_FOLDER": str(here)}
    environment["SUITE_PYTHON"] = sys.executable
    if server == "kedis":
        shim = shims / "redis-server"
        shim.write_text(_SHIM.format(root=os.getcwd(), python=sys.executable))
        shim.chmod(0o755)
        environment["PATH"] = f"{shims}{os.pathsep}{environment['PATH']}"
    process = start(server, here)
    try:
        cwd = os.environ.get("SUITE_CWD")
        environment.pop("PYTHONPATH", None)
        if plugins := os.environ.get("SUITE_PLUGINS"):
            environment["PYTHONPATH"] = plugins
        return subprocess.run(command, cwd=cwd, env=environment).returncode
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
