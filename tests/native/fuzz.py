"""Random and mutated inputs through both paths, in one process: ``python -m tests.native.fuzz [--count N] [--seed N]``.

The bytes of stories (:mod:`tests.native.stories`) are given to the native and to the Python path; replies and journal
are compared after each read, everything else now and then, and memory at the end. A difference is made short and shown.
``make fuzz-native`` does that under AddressSanitizer, after the unit tests of the native path and as many inputs of
:mod:`tests.wire.fuzz` over sockets: the extensions are built with ``-fsanitize=address`` in a folder of their own, the
sanitizer's library is preloaded (and C++'s, whose exceptions greenlet throws), and Python takes its memory from malloc,
which is watched. The stack is not (``asan-stack=0``): greenlets copy parts of it, which looks like a fault.

The interpreter leaks by design, so leaks are judged by resident memory and by the number of objects.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from random import Random

from kedis.commands import load_all
from tests.native import stories

STEPS = 300
LOOK_EVERY = 50
#: How much bigger than after a quarter the process may be in the end, and how many more objects there may be.
GROWTH_BYTES = 48 << 20
GROWTH_OBJECTS = 5000


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def requests_of(steps: list[stories.Step]) -> int:
    """How many requests ``steps`` hold."""
    return sum(len(argument[1]) for name, argument in steps if name == "feed")


def story(seed: int) -> int:
    """Run the story of ``seed``; returns how many requests it had. Raises stories.Differs, made short."""
    steps = stories.draw(Random(seed), STEPS)
    try:
        stories.run(steps, seed, LOOK_EVERY)
    except stories.Differs as difference:
        names = difference.names

        def differs(some: list[stories.Step]) -> bool:
            try:
                stories.run(some, seed)
            except stories.Differs as found:
                return bool(found.names & names)
            return False

        short = stories.shortest(steps, differs) if differs(steps) else steps
        told = "\n".join(f"{step!r:.1000}" for step in short)
        raise AssertionError(f"{difference}\nThe steps that it takes:\n{told}") from None
    return requests_of(steps)


def run(count: int, seed: int) -> str:
    """Run stories until both paths have served ``count`` requests; returns the figures. Raises AssertionError."""
    began = told = time.monotonic()
    done = resident = objects = 0
    while done < count:
        done += story(seed)
        seed += 1
        if not resident and done >= count // 4:
            gc.collect()
            resident, objects = resident_bytes(), len(gc.get_objects())
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(f"{done} inputs, {done / (told - began):.0f}/s, {resident_bytes() >> 20} MB", flush=True)
    gc.collect()
    grown, more = resident_bytes() - resident, len(gc.get_objects()) - objects
    figures = (
        f"{done} inputs in {time.monotonic() - began:.0f} s, up to seed {seed - 1}; since a quarter of them "
        f"{grown >> 10} KB and {more} objects more"
    )
    assert grown < GROWTH_BYTES and more < GROWTH_OBJECTS, figures
    return figures


def main() -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.native.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="how many inputs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    load_all()
    try:
        print(run(options.count, options.seed))
    except AssertionError as fault:
        print(fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
