"""Framing: whole replies come out however the bytes are cut."""

from __future__ import annotations

import random
import time

import pytest

from kedis.resp.reply_framing import FramingError, ReplyFramer, split_elements

REPLIES = [
    b"+OK\r\n",
    b"-ERR no\r\n",
    b":12\r\n",
    b"$-1\r\n",
    b"$0\r\n\r\n",
    b"$4\r\n\r\n\r\n\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*2\r\n$1\r\na\r\n*2\r\n:1\r\n+x\r\n",
    b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
    b"%0\r\n",
    b"~1\r\n#t\r\n",
    b"_\r\n",
    b",1.5\r\n",
    b"(123456789012345678901234567890\r\n",
    b"=7\r\ntxt:abc\r\n",
    b"!5\r\nERR x\r\n",
    b">2\r\n+message\r\n+x\r\n",
    b"|1\r\n+key\r\n:5\r\n*1\r\n:1\r\n",
    b"*1\r\n*1\r\n*1\r\n*0\r\n",
    b"$70000\r\n" + b"x" * 70000 + b"\r\n",
]


def framed(pieces: list[bytes]) -> list[bytes]:
    framer = ReplyFramer()
    found: list[bytes] = []
    for piece in pieces:
        framer.feed(piece, found.append)
    assert not framer.pending_bytes
    return found


def test_one_after_the_other() -> None:
    assert framed(REPLIES) == REPLIES


def test_all_at_once() -> None:
    assert framed([b"".join(REPLIES)]) == REPLIES


def test_byte_by_byte() -> None:
    short = REPLIES[:-1]
    data = b"".join(short)
    assert framed([data[at : at + 1] for at in range(len(data))]) == short


def test_cut_anywhere() -> None:
    chance = random.Random(28)
    for _ in range(300):
        replies = chance.choices(REPLIES, k=8)
        data = b"".join(replies)
        cuts = sorted(chance.choices(range(len(data) + 1), k=chance.randint(1, 12)))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert framed([piece for piece in pieces if piece]) == replies


@pytest.mark.parametrize(
    "data", [b"x\r\n", b"$x\r\n", b"*x\r\n", b"$-2\r\n", b"\r\n", b"*99999999999999\r\n", b"%1e3\r\n"]
)
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(FramingError):
        ReplyFramer().feed(data, lambda reply: None)


def test_a_line_without_an_end() -> None:
    framer = ReplyFramer()
    with pytest.raises(FramingError):
        for _ in range(40):
            framer.feed(b"+" * 65536, lambda reply: None)


def seconds_for(pieces: int) -> float:
    piece = b"$1000\r\n" + b"x" * 1000 + b"\r\n"
    framer = ReplyFramer()
    found: list[bytes] = []
    began = time.process_time()
    framer.feed(b"*%d\r\n" % pieces, found.append)
    for _ in range(pieces):
        framer.feed(piece, found.append)
    assert len(found) == 1
    return time.process_time() - began


def test_a_long_array_in_pieces_costs_its_length_and_not_its_square() -> None:
    few = min(seconds_for(2_000) for _ in range(3))
    many = min(seconds_for(16_000) for _ in range(3))
    assert many < 30 * few


def test_elements() -> None:
    assert split_elements(b"*3\r\n$1\r\na\r\n*1\r\n:1\r\n$-1\r\n") == [
        b"$1\r\na\r\n",
        b"*1\r\n:1\r\n",
        b"$-1\r\n",
    ]
    assert split_elements(b"*0\r\n") == []
    for other in (b"+OK\r\n", b"*2\r\n:1\r\n"):
        with pytest.raises(ValueError, match="array"):
            split_elements(other)
