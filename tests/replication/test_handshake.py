"""The replica's end of a link, byte by byte: what it sends, and the events that it makes of what comes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kedis.replication.handshake import (
    Answered,
    Continued,
    Event,
    FullSync,
    Greeting,
    Link,
    LinkError,
    Position,
    Refused,
    Requested,
    SnapshotBegins,
    SnapshotData,
    SnapshotEnds,
    StreamData,
    acknowledgement,
)
from kedis.resp.replies import encode_command

ID = "a" * 40
OTHER = "b" * 40
MARK = bytes(range(65, 105))  # no part of it begins it again
PING = encode_command((b"PING",))
CAPA = encode_command((b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"))
LISTENS = encode_command((b"REPLCONF", b"listening-port", b"7000"))
PLAIN = Greeting(7000)
STREAM = b"*1\r\n$4\r\nping\r\n"


def drive(link: Link, pieces: Sequence[bytes]) -> tuple[list[Event], bytes]:
    """The events of ``pieces``, data joined, and all that is sent."""
    events: list[Event] = []
    sent = link.take_output()
    for piece in pieces:
        for event in link.feed(piece):
            last = events[-1] if events else None
            if isinstance(event, SnapshotData) and isinstance(last, SnapshotData):
                events[-1] = SnapshotData(last.data + event.data)
            elif isinstance(event, StreamData) and isinstance(last, StreamData):
                events[-1] = StreamData(last.data + event.data)
            else:
                events.append(event)
        sent += link.take_output()
    return events, sent


def all_ways(greeting: Greeting, position: Position | None, wire: bytes) -> tuple[list[Event], bytes]:
    """What comes of ``wire``: the same in one piece, byte by byte, and cut in two at every place."""
    whole = drive(Link(greeting, position), [wire])
    assert drive(Link(greeting, position), [wire[at : at + 1] for at in range(len(wire))]) == whole
    for cut in range(len(wire)):
        assert drive(Link(greeting, position), [wire[:cut], wire[cut:]]) == whole, cut
    return whole


HANDSHAKE = b"+PONG\r\n+OK\r\n+OK\r\n"


def test_full_synchronisation_of_known_length() -> None:
    wire = HANDSHAKE + b"\n\n+FULLRESYNC %b 42\r\n\n\n$5\r\nREDIS" % ID.encode() + STREAM
    events, sent = all_ways(PLAIN, None, wire)
    assert events == [
        Answered(),
        Requested(None),
        FullSync(ID, 42),
        SnapshotBegins(5),
        SnapshotData(b"REDIS"),
        SnapshotEnds(),
        StreamData(STREAM),
    ]
    assert sent == PING + LISTENS + CAPA + encode_command((b"PSYNC", b"?", b"-1"))


@pytest.mark.parametrize(
    "snapshot", [b"", b"REDIS", MARK[:39], MARK[:20] + b"x" + MARK[:39], MARK[:3] + MARK[1:]]
)
def test_full_synchronisation_up_to_a_mark(snapshot: bytes) -> None:
    wire = HANDSHAKE + b"+FULLRESYNC %b 0\r\n$EOF:%b\r\n%b%b" % (ID.encode(), MARK, snapshot, MARK) + STREAM
    events, _ = all_ways(PLAIN, None, wire)
    data = [SnapshotData(snapshot)] if snapshot else []
    assert events[2:] == [FullSync(ID, 0), SnapshotBegins(None), *data, SnapshotEnds(), StreamData(STREAM)]


@pytest.mark.parametrize(("reply", "replid"), [(b"+CONTINUE", ID), (b"+CONTINUE " + OTHER.encode(), OTHER)])
def test_partial_synchronisation(reply: bytes, replid: str) -> None:
    events, sent = all_ways(PLAIN, Position(ID, 99), HANDSHAKE + reply + b"\r\n" + STREAM)
    assert events == [Answered(), Requested(Position(ID, 99)), Continued(replid), StreamData(STREAM)]
    assert sent.endswith(encode_command((b"PSYNC", ID.encode(), b"100")))


def test_partial_synchronisation_refused() -> None:
    wire = HANDSHAKE + b"+FULLRESYNC %b 1\r\n$0\r\n" % OTHER.encode()
    events, _ = all_ways(PLAIN, Position(ID, 99), wire)
    assert events[2:] == [FullSync(OTHER, 1), SnapshotBegins(0), SnapshotEnds()]


def test_cut_off_at_every_byte() -> None:
    """Nothing is believed that was not said to its end: no identity, no stream, no end of a snapshot."""
    position = Position(ID, 99)
    for agreed in (
        b"+FULLRESYNC %b 7\r\n$5\r\nREDIS" % OTHER.encode() + STREAM,
        b"+FULLRESYNC %b 7\r\n$EOF:%b\r\nREDIS%b" % (OTHER.encode(), MARK, MARK) + STREAM,
        b"+CONTINUE %b\r\n" % OTHER.encode() + STREAM,
    ):
        wire = HANDSHAKE + agreed
        whole, asked = drive(Link(PLAIN, position), [wire])
        for cut in range(len(wire)):
            events, sent = drive(Link(PLAIN, position), [wire[:cut]])
            assert asked.startswith(sent)
            if events and isinstance(last := events[-1], (SnapshotData, StreamData)):
                other = whole[len(events) - 1]
                assert isinstance(other, type(last)) and other.data.startswith(last.data)
                events.pop()
            assert events == whole[: len(events)]
            if SnapshotEnds() in events:
                assert cut >= len(wire) - len(STREAM)


def test_password_user_and_address() -> None:
    greeting = Greeting(7000, "10.0.0.9", "replica", "secret")
    wire = b"-NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"
    events, sent = all_ways(greeting, None, wire)
    assert events == [Answered(), Requested(None)]
    assert sent.startswith(
        PING
        + encode_command((b"AUTH", b"replica", b"secret"))
        + LISTENS
        + encode_command((b"REPLCONF", b"ip-address", b"10.0.0.9"))
        + CAPA
    )
    assert (
        encode_command((b"AUTH", b"secret"))
        in drive(Link(Greeting(7000, password="secret")), [b"+PONG\r\n"])[1]
    )


def test_a_master_that_knows_no_replconf() -> None:
    events, _ = all_ways(PLAIN, None, b"+PONG\r\n-ERR no\r\n-ERR neither\r\n")
    assert events[1:3] == [Refused("listening-port", "-ERR no"), Refused("capa", "-ERR neither")]


def test_a_master_that_knows_no_psync() -> None:
    wire = HANDSHAKE + b"-ERR unknown command\r\n$2\r\nRE" + STREAM
    events, sent = all_ways(PLAIN, Position(ID, 1), wire)
    assert FullSync("0" * 40, -1) in events
    assert sent.endswith(encode_command((b"SYNC",)))


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"-ERR what\r\n", "Error reply to PING from master: '-ERR what'"),
        (b"hello\r\n", "Error reply to PING"),
        (b"x" * 2000, "Bad protocol from MASTER"),
        (b"+PONG\r\nrubbish\r\n", "Unexpected reply to listening-port"),
        (HANDSHAKE + b"+FULLRESYNC short 1\r\n", "wrong .FULLRESYNC syntax"),
        (HANDSHAKE + b"+FULLRESYNC " + ID.encode() + b" -5\r\n", "wrong .FULLRESYNC syntax"),
        (HANDSHAKE + b"+CONTINUE\r\n", "Unexpected reply to PSYNC"),  # nothing was asked for
        (HANDSHAKE + b"-NOMASTERLINK no\r\n", "currently unable to PSYNC"),
        (HANDSHAKE + b"-LOADING yes\r\n", "currently unable to PSYNC"),
        (HANDSHAKE + b"what?\r\n", "Unexpected reply to PSYNC from master: what.$"),
        (
            HANDSHAKE + b"+FULLRESYNC %b 1\r\n-no disk\r\n" % ID.encode(),
            "aborted replication with an error: no disk",
        ),
        (HANDSHAKE + b"+FULLRESYNC %b 1\r\n+5\r\n" % ID.encode(), "the first byte is not '\\$'"),
        (HANDSHAKE + b"+FULLRESYNC %b 1\r\n$-5\r\n" % ID.encode(), "the first byte is not '\\$'"),
        (HANDSHAKE + b"+FULLRESYNC %b 1\r\n$EOF:12\r\n" % ID.encode(), "the first byte is not '\\$'"),
    ],
)
def test_rubbish_ends_the_link(wire: bytes, reason: str) -> None:
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        link = Link(PLAIN, None)
        with pytest.raises(LinkError, match=reason):
            drive(link, pieces)
        with pytest.raises(LinkError):
            link.feed(b"+PONG\r\n")


def test_a_refused_password_ends_the_link() -> None:
    with pytest.raises(LinkError, match="Unable to AUTH to MASTER: -WRONGPASS no"):
        drive(Link(Greeting(7000, password="x")), [b"-NOAUTH\r\n-WRONGPASS no\r\n"])


def test_replies_are_logged_in_one_line_without_control_characters() -> None:
    with pytest.raises(LinkError) as raised:
        drive(Link(PLAIN), [b"-ERR \x1b[31m" + b"y" * 900 + b"\r\n"])
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 400


def test_acknowledgement() -> None:
    assert acknowledgement(7) == b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n7\r\n"
