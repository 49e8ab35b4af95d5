"""How much memory the process uses.

Resident bytes come from ``/proc/self/statm`` (10 us); the kernel counts whole pages.  What the data takes is
estimated as the growth of the resident size since the start: cheap and true for a server that fills, an upper
bound for one that has deleted much, since Python's allocator keeps pages that are not wholly free.
"""

from __future__ import annotations

import os

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Bytes of the process in main memory; 0 where /proc is missing."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE_SIZE
    except OSError:
        return 0


def machine_bytes() -> int:
    """Main memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * PAGE_SIZE


class MemoryFigures:
    """Samples of the process's memory; INFO and the metrics read the latest."""

    def __init__(self) -> None:
        self.startup = self.resident = resident_bytes()
        self.used_peak = 0
        self.machine = machine_bytes()

    @property
    def used(self) -> int:
        """Estimated bytes of data and of clients' buffers."""
        return max(self.resident - self.startup, 0)

    def sample(self) -> None:
        """Look again."""
        self.resident = resident_bytes()
        self.used_peak = max(self.used_peak, self.used)
