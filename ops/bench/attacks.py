"""What clients that mean harm do to the others: Kedis beside real Redis, in the same run, as a table.

    python ops/bench/attacks.py                                 as Markdown, in about ten minutes
    python ops/bench/attacks.py --write docs/operate/limits.md  into the page, between its marks
    python ops/bench/attacks.py --only "idle"                   those whose title holds the word
    python ops/bench/attacks.py --servers python                on one of them

Beside attackers a bystander sends one PING after the other (ops/bench/fairness.py). His waits are in processor time
that the server used meanwhile, which tells what it did before him whatever else the machine does. Servers are pinned
like in ops/bench/against_redis.py.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from against_redis import LOAD_CORE, Running, contenders, describe_machine, server
from fairness import STREAMS, processor_clock, under_attack, waits

MARK = "attacks"
MB = 1 << 20
_IDLE = 10_000
_SECONDS = 0.7
_ROUNDS = 2
_FOREVER = 120


@dataclass(frozen=True)
class Attack:
    """One line of the table.

    Attributes:
        how: what the attackers do.
        figure: what is measured, with its unit.
        measure: attacks a server that has just been started; returns the figure.
    """

    title: str
    how: str
    figure: str
    measure: Callable[[Running], str]


# -- what attackers and measures need ----------------------------------------------------------------------


def connect(running: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=_FOREVER)


def ask(running: Running, request: bytes) -> bytes:
    """The first piece of the reply to an inline request, on a connection of its own."""
    with connect(running) as sock:
        sock.sendall(request + b"\r\n")
        return sock.recv(1 << 16)


def open_files(running: Running) -> int:
    return len(os.listdir(f"/proc/{running.pid}/fd"))


def processor_ms(running: Running, work: Callable[[], object]) -> float:
    """Processor time that the server uses for ``work``, in milliseconds."""
    clock = processor_clock(running.pid)
    begun = time.clock_gettime(clock)
    work()
    return (time.clock_gettime(clock) - begun) * 1e3


def p99(running: Running) -> str:
    """The 99th percentile of the bystander's waits, the best of some rounds.

    While the bystander himself is kept off his core the server goes on with the attackers, which is no wait of his.
    """
    found = [waits(running, False, _SECONDS)[1] for _ in range(_ROUNDS)]
    return f"{min(each[len(each) * 99 // 100] for each in found):.1f}"


def bystander_during(running: Running, attack: Callable[[], None]) -> str:
    """The bystander's waits while ``attack`` goes on, again and again."""
    over = threading.Event()

    def repeat() -> None:
        while not over.is_set():
            attack()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        return p99(running)
    finally:
        over.set()
        thread.join()


# -- the attacks -------------------------------------------------------------------------------------------


def endless(kind: str) -> Callable[[Running], str]:
    def measure(running: Running) -> str:
        with under_attack(running, kind, 2):
            return p99(running)

    return measure


def idle(running: Running) -> str:
    before = running.resident_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(_IDLE):
            sock = stack.enter_context(connect(running))
            sock.sendall(b"PING\r\n")
            sock.recv(100)
        return f"{(running.resident_bytes() - before) / _IDLE / 1024:.1f}"


def flood(running: Running) -> str:
    def come_and_go() -> None:
        for _ in range(200):
            sock = connect(running)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    return bystander_during(running, come_and_go)


def slow_writers(running: Running) -> str:
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(connect(running)) for _ in range(200)]
        for writer in writers:
            writer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def drip() -> None:
            for writer in writers:
                writer.sendall(b"x")

        return bystander_during(running, drip)


def slow_reader(running: Running) -> str:
    with connect(running) as sock:
        sock.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n%b\r\n" % (MB, b"x" * MB))
        sock.recv(100)
    before = running.resident_bytes()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", running.port))
        deaf.sendall(b"GET big\r\n" * 300)
        while b"cmd=get" not in ask(running, b"CLIENT LIST"):
            time.sleep(0.05)
        time.sleep(0.5)
        return f"{(running.resident_bytes() - before) / MB:.0f}"


def announcements(running: Running) -> str:
    before = running.resident_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connect(running)).sendall(b"*2147483647\r\n$500000000\r\nhello")
        ask(running, b"PING")
        return f"{(running.resident_bytes() - before) / 1000 / 1024:.1f}"


def no_descriptors(running: Running) -> str:
    """Forty clients more than there are descriptors for; what the server works meanwhile, and that it serves again."""
    most = open_files(running) + 30
    old = resource.prlimit(
        running.pid, resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    with connect(running) as bystander, contextlib.ExitStack() as stack:
        bystander.sendall(b"PING\r\n")
        assert bystander.recv(100)
        for _ in range(70):
            stack.enter_context(connect(running))
        time.sleep(0.5)
        share = processor_ms(running, lambda: time.sleep(_SECONDS)) / _SECONDS / 10
        bystander.sendall(b"PING\r\n")
        assert bystander.recv(100) == b"+PONG\r\n"
    resource.prlimit(running.pid, resource.RLIMIT_NOFILE, old)
    assert ask(running, b"PING") == b"+PONG\r\n"
    return f"{share:.1f}"


def glob_bomb(running: Running) -> str:
    ask(running, b"SET " + b"a" * 30_000 + b" 1")
    return f"{processor_ms(running, lambda: ask(running, b'KEYS ' + b'a*' * 2000 + b'b')):.1f}"


def nesting(running: Running) -> str:
    script = b"EVAL \"return pcall(cjson.decode, string.rep('[', 1000000))\" 0"
    return f"{processor_ms(running, lambda: ask(running, script)):.1f}"


def digits(running: Running) -> str:
    number = b"9" * 60_000
    return f"{processor_ms(running, lambda: ask(running, b'INCRBY k ' + number)):.2f}"


def browser(running: Running) -> str:
    with connect(running) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET stolen 1\r\n")
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(100):
                pass
    return "none" if ask(running, b"EXISTS stolen") == b":0\r\n" else "all"


def backtracking(running: Running) -> str:
    """Whether SCRIPT KILL ends a pattern that takes centuries. The server is killed in the end: it hears nothing."""
    script = b"EVAL \"return string.find(string.rep('a', 200), string.rep('.-', 8) .. 'b')\" 0"
    ask(running, b"CONFIG SET busy-reply-threshold 100")
    with connect(running) as attacker, connect(running) as other:
        attacker.sendall(script + b"\r\n")
        time.sleep(2)
        other.settimeout(3)
        other.sendall(b"SCRIPT KILL\r\n")
        try:
            return "yes" if other.recv(100) == b"+OK\r\n" else "no"
        except TimeoutError:
            return "no"
        finally:
            os.kill(running.pid, signal.SIGKILL)


_WAIT = "p99 of a PING, ms"
_HEADS = {"redis": "Redis", "kedis": "Kedis", "python": "Kedis in Python"}
ATTACKS = [
    *(
        Attack(f"endless {kind}", f"two send `{repr(stream[:8])[2:-1]}`… without end", _WAIT, endless(kind))
        for kind, stream in STREAMS.items()
    ),
    Attack("idle connections", f"{_IDLE:,} that have sent one PING", "memory of each, KB", idle),
    Attack("flood of connects", "connect and reset, without end", _WAIT, flood),
    Attack("slow writers", "200 send a byte at a time of a command that never ends", _WAIT, slow_writers),
    Attack("slow reader", "asks 300 times for 1 MB and reads nothing", "memory, MB", slow_reader),
    Attack(
        "announced lengths", "1,000 announce 2^31 arguments of 500 MB", "memory of each, KB", announcements
    ),
    Attack(
        "no descriptors left",
        "40 more clients than descriptors",
        "work meanwhile, % of a core",
        no_descriptors,
    ),
    Attack("glob bomb", "KEYS with 2,000 stars, on a key of 30,000 bytes", "processor time, ms", glob_bomb),
    Attack("nesting", "cjson.decode of a million `[`", "processor time, ms", nesting),
    Attack("long numbers", "INCRBY by 60,000 digits", "processor time, ms", digits),
    Attack("browser", "POST, and a command in its body", "commands run", browser),
    Attack(
        "backtracking",
        "Lua's string.find with eight `.-` in 200 letters",
        "SCRIPT KILL ends it",
        backtracking,
    ),
]


def rows(only: str, names: Sequence[str]) -> Iterator[str]:
    """The lines of the table."""
    yield "| attack | how | figure | " + " | ".join(_HEADS[name] for name in names) + " |"
    yield "|---|---|---|" + "---|" * len(names)
    for attack in ATTACKS:
        if only not in attack.title:
            continue
        cells = []
        for name in names:
            with server(name, ["--appendonly", "no"]) as running:
                time.sleep(0.3)
                cells.append(attack.measure(running))
            print(attack.title, name, cells[-1], file=sys.stderr, flush=True)
        yield f"| {attack.title} | {attack.how} | {attack.figure} | {' | '.join(cells)} |"


def write(page: Path, lines: list[str]) -> None:
    """Put the table between the marks of the page."""
    begin, end = f"<!-- {MARK} -->\n", f"<!-- end of {MARK} -->"
    table = "\n".join(lines) + "\n"
    text = page.read_text()
    new, count = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}{table}{end}", text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{page} has no marks {begin.strip()} and {end}")
    page.write_text(new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="WORD", help="attacks whose title holds it")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into a page")
    parser.add_argument("--servers", nargs="+", default=contenders(), help="which of them")
    options = parser.parse_args()
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lines = [*rows(options.only, options.servers), "", describe_machine()]
    if options.write:
        write(options.write, lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
