"""Standard input, output and error of the programs: closed from the start, closed by their reader, or full."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable

_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def open_standard_streams() -> None:
    """Open /dev/null for each stream that is closed: else the next file or socket would get its number."""
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            break
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - as long as the process


def run(program: str, body: Callable[[], int]) -> int:
    """The exit code of ``body``; 0 where the reader of standard output (head, less) has seen enough.

    Standard output that takes nothing is told in one line, with 1; other errors are the body's own.
    """
    open_standard_streams()
    try:
        try:
            return body()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return 0
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _forget_output()
        with contextlib.suppress(OSError):
            print(f"{program}: cannot write: {error.strerror}", file=sys.stderr, flush=True)
        return 1


def _forget_output() -> None:
    """Python would complain of what is left in the buffer once more at its end."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
