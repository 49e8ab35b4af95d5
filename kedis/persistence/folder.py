"""The folder of the append-only file: its lock, its manifest, and the order in which both change.

At every moment the manifest on disk names files that exist and are complete. It is replaced by a
temporary file, fsync, rename, fsync of the folder; a file is listed after it is created, and deleted after it is
listed as history or not at all.

One process at a time may use the folder. The lock is on the folder itself, so that it leaves no trace, and ends with
the process however that ends.
"""

from __future__ import annotations

import contextlib
import logging
import os

from kedis.persistence.manifest import Entry, Manifest, ManifestError, parse_manifest
from kedis.process.system import OPEN_FLAGS, lock_folder, sync_directory
from kedis.process.threads import real_close

log = logging.getLogger("kedis.aof")

#: Prefix of the names of temporary files; leftovers are removed at the start.
TEMPORARY = "temp-"


class AofError(Exception):
    """The append-only file cannot be used; the message is one clear line for the user.

    Attributes:
        is_in_use: whether that is because another process holds the folder's lock.
    """

    is_in_use = False


class Folder:
    """``DIR/APPENDDIRNAME`` with its manifest.

    Args:
        directory: the setting ``dir``.
        name: the setting ``appenddirname``.
        prefix: the setting ``appendfilename``, the prefix of all names.
    """

    def __init__(self, directory: str, name: str, prefix: str) -> None:
        self.directory = directory
        self.path = os.path.join(directory, name)
        self.prefix = prefix
        self.manifest = Manifest()
        self.is_new = False
        self._fd = -1

    @property
    def manifest_path(self) -> str:
        return self.file(f"{self.prefix}.manifest")

    def file(self, name: str) -> str:
        """The path of a file of the folder."""
        return os.path.join(self.path, name)

    # -- start --------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Lock the folder, creating it if needed, and read its manifest. Raises AofError."""
        try:
            old_style = os.path.isfile(os.path.join(self.directory, self.prefix))
            make_folder(self.path)
            self._lock()
            self._read_manifest(old_style)
            if old_style and self._awaits_upgrade():
                self._upgrade()
            self._remove_leftovers()
        except OSError as error:
            self.close()
            raise AofError(f"cannot use the folder {self.path}: {error.strerror}") from None
        except AofError:
            self.close()
            raise

    def close(self) -> None:
        """Release the lock. Idempotent."""
        if self._fd >= 0:
            real_close(self._fd)
            self._fd = -1

    def _lock(self) -> None:
        try:
            self._fd = lock_folder(self.path)
        except BlockingIOError:
            error = AofError(f"another server is using the folder {self.path}")
            error.is_in_use = True
            raise error from None

    def _read_manifest(self, old_style: bool) -> None:
        """Read it; ``old_style``: the file of an upgrade that was interrupted is there, in the folder above."""
        try:
            with open(self.manifest_path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            self._refuse_orphans()
            self.is_new = True
            return
        try:
            self.manifest = parse_manifest(content)
        except ManifestError as error:
            raise AofError(f"bad manifest {self.manifest_path}: {error}") from None
        for entry in self.manifest.files():
            comes = old_style and self._is_upgrade_entry(entry)
            if not comes and not os.path.isfile(self.file(entry.name)):
                raise AofError(
                    f"{self.manifest_path} lists {entry.name}, which is missing (The append log file "
                    f"{entry.name} doesn't exist: No such file or directory)"
                )

    def _refuse_orphans(self) -> None:
        """Raise AofError for files without a manifest: their order is unknown, and a new start would overwrite them."""
        for name in sorted(os.listdir(self.path)):
            ours = name.startswith(f"{self.prefix}.") and name.endswith((".aof", ".rdb"))
            if ours and os.path.getsize(self.file(name)):
                raise AofError(
                    f"{self.file(name)} is there, but the manifest {self.manifest_path} is missing"
                )

    def _remove_leftovers(self) -> None:
        for name in os.listdir(self.path):
            if name.startswith(TEMPORARY):
                os.unlink(self.file(name))

    # -- Redis before 7: one file -------------------------------------------------------------------------

    def _is_upgrade_entry(self, entry: Entry) -> bool:
        return entry.kind == "b" and entry.name == self.prefix and not self.manifest.incrs

    def _awaits_upgrade(self) -> bool:
        base = self.manifest.base
        if base is None:
            return not self.manifest.incrs
        return self._is_upgrade_entry(base) and not os.path.exists(self.file(base.name))

    def _upgrade(self) -> None:
        """Take over ``DIR/PREFIX``, the single file of older versions, as the base, under its own name.

        The manifest is written first: a crash before the rename is finished by the next start.
        """
        if self.manifest.base is None:
            self.manifest.base_seq += 1
            self.manifest.base = Entry(self.prefix, self.manifest.base_seq, "b")
            self.persist(self.manifest)
        os.rename(os.path.join(self.directory, self.prefix), self.file(self.prefix))
        sync_directory(self.path)
        sync_directory(self.directory)
        self.is_new = False
        log.info("took over the append-only file %s as the base of %s", self.prefix, self.path)

    # -- changing the manifest ----------------------------------------------------------------------------

    def persist(self, manifest: Manifest) -> None:
        """Replace the manifest on disk by ``manifest``, durably, in one step. Raises OSError; may run in any thread."""
        self.write_aside(manifest)
        self.put_in_place(manifest)
        sync_directory(self.path)

    def write_aside(self, manifest: Manifest) -> None:
        """Write ``manifest`` durably under a temporary name."""
        fd = os.open(self._temporary_manifest(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OPEN_FLAGS, 0o644)
        try:
            content = memoryview(manifest.format())
            while content:
                content = content[os.write(fd, content) :]
            os.fsync(fd)
        finally:
            real_close(fd)

    def put_in_place(self, manifest: Manifest) -> None:
        """Rename the file of :meth:`write_aside`, which holds ``manifest``, to the manifest."""
        os.replace(self._temporary_manifest(), self.manifest_path)
        self.manifest = manifest

    def delete_history(self) -> None:
        """Delete the files listed as history, then remove them from the manifest."""
        if not self.manifest.history:
            return
        for entry in self.manifest.history:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.file(entry.name))
        manifest = self.manifest.copy()
        manifest.history.clear()
        self.persist(manifest)

    def _temporary_manifest(self) -> str:
        return self.file(f"{TEMPORARY}{self.prefix}.manifest")


def make_folder(path: str) -> None:
    """Create a folder and its parents, durably, if they do not exist. Raises OSError."""
    if not path or os.path.isdir(path):
        return
    parent = os.path.dirname(path.rstrip("/"))
    make_folder(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    sync_directory(parent or ".")


class TemporaryFolder:
    """A folder for this user alone, which is removed by :meth:`remove`, or when the process ends. Raises OSError."""

    def __init__(self) -> None:
        import shutil  # 10 ms together, and only few programs come here
        import tempfile
        import weakref

        self.path = path = tempfile.mkdtemp(prefix="kedis-")
        process = os.getpid()

        def remove() -> None:
            if os.getpid() == process:  # not in a forked child
                shutil.rmtree(path, ignore_errors=True)

        #: Removes it. Idempotent.
        self.remove = weakref.finalize(self, remove)
