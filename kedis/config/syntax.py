r"""The text of a configuration: words and quotes.

A line is a name and words, separated by white space; of that only a blank, a tab or a line end ends a word that has
begun.  ``"double quotes"`` know ``\n \r \t \b \a \xHH``, and a backslash before anything else gives that character;
``'single quotes'`` know only ``\'``.  Outside quotes a backslash is a plain character.  A closing quote ends the word.
``#`` begins a comment only as the first character of a line.

Text is bytes read as UTF-8 with ``surrogateescape``, so any byte survives the way in and out.
"""

from __future__ import annotations

import re

_WORD = re.compile(
    rb"""([^ \t\n\r"']*+)                       # a plain beginning
         (?:"((?:\\.|[^"\\])*+)"|'((?:\\'|[^'])*+)')?  # perhaps quotes
         (?=\s|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(rb"\s*")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_PLAIN = re.compile(rb"""[!-~]+""")


def split_words(line: str) -> list[str]:
    """The words of a line, quotes and escapes resolved.  Raises ValueError on unbalanced quotes.

    O(len(line)).
    """
    raw = line.encode("utf-8", "surrogateescape")
    words = []
    at = _end_of_space(raw, 0)
    while at < len(raw):
        match = _WORD.match(raw, at)
        if match is None:
            raise ValueError("unbalanced quotes")
        plain, double, single = match.groups(b"")
        word = plain + _ESCAPE.sub(_unescape, double) + single.replace(b"\\'", b"'")
        words.append(word.decode("utf-8", "surrogateescape"))
        at = _end_of_space(raw, match.end())
    return words


def quote_word(word: str, always: bool = False) -> str:
    """``word`` so that :func:`split_words` gives it back; quoted where needed, or ``always``; in ASCII."""
    raw = word.encode("utf-8", "surrogateescape")
    if not always and _PLAIN.fullmatch(raw) and not re.search(rb"""["'\\]|^#""", raw):
        return word
    return '"' + "".join(map(_escape, raw)) + '"'


def _end_of_space(raw: bytes, at: int) -> int:
    match = _SPACE.match(raw, at)
    return match.end() if match else at


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if len(code) == 3:
        return bytes.fromhex(code[1:].decode())
    return _CONTROLS.get(code, code)


def _escape(byte: int) -> str:
    for letter, control in _CONTROLS.items():
        if control[0] == byte:
            return "\\" + letter.decode()
    char = chr(byte)
    if char in '"\\':
        return "\\" + char
    return char if 32 <= byte < 127 else f"\\x{byte:02x}"
