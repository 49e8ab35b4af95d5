"""Small files that are replaced as a whole: whoever reads finds the old content or the new."""

from __future__ import annotations

import os
import stat
import tempfile

from kedis.process.threads import real_close


def replace_file(path: str, content: bytes, new_mode: int) -> None:
    """Put ``content`` in the place of a file in one step, durably: a temporary file beside it takes its name.

    Waits for the disk. A missing file is made with the permissions ``new_mode``; of one that is there they stay, and
    a link is followed. Nothing is left behind on failure. Raises OSError.
    """
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    mode = stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else new_mode
    handle, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=folder)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Sync the folder, which makes the rename durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        real_close(handle)
