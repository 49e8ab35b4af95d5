"""The resolved differences: an append-only file, synced after each group of keys.

One JSON object a line: database, key (base64), how ("mine", "server", "same"), and the digests (hex, null for no
key) of the local value that was settled and of what the server held afterwards. A later line of the same
key replaces an earlier one. A line that is torn or cannot be read costs no data: its key is compared again.

A key is open again when the local value is no longer the settled one; the server's is then compared with what
it held when it was settled.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

Place = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a key was resolved: "mine", "server" or "same", and the digests on both sides afterwards."""

    how: str
    mine: bytes | None
    theirs: bytes | None


class Settled:
    """The resolved keys of one time of standing alone, by database and key. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "settled.jsonl"
        self._places: dict[Place, Settlement] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self.path.read_bytes().split(b"\n"):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    self._take(line)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def get(self, place: Place) -> Settlement | None:
        """How a key was resolved last, or None."""
        return self._places.get(place)

    def add(self, settlements: Iterable[tuple[Place, Settlement]]) -> None:
        """Record keys as resolved; they are on the disk afterwards. Raises OSError."""
        added = list(settlements)
        if not added:
            return
        # The newline in front ends a line that a crash has torn.
        lines = b"".join(b"\n" + _line(place, settlement) for place, settlement in added)
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(lines + b"\n")
            file.flush()
            os.fsync(fd)
        self._places.update(added)

    def _take(self, line: bytes) -> None:
        told = json.loads(line)
        place = (int(told["db"]), base64.b64decode(told["key"], validate=True))
        self._places[place] = Settlement(str(told["how"]), _bytes(told["mine"]), _bytes(told["server"]))


def _line(place: Place, settlement: Settlement) -> bytes:
    told = {
        "db": place[0],
        "key": base64.b64encode(place[1]).decode(),
        "how": settlement.how,
        "mine": None if settlement.mine is None else settlement.mine.hex(),
        "server": None if settlement.theirs is None else settlement.theirs.hex(),
    }
    return json.dumps(told, separators=(",", ":")).encode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)
