"""Reasons of write errors, in words for the log and for clients."""

from __future__ import annotations

import errno
import os


def reason_of(error: BaseException) -> str:
    """The operating system's words if there are any; for other exceptions the type and text."""
    if isinstance(error, MemoryError):
        return os.strerror(errno.ENOMEM)
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return repr(error)


def reason_with_file(error: BaseException) -> str:
    """The same with the name of the file."""
    name = error.filename if isinstance(error, OSError) else None
    return f"{reason_of(error)} ({name})" if name else reason_of(error)
