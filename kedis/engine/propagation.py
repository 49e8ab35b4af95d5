"""The propagation stream: the effects of all commands, in order, for the AOF, for replicas and for tests.

Every write passes :meth:`Propagation.append`, which only stores the client's words. When a read of the socket
contained only commands that were recorded unchanged, the received bytes already are their encoding, and
replace them (:meth:`Propagation.reuse_request_bytes`). The rest is encoded once, at the end of the turn, for
all sinks (:meth:`Propagation.flush`): the two common shapes, a name with one or two arguments, are added as the
pieces of their encoding, most of them shared constants, which one ``join`` makes into bytes. Large values are not
joined: the encoding is a list of pieces, which holds them as they are.

Three rules are applied here, once, for every sink:

* SELECT precedes a command of another database than the one before, and the first command for a new sink or a new
  file of the AOF (:meth:`Propagation.reselect`);
* the effects of a unit are wrapped in MULTI and EXEC where they are two or more;
* a command is recorded with the words chosen by its handler (``client.propagate``), or else those of the client;
* a message (PUBLISH), which changes no data, goes to the sinks that take messages: replicas, not the AOF;
* where a script has chosen (redis.set_repl), a change goes to those alone, or to the others alone.

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
#: Approximate number of bytes joined to one piece; longer words and commands are pieces of their own.
_JOIN_LIMIT = 1 << 20
_JOIN_PIECES = 8192
_LARGE = 64 * 1024
_FEW_WORDS = 64
#: A command that changes every key, as the listener sees commands that it is not shown one by one.
_EVERYTHING = (b"FLUSHALL",)
#: Bytes per command above which encoding several commands is faster than searching their request (200 ns a command).
_WORTH_LOOKING = 200


class Sink(Protocol):
    """A receiver of the stream. Its methods must not raise: the other sinks would miss the same commands."""

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Take the whole commands that were recorded since the last call."""

    def lost(self) -> None:
        """Handle a recorded command that could not be encoded: the stream up to here is not complete."""


class Listener(Protocol):
    """Receiver of each command at once, when it is recorded."""

    note: Callable[[Sequence[bytes | bytearray]], None]


class Message(tuple[bytes, ...]):
    """A command that changes no data, among the effects of a unit: only for sinks that take messages."""

    __slots__ = ()


class ForReplicas(tuple[bytes, ...]):
    """A change among the effects of a unit that is only for sinks that take messages."""

    __slots__ = ()


class ForFile(tuple[bytes, ...]):
    """A change among the effects of a unit that is only for sinks that take no messages."""

    __slots__ = ()


class _ToTakers(bytes):
    """An entry only for sinks that take messages."""


class _ToOthers(bytes):
    """An entry only for sinks that take none."""


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
        entries: commands recorded since the last :meth:`flush`: bytes of the stream, and lists that will be encoded.
        batch: effects of the running command so far: keys that expired before it, and the words that its handler chose
            in place of the client's.
        overridden: whether the handler has chosen (possibly nothing): the client's own words are not recorded.
        epoch: number of flushes acknowledged by the owner of the AOF; a client stores the epoch of its last change
            (``client.dirty_epoch``).
        offset: bytes fed to sinks so far.
        listener: receives each recorded command, where unsynced keys are tracked; else None.
    """

    __slots__ = (
        "_database",
        "_is_parted",
        "_sinks",
        "_takers",
        "active",
        "batch",
        "entries",
        "epoch",
        "listener",
        "offset",
        "overridden",
    )

    def __init__(self) -> None:
        self.active = False
        self.entries: list[bytes | list[bytes]] = []
        self.batch: list[Effect] = []
        self.overridden = False
        self.epoch = 1
        self.offset = 0
        self.listener: Listener | None = None
        self._sinks: list[Sink] = []
        #: The sinks that take messages, and whether some entries are for these alone, or for the others alone.
        self._takers: list[Sink] = []
        self._is_parted = False
        self._database = -1

    # -- sinks --------------------------------------------------------------------------------------------

    def add_sink(self, sink: Sink, *, messages: bool = False) -> None:
        """Feed ``sink`` the commands recorded from now on. Raises when earlier ones cannot be encoded.

        ``messages``: whether it takes messages as well.
        """
        self.flush()
        if messages:
            self._takers = [*self._takers, sink]
        self._sinks = [*self._sinks, sink]  # not in place: a sink may leave while it is fed
        self.active = True
        self.reselect()

    def remove_sink(self, sink: Sink) -> None:
        """Stop feeding ``sink``; it does not get the commands that are not flushed. Idempotent."""
        self._sinks = [other for other in self._sinks if other is not sink]
        self._takers = [other for other in self._takers if other is not sink]
        self.active = bool(self._sinks)
        if not self.active:
            self.entries.clear()

    def feeds(self, sink: Sink) -> bool:
        """Whether ``sink`` is one of the sinks."""
        return sink in self._sinks

    def feed_others(self, data: bytes, sink: Sink) -> None:
        """Feed the sinks but ``sink``, which has taken ``data`` by another way; that counts it in ``offset``."""
        for other in self._sinks:
            if other is not sink:
                other.feed((data,))

    def reselect(self) -> None:
        """Record SELECT again before the next command, which is the first of a file."""
        self._database = -1

    def flush(self) -> None:
        """Encode the recorded commands and feed them to the sinks. On an exception they stay recorded, unfed."""
        if self.entries:
            to_takers = _encoded(_without(_ToOthers, self.entries)) if self._is_parted else None
            pieces = self.take()
            self.offset += sum(map(len, pieces))
            for sink in self._sinks:
                sink.feed(to_takers if to_takers is not None and sink in self._takers else pieces)

    def take(self) -> list[bytes]:
        """Remove and return the bytes of the recorded commands, in pieces. On an exception they stay recorded.

        What is only for sinks that take messages is left out.
        """
        pieces = _encoded(_without(_ToTakers, self.entries) if self._is_parted else self.entries)
        self.entries.clear()
        self._is_parted = False
        return pieces

    def drop(self) -> None:
        """Forget recorded commands that cannot be encoded, and notify every sink of the loss."""
        self.entries.clear()
        self._is_parted = False
        self.reselect()
        for sink in self._sinks:
            sink.lost()

    def size(self) -> int:
        """Approximate number of bytes that wait to be fed. O(entries)."""
        return sum(len(entry) if isinstance(entry, bytes) else sum(map(len, entry)) for entry in self.entries)

    # -- recording ----------------------------------------------------------------------------------------

    def append(self, database: int, argv: Sequence[bytes | bytearray]) -> None:
        """Record one command that ran in ``database``: all of it, or nothing on an exception.

        A list is kept as it is and must not change any more. O(1) for a list, else O(size of the command).
        """
        if self.listener is not None and type(argv) is not Message and type(argv) is not ForReplicas:
            self.listener.note(argv)
        entry = argv if type(argv) is list else self._entry(argv)
        if database != self._database:
            self._select(database)
        self.entries.append(entry)

    def _entry(self, argv: Sequence[bytes | bytearray]) -> bytes | list[bytes]:
        """An entry of words that are no list: those that are for some sinks alone are encoded, with their mark."""
        kind = type(argv)
        if kind is not ForFile and kind is not Message and kind is not ForReplicas:
            return _settled(argv)
        entry = (_ToOthers if kind is ForFile else _ToTakers)(encode_command(argv))
        self._is_parted = True
        return entry

    def _select(self, database: int) -> None:
        self.entries.append(encode_command((b"SELECT", b"%d" % database)))
        self._database = database

    def append_unit(self, effects: Sequence[Effect]) -> None:
        """Record several commands so that a replay runs all or none of them. O(their size)."""
        if not self.active or not effects:
            return
        kinds = {type(argv) for _, argv in effects}
        if len(effects) == 1 or kinds == {Message}:
            for effect in effects:
                self.append(*effect)
            return
        bracket = ForFile if kinds == {ForFile} else ForReplicas if kinds <= {ForReplicas, Message} else tuple
        self.append(effects[0][0], bracket((b"MULTI",)))
        for database, argv in effects:
            self.append(database, argv)
        self.append(effects[-1][0], bracket((b"EXEC",)))

    def append_wire(self, before: int, wire: bytes, after: int) -> None:
        """Record commands that came as a stream of their own, by its bytes. O(1).

        Args:
            before, after: the databases in which they begin and end.
        """
        if not self.active:
            return
        if self.listener is not None:
            self.listener.note(_EVERYTHING)
        if before != self._database:
            self.entries.append(encode_command((b"SELECT", b"%d" % before)))
        self.entries.append(wire)
        self._database = after

    def flush_batch(self) -> None:
        """Record effects of no command (the expiry cycle, eviction), each as a unit of its own."""
        if self.active:
            for database, argv in self.batch:
                self.append(database, argv)
        self.batch.clear()

    def override(self, database: int, argv: Sequence[bytes | bytearray]) -> None:
        """Record ``argv`` in place of the words of the running command; may be called several times."""
        self.batch.append((database, argv))
        self.overridden = True

    def delete(self, database: int, key: bytes) -> None:
        """Record the deletion of ``key``, expired or evicted, before the effects of the running command."""
        self.batch.append((database, (b"DEL", key)))

    def reuse_request_bytes(self, commands: list[list[bytes]], wire: bytes, form: int) -> None:
        """Replace the last entries by the request's own bytes, if they are ``commands`` and ``wire`` is canonical RESP.

        Args:
            wire: the bytes of the request that contained exactly ``commands``.
            form: the parser's result for ``wire`` (:func:`kedis.resp.canonical.parse_canonical`).
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


def _without(kind: type, entries: Sequence[bytes | list[bytes]]) -> list[bytes | list[bytes]]:
    return [entry for entry in entries if type(entry) is not kind]


def _encoded(entries: Sequence[bytes | list[bytes]]) -> list[bytes]:
    """The bytes of ``entries`` in pieces, in order. O(size), without copies of large values."""
    if not entries:
        return []
    if sum(map(len, entries)) <= _JOIN_LIMIT:
        try:
            return [b"".join(entries)]  # type: ignore[arg-type]
        except TypeError:  # some are lists, and their lengths were counted in words
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
    pieces: list[bytes] = []  # joined next: `size` bytes, short words not counted
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
    """``before``, then ``argv`` encoded as by :func:`encode_command`, in pieces: large words are not copied."""
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
