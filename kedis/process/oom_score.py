"""The kernel's adjustment of a process's out-of-memory score: who is killed first when the machine has no memory left.

It is relative to what the process had, or absolute, and depends on the process's part: master, replica, or child that
saves. Linux alone has it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

#: The places of the parts in ``oom-score-adj-values``.
MASTER, REPLICA, CHILD = range(3)
_FILE = "/proc/self/oom_score_adj"
_MOST = 1000


def read() -> int:
    """The adjustment of this process. Raises OSError where there is none."""
    with open(_FILE) as file:
        return int(file.read())


def write(score: int) -> None:
    """Set it, within its bounds. Raises OSError where the process may not; to lower it takes a privilege."""
    with open(_FILE, "w") as file:
        file.write(str(max(-_MOST, min(score, _MOST))))


def adjust_child(mode: str, values: Sequence[int], parent: int) -> None:
    """In a child process: take the child's score instead of the one of ``parent``'s part; nothing where that fails.

    Args:
        mode: ``oom-score-adj``.
        values: ``oom-score-adj-values``.
    """
    if mode != "no":
        with contextlib.suppress(OSError):
            write(values[CHILD] if mode == "absolute" else read() + values[CHILD] - values[parent])
