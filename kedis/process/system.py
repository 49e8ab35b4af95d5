"""Functions of the system that not every system has. What is missing is replaced, or does nothing, and says so here.

==========================  ===========================================  =============================
on Linux                    on macOS                                     on Windows
==========================  ===========================================  =============================
``fdatasync``               ``F_FULLFSYNC``: fsync leaves data in the    ``fsync``
                            cache of the drive
lock on a folder            the same                                     lock on a file in the folder
sync of a folder            the same                                     nothing: NTFS keeps names itself
``writev``                  the same                                     one write after the other
usage of a thread           that of the process                          that of the process
TCP_KEEPIDLE, -INTVL, -CNT  TCP_KEEPALIVE, -INTVL, -CNT                  no server
==========================  ===========================================  =============================
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from kedis.process.threads import real_close


def _module(name: str) -> Any:
    """A module that some systems do not have, or None."""
    try:
        return import_module(name)
    except ImportError:
        return None


_fcntl, _resource, _msvcrt = _module("fcntl"), _module("resource"), _module("msvcrt")

#: Flags of every file that is opened: not for children, and bytes as they are.
OPEN_FLAGS: int = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_FULL_SYNC = getattr(_fcntl, "F_FULLFSYNC", None)
_LOCK_FILE = "kedis.lock"


# -- files ------------------------------------------------------------------------------------------------


def sync_data(fd: int) -> None:
    """Wait until the data of a file, and its size, are on the disk. Raises OSError."""
    if _FULL_SYNC is not None:
        with contextlib.suppress(OSError):  # which network file systems do not have
            _fcntl.fcntl(fd, _FULL_SYNC)
            return
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_directory(path: str) -> None:
    """Make the names in a folder durable. Raises OSError."""
    if _fcntl is None:
        return
    fd = _open_folder(path)
    try:
        os.fsync(fd)
    finally:
        real_close(fd)


def write_pieces(fd: int, pieces: Sequence[bytes | memoryview]) -> int:
    """Write ``pieces``, or the first part of them; returns the number of bytes. Raises OSError."""
    if hasattr(os, "writev"):
        return os.writev(fd, pieces)
    return os.write(fd, pieces[0])


def lock_folder(path: str) -> int:
    """Lock a folder for this process; returns the descriptor whose end is the end of the lock.

    Raises BlockingIOError where another process has it, OSError where the folder cannot be used.
    """
    if _fcntl is not None:
        fd = _open_folder(path)
        try:
            _fcntl.flock(fd, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        except BaseException:
            real_close(fd)
            raise
        return fd
    fd = os.open(os.path.join(path, _LOCK_FILE), os.O_RDWR | os.O_CREAT | OPEN_FLAGS)
    try:
        _msvcrt.locking(fd, _msvcrt.LK_NBLCK, 1)
    except OSError:
        real_close(fd)
        raise BlockingIOError(f"{path} is locked") from None
    return fd


def _open_folder(path: str) -> int:
    return os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | OPEN_FLAGS)


# -- sockets ----------------------------------------------------------------------------------------------


def keep_alive(sock: Any, seconds: int) -> None:
    """Have the kernel probe an idle TCP peer each ``seconds``, and give it up after three; 0: never."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bool(seconds))
    values = {"TCP_KEEPIDLE": seconds, "TCP_KEEPINTVL": max(seconds // 3, 1), "TCP_KEEPCNT": 3}
    if not hasattr(socket, "TCP_KEEPIDLE"):
        values["TCP_KEEPALIVE"] = seconds
    for name, value in values.items():
        if seconds and hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


# -- figures and limits of the process --------------------------------------------------------------------


def processor_seconds(of: str = "SELF") -> tuple[float, float]:
    """User and system time of the process (``SELF``), its ended ``CHILDREN``, or the calling ``THREAD``."""
    who = getattr(_resource, f"RUSAGE_{of}", getattr(_resource, "RUSAGE_SELF", None))
    if who is None:
        times = os.times()
        if of == "CHILDREN":
            return times.children_user, times.children_system
        return times.user, times.system
    usage = _resource.getrusage(who)
    return usage.ru_utime, usage.ru_stime


def open_file_limit() -> int:
    """How many files the process may open; -1: not known."""
    return -1 if _resource is None else int(_resource.getrlimit(_resource.RLIMIT_NOFILE)[0])


def system_value(name: str, otherwise: int) -> int:
    """``os.sysconf(name)``, or ``otherwise`` where the system does not know it."""
    try:
        return os.sysconf(name)
    except (AttributeError, ValueError, OSError):
        return otherwise
