"""Glob patterns: the corners by name, random patterns against a naive model and Redis, and bounded work."""

import re
import shutil
import socket
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from kedis.structures import glob
from kedis.structures.glob import LONGEST_PATTERN, compile_glob


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (b"", [b""], [b"a"]),
        (b"*", [b"", b"a", b"abc"], []),
        (b"**", [b"a", b"abc"], [b""]),
        (b"abc", [b"abc"], [b"ab", b"abcd", b"Abc"]),
        (b"abc*", [b"abc", b"abcd"], [b"ab", b"xabc"]),
        (b"*abc", [b"abc", b"xabc"], [b"abcx"]),
        (b"a*c", [b"ac", b"abbc"], [b"a", b"acb"]),
        (b"aba*ba", [b"ababa", b"ababba"], [b"aba", b"abba"]),
        (b"*a*", [b"a", b"bab"], [b"bb", b""]),
        (b"h?llo", [b"hello", b"h\nllo"], [b"hllo"]),
        (b"?*?", [b"ab", b"abc"], [b"a"]),
        (b"h[ae]llo", [b"hello", b"hallo"], [b"hillo"]),
        (b"h[^e]llo", [b"hallo"], [b"hello"]),
        (b"h[a-b]llo", [b"hallo", b"hbllo"], [b"hcllo"]),
        (b"h[b-a]llo", [b"hallo", b"hbllo"], [b"hcllo"]),
        (b"[\xff-\x01]", [b"\x00", b"\x01", b"\xff"], [b"\x02", b"\xfe"]),
        (b"[a-]x]", [b"a", b"x"], [b"ax]", b"b"]),
        (b"[a-", [b"a", b"-"], [b"b"]),
        (b"[abc", [b"a", b"c"], [b"d", b"[abc"]),
        (b"[", [], [b"[", b"a"]),
        (b"[^", [b"a"], [b"", b"ab"]),
        (b"[]", [], [b"]", b"a"]),
        (b"[]a]", [], [b"a]", b"]", b"a"]),
        (b"[^]", [b"a", b"]"], [b"^"[:0]]),
        (b"[\\]]", [b"]"], [b"\\"]),
        (b"[\\", [b"\\"], [b"a"]),
        (b"\\*", [b"*"], [b"a", b"\\*"]),
        (b"a\\", [b"a\\"], [b"a"]),
        (b"\\", [b"\\"], [b""]),
        (b"[*]", [b"*"], [b"a"]),
        (b"\\a*", [b"a", b"ab"], [b"\\a"]),
        (b"*[xy]*\xff", [b"ax\xff", b"y\x00\xff"], [b"\xff"]),
    ],
)
def test_corners(pattern: bytes, matching: list[bytes], other: list[bytes]) -> None:
    matches = compile_glob(pattern)
    assert [text for text in matching if not matches(text)] == []
    assert [text for text in other if matches(text)] == []


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (b"MaxMemory*", [b"maxmemory", b"MAXMEMORY-policy"], [b"max"]),
        (b"abc", [b"ABC"], [b"abd"]),
        (b"[A-C]x", [b"ax", b"CX"], [b"dx"]),
        (b"[^a]", [b"b"], [b"A", b"a"]),
        (b"[^A-*]", [b"l", b"L"], [b"a", b"A", b"+"]),
        (b"?\\A", [b"xa"], [b"xb"]),
        (b"\xc4", [b"\xc4"], [b"\xe4"]),
    ],
)
def test_without_case(pattern: bytes, matching: list[bytes], other: list[bytes]) -> None:
    matches = compile_glob(pattern, nocase=True)
    assert [text for text in matching if not matches(text)] == []
    assert [text for text in other if matches(text)] == []


def model(pattern: bytes, text: bytes) -> bool:
    """Patterns of literals, `?` and `*` by dynamic programming over prefixes."""
    reachable = {0}
    for byte in pattern:
        if byte == 0x2A:
            reachable = set(range(min(reachable), len(text) + 1)) if reachable else set()
        else:
            reachable = {
                place + 1 for place in reachable if place < len(text) and byte in (0x3F, text[place])
            }
    return len(text) in reachable


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(list(b"ab*?")), max_size=9).map(bytes),
    st.lists(st.sampled_from(list(b"ab")), min_size=1, max_size=12).map(bytes),
)
def test_against_a_naive_model(pattern: bytes, text: bytes) -> None:
    assert compile_glob(pattern)(text) == model(pattern, text)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=30), st.binary(max_size=30), st.booleans())
def test_every_pattern_is_valid(pattern: bytes, text: bytes, nocase: bool) -> None:
    assert compile_glob(pattern, nocase)(text) in (True, False)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: nothing to compare with")
    path = Path("/tmp") / f"kedis-glob-{time.time_ns()}.sock"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"],
        cwd=tmp_path_factory.mktemp("oracle"),
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    break
            time.sleep(0.05)
        yield redis.Redis(unix_socket_path=str(path))
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("seed", range(4))
def test_random_patterns_against_redis(oracle: redis.Redis, seed: int) -> None:
    rng = Random(seed)

    def word(alphabet: bytes, longest: int) -> bytes:
        return bytes(rng.choice(alphabet) for _ in range(rng.randint(0, longest)))

    keys = {word(b"abc-]^\\*[\xff", 5) for _ in range(250)} | {b""}
    patterns = [word(b"aabbc**??[[]]^--\\\xff", 10) for _ in range(1500)]
    oracle.flushall()
    oracle.mset(dict.fromkeys(keys, b""))
    pipe = oracle.pipeline(transaction=False)
    for pattern in patterns:
        pipe.execute_command("KEYS", pattern)  # type: ignore[no-untyped-call]
    for pattern, answer in zip(patterns, pipe.execute(), strict=True):
        matches = compile_glob(pattern)
        assert {key for key in keys if matches(key)} == set(answer), pattern


@pytest.mark.parametrize("seed", range(2))
def test_random_patterns_without_case_against_redis(oracle: redis.Redis, seed: int) -> None:
    """COMMAND LIST FILTERBY PATTERN ignores case."""
    rng = Random(seed)
    names = sorted(name if isinstance(name, bytes) else name.encode() for name in oracle.command_list())
    patterns = []
    for _ in range(400):
        name = bytearray(rng.choice(names))
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(name))
            name[place : place + rng.randint(0, 2)] = rng.choice(
                [
                    b"*",
                    b"?",
                    b"[A-M]",
                    b"[Z-n]",
                    b"[^aE]",
                    b"\\G",
                    b"[\\Get]",
                    b"[GET",
                    b"T",
                    b"[^A-Z]",
                    b"[*-L]",
                ]
            )
        patterns.append(bytes(name))
    pipe = oracle.pipeline(transaction=False)
    for pattern in patterns:
        pipe.execute_command("COMMAND LIST FILTERBY PATTERN", pattern)  # type: ignore[no-untyped-call]
    for pattern, answer in zip(patterns, pipe.execute(), strict=True):
        matches = compile_glob(pattern, nocase=True)
        assert {name for name in names if matches(name)} == set(answer), pattern


def test_each_segment_is_searched_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on the work: a search is linear in the string, and there is one for each segment."""
    searches = 0
    search = glob._end_of

    def counted(part: glob.Part, string: bytes, start: int, end: int) -> int:
        nonlocal searches
        searches += 1
        return search(part, string, start, end)

    monkeypatch.setattr(glob, "_end_of", counted)
    for pattern in (b"a*" * 50 + b"b", b"[ab]*" * 50 + b"b", b"*?a" * 40, b"*a[^b]?" * 30 + b"c"):
        matches = compile_glob(pattern)
        searches = 0
        matches(b"a" * 20_000)
        assert searches <= pattern.count(b"*") + 1


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(list(b"ab*?[]^-\\")), max_size=20).map(bytes))
def test_expressions_cannot_backtrack(pattern: bytes) -> None:
    """Classes, dots and fixed counts only."""
    piece = rb"(?:\.|\[\^?(?:\\x[0-9a-f]{2}|-)+\])(?:\{[0-9]+\})?"
    for segment in glob.segments_of(pattern):
        assert re.fullmatch(rb"(?:%b)*" % piece, glob._classes(segment))


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(list(b"aab**?[]^-\\")), max_size=20).map(bytes),
    st.lists(st.sampled_from(list(b"ab-^\n")), max_size=12).map(bytes),
)
def test_short_strings_are_matched_as_long_ones(pattern: bytes, string: bytes) -> None:
    """One expression says what the searches for each segment say."""
    segments = glob.segments_of(b"*" + pattern)
    short = re.compile(glob._starred_expression(segments), re.DOTALL)
    assert not string or (short.match(string) is not None) is glob._starred(segments)(string)


@pytest.mark.parametrize("pattern", [b"a*:key:*[0-9]*", b"*b?d*e", b"[^x]*[a-c]z"])
def test_a_pattern_that_is_used_often_goes_on_matching(pattern: bytes) -> None:
    matches = compile_glob(pattern)
    words = [b"a:key:1", b"abcde", b"acz", b"", b"x" * 2000, b"axbz", b"a:key:" + b"1" * 2000]
    first = [matches(word) for word in words]
    for _ in range(300):
        assert [matches(word) for word in words] == first
    assert any(first)


def test_expressions_do_not_backtrack_over_stars() -> None:
    """A pattern with as many stars as a short one may have, on the longest short string, which does not match."""
    matches = compile_glob(b"a*" * 31 + b"b")
    begun = time.process_time()
    for _ in range(400):
        assert not matches(b"a" * 512)
    assert time.process_time() - begun < 5  # backtracking would take longer than anyone waits


def test_a_pattern_takes_little_more_memory_than_its_text() -> None:
    """Whoever subscribes to long patterns does not fill the memory with what is made of them."""
    tracemalloc.start()
    try:
        kept = [compile_glob(b"a*" * 200 + b"%d" % number) for number in range(100)]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept[0](b"a" * 200 + b"0")
    assert size < 100 * 401 * 16


def test_too_long_a_pattern_matches_nothing_and_is_not_compiled() -> None:
    longest = b"[ab]" * (LONGEST_PATTERN // 4)
    assert compile_glob(longest)(b"a" * (LONGEST_PATTERN // 4))
    assert not compile_glob(longest + b"?")(b"a" * (LONGEST_PATTERN // 4 + 1))
    literal = b"a" * (LONGEST_PATTERN + 1)
    assert compile_glob(literal)(literal)
    assert compile_glob(literal + b"*")(literal)
