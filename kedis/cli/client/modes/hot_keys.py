"""--hotkeys: the keys that are accessed most, by the counters of an LFU policy (OBJECT FREQ)."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import Link
from kedis.cli.client.modes.scan import ask, pages
from kedis.cli.client.render import quote
from kedis.cli.client.wire import ErrorReply

#: How many keys are kept.
MOST = 16


class Hottest:
    """The keys with the highest counters so far, and how many were looked at."""

    def __init__(self) -> None:
        self.sampled = 0
        self._heap: list[tuple[int, bytes]] = []

    def add(self, key: bytes, counter: int) -> bool:
        """Count a key; True when it is among the hottest. A key that SCAN has returned twice is there once."""
        self.sampled += 1
        if any(key == kept for _, kept in self._heap):
            return False
        if len(self._heap) < MOST:
            heapq.heappush(self._heap, (counter, key))
            return True
        return counter > self._heap[0][0] and bool(heapq.heapreplace(self._heap, (counter, key)))

    def ordered(self) -> list[tuple[int, bytes]]:
        """Counters and keys, the hottest first."""
        return sorted(self._heap, key=lambda row: (-row[0], row[1]))


def survey(
    link: Link,
    result: Hottest,
    *,
    pattern: bytes | None = None,
    count: int | None = None,
    interval: float = 0.0,
    pause: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Look at every key.

    Args:
        interval: seconds to wait after each 100 pages.
        tell: gets a line for each key that is among the hottest so far.

    Raises ServerSays where the server does not count accesses; LinkLost. O(keys).
    """
    total = ask(link, b"DBSIZE")
    total = total if isinstance(total, int) and total else 1
    for turn, keys in enumerate(pages(link, pattern, count)):
        if turn % 100 == 99 and interval:
            pause(interval)
        done = 100.0 * min(result.sampled, total) / total
        replies = link.send_many([(b"OBJECT", b"FREQ", key) for key in keys]) if keys else []
        for key, counter in zip(keys, replies, strict=True):
            if isinstance(counter, ErrorReply) and "no such key" not in counter:
                raise ServerSays(str(counter))
            if isinstance(counter, int) and result.add(key, counter):
                tell(f"[{done:05.2f}%] hot key {quote(key).decode('ascii')} so far with counter {counter}")


def run(link: Link, pattern: bytes | None, count: int | None, interval: float) -> int:
    """Print the survey; returns the exit code. Ctrl-C ends it with what was found so far.

    Raises ServerSays, LinkLost.
    """
    print(
        "# Scanning the keyspace for the keys accessed most; -i 0.1 sleeps 0.1 s per 100 SCANs.\n", flush=True
    )
    result, code = Hottest(), 0
    try:
        survey(
            link,
            result,
            pattern=pattern,
            count=count,
            interval=interval,
            tell=lambda line: print(line, flush=True),
        )
    except KeyboardInterrupt:
        code = 130
        print("\nStopped by Ctrl-C: what follows are the keys looked at so far.")
    print(f"\n-------- summary -------\n\nSampled {result.sampled:,} keys in the keyspace!")
    for counter, key in result.ordered():
        print(f"hot key found with counter: {counter}\tkeyname: {quote(key).decode('ascii')}")
    return code
