"""--bigkeys and --memkeys: the largest key of each type, and the sums by type, found by SCAN.

--bigkeys asks each key for its length in the unit of its type (STRLEN, LLEN …), --memkeys for MEMORY USAGE.
A page of keys costs two writes (TYPE for all, size for all). A key deleted in between is not counted.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import Link
from kedis.cli.client.modes.scan import ask, pages
from kedis.cli.client.render import quote
from kedis.cli.client.wire import ErrorReply, Status
from kedis.cli.terminal_text import one_line

# type -> the command that tells its length, what it counts, the plural of the type
_LENGTHS = {
    "string": (b"STRLEN", "bytes", "strings"),
    "list": (b"LLEN", "items", "lists"),
    "set": (b"SCARD", "members", "sets"),
    "zset": (b"ZCARD", "members", "zsets"),
    "hash": (b"HLEN", "fields", "hashes"),
    "stream": (b"XLEN", "entries", "streams"),
}


@dataclass
class Sum:
    """The sums of one type."""

    keys: int = 0
    size: int = 0
    largest: int = -1
    largest_key: bytes = b""

    def add(self, key: bytes, size: int) -> bool:
        """Count a key; True when it is the largest so far."""
        self.keys += 1
        self.size += size
        if size <= self.largest:
            return False
        self.largest, self.largest_key = size, key
        return True


@dataclass
class Survey:
    """The sums by type, and the lengths of the names."""

    types: dict[str, Sum] = field(default_factory=dict)
    name_bytes: int = 0

    @property
    def keys(self) -> int:
        """How many keys were looked at."""
        return sum(kind.keys for kind in self.types.values())


def survey(
    link: Link,
    result: Survey,
    *,
    memory_samples: int | None,
    pattern: bytes | None = None,
    count: int | None = None,
    interval: float = 0.0,
    pause: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] = lambda line: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Look at every key.

    Args:
        result: gets the sums; they are consistent whenever the survey is interrupted.
        memory_samples: None measures lengths; otherwise memory, SAMPLES of MEMORY USAGE (-1: its default).
        interval: seconds to wait after each 100 pages.
        tell: gets a line whenever a type has a new largest key.
        progress: gets the keys looked at and the keys there are.

    Raises ServerSays, LinkLost. O(keys).
    """
    total = ask(link, b"DBSIZE")
    total = total if isinstance(total, int) else 0
    for turn, keys in enumerate(pages(link, pattern, count)):
        if turn % 100 == 99 and interval:
            pause(interval)
        for key, kind, size in _sizes(link, keys, memory_samples):
            result.name_bytes += len(key)
            if result.types.setdefault(kind, Sum()).add(key, size):
                done = 100.0 * min(result.keys, total or 1) / (total or 1)
                name = quote(key).decode("ascii")
                tell(
                    f"[{done:05.2f}%] largest {kind:<6} so far: {name} with {size:,} {_unit(kind, memory_samples)}"
                )
        progress(result.keys, total)


def _sizes(link: Link, keys: list[bytes], memory_samples: int | None) -> list[tuple[bytes, str, int]]:
    kinds = [_type_named(reply) for reply in link.send_many([(b"TYPE", key) for key in keys])] if keys else []
    known = [(key, kind) for key, kind in zip(keys, kinds, strict=True) if kind != "none"]
    if memory_samples is None:
        known = [(key, kind) for key, kind in known if kind in _LENGTHS]
    commands = [_question(key, kind, memory_samples) for key, kind in known]
    replies = link.send_many(commands) if commands else []
    if memory_samples is not None:
        _refuse_if_unknown(replies)
    return [
        (key, kind, size) for (key, kind), size in zip(known, replies, strict=True) if isinstance(size, int)
    ]


def _type_named(reply: object) -> str:
    """The type of a TYPE reply; "none" for any other reply."""
    return one_line(reply) if isinstance(reply, Status) else "none"


def _question(key: bytes, kind: str, memory_samples: int | None) -> tuple[bytes, ...]:
    if memory_samples is None:
        return (_LENGTHS[kind][0], key)
    samples = (b"SAMPLES", b"%d" % memory_samples) if memory_samples >= 0 else ()
    return (b"MEMORY", b"USAGE", key, *samples)


def _refuse_if_unknown(replies: list[object]) -> None:
    """A server without MEMORY USAGE must not look like one without keys."""
    if replies and all(isinstance(reply, ErrorReply) for reply in replies):
        raise ServerSays(str(replies[0]))


def _unit(kind: str, memory_samples: int | None) -> str:
    return "bytes" if memory_samples is not None else _LENGTHS[kind][1]


def summary(result: Survey, memory_samples: int | None) -> list[str]:
    """The lines that end the survey."""
    keys = result.keys
    average = result.name_bytes / keys if keys else 0.0
    lines = [
        "",
        "-------- summary -------",
        "",
        f"Sampled {keys:,} keys in the keyspace!",
        f"Total key length in bytes is {result.name_bytes:,} (avg len {average:.2f})",
        "",
    ]
    for kind, total in sorted(result.types.items()):
        name = quote(total.largest_key).decode("ascii")
        lines.append(f"Biggest {kind:>6} found {name} has {total.largest:,} {_unit(kind, memory_samples)}")
    lines.append("")
    for kind, total in sorted(result.types.items()):
        plural = _LENGTHS[kind][2] if kind in _LENGTHS else kind
        lines.append(
            f"{total.keys:,} {plural} with {total.size:,} {_unit(kind, memory_samples)} "
            f"({100 * total.keys / keys:05.2f}% of keys, avg size {total.size / total.keys:,.2f})"
        )
    return lines


def run(
    link: Link, memory_samples: int | None, pattern: bytes | None, count: int | None, interval: float
) -> int:
    """Print the survey; returns the exit code. Ctrl-C ends it with the sums so far.

    Raises ServerSays, LinkLost.
    """
    what = "taking the most memory" if memory_samples is not None else "with the most elements"
    print(f"# Scanning the keyspace for the keys {what}; -i 0.1 sleeps 0.1 s per 100 SCANs.\n", flush=True)
    spinner = itertools.cycle("|/-\\")

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{next(spinner)} {done:,} of {total:,} keys")
            sys.stderr.flush()

    def tell(line: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
        print(line, flush=True)

    result = Survey()
    code = 0
    try:
        survey(
            link,
            result,
            memory_samples=memory_samples,
            pattern=pattern,
            count=count,
            interval=interval,
            tell=tell,
            progress=progress,
        )
    except KeyboardInterrupt:
        code = 130
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if code:
        print("\nStopped by Ctrl-C: what follows are the keys looked at so far.")
    print("\n".join(summary(result, memory_samples)), flush=True)
    return code
