"""A copy of a server's data in the standalone folder, taken while connected.

Each database is walked with SCAN; keys are read in batches, each as of one moment (module `key_values`),
and written as the base of an append-only file, from which standing alone can begin. As SCAN runs while
other clients write, the copy as a whole is of no single moment: it has every key that existed throughout, with a
value that the key had meanwhile. Values of modules, and streams in the form of a later Redis, are left out and counted.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from kedis.cli.client import expected
from kedis.cli.client.link import Link
from kedis.cli.client.modes.scan import pages
from kedis.cli.client.standalone.home import (
    DEFAULT_DATABASES,
    Home,
    Snapshot,
    StandaloneError,
    filled,
    new_append_folder,
)
from kedis.cli.client.standalone.key_values import BATCH_KEYS, ask, build_commands, read, select
from kedis.cli.client.standalone.terminal import Terminal
from kedis.cli.client.standalone.timefmt import now_ms
from kedis.engine.propagation import Propagation
from kedis.persistence.append_file import AppendFile
from kedis.persistence.folder import AofError

_KEYS_OF_DATABASE = re.compile(rb"^db(\d{1,9}):keys=(\d{1,19})", re.MULTILINE)
_NUMBER = re.compile(rb"[1-9]\d{0,8}")


def databases_of(link: Link) -> int:
    """The number of databases of the server; the default if it does not tell. Raises LinkLost."""
    reply = link.send([b"CONFIG", b"GET", b"databases"])
    if (
        isinstance(reply, list)
        and len(reply) == 2
        and isinstance(reply[1], bytes)
        and _NUMBER.fullmatch(reply[1])
    ):
        return int(reply[1])
    return DEFAULT_DATABASES


def take(link: Link, home: Home, server: str, terminal: Terminal) -> Snapshot:
    """Copy all databases of a server. An interrupted copy leaves nothing behind.

    Args:
        link: a connection of its own, speaking RESP2; its database changes.
        server: the name of the server.

    Raises LinkLost, ServerSays, StandaloneError (folder cannot be written).
    """
    taken_at_ms = now_ms()
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(taken_at_ms // 1000))
    path = home.snapshots_folder / f"{moment}.{taken_at_ms % 1000:03d}"
    try:
        with filled(path) as folder:
            keys, left_out = _copy(link, folder / "data", terminal)
            # The databases were copied in order: the link is in the last one that has keys.
            databases = max(databases_of(link), link.database + 1)
            snapshot = Snapshot(path, server, taken_at_ms, keys, databases, left_out)
            home.describe(snapshot, folder)
        home.drop_old_snapshots()
    except (OSError, AofError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StandaloneError(f"cannot write the snapshot {path}: {reason}") from None
    return snapshot


def _copy(link: Link, directory: Path, terminal: Terminal) -> tuple[int, int]:
    """Write the base; returns how many keys are in it and how many were left out."""
    info = expected.bulk(ask(link, [[b"INFO", b"keyspace"]])[0], "INFO")
    sizes = {int(number): int(keys) for number, keys in _KEYS_OF_DATABASE.findall(info)}
    folder, base = new_append_folder(directory)
    try:
        file = AppendFile(str(base), size=0)
        try:
            keys, left_out = _record(link, sizes, file, terminal)
            os.fsync(file.fd)
        finally:
            file.close()
        folder.persist(folder.manifest)
    finally:
        folder.close()
    return keys, left_out


def _record(link: Link, sizes: dict[int, int], file: AppendFile, terminal: Terminal) -> tuple[int, int]:
    journal = Propagation()
    copied = left_out = 0
    for database in sorted(sizes):
        select(link, database)
        for keys in _batches(link):
            for key, value in read(link, keys).items():
                if value is None:
                    continue
                if not value.can_be_written:
                    left_out += 1
                    continue
                copied += 1
                for words in build_commands(key, value):
                    journal.append(database, words)
            if journal.entries:
                file.write(journal.take())
            terminal.progress(copied + left_out, max(sum(sizes.values()), copied + left_out))
    return copied, left_out


def _batches(link: Link) -> Iterator[list[bytes]]:
    """The keys of the selected database in batches, each key once, though SCAN may return it twice."""
    seen: set[bytes] = set()
    for page in pages(link, count=BATCH_KEYS):
        fresh = [key for key in dict.fromkeys(page) if key not in seen]
        seen.update(fresh)
        for at in range(0, len(fresh), BATCH_KEYS):
            yield fresh[at : at + BATCH_KEYS]
