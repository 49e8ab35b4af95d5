"""A Kedis that notes after each sync how much of which file is on the disk, for the model of a power cut.

Run as ``python -m tests.crash.recorded_kedis FLAGS`` with the file for the notes in ``KEDIS_SYNC_LOG``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from kedis.cli.server import main


def recording(real: Callable[[int], None]) -> Callable[[int], None]:
    def sync(fd: int) -> None:
        state = os.fstat(fd)  # what is written while the sync runs may or may not be covered
        real(fd)
        notes = os.open(os.environ["KEDIS_SYNC_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(notes, b"%d %d\n" % (state.st_ino, state.st_size))
        os.close(notes)

    return sync


if __name__ == "__main__":
    os.fdatasync = recording(os.fdatasync)
    os.fsync = recording(os.fsync)  # type: ignore[assignment]
    sys.exit(main())
