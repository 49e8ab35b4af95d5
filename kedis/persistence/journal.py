"""The engine's journal: commands that changed something, gathered until the turn ends, then encoded.

This is on the path of every write, so :meth:`Journal.append` only remembers what a client sent.  When a read has
brought nothing but commands that were all recorded as they came, the bytes that came are their encoding already, and
take their place (:meth:`Journal.keep_wire`).  What is left is encoded by :meth:`Journal.take`: the two common shapes, a
name with one or two arguments, are put down as the pieces of their encoding, most of them shared constants, which one
``join`` makes into bytes.

SELECT goes before a command of another database than the one before, and before the first of each file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kedis.persistence.unsynced import Unsynced
from kedis.resp.clean_requests import CANONICAL, is_canonical
from kedis.resp.replies import encode_command

_TABLE = 1024
#: ``$N CRLF`` and ``CRLF $N CRLF``.
_HEADERS = tuple(b"$%d\r\n" % length for length in range(_TABLE))
_NEXT_HEADERS = tuple(b"\r\n$%d\r\n" % length for length in range(_TABLE))
_END = b"\r\n"
#: Several commands of more bytes each are encoded sooner than what they came as is looked through (200 ns a command).
_WORTH_LOOKING = 200


class _Openings(dict[bytes, bytes]):
    """Name of a command -> ``*N`` and the name, encoded; usual spellings are remembered."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def __missing__(self, name: bytes) -> bytes:
        opening = b"*%d\r\n$%d\r\n%b\r\n" % (self._count, len(name), name)
        if name in (name.upper(), name.lower()):
            self[name] = opening
        return opening


_OPENINGS_2 = _Openings(2)
_OPENINGS_3 = _Openings(3)


class Journal:
    """Collects what is to be appended to the file.

    Args:
        clock: seconds since 1970, for ``#TS`` comments.

    Attributes:
        entries: what :meth:`take` will join, bytes as they are and lists encoded; empty when there is nothing to write.
        timestamps: write ``#TS:SECONDS`` before the first command of a second.
        unsynced: told of everything recorded, where somebody asks what is not synced; None where nobody does.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.entries: list[bytes | list[bytes]] = []
        self.timestamps = False
        self.unsynced: Unsynced | None = None
        self._clock = clock
        self._database = -1
        self._second = 0

    def append(self, database: int, argv: Sequence[bytes | bytearray]) -> None:
        """Record one command that ran in ``database``.

        A list is kept as it is and must not change any more.  O(1) for a list, else O(size of the command).
        """
        if database != self._database:
            self._database = database
            self.entries.append(encode_command((b"SELECT", b"%d" % database)))
        if self.unsynced is not None:
            self.unsynced.note(argv)
        # What a client sent is a list of bytes; a handler's own words may hold values that change later.
        self.entries.append(argv if type(argv) is list else encode_command(argv))

    def keep_wire(self, commands: list[list[bytes]], wire: bytes, form: int) -> None:
        """Take ``wire``, from which all of ``commands`` came, for their encoding, if it is and they came here last.

        Args:
            form: what the parser said of ``wire`` (:func:`kedis.resp.clean_requests.take_clean`).
        """
        entries = self.entries
        if len(commands) == 1:
            if form == CANONICAL and entries and entries[-1] is commands[0]:
                entries[-1] = wire
        elif (
            len(wire) < _WORTH_LOOKING * len(commands)
            and entries[-len(commands) :] == commands
            and is_canonical(form, wire, commands)
        ):
            entries[-len(commands) :] = (wire,)

    def take(self) -> bytes:
        """What was recorded since the last call, encoded."""
        entries = self.entries
        if self.timestamps:
            second = int(self._clock())
            if second != self._second:
                self._second = second
                entries.insert(0, b"#TS:%d\r\n" % second)
        try:
            data = b"".join(entries)  # type: ignore[arg-type]
        except TypeError:  # there are lists among them
            data = _encode(entries)
        entries.clear()
        return data

    def size(self) -> int:
        """About how many bytes wait to be taken.  O(entries)."""
        return sum(len(entry) if isinstance(entry, bytes) else sum(map(len, entry)) for entry in self.entries)

    def begin_file(self) -> None:
        """What comes next goes to another file, which names its database itself."""
        self._database = -1


def _encode(entries: Sequence[bytes | list[bytes]]) -> bytes:
    pieces: list[bytes] = []
    for entry in entries:
        if isinstance(entry, bytes):
            pieces.append(entry)
            continue
        try:
            if len(entry) == 3:
                name, key, value = entry
                header = _NEXT_HEADERS[len(value)]
                pieces += (_OPENINGS_3[name], _HEADERS[len(key)], key, header, value, _END)
                continue
            if len(entry) == 2:
                name, key = entry
                pieces += (_OPENINGS_2[name], _HEADERS[len(key)], key, _END)
                continue
        except IndexError:  # an argument longer than the table
            pass
        pieces.append(encode_command(entry))
    return b"".join(pieces)
