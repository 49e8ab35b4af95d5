"""Foreign text escaped for a terminal: no control sequences, no change of the writing direction.

Escaped are the control characters (C0 without tab and line feed, DEL, C1), the line and paragraph separators, the
marks, embeddings, overrides and isolates that turn the direction of writing, tag characters, and bytes that are no
UTF-8 (surrogates of ``surrogateescape``; some terminals take the byte 0x9B for the beginning of a sequence).
"""

from __future__ import annotations

import re

_UNSAFE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f"
_UNSAFE_IN_TEXT = re.compile(f"[{_UNSAFE}]")
_UNSAFE_IN_LINE = re.compile(f"[\n{_UNSAFE}]")


def visible(text: str) -> str:
    """The text with its unsafe characters escaped; line feeds and tabs stay.  O(length)."""
    return _UNSAFE_IN_TEXT.sub(_escaped, text)


def one_line(text: str) -> str:
    """Like :func:`visible`, for text within a line: line feeds are escaped, too."""
    return _UNSAFE_IN_LINE.sub(_escaped, text)


def visible_json(text: str) -> str:
    """JSON with the unsafe characters of its strings escaped as JSON does it."""
    return _UNSAFE_IN_TEXT.sub(_escaped_in_json, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 10:
        return "\\n"
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped_in_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
