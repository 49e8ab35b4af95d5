"""The machine on which figures were measured."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from kedis.version import VERSION


def cpu_model() -> str:
    """The processor's name, or its architecture where it does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def usable_cores() -> list[int]:
    """Numbers of the processor cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def file_system(folder: str | Path) -> str:
    """The kind of file system that ``folder`` is on, such as ``ext4``; empty if unknown."""
    kind, longest = "", -1
    path = Path(folder).resolve()
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return ""
    for line in mounts:
        _, point, name, *_ = line.split(" ")
        if path.is_relative_to(point) and len(point) >= longest:
            kind, longest = name, len(point)
    return kind


def describe() -> dict[str, str]:
    """Processor, cores, kernel, Python, and Kedis's version."""
    return {
        "cpu": cpu_model(),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "kedis": VERSION,
    }
