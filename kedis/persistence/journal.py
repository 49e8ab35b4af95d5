"""The engine's journal: commands that changed something, gathered until the turn ends, then encoded.

This is on the path of every write, so :meth:`Journal.append` only remembers what a client sent.  When a read has
brought nothing but commands that were all recorded as they came, the bytes that came are their encoding already, and
take their place (:meth:`Journal.keep_wire`).  What is left is encoded by :meth:`Journal.encoded`: the two common
shapes, a name with one or two arguments, are put down as the pieces of their encoding, most of them shared constants,
which one ``join`` makes into bytes.  Large values are not joined: the encoding is a list of pieces, in which they
stand as they are.

SELECT goes before a command of another database than the one before, and before the first of each file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kedis.persistence.unsynced import Unsynced
from kedis.resp.canonical import CANONICAL, is_canonical
from kedis.resp.replies import encode_command, encode_short_command

_TABLE = 1024
#: ``$N CRLF`` and ``CRLF $N CRLF``.
_HEADERS = tuple(b"$%d\r\n" % length for length in range(_TABLE))
_NEXT_HEADERS = tuple(b"\r\n$%d\r\n" % length for length in range(_TABLE))
_END = b"\r\n"
#: Bytes that are joined to one piece, about; words and commands of more stand alone.
_JOIN_LIMIT = 1 << 20
_JOIN_PIECES = 8192
_LARGE = 64 * 1024
_FEW_WORDS = 64
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
        entries: bytes as they will stand in the file, and lists that will be encoded; empty when there is nothing to
            write.
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
        """Record one command that ran in ``database``: all of it, or nothing where that raises.

        A list is kept as it is and must not change any more.  O(1) for a list, else O(size of the command).
        """
        if self.unsynced is not None:
            self.unsynced.note(argv)
        entry = argv if type(argv) is list else _settled(argv)
        if database == self._database:
            self.entries.append(entry)
        else:
            self.entries += (encode_command((b"SELECT", b"%d" % database)), entry)
            self._database = database

    def keep_wire(self, commands: list[list[bytes]], wire: bytes, form: int) -> None:
        """Take ``wire``, from which all of ``commands`` came, for their encoding, if it is and they came here last.

        Args:
            form: what the parser said of ``wire`` (:func:`kedis.resp.canonical.take_clean`).
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

    def encoded(self) -> list[bytes]:
        """What was recorded since :meth:`clear`, encoded, in pieces.  It stays recorded."""
        entries = self.entries
        if not entries:
            return []
        if self.timestamps:
            second = int(self._clock())
            if second != self._second:
                entries.insert(0, b"#TS:%d\r\n" % second)
                self._second = second
        if sum(map(len, entries)) <= _JOIN_LIMIT:
            try:
                return [b"".join(entries)]  # type: ignore[arg-type]
            except TypeError:  # there are lists among them, whose words were counted for bytes
                pass
        return _encode(entries)

    def clear(self) -> None:
        """What was recorded has been taken over, or is not wanted."""
        self.entries.clear()

    def take(self) -> list[bytes]:
        """What :meth:`encoded` gives; it is recorded no longer."""
        pieces = self.encoded()
        self.clear()
        return pieces

    def size(self) -> int:
        """About how many bytes wait to be taken.  O(entries)."""
        return sum(len(entry) if isinstance(entry, bytes) else sum(map(len, entry)) for entry in self.entries)

    def begin_file(self) -> None:
        """What comes next goes to another file, which names its database itself."""
        self._database = -1


def _settled(argv: Sequence[bytes | bytearray]) -> bytes | list[bytes]:
    """An entry for a handler's own words, which may hold values that change later; large ones are not copied."""
    if len(argv) <= _FEW_WORDS:
        try:
            return encode_short_command(argv)
        except IndexError:  # a word of more than a kilobyte
            pass
    if sum(map(len, argv)) <= _LARGE:
        return encode_command(argv)
    return [word if type(word) is bytes else bytes(word) for word in argv]


def _encode(entries: Sequence[bytes | list[bytes]]) -> list[bytes]:
    done: list[bytes] = []
    pieces: list[bytes] = []  # to be joined to the next that is done: `size` bytes, but for short words
    size = 0
    for entry in entries:
        if size > _JOIN_LIMIT or len(pieces) > _JOIN_PIECES:
            done.append(b"".join(pieces))
            pieces.clear()
            size = 0
        if isinstance(entry, bytes):
            pieces.append(entry)
            size += len(entry)
            continue
        try:
            if len(entry) == 3:
                name, key, value = entry
                length = len(value)
                header = _NEXT_HEADERS[length]
                pieces += (_OPENINGS_3[name], _HEADERS[len(key)], key, header, value, _END)
                size += length
                continue
            if len(entry) == 2:
                name, key = entry
                pieces += (_OPENINGS_2[name], _HEADERS[len(key)], key, _END)
                continue
        except IndexError:  # an argument longer than the table
            pass
        length = sum(map(len, entry))
        if length <= _LARGE:
            pieces.append(encode_command(entry))
            size += length
        else:
            done += _encode_large(b"".join(pieces), entry)
            pieces.clear()
            size = 0
    done.append(b"".join(pieces))
    return done


def _encode_large(before: bytes, argv: Sequence[bytes]) -> list[bytes]:
    """``before``, then ``argv`` as :func:`encode_command` has it, in pieces: large words are not copied."""
    done: list[bytes] = []
    pieces = [before, b"*%d\r\n" % len(argv)]
    size = 0
    for word in argv:
        length = len(word)
        pieces.append(b"$%d\r\n" % length)
        if length > _LARGE or size > _JOIN_LIMIT:
            done.append(b"".join(pieces))
            pieces.clear()
            size = 0
        if length > _LARGE:
            done.append(word)
        else:
            pieces.append(word)
            size += length + 1
        pieces.append(_END)
    done.append(b"".join(pieces))
    return done
