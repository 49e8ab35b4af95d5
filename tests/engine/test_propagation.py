"""The propagation stream: what was recorded comes out encoded, by whichever way, for every sink."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kedis.engine import propagation as module
from kedis.engine.propagation import Message, Propagation
from kedis.resp.canonical import CANONICAL, PLAIN, UNKNOWN
from kedis.resp.replies import encode_command
from tests.commands.driver import Client, Recorder

SELECT = encode_command([b"SELECT", b"0"])


def stream_with(*commands: list[bytes]) -> Propagation:
    stream = Propagation()
    for argv in commands:
        stream.append(0, argv)
    return stream


def encoded(*commands: list[bytes]) -> bytes:
    return b"".join(map(encode_command, commands))


def test_every_shape_is_encoded() -> None:
    long = b"x" * 5000
    commands = [
        [b"SET", b"k", b"v"],
        [b"set", b"k", long],
        [b"DEL", b"k"],
        [b"DEL", long],
        [b"DEL", b"a", b"b", b"c"],
        [b"PING"],
        [b"sEt", b"k", b""],
    ]
    stream = stream_with(*commands)
    stream.append(0, (b"SET", bytearray(b"k"), b"w"))
    assert stream.size() > len(encoded(*commands)) - 200
    assert b"".join(stream.take()) == SELECT + encoded(*commands, [b"SET", b"k", b"w"])
    assert b"".join(stream.take()) == b"" and stream.size() == 0


def test_words_of_a_handler_are_encoded_at_once() -> None:
    value = bytearray(b"before")
    stream = Propagation()
    stream.append(0, (b"SET", b"k", value))
    value[:] = b"after"
    assert b"".join(stream.take()) == SELECT + encoded([b"SET", b"k", b"before"])


def test_select_where_the_database_changes_and_in_each_file() -> None:
    stream = stream_with([b"DEL", b"a"])
    stream.append(3, [b"DEL", b"b"])
    stream.append(3, [b"DEL", b"c"])
    three = encode_command([b"SELECT", b"3"])
    assert b"".join(stream.take()) == SELECT + encoded([b"DEL", b"a"]) + three + encoded(
        [b"DEL", b"b"], [b"DEL", b"c"]
    )
    stream.reselect()
    stream.append(3, [b"DEL", b"d"])
    assert b"".join(stream.take()) == three + encoded([b"DEL", b"d"])


def test_the_wire_is_kept_only_for_what_was_recorded_last_word_for_word() -> None:
    """A stand-in of other bytes shows which way was taken."""
    one, two = [b"SET", b"a", b"1"], [b"SET", b"b", b"2"]
    for commands, form, wire in (([one], CANONICAL, b"!"), ([one, two], PLAIN, b"\r\n" * 14)):
        stream = stream_with([b"DEL", b"x"], *commands)
        stream.reuse_request_bytes(commands, wire, form)
        assert b"".join(stream.take()) == SELECT + encoded([b"DEL", b"x"]) + wire
        for recorded in ([], [two], commands[1:], [*commands, [b"DEL", b"a"]]):
            stream = stream_with(*recorded)
            stream.reuse_request_bytes(commands, wire, form)
            assert b"".join(stream.take()) == (SELECT if recorded else b"") + encoded(*recorded)
        stream = stream_with(*commands)
        stream.reuse_request_bytes(commands, wire, UNKNOWN)
        assert b"".join(stream.take()) == SELECT + encoded(*commands)
    stream = stream_with(one, two)
    stream.reuse_request_bytes(
        [one, two], b"\r\n" * 13, PLAIN
    )  # a line end is missing: no encoding of theirs
    assert b"".join(stream.take()) == SELECT + encoded(one, two)


def test_large_words_are_not_copied() -> None:
    """Each stands in the encoding as the very object that came, whoever has recorded it, and in whatever company."""
    large = [bytes([letter]) * 2_000_000 for letter in b"abcd"]
    commands = [
        [b"SET", b"k", large[0]],
        [b"SET", b"k", b"small"],
        [b"RPUSH", b"l", b"x", large[1], b"y", large[2], b"z"],
        [b"DEL", b"k"],
    ]
    stream = stream_with(*commands)
    stream.append(0, (b"SET", b"k", large[3], b"PXAT", b"5"))
    pieces = stream.take()
    assert b"".join(pieces) == SELECT + encoded(*commands, [b"SET", b"k", large[3], b"PXAT", b"5"])
    for word in large:
        assert any(piece is word for piece in pieces)
    assert sum(len(piece) for piece in pieces if not any(piece is word for word in large)) < 1000


def test_pieces_that_are_joined_are_bounded() -> None:
    """Many small ones make several pieces: of no turn all bytes are copied at a time."""
    wire = encoded([b"SET", b"k", b"v" * 20_000])
    many: list[list[list[bytes]]] = [
        [[b"SET", b"k", b"v" * 900]] * 20_000,
        [[b"DEL", b"k" * 900]] * 20_000,
        [[b"SET", b"k", b"v" * 20_000]] * 1000,
        [[b"MSET", *[b"v" * 2000] * 10_000]],
    ]
    for commands in many:
        pieces = stream_with(*commands).take()
        assert b"".join(pieces) == SELECT + encoded(*commands)
        assert len(pieces) > 5 and max(map(len, pieces)) < 9_000_000
    stream = Propagation()
    stream.entries += [wire] * 1000
    pieces = stream.take()
    assert b"".join(pieces) == wire * 1000 and max(map(len, pieces)) < 2_000_000


def test_what_cannot_be_encoded_stays_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [b"DEL", b"a"], [b"DEL", b"a", b"b", b"c"]
    stream = Propagation()
    for argv in commands:
        stream.append(0, argv)

    def fail(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(module, "encode_command", fail)
        for _ in range(3):
            with pytest.raises(MemoryError):
                stream.take()
        with pytest.raises(MemoryError):
            stream.append(5, [b"DEL", b"c"])
    stream.append(5, [b"DEL", b"d"])
    five = encode_command([b"SELECT", b"5"])
    expected = SELECT + encoded(*commands) + five + encoded([b"DEL", b"d"])
    assert b"".join(stream.take()) == expected


class Kept:
    """A sink that keeps what it is fed."""

    def __init__(self) -> None:
        self.wire = b""
        self.losses = 0

    def feed(self, pieces: Sequence[bytes]) -> None:
        self.wire += b"".join(pieces)

    def lost(self) -> None:
        self.losses += 1


def test_every_sink_gets_the_stream_from_where_it_joined() -> None:
    stream, first, second = Propagation(), Kept(), Kept()
    assert not stream.active
    stream.add_sink(first)
    assert stream.active
    stream.append(0, [b"DEL", b"a"])
    stream.add_sink(second)  # what was recorded before is not for it
    stream.append(0, [b"DEL", b"b"])
    stream.flush()
    a, b = encoded([b"DEL", b"a"]), encoded([b"DEL", b"b"])
    assert first.wire == SELECT + a + SELECT + b and second.wire == SELECT + b
    assert stream.offset == len(first.wire)
    stream.remove_sink(first)
    stream.append(0, [b"DEL", b"c"])
    stream.flush()
    stream.remove_sink(second)
    assert not stream.active and first.wire.endswith(b) and second.wire.endswith(encoded([b"DEL", b"c"]))
    assert stream.offset == len(first.wire) + len(encoded([b"DEL", b"c"]))


def test_a_unit_of_two_is_wrapped_and_one_of_one_is_not() -> None:
    stream, sink = Propagation(), Kept()
    stream.append_unit([(0, [b"DEL", b"a"]), (0, [b"DEL", b"b"])])
    assert stream.entries == []  # nobody takes it
    stream.add_sink(sink)
    stream.append_unit([(0, [b"DEL", b"a"]), (1, [b"DEL", b"b"])])
    stream.append_unit([(1, [b"DEL", b"c"])])
    stream.append_unit([])
    stream.flush()
    one = encode_command([b"SELECT", b"1"])
    unit = [encoded([b"MULTI"], [b"DEL", b"a"]), one, encoded([b"DEL", b"b"], [b"EXEC"], [b"DEL", b"c"])]
    assert sink.wire == SELECT + b"".join(unit)


def test_sinks_are_told_of_what_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, sink = Propagation(), Kept()
    stream.add_sink(sink)
    stream.append(0, [b"DEL", b"a", b"b", b"c"])

    def fail(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(module, "encode_command", fail)
        with pytest.raises(MemoryError):
            stream.flush()
    assert sink.wire == b"" and sink.losses == 0
    stream.drop()
    stream.append(0, [b"DEL", b"d"])
    stream.flush()
    assert sink.losses == 1 and sink.wire == SELECT + encoded([b"DEL", b"d"])


def test_a_message_goes_with_its_database() -> None:
    stream = Propagation()
    stream.append(2, Message((b"PUBLISH", b"c", b"m")))
    assert encode_command([b"SELECT", b"2"]) in stream.take()


@pytest.mark.parametrize("words", [("SCAN", 0), ("RANDOMKEY",), ("MGET", "a", "b")])
def test_keys_that_a_read_finds_expired_are_no_unit(words: tuple[object, ...]) -> None:
    client = Client()
    recorder = Recorder(client.engine)
    for key in ("a", "b"):
        client.call("SET", key, 1, "PX", 1)
    client.engine.clock.now_ns += 10_000_000_000  # type: ignore[attr-defined]
    del recorder.entries[:]
    client.call(*words)
    assert sorted(argv for _, argv in recorder.entries) == [[b"DEL", b"a"], [b"DEL", b"b"]]
