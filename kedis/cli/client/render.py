"""Replies as text: raw, numbered, CSV and JSON, as redis-cli prints them.

Everything is bytes in and bytes out, as keys and values need not be text. Two deliberate differences from
redis-cli: an error inside JSON is an object (`{"error": "ERR …"}`, where redis-cli prints something no JSON
parser takes), and `--quoted-json` escapes its backslashes so that the result is JSON too.

`render` is exact; for a terminal use `render_on_terminal` or `page_on_terminal`, which escape.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kedis.cli.client.json_layout import laid_out
from kedis.cli.client.wire import BigNumber, Double, ErrorReply, Members, Pairs, Verbatim
from kedis.cli.terminal_text import one_line, visible, visible_json

# Writes down the bytes of a string.
Quoter = Callable[[bytes | bytearray], bytes]
# A piece of output, or the pieces of what is nested.
Step: TypeAlias = "bytes | Iterator[Step]"


class Form(enum.Enum):
    """How replies are printed."""

    RAW = "raw"
    HUMAN = "human"
    CSV = "csv"
    JSON = "json"
    QUOTED_JSON = "quoted-json"


def render(reply: object, form: Form, delimiter: bytes = b"\n", style: Style | None = None) -> bytes:
    """The reply in the given form, without a newline at its end. O(size of the reply)."""
    return _written(_RENDERERS[form](reply, delimiter, style or EXACT))


def _written(step: Step) -> bytes:
    """All pieces in order, without recursion. O(pieces)."""
    if isinstance(step, bytes):
        return step
    parts: list[bytes] = []
    open_ = [step]
    while open_:
        for inner in open_[-1]:
            if isinstance(inner, bytes):
                parts.append(inner)
            else:
                open_.append(inner)
                break
        else:
            open_.pop()
    return b"".join(parts)


def is_plain_text(words: Sequence[bytes]) -> bool:
    """Whether the command's reply is a page of text, printed unchanged in every form."""
    name = words[0].lower()
    if name in (b"info", b"lolwut"):
        return True
    child = words[1].lower() if len(words) > 1 else b""
    return child in _PLAIN_TEXT.get(name, ()) or (name == b"debug" and child == b"htstats")


_PLAIN_TEXT = {
    b"debug": (b"htstats", b"htstats-key"),
    b"memory": (b"malloc-stats", b"doctor"),
    b"cluster": (b"nodes", b"info"),
    b"client": (b"list", b"info"),
    b"latency": (b"graph", b"doctor"),
    b"proxy": (b"info",),
}


def quote(data: bytes | bytearray) -> bytes:
    """Bytes in double quotes, escaped so that they can be typed back."""
    return b'"' + b"".join([_QUOTED[byte] for byte in data]) + b'"'


def _quoted_byte(byte: int) -> bytes:
    named = {10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b", 34: b'\\"', 92: b"\\\\"}
    if byte in named:
        return named[byte]
    return bytes([byte]) if 32 <= byte < 127 else b"\\x%02x" % byte


_QUOTED = [_quoted_byte(byte) for byte in range(256)]


def encode(text: str) -> bytes:
    """The bytes that a decoded text came from."""
    return text.encode("utf-8", "surrogateescape")


def pairs_of(reply: object) -> list[tuple[object, object]] | None:
    """The entries of a map reply, or None when it is no map."""
    if isinstance(reply, Pairs):
        return reply
    return list(reply.items()) if isinstance(reply, dict) else None


def elements_of(reply: object) -> list[object] | None:
    """The elements of an array or set reply, or None when it is neither."""
    if isinstance(reply, Pairs):
        return None
    if isinstance(reply, (list, tuple, set, frozenset)):
        return list(reply)
    return None


def _number(value: float) -> bytes:
    if isinstance(value, Double):
        return value.text.encode()
    if isinstance(value, float):
        return (b"%.17g" % value) if math.isfinite(value) else str(value).encode()
    return b"%d" % value


def _raw(reply: object, delimiter: bytes) -> Step:
    if type(reply) is bytes:
        return reply
    pairs, elements = pairs_of(reply), elements_of(reply)
    if pairs is None and elements is None:
        return _raw_scalar(reply)
    return _raw_parts(pairs, elements, delimiter)


def _raw_parts(
    pairs: list[tuple[object, object]] | None, elements: list[object] | None, delimiter: bytes
) -> Iterator[Step]:
    start = b""
    for key, value in pairs or ():
        yield start
        yield _raw(key, delimiter)
        yield b" "
        yield _raw(value, delimiter)
        start = delimiter
    for element in elements or ():
        yield start
        yield _raw(element, delimiter)
        start = delimiter


def _raw_scalar(reply: object) -> bytes:
    if isinstance(reply, bytes):
        return bytes(reply)
    if reply is None:
        return b""
    if isinstance(reply, bool):
        return b"(true)" if reply else b"(false)"
    if isinstance(reply, (int, float)):
        return _number(reply)
    if isinstance(reply, ErrorReply):
        return encode(reply) + b"\n"
    return encode(reply) if isinstance(reply, str) else b""


@dataclass(frozen=True)
class Style:
    """Quoting of the numbered form.

    bulk: bulk strings, quoted. line: simple strings and errors.
    page: verbatim strings, which may be of several lines.
    own_line: whether every list or map in a map begins on a line of its own; redis-cli leaves those of one element on
    the line of their key.
    """

    bulk: Quoter
    line: Quoter
    page: Quoter
    own_line: bool = False


def _as_it_is(data: bytes | bytearray) -> bytes:
    return bytes(data)


#: As redis-cli prints it, byte for byte.
EXACT = Style(quote, _as_it_is, _as_it_is)


def safe(clean: Callable[[str], str]) -> Quoter:
    """A quoter from what cleans text for a terminal."""
    return lambda data: encode(clean(data.decode("utf-8", "surrogateescape")))


#: The same, escaped for a terminal.
ON_TERMINAL = Style(quote, safe(one_line), safe(visible), own_line=True)


def numbered(reply: object, style: Style) -> bytes:
    """A reply in the numbered form. O(size of the reply, and its depth for each line)."""
    return _written(_human(reply, b"", style))


def _human(reply: object, indent: bytes, style: Style) -> Step:
    """The first line is printed at the cursor, the others behind `indent`."""
    pairs, elements = pairs_of(reply), elements_of(reply)
    if pairs is None and elements is None:
        return _scalar(reply, style)
    entries: Sequence[object] = pairs if pairs is not None else elements or ()
    shape = _shape(reply)
    return _human_parts(entries, shape, indent, style) if entries else _EMPTY[shape]


def _human_parts(entries: Sequence[Any], shape: str, indent: bytes, style: Style) -> Iterator[Step]:
    width = len(str(len(entries)))
    inner = indent + b" " * (width + 2)
    mark = {"map": b"#", "set": b"~"}.get(shape, b")")
    for position, entry in enumerate(entries, 1):
        start = b"" if position == 1 else b"\n" + indent
        yield b"%b%*d%b " % (start, width, position, mark)
        if shape == "map":
            key, value = entry
            yield _human(key, inner, style)
            nested = len(pairs_of(value) or elements_of(value) or ()) > (0 if style.own_line else 1)
            yield b" => \n" + inner if nested else b" => "
            yield _human(value, inner, style)
        else:
            yield _human(entry, inner, style)


def _shape(reply: object) -> str:
    if pairs_of(reply) is not None:
        return "map"
    return "set" if isinstance(reply, (Members, set, frozenset)) else "array"


_EMPTY = {"map": b"(empty hash)", "set": b"(empty set)", "array": b"(empty array)"}


def _scalar(reply: object, style: Style) -> bytes:
    if isinstance(reply, Verbatim):
        return style.page(reply)
    if isinstance(reply, (bytes, bytearray)):
        return style.bulk(reply)
    if reply is None:
        return b"(nil)"
    if isinstance(reply, bool):
        return b"(true)" if reply else b"(false)"
    if isinstance(reply, float):
        return b"(double) " + _number(reply)
    if isinstance(reply, BigNumber):
        return b"(big number) " + encode(reply)
    if isinstance(reply, int):
        return b"(integer) %d" % reply
    if isinstance(reply, ErrorReply):
        return b"(error) " + style.line(encode(reply))
    return style.line(encode(str(reply)))


def _csv(reply: object) -> Step:
    if type(reply) is bytes:
        return quote(reply)
    pairs, elements = pairs_of(reply), elements_of(reply)
    if pairs is None and elements is None:
        return _csv_scalar(reply)
    return _csv_parts([part for pair in pairs for part in pair] if pairs is not None else elements or [])


def _csv_parts(parts: list[object]) -> Iterator[Step]:
    start = b""
    for part in parts:
        yield start
        yield _csv(part)
        start = b","


def _csv_scalar(reply: object) -> bytes:
    if reply is None:
        return b"NULL"
    if isinstance(reply, bool):
        return b"true" if reply else b"false"
    if isinstance(reply, (int, float)):
        return _number(reply)
    if isinstance(reply, ErrorReply):
        return b"ERROR," + quote(encode(reply))
    return quote(encode(reply) if isinstance(reply, str) else bytes(reply))  # type: ignore[call-overload]


def _json_string(data: bytes) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    return encode(json.dumps(text, ensure_ascii=False))


def _quoted_json_string(data: bytes) -> bytes:
    return encode(json.dumps(quote(data)[1:-1].decode("ascii")))


def _json(reply: object, string: Callable[[bytes], bytes], level: int = 0) -> Step:
    """`level`: the number of map keys around it."""
    if type(reply) is bytes:
        return string(reply)
    pairs, elements = pairs_of(reply), elements_of(reply)
    if pairs is not None:
        return _json_object(pairs, string, level)
    return _json_scalar(reply, string) if elements is None else _json_array(elements, string, level)


def _json_array(elements: list[object], string: Callable[[bytes], bytes], level: int) -> Iterator[Step]:
    start = b"["
    for element in elements:
        yield start
        yield _json(element, string, level)
        start = b","
    yield b"]" if elements else b"[]"


def _json_object(
    pairs: list[tuple[object, object]], string: Callable[[bytes], bytes], level: int
) -> Iterator[Step]:
    start = b"{"
    for key, value in pairs:
        yield start
        yield _json_key(key, string, level)
        yield b":"
        yield _json(value, string, level)
        start = b","
    yield b"}" if pairs else b"{}"


def _json_key(key: object, string: Callable[[bytes], bytes], level: int) -> bytes:
    """JSON's keys are strings: any other key is the text of its JSON.

    Each level of such keys doubles the backslashes, so that keys in keys are not followed for long.
    """
    if level == _KEYS_IN_KEYS:
        return string(b"(nested key)")
    shown = _written(_json(key, string, level + 1))
    return shown if shown.startswith(b'"') else string(shown)


_KEYS_IN_KEYS = 4


def _json_scalar(reply: object, string: Callable[[bytes], bytes]) -> bytes:
    if reply is None:
        return b"null"
    if isinstance(reply, bool):
        return b"true" if reply else b"false"
    if isinstance(reply, float) and not math.isfinite(reply):
        return b'"' + _number(reply) + b'"'
    if isinstance(reply, (int, float)):
        return _number(reply)
    if isinstance(reply, BigNumber):
        return encode(reply)
    if isinstance(reply, ErrorReply):
        return b'{"error":' + string(encode(reply)) + b"}"
    return string(encode(reply) if isinstance(reply, str) else bytes(reply))  # type: ignore[call-overload]


_RENDERERS: dict[Form, Callable[[object, bytes, Style], Step]] = {
    Form.RAW: lambda reply, delimiter, style: _raw(reply, delimiter),
    Form.HUMAN: lambda reply, delimiter, style: _human(reply, b"", style),
    Form.CSV: lambda reply, delimiter, style: _csv(reply),
    Form.JSON: lambda reply, delimiter, style: _json(reply, _json_string),
    Form.QUOTED_JSON: lambda reply, delimiter, style: _json(reply, _quoted_json_string),
}


def render_on_terminal(reply: object, form: Form, style: Style = ON_TERMINAL) -> str:
    """The reply as text for a terminal, with control sequences escaped; JSON is laid out in lines."""
    text = render(reply, form, style=style).decode("utf-8", "surrogateescape")
    return visible_json(laid_out(text)) if form in (Form.JSON, Form.QUOTED_JSON) else visible(text)


def page_on_terminal(reply: object) -> str:
    """A reply that is a page of text (`is_plain_text`), for a terminal."""
    text = render(reply, Form.RAW).decode("utf-8", "surrogateescape")
    return visible(text.replace("\r\n", "\n"))
