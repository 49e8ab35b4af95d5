"""--stat: a row of the server's figures every second, and their increase since the row before."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from kedis.cli.client.link import Link
from kedis.cli.client.modes.scan import ask

_HEADINGS = (
    "------- data ------ --------------------- load -------------------- - child -\n"
    "keys       mem      clients blocked requests            connections          "
)
_LINES_PER_HEADING = 20
_NUMBER = re.compile(r"[0-9]{1,19}")
_DATABASE = re.compile(r"db[0-9]+")
_KEYS = re.compile(r"keys=([0-9]{1,19})(?:,|$)")


@dataclass(frozen=True)
class Figures:
    """The figures of one INFO."""

    keys: int
    memory: str
    clients: int
    blocked: int
    requests: int
    connections: int
    child: str


def parse_info(text: bytes) -> dict[str, str]:
    """The fields of an INFO reply."""
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def figures(info: dict[str, str]) -> Figures:
    """The figures of --stat; a field the server does not have counts 0."""

    def number(name: str) -> int:
        value = info.get(name, "")
        return int(value) if _NUMBER.fullmatch(value) else 0

    databases = [_KEYS.match(value) for name, value in info.items() if _DATABASE.fullmatch(name)]
    keys = sum(int(found[1]) for found in databases if found)
    children = {"rdb_bgsave_in_progress": "SAVE", "aof_rewrite_in_progress": "AOF"}
    return Figures(
        keys,
        readable_bytes(number("used_memory")),
        number("connected_clients"),
        number("blocked_clients"),
        number("total_commands_processed"),
        number("total_connections_received"),
        "+".join(label for name, label in children.items() if info.get(name) == "1"),
    )


def readable_bytes(size: int) -> str:
    """A size with its unit: 1.50M."""
    value = float(size)
    for unit in ("B", "K", "M", "G"):
        if value < 1024 or unit == "G":
            break
        value /= 1024
    return f"{value:.0f}B" if unit == "B" else f"{value:.2f}{unit}"


def line(now: Figures, before: Figures | None) -> str:
    """A row of the table."""
    requests = f"{now.requests} (+{now.requests - before.requests if before else 0})"
    return (
        f"{now.keys:<10} {now.memory:<8} {now.clients:<7} {now.blocked:<7} {requests:<19} "
        f"{now.connections:<20} {now.child}"
    ).rstrip()


def run(
    link: Link, interval: float, times: int | None = None, pause: Callable[[float], None] = time.sleep
) -> int:
    """Print a row every `interval` seconds, `times` rows (None: until Ctrl-C). Raises ServerSays, LinkLost."""
    before = None
    for turn in itertools.count():
        if turn == times:
            break
        if turn:
            pause(interval)
        if turn % _LINES_PER_HEADING == 0:
            print(_HEADINGS)
        text = ask(link, b"INFO")
        now = figures(parse_info(text if isinstance(text, bytes) else b""))
        print(line(now, before))
        sys.stdout.flush()
        before = now
    return 0
