"""Random and mutated bytes against a Kedis server: ``python -m tests.wire.fuzz [--count N] [--seed N]``.

Whatever arrives, the server must answer or close that one client, serve the others, and give the memory back.
Inputs are well-formed pipelines from the grammar of the differential tests with bytes flipped, cut, doubled and
numbers replaced, inline lines, and noise.  They go over connections that live for some inputs and are then
closed, often with replies unread.  Between them another client's PING is timed.
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from random import Random

from kedis.resp.replies import encode_command
from tests.differential import grammar
from tests.wire.kedis_process import KedisProcess

#: How many connections are open at once, and how many inputs each gets.
CONNECTIONS = 20
INPUTS_EACH = 12
_LONGEST_PING_SECONDS = 5.0
_SEND_SECONDS = 10
_SETTLE_SECONDS = 15.0
#: How much bigger than after the warm-up the process may be in the end.
GROWTH_BYTES = 48 << 20
_CHECK_EVERY = 500
_NUMBERS = (
    b"0",
    b"-1",
    b"-2",
    b"1",
    b"2147483647",
    b"2147483648",
    b"536870912",
    b"9" * 30,
    b"1e5",
    b"",
    b" 1",
    b"+1",
)
_PIECES = (
    b"\r\n",
    b"*",
    b"$",
    b"\n",
    b"\0",
    b"\r",
    b"*3\r\n",
    b"$5\r\n",
    b"\xff",
    b'"',
    b"'",
    b"\\x",
    b"*-1\r\n",
)


def pipeline(random: Random, names: list[str]) -> bytes:
    """A few right commands in a row."""
    return b"".join(
        encode_command(grammar.command(random, random.choice(names))) for _ in range(random.randint(1, 4))
    )


def inline(random: Random, names: list[str]) -> bytes:
    """A few commands as lines, quoted or not."""
    words = grammar.command(random, random.choice(names))
    mark = random.choice((b"", b"", b'"', b"'"))
    return b" ".join(mark + word + mark for word in words) + random.choice((b"\r\n", b"\n", b""))


def noise(random: Random, _names: list[str]) -> bytes:
    """Bytes, or pieces of the protocol, without sense."""
    if random.random() < 0.5:
        return random.randbytes(random.choice((1, 10, 100, 2000)))
    return b"".join(random.choice(_PIECES + _NUMBERS) for _ in range(random.randint(1, 30)))


def _flip(random: Random, data: bytearray, at: int) -> None:
    data[at] ^= 1 << random.randrange(8)


def _cut(random: Random, data: bytearray, at: int) -> None:
    del data[at : at + random.randint(1, 20)]


def _truncate(_random: Random, data: bytearray, at: int) -> None:
    del data[at:]


def _double(random: Random, data: bytearray, at: int) -> None:
    data[at:at] = data[at : at + random.randint(1, 40)] * random.choice((1, 1, 2, 50))


def _insert(random: Random, data: bytearray, at: int) -> None:
    data[at:at] = random.choice(_PIECES)


def _renumber(random: Random, data: bytearray, at: int) -> None:
    """Another number in the next header."""
    for sign in random.sample((b"$", b"*"), 2):
        begin = data.find(sign, at) + 1
        end = data.find(b"\r\n", begin)
        if begin and end >= 0:
            data[begin:end] = random.choice(_NUMBERS)
            return


_MUTATIONS: tuple[Callable[[Random, bytearray, int], None], ...] = (
    _flip,
    _cut,
    _truncate,
    _double,
    _insert,
    _renumber,
)


def mutated(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((0, 1, 1, 1, 2, 5))):
        if changed:
            random.choice(_MUTATIONS)(random, changed, random.randrange(len(changed)))
    return bytes(changed)


def draw_input(random: Random, names: list[str]) -> bytes:
    kind = random.choice((pipeline, pipeline, pipeline, inline, noise))
    return mutated(random, kind(random, names))


class Sender:
    """Connections in rotation; replies are read now and then and forgotten."""

    def __init__(self, server: KedisProcess, random: Random) -> None:
        self.server = server
        self.random = random
        self.open: deque[tuple[socket.socket, int]] = deque()

    def send(self, data: bytes) -> None:
        """Send ``data`` over the connection whose turn it is."""
        if len(self.open) < CONNECTIONS:
            self.open.append((self._connect(), 0))
        connection, used = self.open.popleft()
        try:
            _send_all(connection, data)
            if self.random.random() < 0.7:
                connection.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        except (ConnectionResetError, BrokenPipeError):
            used = INPUTS_EACH
        if used + 1 < INPUTS_EACH:
            self.open.append((connection, used + 1))
        else:
            connection.close()

    def _connect(self) -> socket.socket:
        """A blocking connection: on one with a timeout Python would wait for replies that may never come."""
        connection = self.server.connect()
        connection.settimeout(None)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_SECONDS, 0))
        return connection

    def close(self) -> None:
        while self.open:
            self.open.popleft()[0].close()


def _send_all(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except BlockingIOError:
        raise TimeoutError(f"the server reads nothing for {_SEND_SECONDS} s") from None


class Fault(AssertionError):
    """The server went down, did not serve, or kept memory."""


def run(server: KedisProcess, count: int, seed: int, tell: Callable[[str], None]) -> None:
    """Send ``count`` inputs.  Raises Fault."""
    names = [name for name in grammar.known_names() if name != "config|set"]
    random = Random(seed)
    sender = Sender(server, random)
    recent: deque[bytes] = deque(maxlen=3 * CONNECTIONS)
    files = server.open_files()
    resident, slowest, begun, told = 0, 0.0, time.monotonic(), time.monotonic()
    for number in range(count):
        data = draw_input(random, names)
        recent.append(data)
        try:
            sender.send(data)
            if number % _CHECK_EVERY == _CHECK_EVERY - 1:
                slowest = max(slowest, _check(server))
        except OSError as problem:
            raise Fault(_story(server, seed, number, problem, recent)) from problem
        if number == count // 4:
            resident = _settled(server, sender)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            size = server.resident_bytes() >> 20
            tell(
                f"{number + 1} inputs, {(number + 1) / (told - begun):.0f}/s, slowest PING {slowest:.3f} s, {size} MB"
            )
    final = _settled(server, sender, resident + GROWTH_BYTES)
    tell(
        f"{count} inputs in {time.monotonic() - begun:.0f} s; slowest PING {slowest:.3f} s; "
        f"memory {resident >> 20} MB after a quarter, {final >> 20} MB after all"
    )
    if final > resident + GROWTH_BYTES:
        raise Fault(f"memory grew from {resident} to {final} bytes (seed {seed})")
    if server.open_files() > files + 2:
        raise Fault(f"{server.open_files()} descriptors are open, {files} were at first (seed {seed})")
    if "internal error" in server.output():
        raise Fault(f"an exception inside a command (seed {seed}):\n{server.output()[-3000:]}")


def _check(server: KedisProcess) -> float:
    """Time another client's PING and keep the data small."""
    waited = server.ping()
    if waited > _LONGEST_PING_SECONDS:
        raise OSError(f"a PING took {waited:.1f} s")
    server.run(b"FLUSHALL")
    return waited


def _settled(server: KedisProcess, sender: Sender, wanted: int = 0) -> int:
    """Resident bytes once all is closed and removed; waits until they are at most ``wanted``, but not for ever."""
    sender.close()
    server.run(b"FLUSHALL")
    deadline = time.monotonic() + (_SETTLE_SECONDS if wanted else 1.0)
    while server.resident_bytes() > wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return server.resident_bytes()


def _story(server: KedisProcess, seed: int, number: int, problem: OSError, recent: deque[bytes]) -> str:
    state = "is gone" if server.process.poll() is not None else "is up"
    last = "\n".join(repr(data[:500]) for data in recent)
    log = server.output()[-3000:]
    return f"seed {seed}, input {number}: {problem!r}; the server {state}.\nLast inputs:\n{last}\nIts log:\n{log}"


def main() -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="how many inputs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    server = KedisProcess()
    try:
        run(server, options.count, options.seed, lambda line: print(line, flush=True))
    except Fault as fault:
        print(fault)
        return 1
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
