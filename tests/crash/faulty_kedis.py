"""A Kedis in which writing the append-only file raises what a test says, for as long as it says so.

Run as ``python -m tests.crash.faulty_kedis FLAGS``.  The file named by ``KEDIS_FAULT`` holds, while it is there, a line
``CALL EXCEPTION``: ``write`` or ``sync``, and the name of a built-in exception, or ``hang``.

The native path writes to the file itself where it may (``AofPolicy.direct_file``), and no exception can be put in its
way: here it never may. What it does when a write fails is in ``tests/crash/test_faults.py``, where the kernel fails.
"""

from __future__ import annotations

import builtins
import errno
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from kedis.cli.server import main
from kedis.server.aof_policy import AofPolicy

FAULT = os.environ["KEDIS_FAULT"]


def strike(call: str) -> None:
    try:
        with open(FAULT) as file:
            struck, exception = file.read().split()
    except FileNotFoundError:
        return
    if call == struck:
        if exception == "hang":
            while os.path.exists(FAULT):
                time.sleep(0.01)
            return
        if exception == "OSError":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise getattr(builtins, exception)


def failing(real: Callable[..., Any], call: str) -> Callable[..., Any]:
    def write(fd: int, data: Any) -> Any:
        if os.readlink(f"/proc/self/fd/{fd}").endswith(".incr.aof"):
            strike(call)
        return real(fd, data)

    return write


def failing_sync(real: Callable[[int], None]) -> Callable[[int], None]:
    def sync(fd: int) -> None:
        strike("sync")
        real(fd)

    return sync


if __name__ == "__main__":
    AofPolicy.direct_file = lambda _: None  # type: ignore[method-assign]
    os.write = failing(os.write, "write")
    os.writev = failing(os.writev, "write")
    os.fdatasync = failing_sync(os.fdatasync)
    sys.exit(main())
