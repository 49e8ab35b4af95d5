"""The propagation stream: the effects of all commands, in order, for the AOF, for replicas and for tests.

This is on the path of every write, so :meth:`Propagation.append` only remembers what a client sent. When a read has
brought nothing but commands that were all recorded as they came, the bytes that came are their encoding already, and
take their place (:meth:`Propagation.reuse_request_bytes`). What is left is encoded once, at the end of the turn, for
all sinks (:meth:`Propagation.flush`): the two common shapes, a name with one or two arguments, are put down as the
pieces of their encoding, most of them shared constants, which one ``join`` makes into bytes. Large values are not
joined: the encoding is a list of pieces, in which they stand as they are.

Three things are decided here, once, for every sink:

* SELECT goes before a command of another database than the one before, and before the first that a new sink, or a new
  file of the AOF, gets (:meth:`Propagation.reselect`);
* the effects of a unit are wrapped in MULTI and EXEC where they are two or more;
* a command has the words that its handler chose (``client.propagate``), or else those of the client.

``offset`` numbers the bytes of the stream, as replication counts them. Comments of the AOF (checksums, times) are no
part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kedis.engine.execution import Effect
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


class Sink(Protocol):
    """A taker of the stream. Its methods must not raise: the other sinks would miss what it was given."""

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Take what was recorded since the last call: whole commands."""

    def lost(self) -> None:
        """Something was recorded that could not be encoded: the stream up to here is not complete."""


class Listener(Protocol):
    """Told of each command at once, when it is recorded."""

    note: Callable[[Sequence[bytes | bytearray]], None]


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


class Propagation:
    """The stream of one server.

    Attributes:
        active: whether there is a sink; nothing is recorded where there is none.
        entries: what was recorded since the last :meth:`flush`: bytes of the stream, and lists that will be encoded.
        batch: the effects of the running command that are known already: keys that expired before it, and the words
            that its handler chose in place of the client's.
        overridden: whether the handler has chosen (possibly nothing): the client's own words are not recorded.
        epoch: number of the flushes acknowledged by the owner of the AOF; a client remembers in which it last changed
            something (``client.dirty_epoch``).
        offset: bytes fed to sinks so far.
        listener: told of each command that is recorded, where somebody asks what is not synced; None where nobody does.
    """

    def __init__(self) -> None:
        self.active = False
        self.entries: list[bytes | list[bytes]] = []
        self.batch: list[Effect] = []
        self.overridden = False
        self.epoch = 1
        self.offset = 0
        self.listener: Listener | None = None
        self._sinks: list[Sink] = []
        self._database = -1

    # -- sinks --------------------------------------------------------------------------------------------

    def add_sink(self, sink: Sink) -> None:
        """Feed ``sink`` what is recorded from now on. Raises when what was recorded before cannot be encoded."""
        self.flush()
        self._sinks.append(sink)
        self.active = True
        self.reselect()

    def remove_sink(self, sink: Sink) -> None:
        """Feed ``sink`` no longer; it gets nothing that was not flushed. Idempotent."""
        if sink in self._sinks:
            self._sinks.remove(sink)
        self.active = bool(self._sinks)
        if not self.active:
            self.entries.clear()

    def reselect(self) -> None:
        """Name the database again before the next command: it is the first of a file."""
        self._database = -1

    def flush(self) -> None:
        """Encode what was recorded and feed it to the sinks. On an exception it stays recorded, and is fed to none."""
        if self.entries:
            pieces = self.take()
            self.offset += sum(map(len, pieces))
            for sink in self._sinks:
                sink.feed(pieces)

    def take(self) -> list[bytes]:
        """The bytes of what was recorded, in pieces; it is recorded no longer. On an exception it stays."""
        pieces = _encoded(self.entries)
        self.entries.clear()
        return pieces

    def drop(self) -> None:
        """Forget what was recorded and cannot be encoded; every sink is told that it misses something."""
        self.entries.clear()
        self.reselect()
        for sink in self._sinks:
            sink.lost()

    def size(self) -> int:
        """About how many bytes wait to be fed. O(entries)."""
        return sum(len(entry) if isinstance(entry, bytes) else sum(map(len, entry)) for entry in self.entries)

    # -- recording ----------------------------------------------------------------------------------------

    def append(self, database: int, argv: Sequence[bytes | bytearray]) -> None:
        """Record one command that ran in ``database``: all of it, or nothing where that raises.

        A list is kept as it is and must not change any more. O(1) for a list, else O(size of the command).
        """
        if self.listener is not None:
            self.listener.note(argv)
        entry = argv if type(argv) is list else _settled(argv)
        if database == self._database:
            self.entries.append(entry)
        else:
            self.entries += (encode_command((b"SELECT", b"%d" % database)), entry)
            self._database = database

    def append_unit(self, effects: Sequence[Effect]) -> None:
        """Record several commands so that a replay runs all or none of them. O(their size)."""
        if not self.active or not effects:
            return
        if len(effects) == 1:
            self.append(*effects[0])
            return
        self.append(effects[0][0], (b"MULTI",))
        for database, argv in effects:
            self.append(database, argv)
        self.append(effects[-1][0], (b"EXEC",))

    def flush_batch(self) -> None:
        """Record effects that belong to no command (the expiry cycle, eviction), each as a unit of its own."""
        if self.active:
            for database, argv in self.batch:
                self.append(database, argv)
        self.batch.clear()

    def override(self, database: int, argv: Sequence[bytes | bytearray]) -> None:
        """Record ``argv`` in place of the words of the running command; may be called several times."""
        self.batch.append((database, argv))
        self.overridden = True

    def delete(self, database: int, key: bytes) -> None:
        """``key`` has expired or was evicted: its deletion precedes what the running command does."""
        self.batch.append((database, (b"DEL", key)))

    def reuse_request_bytes(self, commands: list[list[bytes]], wire: bytes, form: int) -> None:
        """Take ``wire``, from which all of ``commands`` came, for their encoding, if it is and they came here last.

        Args:
            form: what the parser said of ``wire`` (:func:`kedis.resp.canonical.parse_canonical`).
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


def _encoded(entries: Sequence[bytes | list[bytes]]) -> list[bytes]:
    """The bytes of ``entries`` in pieces, in order. O(size), without copies of large values."""
    if not entries:
        return []
    if sum(map(len, entries)) <= _JOIN_LIMIT:
        try:
            return [b"".join(entries)]  # type: ignore[arg-type]
        except TypeError:  # there are lists among them, whose words were counted for bytes
            pass
    return _encode(entries)


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
