"""How much memory the process uses.

Resident bytes come from ``/proc/self/statm`` (10 us); the kernel counts whole pages.  What the data take is on
the keyspace's account.  The rest, beyond what the process had at its start, is fragmentation: Python's allocator
keeps pages that are not wholly free.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable

from kedis.process.system import system_value

PAGE_SIZE = system_value("SC_PAGE_SIZE", 4096)


def resident_bytes() -> int:
    """Bytes of the process in main memory; 0 where /proc is missing."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE_SIZE
    except OSError:
        return 0


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


class MemoryFigures:
    """Samples of the process's memory; INFO and the metrics read the latest."""

    def __init__(self) -> None:
        self.startup = self.resident = resident_bytes()
        self.used_peak = 0
        self.machine = machine_bytes()
        #: Written by what gives memory back: whether fragmentation asks for it, and the time that it has taken.
        self.defragmenting = False
        self.trimmed_ns = 0

    def sample(self, used: int) -> None:
        """Look again; ``used`` bytes are on the account."""
        self.resident = resident_bytes()
        self.used_peak = max(self.used_peak, used)
