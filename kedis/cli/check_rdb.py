"""``kedis-check-rdb``: reads a snapshot to its end and prints what it holds."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from mmap import ACCESS_READ, mmap

from kedis.cli import standard_streams
from kedis.rdb.snapshot import SnapshotReader
from kedis.rdb.source import RdbError
from kedis.rdb.unsupported_features import Unsupported, describe
from kedis.store.types import type_of
from kedis.version import VERSION

USAGE = """\
usage: kedis-check-rdb FILE
       kedis-check-rdb --version

  FILE  a snapshot (dump.rdb), or the base of an append-only file in that form

Every key is read, and the checksum compared. The exit code is 0 if all is sound, else 1.
"""
_NO_CHECKSUM = bytes(8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return standard_streams.run("kedis-check-rdb", partial(_check, words))


def _check(words: list[str]) -> int:
    if words in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    if words in (["-v"], ["--version"]):
        print(f"kedis-check-rdb {VERSION}")
        return 0
    if len(words) != 1 or words[0].startswith("-"):
        print(USAGE, end="", file=sys.stderr)
        return 1
    path = words[0]
    try:
        with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            _report(path, data)
    except OSError as error:
        return _fail(f"cannot read {path}: {error.strerror}")
    except Unsupported as error:
        return _fail(describe(path, error))
    except ValueError as error:  # RdbError is one, and so is what an empty file gives
        return _fail(f"{path} is not valid: {error if isinstance(error, RdbError) else 'it is empty'}")
    return 0


def _report(path: str, data: mmap) -> None:
    reader = SnapshotReader(data)
    kinds: Counter[str] = Counter()
    databases: Counter[int] = Counter()
    expiring = 0
    for record in reader.records():
        kinds["empty" if record.value is None else type_of(record.value).name.decode()] += 1
        databases[record.database] += 1
        expiring += record.expire_at_ms is not None
    print(f"version {reader.version}")
    for name, text in reader.notes.items():
        print(f"{name}: {text}")
    for number, count in sorted(databases.items()):
        print(f"database {number}: {count} keys")
    for kind, count in kinds.most_common():
        print(f"{kind}: {count}")
    print(f"with a time to live: {expiring}")
    checked = reader.version >= 5 and data[reader.position - 8 : reader.position] != _NO_CHECKSUM
    print("the checksum is right" if checked else "there is no checksum")
    rest = len(data) - reader.position
    if rest:
        print(f"{rest} bytes behind the snapshot (commands, if it is the base of an append-only file)")
    print(f"{path} is valid")


def _fail(text: str) -> int:
    print(f"kedis-check-rdb: {text}", file=sys.stderr)
    return 1
