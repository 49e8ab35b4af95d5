"""What the tests of attacks need: connections that misbehave, and a bystander who notices when he is not served.

How long he waits is measured in processor time that the server uses meanwhile: it tells what the server did before him,
whatever else the machine does.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

from tests.persistence.server import Kedis
from tests.wire.kedis_process import PING, KedisProcess

#: What a server may do, in seconds of processor time, before it answers somebody while others attack.
LONGEST_SECONDS = 1
#: The middle of all answers must be much better than that.
USUAL_SECONDS = 0.1
#: So many answers are waited for, whenever they come.
_LEAST_ANSWERS = 10
#: Seconds after which something is taken never to happen.
_NEVER = 60
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
    sock.settimeout(_NEVER)
    sock.connect(server.address)
    return sock


def send_until_cut(sock: socket.socket, request: bytes, most_bytes: int) -> bool:
    """Send ``request`` again and again without reading; whether the server closed before ``most_bytes``."""
    with contextlib.suppress(ConnectionError):
        for _ in range(most_bytes // len(request)):
            sock.sendall(request)
        sock.settimeout(_NEVER)
        with contextlib.suppress(TimeoutError):
            read_all(sock)  # what lies in the kernel, then the end
            return True
        return False
    return True


def until(condition: Callable[[], bool], seconds: float = _NEVER) -> None:
    """Wait until ``condition`` holds; fail when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not happened in time"
        time.sleep(0.02)


def processor_seconds(server: KedisProcess | Kedis) -> float:
    """Processor time that the process has used."""
    clock = ctypes.c_int()
    assert not ctypes.CDLL(None).clock_getcpuclockid(server.process.pid, ctypes.byref(clock))
    return time.clock_gettime(clock.value)


@contextlib.contextmanager
def takes_little_work(server: KedisProcess | Kedis, seconds: float) -> Iterator[None]:
    """The body costs the server no more than so much processor time."""
    begun = processor_seconds(server)
    yield
    assert processor_seconds(server) - begun < seconds


@contextlib.contextmanager
def others_are_served(server: KedisProcess, sock: socket.socket | None = None) -> Iterator[None]:
    """While the body runs, a client that is connected already (``sock``, or a new one) is answered soon."""
    bystander = sock or server.connect()
    bystander.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waits: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.005) or len(waits) < _LEAST_ANSWERS:
            begun = processor_seconds(server)
            bystander.sendall(PING)
            if bystander.recv(100) != b"+PONG\r\n":
                break
            waits.append(processor_seconds(server) - begun)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if sock is None:
            bystander.close()
    waits.sort()
    assert len(waits) >= _LEAST_ANSWERS, "the bystander was not served to the end"
    assert waits[len(waits) // 2] < USUAL_SECONDS
    assert waits[-1] < LONGEST_SECONDS


@contextlib.contextmanager
def nothing_is_left(server: KedisProcess, growth: int = 24 * MB) -> Iterator[None]:
    """After the body, descriptors and memory are where they were, within ``growth`` bytes."""
    files, memory = server.open_files(), server.resident_bytes()
    yield
    until(lambda: server.open_files() <= files)
    until(lambda: server.resident_bytes() - memory <= growth)
