"""The request parser: each case whole, byte by byte and split at random; limits; linear cost."""

from __future__ import annotations

import contextlib
import random
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

import hiredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedis.errors import ProtocolError
from kedis.resp import canonical, requests
from kedis.resp.replies import encode_command
from kedis.resp.requests import LINE_LIMIT, RequestParser, parse_length, split_inline

Outcome = tuple[list[list[bytes]], str | None]

CASES: list[tuple[bytes, list[list[bytes]], str | None]] = [
    (b"*1\r\n$4\r\nPING\r\n", [[b"PING"]], None),
    (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", [[b"SET", b"k", b""]], None),
    (b"*2\r\n$3\r\nGET\r\n$4\r\n\r\n*1\r\n*1\r\n$4\r\nPING\r\n", [[b"GET", b"\r\n*1"], [b"PING"]], None),
    (b"PING\r\nPING\n*1\r\n$4\r\nPING\r\n", [[b"PING"]] * 3, None),
    (b"\r\n\n  \r\nPING\r\n", [[b"PING"]], None),
    (b"*0\r\n*-1\r\n*-9223372036854775808\r\nPING\r\n", [[b"PING"]], None),
    (b"*1\rX$4\rYPINGzz", [[b"PING"]], None),
    (b"*1\r\n$4\r\nPINGxxPING\r\n", [[b"PING"], [b"PING"]], None),
    (b'SET "a b" \'c\\\'d\' "\\x41\\n\\q"\r\n', [[b"SET", b"a b", b"c'd", b"A\nq"]], None),
    (b"*3\r\n", [], None),
    (b"*2147483647\r\n", [], None),
    (b"*1\r\n$536870912\r\n", [], None),
    (b"*1\r\nabc", [], None),
    (b"PI\0NG\r\nPING\r\n", [], None),
    (b"*1\0\r\n$4\r\nPING\r\n", [], None),
    (b"*2147483648\r\n", [], "invalid multibulk length"),
    (b"*+1\r\n", [], "invalid multibulk length"),
    (b"*01\r\n", [], "invalid multibulk length"),
    (b"*1_0\r\n", [], "invalid multibulk length"),
    (b"* 1\r\n", [], "invalid multibulk length"),
    (b"*-0\r\n", [], "invalid multibulk length"),
    (b"*\r\n", [], "invalid multibulk length"),
    (b"*1\r\n$04\r\n", [], "invalid bulk length"),
    (b"*1\r\n$-1\r\n", [], "invalid bulk length"),
    (b"*1\r\n$536870913\r\n", [], "invalid bulk length"),
    (b"*1\r\n$9223372036854775808\r\n", [], "invalid bulk length"),
    (b"*1\r\nabc\r\n", [], "expected '$', got 'a'"),
    (b"*1\r\n\r\n", [], "expected '$', got '\r'"),
    (b"*1\r\n*1\r\n$1\r\na\r\n", [], "expected '$', got '*'"),
    (b"*1\r\n:1\r\n", [], "expected '$', got ':'"),
    (b"*1\r\n-ERR\r\n", [], "expected '$', got '-'"),
    (b"*1\r\n$4\r\nPING\r\n*1\r\n$x\r\nPING\r\n", [[b"PING"]], "invalid bulk length"),
    (b"*1\r\n$4\r\nPING\r\n*1\r\n+x\r\n*1\r\n$4\r\nPING\r\n", [[b"PING"]], "expected '$', got '+'"),
    (b'ECHO "a\r\n', [], "unbalanced quotes in request"),
    (b'PING\r\nECHO "a"b\r\nPING\r\n', [[b"PING"]], "unbalanced quotes in request"),
    (b"a" * LINE_LIMIT, [], None),
    (b"a" * (LINE_LIMIT + 1), [], "too big inline request"),
    (b"a" * (LINE_LIMIT + 1) + b"\r\n", [], "too big inline request"),
    (b"\0" * (LINE_LIMIT + 1), [], "too big inline request"),
    (b"*" + b"1" * LINE_LIMIT, [], "too big mbulk count string"),
    (b"*1\r\n$" + b"1" * LINE_LIMIT, [], "too big bulk count string"),
]


def outcome(parser: RequestParser | GeneralParser, pieces: list[bytes]) -> Outcome:
    """Every command that came out, and the error that ended it."""
    commands: list[list[bytes]] = []
    for piece in pieces:
        try:
            commands += parser.feed(piece)
            while parser.held:
                commands += parser.feed(b"")
        except ProtocolError as error:
            return commands + error.commands, str(error)
    return commands, None


def cut(data: bytes, source: random.Random) -> list[bytes]:
    cuts = sorted(source.randrange(len(data) + 1) for _ in range(source.randrange(1, 8)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.parametrize(("data", "commands", "error"), CASES, ids=lambda v: repr(v)[:40])
def test_each_case_whole_bytewise_and_split(
    data: bytes, commands: list[list[bytes]], error: str | None
) -> None:
    expected = (commands, error and f"ERR Protocol error: {error}")
    assert outcome(RequestParser(), [data]) == expected
    assert outcome(RequestParser(), [data[i : i + 1] for i in range(len(data))]) == expected
    for seed in range(20):
        assert outcome(RequestParser(), cut(data, random.Random(seed))) == expected


def test_pending_bytes_count_what_is_not_a_whole_command() -> None:
    parser = RequestParser()
    assert parser.feed(b"*2\r\n$3\r\nGET\r\n$4") == []
    assert parser.pending_bytes == 15
    assert parser.feed(b"\r\nuser\r\n*1\r\n") == [[b"GET", b"user"]]
    assert parser.pending_bytes == 4
    assert parser.feed(b"$4\r\nPING\r\n") == [[b"PING"]]
    assert parser.pending_bytes == 0


def test_nothing_is_kept_or_parsed_after_an_error() -> None:
    parser = RequestParser()
    with pytest.raises(ProtocolError):
        parser.feed(b"*x\r\n")
    assert parser.feed(b"*1\r\n$4\r\nPING\r\n" * 3) == []
    assert parser.pending_bytes == 0


def test_the_bulk_limit_can_be_changed_while_running() -> None:
    parser = RequestParser(max_bulk_length=4)
    assert parser.feed(b"*1\r\n$4\r\nPING\r\n") == [[b"PING"]]
    parser.max_bulk_length = 3
    with pytest.raises(ProtocolError, match="invalid bulk length"):
        parser.feed(b"*1\r\n$4\r\nPING\r\n")


def unauthenticated() -> RequestParser:
    parser = RequestParser()
    parser.authenticated = False
    return parser


@pytest.mark.parametrize(
    ("data", "commands", "error"),
    [
        (b"*10\r\n" + b"$1\r\na\r\n" * 10, [[b"a"] * 10], None),
        (b"*11\r\n", [], "unauthenticated multibulk length"),
        (b"*2147483648\r\n", [], "invalid multibulk length"),
        (b"*1\r\n$16384\r\n" + b"a" * 16384 + b"\r\n", [[b"a" * 16384]], None),
        (b"*1\r\n$16385\r\n", [], "unauthenticated bulk length"),
        (b"*1\r\n$4\r\nPING\r\n*11\r\n", [[b"PING"]], "unauthenticated multibulk length"),
    ],
)
def test_limits_before_authentication(data: bytes, commands: list[list[bytes]], error: str | None) -> None:
    expected = (commands, error and f"ERR Protocol error: {error}")
    assert outcome(unauthenticated(), [data]) == expected
    assert outcome(unauthenticated(), [data[i : i + 1] for i in range(len(data))]) == expected


@pytest.mark.parametrize("login", [[b"auth", b"pw"], [b"HELLO", b"3", b"AUTH", b"default", b"pw"]])
@pytest.mark.parametrize("argv", [[b"MSET"] + [b"a"] * 20, [b"SET", b"k", b"v" * 20_000]])
def test_commands_behind_a_login_are_held_until_its_outcome_is_known(
    login: list[bytes], argv: list[bytes]
) -> None:
    accepted, rejected = unauthenticated(), unauthenticated()
    data = encode_command(login) + encode_command(argv) + encode_command([b"PING"])
    for parser in (accepted, rejected):
        assert parser.feed(data) == [login]
        assert parser.held
    accepted.authenticated = True
    assert accepted.feed(b"") == [argv, [b"PING"]]
    assert not accepted.held
    with pytest.raises(ProtocolError, match="unauthenticated"):
        rejected.feed(b"")


# ---------------------------------------------------------------- the fast path against the general parser


class GeneralParser:
    """The parser without its fast path."""

    def __init__(self) -> None:
        self._parser = RequestParser()

    @property
    def pending_bytes(self) -> int:
        return self._parser.pending_bytes

    @property
    def held(self) -> bool:
        return self._parser.held

    def feed(self, data: bytes) -> list[list[bytes]]:
        self._parser._buffer += data
        commands: list[list[bytes]] = []
        self._parser._take(commands)
        return commands


FRAGMENTS = [
    b"\r\n",
    b"\r",
    b"\n",
    b"*",
    b"$",
    b"*1\r\n",
    b"*2\r\n",
    b"$1\r\n",
    b"$0\r\n\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"+a\r\n",
    b"+\r\n",
    b"-ERR x\r\n",
    b":1\r\n",
    b"(12\r\n",
    b",1\r\n",
    b"_\r\n",
    b"#t\r\n",
    b"#f\r\n",
    b"=5\r\ntxt:a\r\n",
    b"~1\r\n",
    b">1\r\n",
    b"|1\r\n",
    b"%1\r\n",
    b"*99999\r\n",
    b"*100000\r\n",
    b"~100000\r\n",
    b"$-1\r\n",
    b"\0",
    b" ",
    b"1",
    b"0",
    b"PING\r\n",
    b"$1\r\na*\n",
    b"$1\r\na\r*",
    b"*1\r\n$1\r\na\r\n",
    b'"',
]
arguments = st.binary(max_size=6) | st.sampled_from(FRAGMENTS) | st.binary(min_size=1020, max_size=1030)
clean_commands = st.lists(arguments, min_size=1, max_size=4).map(encode_command)
streams = st.lists(clean_commands | clean_commands | st.sampled_from(FRAGMENTS), max_size=8).map(b"".join)


def assert_both_agree(data: bytes, pieces: list[bytes]) -> None:
    expected = outcome(GeneralParser(), [data])
    assert outcome(RequestParser(), [data]) == expected
    fast, general = RequestParser(), GeneralParser()
    assert outcome(fast, pieces) == outcome(general, pieces) == expected
    assert fast.pending_bytes == general.pending_bytes


@settings(max_examples=400, deadline=None, derandomize=True)
@given(streams, st.randoms(use_true_random=False))
def test_fast_and_general_agree_on_generated_streams(data: bytes, source: random.Random) -> None:
    assert_both_agree(data, cut(data, source))


def mutate(data: bytes, source: random.Random) -> bytes:
    for _ in range(source.randrange(4)):
        at = source.randrange(len(data) + 1)
        change = source.randrange(4)
        if change == 0:
            data = data[:at] + data[at + 1 :]
        elif change == 1:
            data = data[:at] + bytes((source.randrange(256),)) + data[at + 1 :]
        elif change == 2:
            data = data[:at] + source.choice(FRAGMENTS) + data[at:]
        else:
            data = data[:at]
    return data


def test_fast_and_general_agree_on_mutated_pipelines() -> None:
    source = random.Random(20240229)
    for _ in range(4000):
        commands = [
            [source.choice([*FRAGMENTS, b"k", b"value", b"GET"]) for _ in range(source.randrange(1, 4))]
            for _ in range(source.randrange(1, 6))
        ]
        data = mutate(b"".join(map(encode_command, commands)), source)
        assert_both_agree(data, cut(data, source))


@pytest.mark.parametrize(
    "tail",
    [
        b"$",
        b":",
        b"+",
        b"#f\r\n",
        b"$0\r\n\r\n",
        b"_\r\n",
        b"*0\r\n",
        b"*",
        b"*1",
        b"*1\r\n",
        b"*2\r\n$1\r\na\r\n",
    ],
)
@pytest.mark.parametrize(
    "head", [b"*1\r\n$1\r\na\r\n" * 2, b"*1\r\n$1\r\na*\n" * 2, b"*1\r\n$2\r\n+*\r\n" * 2]
)
def test_what_hiredis_swallows_at_the_end_is_not_lost(head: bytes, tail: bytes) -> None:
    for data in (head + tail, tail + head, head + tail + head):
        assert_both_agree(data, [data])


def test_clean_chunks_take_the_fast_path() -> None:
    one = encode_command([b"SET", b"key", b"a*b+c"])
    plain = encode_command([b"SET", b"key", b"value"])
    deep = plain * 1000
    expected = ([[b"SET", b"key", b"value"]], len(plain), canonical.CANONICAL)
    assert canonical.parse_canonical(plain) == expected
    commands, taken, form = canonical.parse_canonical(one * 16)
    assert (commands, taken) == ([[b"SET", b"key", b"a*b+c"]] * 16, len(one) * 16)
    assert form == canonical.PLAIN
    commands, taken, _ = canonical.parse_canonical(deep[:-5])
    assert (len(commands), taken) == (999, 999 * len(plain))


def test_a_command_alone_is_recognised_whatever_its_number_of_words() -> None:
    for count in range(1, 12):
        argv = [b"w" * length for length in range(count)]
        wire = encode_command(argv)
        assert canonical.parse_canonical(wire) == ([argv], len(wire), canonical.CANONICAL)


def test_canonical_is_only_what_the_commands_encode_to() -> None:
    """One byte is changed at a time; what is still called canonical must be the encoding of what was read."""
    chunks = [
        [[b"SET", b"key", b"value"]],
        [[b"GET", b"key"]],
        [[b"SET", b"k", b"v"], [b"DEL", b"k\rk", b""], [b"MSET", b"a", b"1", b"b", b"\r\n"]],
        [[b"SET", b"k", b"v"], [b"DEL", b"k", b""], [b"PING"]],
    ]
    called_canonical = 0
    refused = []
    for commands in chunks:
        wire = b"".join(map(encode_command, commands))
        for position in range(len(wire)):
            for byte in (wire[position], *b"\r\n*$+0129:~x"):
                data = wire[:position] + bytes([byte]) + wire[position + 1 :]
                parser = RequestParser()
                try:
                    found = parser.feed(data)
                except ProtocolError:
                    continue
                if found and canonical.is_canonical(parser.form, data, found):
                    called_canonical += 1
                    assert data == b"".join(map(encode_command, found))
                elif data == wire:
                    refused.append(commands)
    assert called_canonical > 300
    assert all(commands is chunks[2] for commands in refused)  # for the sake of its CR


def test_only_a_whole_feed_is_canonical() -> None:
    """What was begun by an earlier feed is not what this one took."""
    wire = encode_command([b"SET", b"key", b"value"])
    parser = RequestParser()
    assert parser.feed(wire) and parser.form == canonical.CANONICAL
    assert not parser.feed(wire[:5]) and parser.form == canonical.UNKNOWN
    assert len(parser.feed(wire[5:] + wire)) == 2 and parser.form == canonical.UNKNOWN
    assert parser.feed(wire) and parser.form == canonical.CANONICAL


@pytest.mark.parametrize(
    "announced", [b"*2147483647", b"*100000", b"~2147483647", b">9999999", b"|2147483647"]
)
def test_hiredis_never_sees_a_huge_count(announced: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    class RecordingReader(hiredis.Reader):
        def feed(self, data: bytes) -> None:  # type: ignore[override]
            seen.append(data)
            super().feed(data)

    monkeypatch.setattr(canonical, "_readers", [RecordingReader(notEnoughData=canonical._NO_MORE)])
    head = encode_command([b"PING"]) * 2
    for data in (head + announced + b"\r\n", head[:-2] + b"zz" + announced + b"\r\n" + head):
        outcome(RequestParser(), [data])
    assert not any(announced in data for data in seen)
    RequestParser().feed(head)
    assert seen[-1] == head


# ---------------------------------------------------------------- cost


class CountingBuffer(bytearray):
    """A buffer that counts the bytes that searching and deleting look at or move."""

    touched = 0

    def find(self, mark: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        found = super().find(mark, start, len(self) if end is None else end)
        self.touched += (found if found >= 0 else len(self) if end is None else end) - start + 1
        return found

    def __delitem__(self, part: object) -> None:
        super().__delitem__(part)  # type: ignore[arg-type]
        self.touched += len(self)


@pytest.mark.parametrize(
    "data",
    [
        encode_command([b"SET", b"k", b"v" * 30_000]),
        encode_command([b"MSET"] + [b"abc"] * 5_000),
        b"ECHO " + b"a" * 30_000 + b"\r\n",
    ],
    ids=["long argument", "many arguments", "inline"],
)
@pytest.mark.parametrize("size", [1, 7, 512])
def test_a_command_in_pieces_costs_linear_work(data: bytes, size: int) -> None:
    parser = RequestParser()
    buffer = parser._buffer = CountingBuffer()
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    assert len(outcome(parser, pieces)[0]) == 1
    assert parser._buffer is buffer
    assert 0 < buffer.touched < 12 * len(data)


def test_nothing_is_allocated_for_what_is_only_announced() -> None:
    tracemalloc.start()
    try:
        parsers = [RequestParser() for _ in range(100)]
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for parser in parsers:
            parser.feed(b"*1\r\n$4\r\nPING\r\n*2147483647\r\n$536870912\r\n")
        assert tracemalloc.get_traced_memory()[1] - before < 1_000_000
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------- giving way

#: 64 KB each of what is slow to parse, and how many commands it is.
SLOW_STREAMS: dict[str, tuple[bytes, int]] = {
    "LF": (b"\n" * 65536, 0),
    "CRLF": (b"\r\n" * 32768, 0),
    "blanks": (b" \t\n" * 21845, 0),
    "*0": (b"*0\r\n" * 16384, 0),
    "*-1": (b"*-1\r\n" * 13107, 0),
    "LF and *0": (b"\n*0\r\n" * 13107, 0),
    "letters": (b"x\n" * 32768, 32768),
    "inline PING": (b"PING\r\n" * 10922, 10922),
    "words": (b"x " * 32767 + b"\n", 1),
    "quoted words": (b"'' " * 21844 + b"\n", 1),
    "escapes": (b'"' + b"\\a" * 32766 + b'"\n', 1),
    "hexadecimal escapes": (b'"' + b"\\x41" * 16383 + b'"\n', 1),
    "arguments": (b"*1000000\r\n" + b"$0\r\n\r\n" * 10922, 0),
    "PING, the first of them unclean": (b"*1\r\n$4\nPING\r\n" + b"*1\r\n$4\r\nPING\r\n" * 4680, 0),
    "PING behind an inline one": (b"PING\r\n" + b"*1\r\n$4\r\nPING\r\n" * 4680, 4681),
}


def calls_of(work: Callable[[], object]) -> int:
    """How many functions, of Python and of C, ``work`` calls: its cost without a clock."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("authenticated", [True, False])
@pytest.mark.parametrize(("data", "count"), SLOW_STREAMS.values(), ids=SLOW_STREAMS)
def test_a_feed_does_so_much_and_no_more(data: bytes, count: int, authenticated: bool) -> None:
    parser = RequestParser()
    parser.authenticated = authenticated
    commands: list[list[bytes]] = []

    def feed(piece: bytes) -> None:
        with contextlib.suppress(ProtocolError):
            taken = parser.feed(piece)
            assert len(taken) <= requests.STEPS
            commands.extend(taken)

    assert calls_of(lambda: feed(data)) < 30 * requests.STEPS
    while parser.held:
        assert calls_of(lambda: feed(b"")) < 30 * requests.STEPS
    assert len(commands) == count


@pytest.mark.parametrize(
    "empty",
    [
        b"\n",
        b"\r\n",
        b" \t\v\f\r\n",
        b" " * 60_000 + b"\n",
        b"*0\r\n",
        b"*-999999999999999999\rX",
        b"\n*0\r\n\r\n*-1\r\n",
    ],
    ids=lambda empty: repr(empty[:20]),
)
def test_a_run_of_empty_requests_is_one_step(empty: bytes) -> None:
    parser = RequestParser()
    whole = empty * (LINE_LIMIT // len(empty))
    assert parser.feed(whole + b"PING\n" * (requests.STEPS - 1)) == [[b"PING"]] * (requests.STEPS - 1)
    assert not parser.pending_bytes


@pytest.mark.parametrize("line", [b"\n", b"\r\r\n", b"\n\x0b", b"\x0b\n\n", b" \n\n", b"\t\f\r\n"])
def test_a_run_of_blank_lines_is_one_step_wherever_it_is_cut(line: bytes) -> None:
    """Whether or not the last line has come whole: looking at the run again for each line took 1.8 s for 64 KB."""
    parser = RequestParser()
    wire = (line * 30_000)[: 60_000 + 1]
    steps = 0

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event == "call" and frame.f_code.co_name == "_next_command"

    sys.setprofile(profile)
    try:
        assert parser.feed(wire) == [] and not parser.held
        assert parser.feed(b"\nPING\r\n") == [[b"PING"]]
    finally:
        sys.setprofile(None)
    assert steps <= 6


@pytest.mark.parametrize("blanks", [LINE_LIMIT, LINE_LIMIT + 1])
def test_a_blank_line_may_be_as_long_as_any(blanks: int) -> None:
    expected = "ERR Protocol error: too big inline request" if blanks > LINE_LIMIT else None
    assert outcome(RequestParser(), [b" " * blanks + b"\n"]) == ([], expected)
    assert outcome(RequestParser(), [b"\n" * 100, b"\n" + b" " * blanks + b"\n"]) == ([], expected)


def test_what_is_held_comes_before_what_is_fed_later() -> None:
    parser = RequestParser()
    lines = [b"n%d" % number for number in range(3 * requests.STEPS)]
    expected = [[line] for line in [*lines, b"one", b"two"]]
    commands = parser.feed(b"\n".join(lines) + b"\none\nt")
    assert parser.held and commands == expected[: requests.STEPS]
    commands += parser.feed(b"wo\n")
    while parser.held:
        commands += parser.feed(b"")
    assert commands == expected


def test_a_parser_that_is_discarded_keeps_and_takes_nothing() -> None:
    parser = RequestParser()
    parser.feed(b"*3\r\n$1\r\na\r\n$1000\r\n" + b"x" * 500)
    assert parser.pending_arguments == 1
    parser.discard()
    assert (parser.pending_bytes, parser.pending_arguments) == (0, 0)
    assert parser.feed(b"PING\r\n") == []


# ---------------------------------------------------------------- numbers and quotes


@pytest.mark.parametrize(
    ("digits", "number"),
    [
        (b"0", 0),
        (b"10", 10),
        (b"-1", -1),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"9223372036854775808", None),
        (b"-9223372036854775809", None),
        (b"", None),
        (b"-", None),
        (b"-0", None),
        (b"00", None),
        (b"+1", None),
        (b" 1", None),
        (b"1 ", None),
        (b"1_0", None),
        (b"0x1", None),
        (b"--1", None),
        (b"9" * 100_000, None),
        (b"\xb2", None),
    ],
    ids=lambda v: repr(v)[:30],
)
def test_lengths_are_canonical(digits: bytes, number: int | None) -> None:
    assert parse_length(digits) == number


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        (b"", []),
        (b" \t\v\f\r ", []),
        (b"a b", [b"a", b"b"]),
        (b"a\vb c", [b"a\vb", b"c"]),
        (b"a\fb\f c \f", [b"a\fb\f", b"c"]),
        (b"a\rb", [b"a", b"b"]),
        (b'a"b c"', [b"ab c"]),
        (b'""', [b""]),
        (b"''", [b""]),
        (b'"\\x4a\\xZZ"', [b"JxZZ"]),
        (b'"\\n\\r\\t\\b\\a\\\\\\""', [b'\n\r\t\b\a\\"']),
        (b"'\\n\\''", [b"\\n'"]),
        (b"'a'\vb", [b"a", b"b"]),
        (b"\"'\" '\"'", [b"'", b'"']),
    ],
)
def test_inline_arguments(line: bytes, argv: list[bytes]) -> None:
    assert split_inline(line) == argv


@pytest.mark.parametrize(
    "line", [b'"', b"'", b'a"', b'"a"b', b"'a'b", b"\"a\"'b'", b'"a\\', b'"a\\"', b"'a\\'", b"a'b"]
)
def test_unbalanced_quotes(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="unbalanced quotes"):
        split_inline(line)


def test_line_limit_is_64_kilobytes() -> None:
    assert requests.LINE_LIMIT == 65536


def test_an_argument_of_a_request_in_pieces_takes_few_steps() -> None:
    """PFADD of 5,000 elements comes in two pieces; ten calls for each argument made 9 ms of them."""
    argv = [b"PFADD", b"key", *[b"element:%d" % number for number in range(3000)]]
    wire = encode_command(argv)
    parser = RequestParser()
    calls = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        found = parser.feed(wire[:10]) + parser.feed(wire[10:])
        while parser.held:
            found += parser.feed(b"")
    finally:
        sys.setprofile(None)
    assert found == [argv]
    assert calls < 8 * len(argv)


@pytest.mark.parametrize(
    "begun", [b"%1\r\n$1\r\nk\r\n", b"%1\r\n", b"~2\r\n", b">1\r\n", b"|1\r\n$1\r\nk\r\n", b"*2\r\n"]
)
def test_what_one_client_has_begun_is_nothing_to_the_next(begun: bytes) -> None:
    """The fast path has readers that all parsers share."""
    ping = b"*1\r\n$4\r\nPING\r\n"
    for _ in range(3):
        with contextlib.suppress(ProtocolError):
            RequestParser().feed(ping * 5000 + begun + ping[:6])
        assert RequestParser().feed(ping * 3) == [[b"PING"]] * 3
