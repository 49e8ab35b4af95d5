"""Display of replies on a terminal: colors, tables, readable UTF-8, a pager for long ones."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence

from prompt_toolkit.utils import get_cwidth

from kedis.cli.client.entry_table import stream_tables
from kedis.cli.client.json_layout import document, laid_out
from kedis.cli.client.render import (
    Form,
    Style,
    elements_of,
    encode,
    is_plain_text,
    numbered,
    page_on_terminal,
    pairs_of,
    quote,
    render_on_terminal,
    safe,
)
from kedis.cli.client.score_table import scored_members
from kedis.cli.client.wire import ErrorReply, Pairs
from kedis.cli.terminal_text import one_line, visible, visible_json

_WIDEST_FIELD = 40
# Commands whose flat RESP2 reply is a map.
_MAP_COMMANDS = ((b"HGETALL", b""), (b"CONFIG", b"GET"))

_COLOURS = {"mark": "2", "string": "32", "number": "36", "nil": "2", "error": "31", "field": "34"}


class Display:
    """Prints replies. `color`, `pager` and `form` may be changed between replies."""

    def __init__(self, color: bool) -> None:
        self.color = color
        self.pager = True
        self.form = Form.HUMAN

    def show(self, words: Sequence[bytes], reply: object) -> None:
        """Print the reply to a command, through the pager when it is longer than the screen."""
        self.print(self.text(words, reply))

    def text(self, words: Sequence[bytes], reply: object) -> str:
        """The reply as it is printed, without a newline at its end."""
        if is_plain_text(words) and not isinstance(reply, ErrorReply):
            return page_on_terminal(reply).removesuffix("\n")
        if self.form is not Form.HUMAN:
            return render_on_terminal(reply, self.form).removesuffix("\n")
        tables = stream_tables(words, reply, in_line, self.paint)
        if tables is not None:
            return tables
        if type(reply) is bytes and (text := document(reply)) is not None:
            mark = self.paint("mark", f"(JSON, {len(reply)} bytes)")
            return f"{visible_json(laid_out(text))}\n{mark}"
        if (scored := scored_members(words, reply)) is not None:
            return self._score_table(*scored)
        pairs = pairs_of(_as_map(words, reply))
        if pairs and not any(_nested(value) for pair in pairs for value in pair):
            return self._table(pairs)
        return self._painted(render_on_terminal(reply, Form.HUMAN, READABLE))

    def print(self, text: str) -> None:
        """Print text, through the pager when it is longer than the screen."""
        rows = shutil.get_terminal_size().lines
        if self.pager and text.count("\n") + 2 > rows and sys.stdout.isatty() and _page(text):
            return
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape") + b"\n")
        sys.stdout.flush()

    def paint(self, kind: str, text: str) -> str:
        """The text in the color of its kind."""
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self.color else text

    def _score_table(self, key: object | None, members: Sequence[tuple[object, object]]) -> str:
        """Members with their scores, below the key that they are of where the reply names it."""
        title = [] if key is None else [self.paint("field", in_line(key))]
        rows = [(in_line(member), self.paint("number", _score(score))) for member, score in members]
        return "\n".join([*title, *self._columns(rows, ("member", "score")), self._count(rows, "member")])

    def _table(self, pairs: Sequence[tuple[object, object]]) -> str:
        rows = [(in_line(key), self._painted(in_line(value))) for key, value in pairs]
        return "\n".join([*self._columns(rows), self._count(rows, "field")])

    def _columns(self, rows: Sequence[tuple[str, str]], head: tuple[str, str] | None = None) -> list[str]:
        """Lines of two columns, of which the second is painted."""
        shown = [(head[0], self.paint("field", head[1])), *rows] if head else rows
        widest = min(max(get_cwidth(first) for first, _ in shown), _WIDEST_FIELD)
        bar = self.paint("mark", "|")
        return [
            f"{self.paint('field', first)}{' ' * max(0, widest - get_cwidth(first))} {bar} {second}"
            for first, second in shown
        ]

    def _count(self, rows: Sequence[object], noun: str) -> str:
        return self.paint("mark", f"({len(rows)} {noun}{'s' * (len(rows) > 1)})")

    def _painted(self, text: str) -> str:
        """Color numbered text, line by line: the marks in front, then the value by how it begins."""
        return "\n".join(map(self._painted_line, text.split("\n"))) if self.color else text

    def _painted_line(self, line: str) -> str:
        match = _LINE.match(line)
        assert match is not None
        marks, value = match.groups()
        kind = next((kind for start, kind in _KINDS if value.startswith(start)), None)
        shown = self.paint(kind, value) if kind and value else value
        return (self.paint("mark", marks) if marks else "") + shown


_LINE = re.compile(r"((?:\s*\d+[)#~] )*)(.*)", re.DOTALL)
_KINDS = (
    ('"', "string"),
    ("(integer)", "number"),
    ("(double)", "number"),
    ("(big number)", "number"),
    ("(error)", "error"),
    ("(", "nil"),
)


def readable(data: bytes | bytearray) -> bytes:
    """Quoted like `quote`, but UTF-8 text stays readable instead of turning into \\x escapes."""
    if data.isascii():
        return quote(data)
    try:
        text = bytes(data).decode("utf-8")
    except UnicodeDecodeError:
        return quote(data)
    return (
        b'"'
        + b"".join(
            [
                char.encode() if char.isprintable() and ord(char) > 126 else quote(char.encode())[1:-1]
                for char in text
            ]
        )
        + b'"'
    )


#: For the session: UTF-8 stays readable, control sequences are escaped.
READABLE = Style(readable, safe(one_line), safe(visible), own_line=True)


def in_line(value: object) -> str:
    """A value in the numbered form, as part of a line of a terminal."""
    return one_line(numbered(value, READABLE).decode("utf-8", "surrogateescape"))


def _score(value: object) -> str:
    """A score, which RESP2 sends as a string."""
    text = in_line(value)
    return text.removeprefix("(double) ").strip('"') if isinstance(value, (bytes, float)) else text


def _as_map(words: Sequence[bytes], reply: object) -> object:
    name, child = words[0].upper(), words[1].upper() if len(words) > 1 else b""
    if not isinstance(reply, list) or isinstance(reply, Pairs) or len(reply) % 2:
        return reply
    if (name, b"") in _MAP_COMMANDS or (name, child) in _MAP_COMMANDS:
        return Pairs(zip(reply[::2], reply[1::2], strict=True))
    return reply


def _nested(value: object) -> bool:
    return pairs_of(value) is not None or elements_of(value) is not None


def _page(text: str) -> bool:
    """Show text in $PAGER (default: less); False when that cannot be run."""
    command = shlex.split(os.environ.get("PAGER", "")) or ["less", "-RX"]
    if shutil.which(command[0]) is None:
        return False
    with contextlib.suppress(OSError, KeyboardInterrupt):
        subprocess.run(command, input=encode(text) + b"\n", check=False)
    return True
