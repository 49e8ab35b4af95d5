"""Handlers of the log: to standard output, or to a file that logrotate may rename; and to syslog.

A log that cannot be written is no reason for the server to fail: what logs is anywhere in it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import syslog
from logging.handlers import WatchedFileHandler
from typing import Any

_FORMAT = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")


class _Undisturbed(logging.Handler):
    """Loses a record that cannot be written, and says so on standard error, once until one can be written again.

    (``logging`` prints a traceback for each, and lets errors of reopening a file through.)
    """

    place = ""
    _is_failing = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.setFormatter(_FORMAT)

    def emit(self, record: logging.LogRecord) -> None:
        self._lost = False
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)
        self._is_failing = self._lost

    def handleError(self, record: logging.LogRecord) -> None:
        self._lost = True
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_failing:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                reason = error.strerror or error
                print(
                    f"kedis-server: cannot write the log to {self.place}: {reason}",
                    file=sys.stderr,
                    flush=True,
                )


class LogStream(_Undisturbed, logging.StreamHandler):  # type: ignore[type-arg]
    """The log on a stream, such as standard output."""

    place = "standard output"


class LogFile(_Undisturbed, WatchedFileHandler):
    """The log in a file, which is opened anew after it was renamed or removed.  Raises OSError where it cannot be."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.place = path


class SystemLog(logging.Handler):
    """The system's log, by the C library: where no such service runs, records are lost silently.

    Args:
        ident: the name of the server in it.
        facility: of syslog, such as ``local0``.
    """

    def __init__(self, ident: str, facility: str) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s"))
        syslog.openlog(ident, syslog.LOG_PID | syslog.LOG_NDELAY, getattr(syslog, f"LOG_{facility.upper()}"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            syslog.syslog(_priority(record.levelno), self.format(record).replace("\0", "?"))
        except OSError:
            self.handleError(record)


def _priority(level: int) -> int:
    if level >= logging.WARNING:
        return syslog.LOG_WARNING
    return syslog.LOG_NOTICE if level >= logging.INFO else syslog.LOG_DEBUG
