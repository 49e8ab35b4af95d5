"""How long a client waits while others send what is slow to parse: Kedis beside real Redis, in the same run.

Attackers send one kind of stream without end, as fast as it is taken, and read and drop the replies.  Meanwhile a
bystander sends a PING every few milliseconds.  The table shows its waits in milliseconds, by the clock on the wall and
by the processor time that the server used meanwhile, which tells the same on a machine that has other work.  The
servers have a core, attackers and bystander the other; the attackers yield to the bystander (nice).

    python ops/bench/fairness.py                            every kind, 2 and 50 attackers, as Markdown
    python ops/bench/fairness.py --only LF --seconds 2      a first look
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from against_redis import LOAD_CORE, Running, contenders, server

PASSWORD = "sesame"
STREAMS = {
    "LF": b"\n" * 65536,
    "CRLF": b"\r\n" * 32768,
    "*0": b"*0\r\n" * 16384,
    "LF and *0": b"\n*0\r\n" * 13107,
    "letters": b"x\n" * 32768,
    "inline PING": b"PING\r\n" * 10922,
    "words": b"x " * 32767 + b"\n",
    "quoted words": b"'' " * 21844 + b"\n",
    "escapes": b'"' + b"\\a" * 32766 + b'"\n',
    "arguments": b"*10922\r\n" + b"$0\r\n\r\n" * 10922,
    "PING": b"*1\r\n$4\r\nPING\r\n" * 4681,
}
_PING = b"*1\r\n$4\r\nPING\r\n"


def attack(port: int, kind: str, count: int) -> None:
    """Send the stream on ``count`` connections until killed; those that the server closes are opened anew."""
    stream = STREAMS[kind]
    selector = selectors.DefaultSelector()
    left: dict[socket.socket, memoryview] = {}

    def connect() -> None:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setblocking(False)
        left[sock] = memoryview(stream)
        selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)

    for _ in range(count):
        connect()
    while True:
        for key, events in selector.select():
            sock: socket.socket = key.fileobj  # type: ignore[assignment]
            try:
                if events & selectors.EVENT_READ and not sock.recv(1 << 20):
                    raise ConnectionResetError
                if events & selectors.EVENT_WRITE:
                    sent = sock.send(left[sock])
                    left[sock] = left[sock][sent:] or memoryview(stream)
            except BlockingIOError:
                pass
            except ConnectionError:
                selector.unregister(sock)
                del left[sock]
                sock.close()
                connect()


@contextlib.contextmanager
def under_attack(running: Running, kind: str, count: int) -> Iterator[None]:
    words = ["taskset", "-c", LOAD_CORE, "nice", "-n", "19", sys.executable, __file__]
    process = subprocess.Popen([*words, "--attack", kind, str(running.port), str(count)])
    try:
        time.sleep(1)
        yield
    finally:
        process.kill()
        process.wait()


def processor_clock(pid: int) -> int:
    """The clock of the processor time that process ``pid`` has used, for ``time.clock_gettime``."""
    clock = ctypes.c_int()
    if ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise SystemExit(f"process {pid} has no clock of its processor time")
    return clock.value


def waits(running: Running, authenticate: bool, seconds: float) -> tuple[list[float], list[float]]:
    """What a bystander waits for each PING, in ms on the wall and of the server's processor time, each sorted."""
    elapsed: list[float] = []
    worked: list[float] = []
    clock = processor_clock(running.pid)
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if authenticate:
            sock.sendall(f"AUTH {PASSWORD}\r\n".encode())
            assert sock.recv(100) == b"+OK\r\n"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun, used = time.perf_counter(), time.clock_gettime(clock)
            sock.sendall(_PING)
            assert sock.recv(100) == b"+PONG\r\n"
            elapsed.append((time.perf_counter() - begun) * 1e3)
            worked.append((time.clock_gettime(clock) - used) * 1e3)
            time.sleep(0.003)
    return sorted(elapsed), sorted(worked)


def quantiles(found: list[float]) -> str:
    """The middle, the 99th percentile and the longest of ``found``."""
    return f"{found[len(found) // 2]:.1f} / {found[len(found) * 99 // 100]:.1f} / {found[-1]:.1f}"


def measure(
    name: str, kind: str, count: int, password: bool, seconds: float
) -> tuple[list[float], list[float]]:
    """The waits beside ``count`` attackers."""
    with server(name, ["--appendonly", "no"]) as running:
        if password:
            running.call("config", "set", "requirepass", PASSWORD)
        with under_attack(running, kind, count):
            return waits(running, password, seconds)


def row(kind: str, count: int, password: bool, seconds: float) -> str:
    """A line of the table."""
    cells = [kind, "yes" if password else "no", str(count)]
    for name in contenders():
        cells += map(quantiles, measure(name, kind, count, password, seconds))
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=STREAMS, action="append", help="a kind of stream; may be repeated")
    parser.add_argument("--seconds", type=float, default=5, help="for each measurement (default: 5)")
    parser.add_argument("--attackers", type=int, action="append", help="how many (default: 2, then 50)")
    parser.add_argument("--attack", nargs=3, metavar=("KIND", "PORT", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        kind, port, count = options.attack
        attack(int(port), kind, int(count))
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    names = contenders()
    print("A bystander's PING: p50 / p99 / longest wait, ms\n")
    heads = [f"{name}, {clock}" for name in names for clock in ("wall", "processor")]
    print("| stream | before AUTH | attackers | " + " | ".join(heads) + " |")
    print("|" + "---|" * (3 + len(heads)))
    for kind in options.only or STREAMS:
        for password in (False, True):
            for count in options.attackers or (2, 50):
                print(row(kind, count, password, options.seconds), flush=True)


if __name__ == "__main__":
    main()
