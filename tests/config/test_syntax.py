"""Words and quotes of a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedis.config.syntax import quote_word, split_words
from tests.oracle import Oracle

anything = st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  \t ", []),
        ("hz 10", ["hz", "10"]),
        ("\thz\t 10 \r", ["hz", "10"]),
        ('a "b c" d', ["a", "b c", "d"]),
        ('a ""', ["a", ""]),
        ("a ''", ["a", ""]),
        (r'"\n\r\t\b\a\x41\"\\\q"', ['\n\r\t\b\aA"\\q']),
        (r'"\x4"', ["x4"]),
        (r"'a\'b\n\\ '", ["a'b\\n\\\\ "]),
        (r"a\ b", ["a\\", "b"]),
        ('pre"quoted part"', ["prequoted part"]),
        ("it's fine'", ["its fine"]),
        ('"\\xc3\\xa9" é', ["é", "é"]),
        (r'"\xff"', ["\udcff"]),
        ("a\u00a0b", ["a\u00a0b"]),
        ("# x", ["#", "x"]),
    ],
)
def test_splits(line: str, words: list[str]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize(
    "line", ['"', "'", 'a "b', "a 'b", '"a"b', "'a'b", '"a""b"', '"a\\"', "'a\\'", 'x"', "it's"]
)
def test_unbalanced_quotes(line: str) -> None:
    with pytest.raises(ValueError, match="unbalanced quotes"):
        split_words(line)


@given(st.lists(anything))
def test_what_is_quoted_is_read_back(words: list[str]) -> None:
    line = " ".join(map(quote_word, words))
    assert line.isascii()
    assert "\n" not in line
    assert split_words(line) == words


@given(anything)
def test_any_line_is_split_or_refused(line: str) -> None:
    try:
        words = split_words(line)
    except ValueError:
        return
    assert all(word in line for word in words if word.isalnum() and "\\" not in line and '"' not in line)


def test_long_lines_take_linear_time() -> None:
    assert split_words("'" + "\\'" * 500_000 + "'") == ["'" * 500_000]
    with pytest.raises(ValueError, match="quotes"):
        split_words('"' + "\\\\" * 500_000)


@pytest.mark.parametrize(
    "word", ["plain", "#x", "a b", "", 'a"b', "a'b", "\\", "\n\r\t\b\a\x01\x7f", "é", "--x"]
)
def test_redis_reads_what_is_quoted(word: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("quoted") / "redis.conf"
    file.write_text(f"masterauth {quote_word(word)}\n")
    oracle = Oracle("--include", str(file))
    try:
        assert oracle.call("CONFIG", "GET", "masterauth")[1].decode() == word
    finally:
        oracle.close()
