"""Numbers on the wire: against naive models, exact fractions, and real Redis."""

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from math import copysign, inf
from pathlib import Path
from typing import Any

import hiredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedis.commands.parsing.numbers import (
    LEX_HIGHEST,
    LEX_LOWEST,
    LexBound,
    LongDouble,
    NumberError,
    add_long_double,
    format_double,
    format_long_double,
    parse_cursor,
    parse_float,
    parse_int,
    parse_lex_bound,
    parse_long_double,
    parse_score_bound,
)

INTEGERS = [
    b"0", b"1", b"-1", b"-0", b"+5", b"05", b"00", b"-01", b"-", b"", b" 1", b"1 ", b"1_0", b"0x10", b"1\x00",
    b"1.0", b"1e3", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808",
    b"-9223372036854775809", b"99999999999999999999", b"1000000000000000000", b"999999999999999999",
    b"-999999999999999999", b"\xd9\xa3", b"--1", b"1-", b"1023", b"1024", b"-128", b"-129", b"1" * 100_000,
]  # fmt: skip

FLOATS = [
    b"inf", b"-inf", b"+inf", b"InFinity", b"-infinity", b"infi", b"infinityx", b"nan", b"-nan", b"nan(1)",
    b"0x1p3", b"0x10", b"0x", b"0x.", b"0x.8", b"-0X1.8P-2", b"0x1p", b"0x1p+", b"0x1p99999", b"0x1p-99999",
    b"0x1p-1074", b"0x1p-1075", b"0x1.8p-1075", b"0x1.fffffffffffff8p1023", b"0x1.fffffffffffff7p1023",
    b"0x0p99999999999999999999", b"0x1p99999999999999999999", b"0x1p-99999999999999999999", b"0x1_0",
    b"1e308", b"1e400", b"-1e400", b"1e-400", b"0e-400", b"0e400", b"1.8e308", b"1.7976931348623157e308",
    b"1.7976931348623158e308", b"1.7976931348623159e308", b"4e-324", b"2e-324", b"3e-324", b"2.47e-324",
    b"1.", b".5", b".", b"+.5", b"-.5", b"-.", b"e5", b".e5", b"1e", b"1e+", b"1e5", b"1E+5", b"1.e5", b" 1",
    b"1 ", b"", b" ", b"1_0", b"1_0.5", b"+5", b"--5", b"+-5", b"1\x00", b"\x00", b"\x0b1", b"3.0", b"0.1",
    b"1e20", b"1e100", b"-0.0", b"0", b"9007199254740993", b"1e16", b"1e17", b"123456789012345678", b"1e21",
    b"0.00001", b"1,5", b"1e99999999999999999999", b"0e99999999999999999999", b"1e-99999999999999999999",
    b"1" * 100_000, b"0." + b"3" * 100_000, b"0" * 100_000 + b"1", b"0." + b"0" * 100_000 + b"1",
    b"0x" + b"f" * 100_000, b"1" * 100_000 + b"x", b"0007", b"1d", b"1f", b"\xd9\xa3",
]  # fmt: skip

LONG_DOUBLES = [
    b"5.0e3", b"3.0e-15", b"0.1", b"10.50", b"1e300", b"1e4932", b"-1e4932", b"1.18e4932", b"1.19e4932",
    b"1.189731495357231765e4932", b"1.18973149535723176502e4932", b"1.18973149535723176505e4932",
    b"1.1897314953572317651e4932", b"1e4933", b"1e-4950", b"1e-4951", b"2e-4951", b"1.8e-4951", b"1.9e-4951",
    b"1e-4960", b"0x1p-16445", b"0x1p-16446", b"0x1.8p-16446", b"0x1p16383", b"0x1p16384",
    b"0xffffffffffffffffp16320", b"0xffffffffffffffff.8p16320", b"0xffffffffffffffff.7p16320",
    b"-0", b"1e-18", b"-1e-18", b"0.5e-17", b"1.5e-17", b"2.5e-17", b"-4e-18", b"0x1p-18", b"0x3p-18",
    b"18446744073709551615", b"18446744073709551616", b"18446744073709551617", b"18446744073709551618",
    b"18446744073709551619", b"36893488147419103233", b"36893488147419103235", b"1.5", b"0.5", b"-0.5",
    b"9" * 4932, b"9" * 5118, b"0." + b"9" * 5117, b"0." + b"9" * 5118, b"0." + b"0" * 5117,
    b"0." + b"0" * 5118, b"1" + b"0" * 4000 + b"." + b"1" * 1000, b"7" * 4300, b"7" * 4301,
    b"0x" + b"f" * 4000, b"0." + b"1" * 5000 + b"e4900",
]  # fmt: skip


def value_or_none(parse: Callable[[bytes], Any], text: bytes) -> Any:
    try:
        return parse(text)
    except NumberError:
        return None


class Oracle:
    """A connection to real Redis; errors come back as values."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.reader = hiredis.Reader()

    def run(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        replies: list[Any] = []
        for start in range(0, len(commands), 50):
            batch = commands[start : start + 50]
            self.socket.sendall(b"".join(map(hiredis.pack_command, batch)))
            for _ in batch:
                while (reply := self.reader.gets()) is False:
                    self.reader.feed(self.socket.recv(1 << 20))
                replies.append(reply)
        return replies


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: nothing to compare with")
    path = Path("/tmp") / f"kedis-numbers-{time.time_ns()}.sock"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no",
         "--zset-max-listpack-entries", "0"],
        cwd=tmp_path_factory.mktemp("oracle"),
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            try:
                connection = Oracle(path)
                break
            except OSError:
                time.sleep(0.05)
        yield connection
        connection.socket.close()
    finally:
        process.terminate()
        process.wait()


# --- integers


def naive_int(text: bytes) -> int | None:
    """The integer whose printed form is `text`."""
    try:
        value = int(text) if len(text) < 30 else None
    except ValueError:
        return None
    return value if value is not None and b"%d" % value == text and -(2**63) <= value < 2**63 else None


NEAR_INTEGERS = st.one_of(
    st.integers(-(2**64), 2**65).map(lambda number: b"%d" % number),
    st.integers(-2000, 2000).map(lambda number: b"%d" % number),
    st.text("0123456789+-_ .e\0", max_size=22).map(str.encode),
    st.binary(max_size=4),
)


@settings(max_examples=800, deadline=None)
@given(NEAR_INTEGERS)
def test_integers_against_a_naive_model(text: bytes) -> None:
    assert value_or_none(parse_int, text) == naive_int(text)


@pytest.mark.parametrize("text", INTEGERS, ids=lambda text: repr(text[:24]))
def test_integer_corners(text: bytes) -> None:
    assert value_or_none(parse_int, text) == naive_int(text)


def test_integers_against_redis(oracle: Oracle) -> None:
    rng = random.Random(1)
    texts = INTEGERS + [bytes(rng.choices(b"0123456789+- ", k=rng.randint(1, 20))) for _ in range(500)]
    replies = oracle.run([step for text in texts for step in (("DEL", "k"), ("INCRBY", "k", text))])[1::2]
    for text, reply in zip(texts, replies, strict=True):
        expected = None if isinstance(reply, hiredis.ReplyError) else reply
        assert value_or_none(parse_int, text) == expected, text


CURSORS = [
    b"0", b"-0", b"+5", b"05", b"-1", b"18446744073709551615", b"18446744073709551616", b"", b"-", b"+",
    b"-18446744073709551615", b"-18446744073709551616", b" 1", b"1 ", b"1_0", b"\x001", b"1\x002", b"0x10",
    b"--1", b"1.", b"0" * 40 + b"7",
]  # fmt: skip


def test_cursor_values() -> None:
    assert parse_cursor(b"") == 0
    assert parse_cursor(b"-1") == 2**64 - 1
    assert parse_cursor(b"+0042") == 42
    assert parse_cursor(b"7\x00junk") == 7
    assert parse_cursor(b"18446744073709551615") == 2**64 - 1


def test_cursors_against_redis(oracle: Oracle) -> None:
    for text, reply in zip(CURSORS, oracle.run([("SCAN", text) for text in CURSORS]), strict=True):
        refused = isinstance(reply, hiredis.ReplyError)
        assert (value_or_none(parse_cursor, text) is None) is refused, text


# --- doubles


def float_texts(seed: int, count: int) -> list[bytes]:
    """Numbers of all sizes, and near misses of the syntax."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        figures = b"%d" % rng.getrandbits(rng.choice([4, 20, 60, 90]))
        place = rng.randint(0, len(figures))
        text = rng.choice([b"", b"", b"-", b"+"]) + figures[:place]
        text += rng.choice([b".", b".", b""]) + figures[place:]
        if rng.random() < 0.6:
            text += b"e%d" % rng.choice([rng.randint(-25, 25), rng.randint(-345, 312)])
        if rng.random() < 0.1:
            place = rng.randint(0, len(text))
            text = text[:place] + rng.choice([b"x", b" ", b"_", b"e", b".", b"-", b"\0"]) + text[place:]
        texts.append(text)
    return texts


def test_doubles_against_redis(oracle: Oracle) -> None:
    """What ZADD takes and refuses, and every digit that ZSCORE prints."""
    texts = FLOATS + float_texts(2, 3000)
    steps = [
        step for text in texts for step in (("DEL", "z"), ("ZADD", "z", text, "m"), ("ZSCORE", "z", "m"))
    ]
    replies = oracle.run(steps)
    for text, added, score in zip(texts, replies[1::3], replies[2::3], strict=True):
        value = value_or_none(parse_float, text)
        if isinstance(added, hiredis.ReplyError):
            assert value is None, text
        else:
            assert value is not None, text
            assert format_double(value) == score, text


def test_printed_doubles() -> None:
    printed = {
        3.0: b"3", 0.1: b"0.10000000000000001", 1e16: b"10000000000000000", 1e17: b"1e+17", 1e100: b"1e+100",
        inf: b"inf", -inf: b"-inf", 2.0**53 + 2: b"9007199254740994", -0.5: b"-0.5",
        5e-324: b"4.9406564584124654e-324",
    }  # fmt: skip
    assert {value: format_double(value) for value in printed} == printed
    assert format_double(copysign(0.0, -1)) == b"-0"


@settings(max_examples=500, deadline=None)
@given(st.floats(allow_nan=False))
def test_printed_doubles_read_back(value: float) -> None:
    assert parse_float(format_double(value)) == value


SCORE_BOUNDS = [
    b"", b"(", b" 1", b"( 1", b"1 ", b"(1 ", b"((1", b"(inf", b"-inf", b"nan", b"(nan", b"1e400", b"-1e400",
    b"1e-400", b"1\x00x", b"\x00", b"(\x00x", b"(5", b"+5", b"\n-1", b" ", b"( ", b"0x1", b"(+inf", b"1_0",
    b"-(1", b"5", b"4.9", b"(-0.0", b"\xa01", b"\t\v\f\r\n 5", b" \x001",
]  # fmt: skip


def test_score_bounds_against_redis(oracle: Oracle) -> None:
    scores = {b"low": -inf, b"minus": -1.0, b"zero": 0.0, b"one": 1.0, b"five": 5.0, b"high": inf}
    oracle.run([("DEL", "z"), ("ZADD", "z", *(x for m, s in scores.items() for x in (format_double(s), m)))])
    replies = oracle.run([("ZRANGEBYSCORE", "z", text, "+inf") for text in SCORE_BOUNDS])
    for text, reply in zip(SCORE_BOUNDS, replies, strict=True):
        bound = value_or_none(parse_score_bound, text)
        if isinstance(reply, hiredis.ReplyError):
            assert bound is None, text
        else:
            assert bound is not None, text
            least, exclusive = bound
            inside = [
                name for name, score in scores.items() if score > least or (score == least and not exclusive)
            ]
            assert inside == reply, text


def test_score_bounds() -> None:
    assert parse_score_bound(b"(1.5") == (1.5, True)
    assert parse_score_bound(b"-inf") == (-inf, False)
    assert parse_score_bound(b"") == (0.0, False)


LEX_BOUNDS = {
    b"-": LEX_LOWEST, b"+": LEX_HIGHEST, b"[": LexBound(0, b"", False), b"(": LexBound(0, b"", True),
    b"[b": LexBound(0, b"b", False), b"(b": LexBound(0, b"b", True), b"-\x00x": LEX_LOWEST,
    b"+\x00": LEX_HIGHEST, b"": None, b"-x": None, b"+x": None, b"b": None, b"1": None,
    b"[\x00": LexBound(0, b"\x00", False),
}  # fmt: skip


def test_lex_bounds() -> None:
    for text, expected in LEX_BOUNDS.items():
        assert value_or_none(parse_lex_bound, text) == expected, text


def test_lex_bounds_against_redis(oracle: Oracle) -> None:
    members = [b"", b"\x00", b"a", b"b", b"c"]
    oracle.run([("DEL", "z"), ("ZADD", "z", *(x for m in members for x in (b"0", m)))])
    replies = oracle.run([("ZRANGEBYLEX", "z", text, "+") for text in LEX_BOUNDS])
    for (text, bound), reply in zip(LEX_BOUNDS.items(), replies, strict=True):
        if isinstance(reply, hiredis.ReplyError):
            assert bound is None, text
        else:
            assert bound is not None
            inside = [
                member
                for member in members
                if bound.infinite < 0
                or (
                    bound.infinite == 0
                    and (member > bound.member or (member == bound.member and not bound.exclusive))
                )
            ]
            assert inside == reply, text


# --- long doubles


def exact(value: LongDouble) -> Fraction:
    return value.mantissa * Fraction(2) ** value.exponent


def incremented(old: bytes, delta: bytes) -> bytes | None:
    try:
        return format_long_double(add_long_double(parse_long_double(old), parse_long_double(delta)))
    except NumberError:
        return None


def test_long_doubles_against_redis(oracle: Oracle) -> None:
    """INCRBYFLOAT over every pair of a small set, each corner alone, and random pairs."""
    rng = random.Random(3)
    few = [
        b"0",
        b"inf",
        b"-inf",
        b"nan",
        b"",
        b"0x1p-70",
        b"1e4932",
        b"-1e4932",
        b"0.1",
        b"18446744073709551615",
    ]
    pairs = [(old, delta) for old in few for delta in few]
    pairs += [(b"0", text) for text in LONG_DOUBLES] + [(text, b"0") for text in LONG_DOUBLES]
    pairs += [(rng.choice(LONG_DOUBLES), rng.choice(LONG_DOUBLES)) for _ in range(400)]
    pairs += [(b"0", text) for text in FLOATS if len(text) < 6000]
    pairs += list(zip(float_texts(4, 1500), float_texts(5, 1500), strict=True))
    replies = oracle.run(
        [step for old, delta in pairs for step in (("SET", "k", old), ("INCRBYFLOAT", "k", delta))]
    )
    for (old, delta), reply in zip(pairs, replies[1::2], strict=True):
        expected = None if isinstance(reply, hiredis.ReplyError) else reply
        assert incremented(old, delta) == expected, (old[:60], delta[:60])


def test_chain_of_increments_against_redis(oracle: Oracle) -> None:
    """Each printed total is the next input, as in a stored value."""
    rng = random.Random(6)
    deltas = [b"%.*f" % (rng.randint(0, 6), rng.uniform(-1e6, 1e6)) for _ in range(500)]
    total: bytes | None = b"0"
    replies = oracle.run([("DEL", "k"), *(("INCRBYFLOAT", "k", delta) for delta in deltas)])[1:]
    for delta, reply in zip(deltas, replies, strict=True):
        assert total is not None
        total = incremented(total, delta)
        assert total == reply


@settings(max_examples=400, deadline=None)
@given(st.integers(-(10**40), 10**40), st.integers(-60, 60))
def test_decimals_round_to_the_nearest(digits: int, scale: int) -> None:
    """No 64-bit mantissa is nearer; the error is at most half a unit of the last place."""
    value = parse_long_double(b"%de%d" % (digits, scale))
    truth = digits * Fraction(10) ** scale
    assert value.mantissa.bit_length() <= 65
    if digits:
        size = value.mantissa.bit_length() + value.exponent
        assert abs(exact(value) - truth) * 2 <= Fraction(2) ** (size - 64)
    else:
        assert value.mantissa == 0


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 2**63), st.integers(-60, 60), st.integers(1, 2**63), st.integers(-60, 60))
def test_sums_are_commutative_and_signed_alike(m: int, e: int, n: int, f: int) -> None:
    a, b = LongDouble(m, e), LongDouble(-n, f)
    total = add_long_double(a, b)
    assert exact(add_long_double(b, a)) == exact(total)
    assert exact(add_long_double(LongDouble(-m, e), LongDouble(n, f))) == -exact(total)
    assert abs(exact(total) - exact(a) - exact(b)) * 2**64 <= abs(exact(a) + exact(b))


def test_infinite_sums_are_refused() -> None:
    one, endless = parse_long_double(b"1"), parse_long_double(b"-inf")
    assert endless.is_infinite() and not one.is_infinite()
    for a, b in ((one, endless), (endless, one), (endless, parse_long_double(b"inf"))):
        with pytest.raises(NumberError):
            add_long_double(a, b)


# --- hostile lengths


@pytest.mark.parametrize(
    "text",
    [
        b"1" * 100_000, b"-" * 100_000, b"0" * 100_000 + b"1", b"1" * 100_000 + b"x", b"0." + b"3" * 100_000,
        b"1e" + b"9" * 100_000, b"1e-" + b"9" * 100_000, b"0x" + b"f" * 100_000, b"0x1p" + b"9" * 100_000,
        b" " * 100_000 + b"1", b"1e4931" + b"0" * 5000, b"1e-4000", b"9" * 5119,
    ],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_long_input_costs_less_than_five_milliseconds(text: bytes) -> None:
    for parse in (parse_int, parse_cursor, parse_float, parse_score_bound, parse_long_double):
        best = inf
        for _ in range(5):
            start = time.perf_counter()
            value_or_none(parse, text)
            best = min(best, time.perf_counter() - start)
        assert best < 0.005, parse
