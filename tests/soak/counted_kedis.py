"""A Kedis that counts what it holds when it gets SIGUSR2. Run as ``python -m tests.soak.counted_kedis FLAGS``.

The counts go to the file that ``KEDIS_COUNTS`` names, as JSON: greenlets, threads, descriptors, bytes in RAM, and
objects in cycles that nobody reaches. What was there at a fork is frozen, the collector neither lists it nor frees it:
for the count it is thawed, and frozen again.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from types import FrameType

import greenlet

from kedis.cli.server import main


def count(number: int, frame: FrameType | None) -> None:
    """Write the counts of what is reachable and alive."""
    gc.collect()
    gc.unfreeze()
    cycles = gc.collect()
    greenlets = sum(isinstance(each, greenlet.greenlet) and not each.dead for each in gc.get_objects())
    gc.freeze()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    counts = {
        "cycles": cycles,
        "greenlets": greenlets,
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "resident": resident,
    }
    aside = os.environ["KEDIS_COUNTS"] + ".new"
    with open(aside, "w") as file:
        json.dump(counts, file)
    os.rename(aside, os.environ["KEDIS_COUNTS"])


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, count)
    sys.exit(main())
