"""Replies as text: raw, numbered for people, CSV and JSON, in the forms that redis-cli prints.

Everything is bytes in and bytes out, as keys and values need not be text. Two deliberate differences from
redis-cli: an error inside JSON is an object (`{"error": "ERR …"}`, where redis-cli prints something no JSON
parser takes), and `--quoted-json` escapes its backslashes so that the result is JSON too.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable, Sequence

from kedis.cli.client.wire import BigNumber, Double, ErrorReply, Members, Pairs, Status, Verbatim

# Writes down a bulk string so that it can be told from what stands around it.
Quoter = Callable[[bytes | bytearray], bytes]


class Form(enum.Enum):
    """How replies are printed."""

    RAW = "raw"
    HUMAN = "human"
    CSV = "csv"
    JSON = "json"
    QUOTED_JSON = "quoted-json"


def render(reply: object, form: Form, delimiter: bytes = b"\n") -> bytes:
    """The reply in the given form, without a newline at its end. O(size of the reply)."""
    return _RENDERERS[form](reply, delimiter)


def is_plain_text(words: Sequence[bytes]) -> bool:
    """Whether the command answers with a page of text that is printed as it is, whatever the form."""
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
    """Text of the wire back as the bytes it came from."""
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


def _raw(reply: object, delimiter: bytes) -> bytes:
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
    if isinstance(reply, str):
        return encode(reply)
    if (pairs := pairs_of(reply)) is not None:
        return delimiter.join([_raw(key, delimiter) + b" " + _raw(value, delimiter) for key, value in pairs])
    return delimiter.join([_raw(element, delimiter) for element in elements_of(reply) or ()])


def _human(reply: object, _delimiter: bytes) -> bytes:
    return numbered(reply, b"", quote)


def numbered(reply: object, indent: bytes, string: Quoter) -> bytes:
    """A reply whose first line is printed where the cursor stands, the others behind `indent`.

    `string` writes down a bulk string.
    """
    pairs, elements = pairs_of(reply), elements_of(reply)
    if pairs is None and elements is None:
        return _scalar(reply, string)
    entries: Sequence[object] = pairs if pairs is not None else elements or ()
    if not entries:
        return _EMPTY[_shape(reply)]
    width = len(str(len(entries)))
    inner = indent + b" " * (width + 2)
    mark = {"map": b"#", "set": b"~"}.get(_shape(reply), b")")
    lines = []
    for position, entry in enumerate(entries, 1):
        start = b"" if position == 1 else indent
        text = numbered(entry, inner, string) if pairs is None else _pair(pairs[position - 1], inner, string)
        lines.append(b"%b%*d%b %b" % (start, width, position, mark, text))
    return b"\n".join(lines)


def _pair(entry: tuple[object, object], inner: bytes, string: Quoter) -> bytes:
    key, value = entry
    shown = numbered(value, inner, string)
    # redis-cli leaves an aggregate of one element on the line of its key.
    nested = len(pairs_of(value) or elements_of(value) or ()) > 1
    return numbered(key, inner, string) + b" => " + (b"\n" + inner + shown if nested else shown)


def _shape(reply: object) -> str:
    if pairs_of(reply) is not None:
        return "map"
    return "set" if isinstance(reply, (Members, set, frozenset)) else "array"


_EMPTY = {"map": b"(empty hash)", "set": b"(empty set)", "array": b"(empty array)"}


def _scalar(reply: object, string: Quoter) -> bytes:
    if isinstance(reply, Verbatim):
        return bytes(reply)
    if isinstance(reply, (bytes, bytearray)):
        return string(reply)
    if reply is None:
        return b"(nil)"
    if isinstance(reply, bool):
        return b"(true)" if reply else b"(false)"
    if isinstance(reply, float):
        return b"(double) " + _number(reply)
    if isinstance(reply, BigNumber):
        return b"(big number) %d" % reply
    if isinstance(reply, int):
        return b"(integer) %d" % reply
    if isinstance(reply, ErrorReply):
        return b"(error) " + encode(reply)
    return encode(str(reply))


def _csv(reply: object, delimiter: bytes) -> bytes:
    if reply is None:
        return b"NULL"
    if isinstance(reply, bool):
        return b"true" if reply else b"false"
    if isinstance(reply, BigNumber):
        return quote(_number(reply))
    if isinstance(reply, (int, float)):
        return _number(reply)
    if isinstance(reply, ErrorReply):
        return b"ERROR," + quote(encode(reply))
    if isinstance(reply, Status):
        return quote(encode(reply))
    if isinstance(reply, (bytes, bytearray)):
        return quote(reply)
    if (pairs := pairs_of(reply)) is not None:
        return b",".join([_csv(part, delimiter) for pair in pairs for part in pair])
    return b",".join([_csv(element, delimiter) for element in elements_of(reply) or ()])


def _json_string(data: bytes) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    return encode(json.dumps(text, ensure_ascii=False))


def _quoted_json_string(data: bytes) -> bytes:
    return encode(json.dumps(quote(data)[1:-1].decode("ascii")))


def _json_with(string: Callable[[bytes], bytes]) -> Callable[[object, bytes], bytes]:
    def convert(reply: object, delimiter: bytes) -> bytes:
        if reply is None:
            return b"null"
        if isinstance(reply, bool):
            return b"true" if reply else b"false"
        if isinstance(reply, float) and not math.isfinite(reply):
            return b'"' + _number(reply) + b'"'
        if isinstance(reply, (int, float)):
            return _number(reply)
        if isinstance(reply, ErrorReply):
            return b'{"error":' + string(encode(reply)) + b"}"
        if isinstance(reply, str):
            return string(encode(reply))
        if isinstance(reply, (bytes, bytearray)):
            return string(bytes(reply))
        if (pairs := pairs_of(reply)) is not None:
            entries = [_json_key(key, convert, string) + b":" + convert(value, b"") for key, value in pairs]
            return b"{" + b",".join(entries) + b"}"
        return b"[" + b",".join([convert(element, b"") for element in elements_of(reply) or ()]) + b"]"

    return convert


def _json_key(
    key: object, convert: Callable[[object, bytes], bytes], string: Callable[[bytes], bytes]
) -> bytes:
    """JSON's keys are strings: any other key is the text of its JSON."""
    shown = convert(key, b"")
    return shown if shown.startswith(b'"') else string(shown)


_RENDERERS: dict[Form, Callable[[object, bytes], bytes]] = {
    Form.RAW: _raw,
    Form.HUMAN: _human,
    Form.CSV: _csv,
    Form.JSON: _json_with(_json_string),
    Form.QUOTED_JSON: _json_with(_quoted_json_string),
}
