"""The replica's end of a link to its master: handshake, full and partial synchronisation, stream.  Sans-IO.

Bytes go in (:meth:`Link.feed`), events come out, and what is to be sent (:meth:`Link.take_output`)::

    replica                                     master
    PING                                    ->
                                            <-  +PONG
    AUTH user password, where one is set    ->
    REPLCONF listening-port 6379
    REPLCONF ip-address a, where it is set
    REPLCONF capa eof capa psync2
                                            <-  +OK for each
    PSYNC id offset, or PSYNC ? -1          ->
                                            <-  +CONTINUE id: the stream follows
                                            <-  +FULLRESYNC id offset: a snapshot follows, and the stream

The snapshot comes as ``$length`` and so many bytes, or, from a master that does not know the length before, as
``$EOF:`` with a mark of 40 bytes, which also ends the snapshot. Before either the master may send empty lines, to
show that it lives. A master that knows no PSYNC is sent SYNC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kedis.resp.replies import encode_command

ID_LENGTH = 40
#: The identity where a master has told none (it knows SYNC alone).
NO_ID = "0" * ID_LENGTH
#: The longest line of the handshake; Redis takes 1,024 bytes.
_LONGEST_LINE = 1024
_LEAVES_OPEN = ("-NOAUTH", "-NOPERM", "-ERR operation not permitted")
_LATER = ("-NOMASTERLINK", "-LOADING")


class LinkError(Exception):
    """The link is of no use any more; the message is for the log."""


class TakeoverRefused(LinkError):
    """The replica that was to be the master will not."""


class ConnectionLost(LinkError):
    """The master has ended the connection."""

    def __init__(self) -> None:
        super().__init__("connection lost")


@dataclass(frozen=True)
class Position:
    """A place in the history of a data set: the identity of the master, and the offset of the last byte applied."""

    replid: str
    offset: int


@dataclass(frozen=True)
class Greeting:
    """What a replica says of itself in the handshake; empty is not said.

    ``takes_over``: it was the master until now, and asks a replica to be it (FAILOVER).
    """

    port: int
    address: str = ""
    user: str = ""
    password: str = ""
    takes_over: bool = False


# -- events -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """The master has answered PING."""


@dataclass(frozen=True)
class Refused:
    """The master does not know something that replication does without; ``text`` is its reply."""

    what: str
    text: str


@dataclass(frozen=True)
class Requested:
    """PSYNC was sent, for the stream from ``position`` on, or for everything."""

    position: Position | None


@dataclass(frozen=True)
class Continued:
    """The stream follows from the position that was asked for; the master's identity is ``replid`` now."""

    replid: str


@dataclass(frozen=True)
class FullSync:
    """A snapshot follows, which stands at ``offset`` of ``replid``; -1 where the master tells none."""

    replid: str
    offset: int


@dataclass(frozen=True)
class SnapshotBegins:
    """``length`` bytes of a snapshot follow; None: nobody knows how many."""

    length: int | None


@dataclass(frozen=True)
class SnapshotData:
    """The next bytes of the snapshot."""

    data: bytes


@dataclass(frozen=True)
class SnapshotEnds:
    """The snapshot is complete."""


@dataclass(frozen=True)
class StreamData:
    """The next bytes of the stream."""

    data: bytes


Event = (
    Answered
    | Refused
    | Requested
    | Continued
    | FullSync
    | SnapshotBegins
    | SnapshotData
    | SnapshotEnds
    | StreamData
)


class Phase(Enum):
    """What comes next from the master."""

    PONG = "the reply to PING"
    REPLIES = "the replies to AUTH and REPLCONF"
    PSYNC = "the reply to PSYNC"
    HEADER = "the header of the snapshot"
    COUNTED = "a snapshot of known length"
    MARKED = "a snapshot up to a mark"
    STREAM = "the stream"
    BROKEN = "nothing: the link has failed"


def shown(line: bytes | str) -> str:
    """A reply as it goes into the log."""
    text = line.decode("latin-1") if isinstance(line, bytes) else line
    return "".join(char if char.isprintable() else "?" for char in text)[:256]


class Link:
    """One link, from its first byte on.

    Args:
        greeting: what is said in the handshake.
        position: where to go on; None asks for everything.

    Attributes:
        phase: what comes next.
    """

    def __init__(self, greeting: Greeting, position: Position | None = None) -> None:
        self.phase = Phase.PONG
        self._greeting = greeting
        self._position = position
        self._output = [encode_command((b"PING",))]
        self._line = b""
        #: What was sent together and has no reply yet: its name, and whether an error to it ends the link.
        self._awaited: list[tuple[str, bool]] = []
        self._left = 0
        self._mark = b""
        self._tail = b""
        self._events: list[Event] = []

    def take_output(self) -> bytes:
        """The bytes to send next; they are forgotten here."""
        output, self._output = self._output, []
        return b"".join(output)

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the master. O(bytes).

        Raises LinkError, from then on always, where it cannot go on; what came before the fault is lost with it.
        """
        if self.phase is Phase.BROKEN:
            raise LinkError("the link has failed")
        try:
            self._take(data)
        except LinkError:
            self.phase = Phase.BROKEN
            raise
        events, self._events = self._events, []
        return events

    def _take(self, data: bytes) -> None:
        while data:
            if self.phase is Phase.STREAM:
                self._events.append(StreamData(data))
                return
            if self.phase is Phase.COUNTED:
                data = self._take_counted(data)
            elif self.phase is Phase.MARKED:
                data = self._take_marked(data)
            else:
                line, end, data = (self._line + data).partition(b"\n")
                if len(line) > _LONGEST_LINE:
                    raise LinkError(f"Bad protocol from MASTER: {shown(line)!r} is no reply")
                self._line = b"" if end else line
                if end:
                    self._take_line(line.removesuffix(b"\r"))

    # -- the handshake ------------------------------------------------------------------------------------

    def _take_line(self, line: bytes) -> None:
        if self.phase is Phase.HEADER:
            self._take_header(line)
            return
        if not line:  # the master shows that it lives
            return
        text = shown(line)
        if self.phase is Phase.PONG:
            self._take_pong(text)
        elif self.phase is Phase.REPLIES:
            self._take_reply(text)
        else:
            self._take_psync(text)

    def _take_pong(self, text: str) -> None:
        if not text.startswith("+") and not text.startswith(_LEAVES_OPEN):
            raise LinkError(f"Error reply to PING from master: '{text}'")
        self._events.append(Answered())
        greeting = self._greeting
        if greeting.password:
            words = (
                ["AUTH", greeting.user, greeting.password] if greeting.user else ["AUTH", greeting.password]
            )
            self._send("AUTH", words, fatal=True)
        self._send("listening-port", ["REPLCONF", "listening-port", str(greeting.port)])
        if greeting.address:
            self._send("ip-address", ["REPLCONF", "ip-address", greeting.address])
        self._send("capa", ["REPLCONF", "capa", "eof", "capa", "psync2"])
        self.phase = Phase.REPLIES

    def _send(self, name: str, words: list[str], *, fatal: bool = False) -> None:
        self._output.append(encode_command([word.encode("utf-8", "surrogateescape") for word in words]))
        self._awaited.append((name, fatal))

    def _take_reply(self, text: str) -> None:
        name, fatal = self._awaited.pop(0)
        if not text.startswith(("+", "-")):
            raise LinkError(f"Unexpected reply to {name} from MASTER: {text}")
        if text.startswith("-"):
            if fatal:
                raise LinkError(f"Unable to AUTH to MASTER: {text}")
            self._events.append(Refused(name, text))
        if not self._awaited:
            self._ask()

    def _ask(self) -> None:
        position = self._position
        words = ("?", "-1") if position is None else (position.replid, str(position.offset + 1))
        last = (b"FAILOVER",) if self._greeting.takes_over else ()
        self._output.append(encode_command([b"PSYNC", *(word.encode() for word in words), *last]))
        self._events.append(Requested(position))
        self.phase = Phase.PSYNC

    def _take_psync(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "+FULLRESYNC":
            replid, _, digits = rest.partition(" ")
            if len(replid) != ID_LENGTH or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
                raise LinkError(f"Master replied with wrong +FULLRESYNC syntax: {text}")
            self._events.append(FullSync(replid, int(digits)))
            self.phase = Phase.HEADER
        elif word == "+CONTINUE" and self._position is not None:
            replid = rest.strip() or self._position.replid
            if len(replid) != ID_LENGTH:
                raise LinkError(f"Master replied with wrong +CONTINUE syntax: {text}")
            self._events.append(Continued(replid))
            self.phase = Phase.STREAM
        elif self._greeting.takes_over:
            raise TakeoverRefused(f"The target of the failover will not be the master: {text}")
        elif text.startswith(_LATER):
            raise LinkError(f"Master is currently unable to PSYNC but should be in the future: {text}")
        elif text.startswith("-ERR"):
            self._events.append(Refused("PSYNC", text))
            self._output.append(encode_command((b"SYNC",)))
            self._events.append(FullSync(NO_ID, -1))
            self.phase = Phase.HEADER
        else:
            raise LinkError(f"Unexpected reply to PSYNC from master: {text}")

    # -- the snapshot -------------------------------------------------------------------------------------

    def _take_header(self, line: bytes) -> None:
        if not line:
            return
        if line.startswith(b"-"):
            raise LinkError(f"MASTER aborted replication with an error: {shown(line[1:])}")
        if line.startswith(b"$EOF:") and len(line) == 5 + ID_LENGTH:
            self._mark = line[5:]
            self._tail = b""
            self._events.append(SnapshotBegins(None))
            self.phase = Phase.MARKED
        elif line[:1] == b"$" and line[1:].isdigit() and len(line) < 20:
            self._left = int(line[1:])
            self._events.append(SnapshotBegins(self._left))
            self.phase = Phase.COUNTED
            if not self._left:
                self._end_snapshot()
        else:
            raise LinkError(
                "Bad protocol from MASTER, the first byte is not '$' "
                f"(we received '{shown(line)}'), are you sure the host and port are right?"
            )

    def _take_counted(self, data: bytes) -> bytes:
        now, rest = data[: self._left], data[self._left :]
        self._left -= len(now)
        self._events.append(SnapshotData(now))
        if not self._left:
            self._end_snapshot()
        return rest

    def _take_marked(self, data: bytes) -> bytes:
        """The mark may be cut anywhere: as many bytes as may begin it wait for what follows."""
        data = self._tail + data
        self._tail = b""
        found = data.find(self._mark)
        if found < 0:
            held = min(len(data), ID_LENGTH - 1)
            self._tail = data[len(data) - held :]
            if held < len(data):
                self._events.append(SnapshotData(data[: len(data) - held]))
            return b""
        if found:
            self._events.append(SnapshotData(data[:found]))
        self._end_snapshot()
        return data[found + ID_LENGTH :]

    def _end_snapshot(self) -> None:
        self._events.append(SnapshotEnds())
        self.phase = Phase.STREAM


def after_sync() -> Link:
    """A link on which others have sent a greeting and SYNC: a snapshot and the stream follow."""
    link = Link(Greeting(0))
    link.take_output()
    link.phase = Phase.HEADER
    return link


def acknowledgement(offset: int) -> bytes:
    """REPLCONF ACK: the replica has applied the stream up to ``offset``."""
    return encode_command((b"REPLCONF", b"ACK", b"%d" % offset))
