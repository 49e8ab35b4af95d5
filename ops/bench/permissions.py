"""What the permissions of a restricted user cost a command: microseconds of the server's processor time, Markdown.

The same pipelines are sent by the user ``default``, who may all, and by users with ever more rules, in turn; a figure
is the median of the differences between a user and ``default`` within a round. Asked is 1 us on either path.

    python ops/bench/permissions.py            2 minutes
    python ops/bench/permissions.py --quick    a fifth of the requests
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import socket
import statistics
from collections.abc import Callable, Iterator, Sequence

from against_redis import Running, describe_machine, server
from native_path import processor_seconds

AIM_MICROSECONDS = 1.0
_BATCH = 100
_ROUNDS = 7
_MANY = tuple(f"~other{number}:*" for number in range(20))
SCRIPT = "return redis.call('GET', KEYS[1])"
SCRIPT_SHA = hashlib.sha1(SCRIPT.encode()).hexdigest()
#: Rules by the name of a user.
USERS = {
    "all keys": ("~*", "&*", "+@all", "-@dangerous"),
    "one prefix": ("~app:*", "+@all", "-@dangerous"),
    "read and write": ("%R~app:*", "%W~app:*", "+@read", "+@write", "+@connection", "+@scripting"),
    "20 prefixes": (*_MANY, "~app:*", "+@all", "-@dangerous"),
    "wild": ("~a*:key:*[0-9]*", "+@all", "-@dangerous"),
    "two selectors": ("~b:*", "+@read", "+ping", "(~app:* +@all -@dangerous)"),
    "first word": ("~app:*", "+@all", "-select", "+select|0"),
}
COMMANDS: dict[str, Callable[[int], Sequence[str]]] = {
    "PING": lambda turn: ("PING",),
    "GET": lambda turn: ("GET", f"app:key:{turn}"),
    "SET": lambda turn: ("SET", f"app:key:{turn}", "value"),
    "MSET of 5": lambda turn: (
        "MSET",
        *(word for n in range(5) for word in (f"app:key:{turn + n}", "value")),
    ),
    "HSET": lambda turn: ("HSET", "app:key:hash1", f"field:{turn}", "value"),
    "LRANGE": lambda turn: ("LRANGE", "app:key:list1", "0", "3"),
    "SINTER of 2": lambda turn: ("SINTER", "app:key:set1", "app:key:set2"),
    "EXPIRE": lambda turn: ("EXPIRE", f"app:key:{turn}", "1000"),
    "TYPE": lambda turn: ("TYPE", f"app:key:{turn}"),
    "EVAL of a GET": lambda turn: ("EVAL", SCRIPT, "1", f"app:key:{turn}"),
    "EVALSHA of a GET": lambda turn: ("EVALSHA", SCRIPT_SHA, "1", f"app:key:{turn}"),
    "XREAD": lambda turn: ("XREAD", "COUNT", "1", "STREAMS", "app:key:stream1", "0"),
    "SELECT": lambda turn: ("SELECT", "0"),
}


def encoded(words: Sequence[str]) -> bytes:
    parts = (f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


class Connection:
    """Pipelines of one user."""

    def __init__(self, port: int, user: str) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        if user:
            self.run(encoded(("AUTH", user, "secret")), 1)

    def run(self, requests: bytes, count: int) -> None:
        """Send pipelines, and read replies up to that of the PING behind each. Raises SystemExit for an error."""
        batch = requests + encoded(("PING",))
        for _ in range(count):
            self._sock.sendall(batch)
            replies = b""
            while not replies.endswith(b"+PONG\r\n"):
                replies += self._sock.recv(1 << 20)
                if replies[:1] == b"-" or b"\r\n-" in replies:
                    raise SystemExit(f"an error: {replies[:200]!r}")


def cost(running: Running, connection: Connection, requests: bytes, count: int) -> float:
    """Processor microseconds of the server for each request."""
    before = processor_seconds(running.pid)
    connection.run(requests, count // _BATCH)
    return (processor_seconds(running.pid) - before) / count * 1e6


def measured(running: Running, count: int) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Each command: what it costs the user ``default``, and what it costs others more."""
    fill = Connection(running.port, "")
    for number, rules in enumerate(USERS.values()):
        fill.run(encoded(("ACL", "SETUSER", f"user{number}", "on", ">secret", *rules)), 1)
    fill.run(encoded(("RPUSH", "app:key:list1", "a", "b", "c")), 1)
    fill.run(encoded(("SCRIPT", "LOAD", SCRIPT)), 1)
    fill.run(encoded(("XADD", "app:key:stream1", "1-1", "a", "b")), 1)
    connections = {name: Connection(running.port, f"user{number}") for number, name in enumerate(USERS)}
    for title, command in COMMANDS.items():
        requests = b"".join(encoded(command(turn)) for turn in range(_BATCH))
        costs: list[float] = []
        more: dict[str, list[float]] = {name: [] for name in USERS}
        for each in (fill, *connections.values()):
            cost(running, each, requests, _BATCH)
        for _ in range(_ROUNDS):
            costs.append(cost(running, fill, requests, count))
            for name, connection in connections.items():
                more[name].append(cost(running, connection, requests, count) - costs[-1])
        yield title, statistics.median(costs), {name: statistics.median(each) for name, each in more.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the requests")
    parser.add_argument("--servers", nargs="*", default=["redis", "kedis", "python"], help="which of them")
    options = parser.parse_args()
    count = 2_000 if options.quick else 10_000
    print(f"Processor microseconds a command; {describe_machine()}\n")
    for name in options.servers:
        with contextlib.ExitStack() as stack:
            running = stack.enter_context(server(name, ("--appendonly", "no", "--save", "")))
            print(f"{name}: what a user costs more than `default`\n")
            print("| command | default | " + " | ".join(USERS) + " |")
            print("|---" * (len(USERS) + 2) + "|")
            for title, of_default, more in measured(running, count):
                cells = " | ".join(f"{figure:+.2f}" for figure in more.values())
                print(f"| {title} | {of_default:.2f} | {cells} |", flush=True)
            print()


if __name__ == "__main__":
    main()
