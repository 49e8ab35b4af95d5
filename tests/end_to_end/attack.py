"""What the tests of attacks need: connections that misbehave, and a bystander who notices when he is not served."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

from tests.wire.kedis_process import PING, KedisProcess

#: How long an answer may take while others attack; two cores are shared with everything else that runs.
LONGEST_SECONDS = 2
#: The middle of all answers must be much better than that.
USUAL_SECONDS = 0.2
MB = 1 << 20


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server closes; a reset counts as closing."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(1 << 16):
            data += piece
    return data


def read_lines(sock: socket.socket, count: int) -> list[bytes]:
    """``count`` lines, and what was sent along with them."""
    data = b""
    while data.count(b"\r\n") < count:
        piece = sock.recv(1 << 16)
        assert piece, f"closed after {data!r}"
        data += piece
    return data.split(b"\r\n")[:-1]


def reset(sock: socket.socket) -> None:
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def deaf(server: KedisProcess) -> socket.socket:
    """A client in whose kernel little finds room."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(10)
    sock.connect(server.address)
    return sock


def send_until_cut(sock: socket.socket, request: bytes, most_bytes: int) -> bool:
    """Send ``request`` again and again without reading; whether the server closed before ``most_bytes``."""
    with contextlib.suppress(ConnectionError):
        for _ in range(most_bytes // len(request)):
            sock.sendall(request)
        sock.settimeout(5)
        with contextlib.suppress(TimeoutError):
            read_all(sock)  # what lies in the kernel, then the end
            return True
        return False
    return True


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until ``condition`` holds; fail when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not happened in time"
        time.sleep(0.02)


def processor_seconds(server: KedisProcess) -> float:
    """Processor time that the process has used."""
    with open(f"/proc/{server.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def others_are_served(server: KedisProcess, sock: socket.socket | None = None) -> Iterator[None]:
    """While the body runs, a client that is connected already (``sock``, or a new one) is answered in time."""
    bystander = sock or server.connect()
    bystander.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waits: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.005):
            begun = time.monotonic()
            bystander.sendall(PING)
            assert bystander.recv(100) == b"+PONG\r\n"
            waits.append(time.monotonic() - begun)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        time.sleep(0.05)
        over.set()
        thread.join()
        if sock is None:
            bystander.close()
    waits.sort()
    assert len(waits) > 5, "the bystander was hardly served"
    assert waits[len(waits) // 2] < USUAL_SECONDS
    assert waits[-1] < LONGEST_SECONDS


@contextlib.contextmanager
def nothing_is_left(server: KedisProcess, growth: int = 24 * MB) -> Iterator[None]:
    """After the body, descriptors and memory are where they were, within ``growth`` bytes."""
    files, memory = server.open_files(), server.resident_bytes()
    yield
    until(lambda: server.open_files() <= files)
    until(lambda: server.resident_bytes() - memory <= growth)
