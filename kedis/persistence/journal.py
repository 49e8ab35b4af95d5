"""The engine's journal: commands that changed something, encoded and gathered until the turn ends.

This is on the path of every write, so :meth:`Journal.append` does as little as it can: the two common shapes, a name
with one or two arguments, are put down as the pieces of their encoding, most of them shared constants, which one
``join`` per turn makes into bytes (300 ns a SET; formatting it at once takes 800; ``ops/bench/aof.py``).

SELECT goes before a command of another database than the one before, and before the first of each file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kedis.resp.replies import encode_command

_TABLE = 1024
#: ``$N CRLF`` and ``CRLF $N CRLF``.
_HEADERS = tuple(b"$%d\r\n" % length for length in range(_TABLE))
_NEXT_HEADERS = tuple(b"\r\n$%d\r\n" % length for length in range(_TABLE))
_END = b"\r\n"


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
        pieces: what :meth:`take` will join; empty when there is nothing to write.
        timestamps: write ``#TS:SECONDS`` before the first command of a second.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.pieces: list[bytes] = []
        self.timestamps = False
        self._clock = clock
        self._database = -1
        self._second = 0

    def append(self, database: int, argv: Sequence[bytes]) -> None:
        """Record one command that ran in ``database``.  O(size of the command)."""
        if database != self._database:
            self._database = database
            self.pieces.append(encode_command((b"SELECT", b"%d" % database)))
        # What a client sent is a list of bytes; a handler's own words may hold values that change later.
        if type(argv) is list:
            try:
                if len(argv) == 3:
                    name, key, value = argv
                    header = _NEXT_HEADERS[len(value)]
                    self.pieces += (_OPENINGS_3[name], _HEADERS[len(key)], key, header, value, _END)
                    return
                if len(argv) == 2:
                    name, key = argv
                    self.pieces += (_OPENINGS_2[name], _HEADERS[len(key)], key, _END)
                    return
            except IndexError:  # an argument longer than the table
                pass
        self.pieces.append(encode_command(argv))

    def take(self) -> bytes:
        """What was recorded since the last call, encoded."""
        pieces = self.pieces
        if self.timestamps:
            second = int(self._clock())
            if second != self._second:
                self._second = second
                pieces.insert(0, b"#TS:%d\r\n" % second)
        data = b"".join(pieces)
        pieces.clear()
        return data

    def begin_file(self) -> None:
        """What comes next goes to another file, which names its database itself."""
        self._database = -1
