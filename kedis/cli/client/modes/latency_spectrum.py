"""--latency-dist: how the round trips of PING are spread, a row for each second; the more, the brighter.

Without colours a row has the share of each range in percent, ranges without any left out.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence

from kedis.cli.client.link import Link

_SECONDS_BETWEEN_SAMPLES = 0.01
#: The upper limit of each range in milliseconds, and its mark; what is longer is the last one's.
RANGES = (
    *zip((0.01, 0.125, 0.25, 0.5), ".-*#", strict=True),
    *((float(number), str(number)) for number in range(1, 10)),
    *zip((10.0, 20.0, 30.0, 40.0, 50.0), "ABCDE", strict=True),
    *zip((100.0, 200.0, 300.0, 400.0, 500.0), "FGHIJ", strict=True),
    *zip((1e3, 2e3, 4e3, 8e3, 16e3, 30e3, 60e3), "KLMNOPQ", strict=True),
)
_LIMITS = [limit for limit, _ in RANGES]
_MARKS = [*(mark for _, mark in RANGES), "?"]
#: Colours of a terminal with 256, for the shares from none to all.
_PALETTE = (0, 233, 234, 235, 237, 239, 241, 243, 245, 247, 144, 143, 142, 184, 226, 214, 208, 202, 196)
_LEGEND = """\
---------------------------------------------
. - * #          .01 .125 .25 .5 milliseconds
1,2,3,...,9      from 1 to 9     milliseconds
A,B,C,D,E        10,20,30,40,50  milliseconds
F,G,H,I,J        .1,.2,.3,.4,.5       seconds
K,L,M,N,O,P,Q,?  1,2,4,8,16,30,60,>60 seconds
"""
_ROWS_PER_LEGEND = 20


def measure(
    link: Link,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], None] = time.sleep,
) -> list[int]:
    """How many round trips of so many seconds fall into each range. Raises LinkLost."""
    counts = [0] * len(_MARKS)
    begun = clock()
    while True:
        before = clock()
        link.send([b"PING"])
        after = clock()
        counts[bisect_left(_LIMITS, (after - before) * 1000)] += 1
        if after - begun >= seconds:
            return counts
        pause(_SECONDS_BETWEEN_SAMPLES)


def painted(counts: Sequence[int]) -> str:
    """A row of marks whose background tells the share."""
    total, last = max(sum(counts), 1), len(_PALETTE) - 1
    shades = [_PALETTE[-(-count * last // total)] for count in counts]
    cells = [f"\x1b[48;5;{shade}m{mark}" for shade, mark in zip(shades, _MARKS, strict=True)]
    return f"\x1b[38;5;0m{''.join(cells)}\x1b[0m"


def plain(counts: Sequence[int]) -> str:
    """A row of shares: `<=0.25ms 97.0% <=0.5ms 3.0%`."""
    total = max(sum(counts), 1)
    names = [*(f"<={limit:g}ms" for limit in _LIMITS), f">{_LIMITS[-1]:g}ms"]
    return " ".join(f"{name} {100 * n / total:.1f}%" for name, n in zip(names, counts, strict=True) if n)


def run(link: Link, interval: float | None, color: bool) -> int:
    """Print a row each interval (1 s) until Ctrl-C; one row and out when stdout is no terminal. Raises LinkLost."""
    live = sys.stdout.isatty()
    row = 0
    while True:
        if live and color and row % _ROWS_PER_LEGEND == 0:
            scale = "".join(f"\x1b[48;5;{shade}m " for shade in _PALETTE)
            print(f"{_LEGEND}From 0 to 100%: {scale}\x1b[0m\n{_LEGEND.partition(chr(10))[0]}")
        counts = measure(link, interval or 1.0)
        print(painted(counts) if live and color else plain(counts), flush=True)
        if not live:
            return 0
        row += 1
