"""How much memory the process uses.

Resident bytes come from ``/proc/self/statm`` (10 us); the kernel counts whole pages.  What the data take is on
the keyspace's account.  The rest, beyond what the process had at its start, is fragmentation: Python's allocator
keeps pages that are not wholly free.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable
from typing import Any, Protocol

from kedis.process.system import system_value
from kedis.store.moving import Moving

PAGE_SIZE = system_value("SC_PAGE_SIZE", 4096)


def resident_bytes() -> int:
    """Bytes of the process in main memory; 0 where /proc is missing."""
    try:
        # Not open(), which asks the kernel five more things: an engine in a test lives for a millisecond.
        file = os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return 0
    try:
        return int(os.read(file, 256).split()[1]) * PAGE_SIZE
    except OSError:
        return 0
    finally:
        os.close(file)


def machine_bytes() -> int:
    """Main memory of the machine; 0 where that is unknown."""
    return system_value("SC_PHYS_PAGES", 0) * PAGE_SIZE


def _find_trim() -> Callable[[int], int] | None:
    with contextlib.suppress(OSError, AttributeError, TypeError):  # a library without it
        return ctypes.CDLL(None).malloc_trim
    return None


_malloc_trim = _find_trim()


def trim() -> None:
    """Have the C library give back what it can.  (Python's own allocator gives back whole arenas by itself.)"""
    if _malloc_trim is not None:
        _malloc_trim(0)


def allocator() -> str:
    """The allocators: Python's for objects up to 512 bytes, and malloc's for everything else."""
    with contextlib.suppress(OSError):
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            loaded = file.read()
        for name in ("jemalloc", "tcmalloc", "mimalloc"):
            if f"lib{name}" in loaded:
                return f"pymalloc+{name}"
    return "pymalloc+libc"


ALLOCATOR = allocator()


class Pools(Protocol):
    """What can be given back from within the arenas of Python's allocator (:mod:`kedis.native.pools`).

    Each function does a step, or all where that is asked for, and returns whether it was the last; `release_entries`
    returns where the next begins, or 0.
    """

    def release(self, whole: bool = False) -> bool:
        """Give back most of the pools in which nothing is left."""

    def withhold(self, whole: bool = False) -> bool:
        """Give back the rest of them, and keep them from the allocator."""

    def put_back(self) -> bool:
        """Let the allocator have them again."""

    def release_entries(self, table: dict[bytes, Any], begin: int = 0) -> int:
        """Give back pages of a dict in which all entries are of removed keys."""


class UnknownPools:
    """Those of a process whose arenas cannot be read."""

    def release(self, whole: bool = False) -> bool:
        return True

    def withhold(self, whole: bool = False) -> bool:
        return True

    def put_back(self) -> bool:
        return True

    def release_entries(self, table: dict[bytes, Any], begin: int = 0) -> int:
        return 0


class MemoryFigures:
    """Samples of the process's memory; INFO and the metrics read the latest.

    Attributes:
        pools: those of Python's allocator.
        withheld: some of them are withheld from it, until there are more data again.
    """

    def __init__(self) -> None:
        self.pools: Pools = UnknownPools()
        self.withheld = False
        #: Resident bytes at the first sample, and at the last.
        self.startup = self.resident = 0
        self.used_peak = 0
        self.machine = machine_bytes()
        #: Written by what gives memory back: whether fragmentation asks for it, and the time that it has taken.
        self.defragmenting = False
        self.trimmed_ns = 0
        #: What the process has beyond its start and the account, in percent of the account.
        self.surplus_percent = 0.0
        #: Active defragmentation, where there is any, and the time that it has taken.
        self.moving: Moving | None = None
        self.moving_ns = 0

    def give_back(self) -> None:
        """MEMORY PURGE: give back to the system whatever is free."""
        trim()
        self.pools.release(True)
        self.pools.withhold(True)
        self.withheld = True

    def sample(self, used: int) -> None:
        """Look again; ``used`` bytes are on the account."""
        self.resident = resident_bytes()
        self.startup = self.startup or self.resident
        self.used_peak = max(self.used_peak, used)
