"""Entries of streams in columns: a line for each entry, a column for each field.

    id              | sensor | value
    1700000000000-0 | "a"    | "20.5"
    1700000000000-1 | "b"    |
    (2 entries)

Where the fields are many, they stand with their values behind the id.  What is not in the form of entries is None here,
and shown as any other reply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prompt_toolkit.utils import get_cwidth

from kedis.cli.client.render import elements_of, pairs_of
from kedis.cli.terminal_text import one_line

#: An entry: its id, and its fields and values; None for one that is deleted.
Entry = tuple[bytes, list[tuple[object, object]] | None]
#: The text of a value in one line.
InLine = Callable[[object], str]
#: Text in the colour of a kind.
Paint = Callable[[str, str], str]

_OF_ONE = frozenset([b"XRANGE", b"XREVRANGE", b"XCLAIM"])
_OF_SEVERAL = frozenset([b"XREAD", b"XREADGROUP"])
_MOST_FIELDS = 8
_WIDEST = 40


def stream_tables(words: Sequence[bytes], reply: object, in_line: InLine, paint: Paint) -> str | None:
    """The reply to a command that reads entries as tables, one for each stream; None where it holds none."""
    name = words[0].upper() if words else b""
    if name in _OF_ONE:
        entries = _entries(reply)
        return _table(entries, in_line, paint) if entries else None
    if name == b"XAUTOCLAIM":
        return _claimed(reply, in_line, paint)
    if name not in _OF_SEVERAL:
        return None
    streams = pairs_of(reply)
    if streams is None:
        parts = [elements_of(each) for each in elements_of(reply) or []]
        if not all(part is not None and len(part) == 2 for part in parts):
            return None
        streams = [(part[0], part[1]) for part in parts if part is not None]
    tables = []
    for key, shown in streams:
        entries = _entries(shown)
        if not entries:
            return None
        tables.append(f"{paint('field', in_line(key))}\n{_table(entries, in_line, paint)}")
    return "\n".join(tables) or None


def _claimed(reply: object, in_line: InLine, paint: Paint) -> str | None:
    """The reply to XAUTOCLAIM: its entries, then where to go on and what was deleted; None where it has no entries."""
    parts = elements_of(reply) or []
    if len(parts) != 3 or not isinstance(parts[0], bytes) or not (entries := _entries(parts[1])):
        return None
    deleted = elements_of(parts[2]) or []
    if not all(isinstance(each, bytes) for each in deleted):
        return None
    lines = [_table(entries, in_line, paint), f"{paint('field', 'next')} {_id(parts[0])}"]
    if deleted:
        shown = " ".join(_id(each) for each in deleted if isinstance(each, bytes))
        lines.append(f"{paint('field', 'deleted')} {shown}")
    return "\n".join(lines)


def _entries(reply: object) -> list[Entry] | None:
    found: list[Entry] = []
    for each in elements_of(reply) or []:
        parts = elements_of(each)
        if parts is None or len(parts) != 2 or not isinstance(parts[0], bytes):
            return None
        words = elements_of(parts[1])
        if words is None and parts[1] is not None:
            return None
        if words is not None and (len(words) % 2 or any(elements_of(word) is not None for word in words)):
            return None
        found.append((parts[0], None if words is None else list(zip(words[::2], words[1::2], strict=True))))
    return found


def _table(entries: Sequence[Entry], in_line: InLine, paint: Paint) -> str:
    fields = list(dict.fromkeys(field for _, pairs in entries for field, _ in pairs or []))
    repeats = any(len({field for field, _ in pairs}) < len(pairs) for _, pairs in entries if pairs)
    if repeats or len(fields) > _MOST_FIELDS:
        rows = [[_id(name), _pairs_in_line(pairs, in_line)] for name, pairs in entries]
        header = ["id", "fields"]
    else:
        header = ["id", *(_plain(field, in_line) for field in fields)]
        rows = [_row(name, pairs, fields, in_line) for name, pairs in entries]
    widths = [min(max(map(get_cwidth, column)), _WIDEST) for column in zip(header, *rows, strict=True)]
    bar = f" {paint('mark', '|')} "
    shown = [[paint("field", text) for text in header], *rows]
    lines = [
        bar.join(
            _padded(cell, text, width) for cell, text, width in zip(cells, texts, widths, strict=True)
        ).rstrip()
        for cells, texts in zip(shown, [header, *rows], strict=True)
    ]
    lines.append(paint("mark", f"({len(entries)} {'entry' if len(entries) == 1 else 'entries'})"))
    return "\n".join(lines)


def _row(
    name: bytes, pairs: list[tuple[object, object]] | None, fields: Sequence[object], in_line: InLine
) -> list[str]:
    if pairs is None:
        return [_id(name), "(deleted)", *[""] * (len(fields) - 1)] if fields else [f"{_id(name)} (deleted)"]
    values = dict(pairs)
    return [_id(name), *(in_line(values[field]) if field in values else "" for field in fields)]


def _pairs_in_line(pairs: list[tuple[object, object]] | None, in_line: InLine) -> str:
    if pairs is None:
        return "(deleted)"
    return "  ".join(f"{_plain(field, in_line)} {in_line(value)}" for field, value in pairs)


def _id(name: bytes) -> str:
    return one_line(name.decode("utf-8", "surrogateescape"))


def _plain(field: object, in_line: InLine) -> str:
    """A field's name without quotes, where it needs none."""
    text = in_line(field)
    return text[1:-1] if text[:1] == '"' and text[1:-1].isalnum() else text


def _padded(shown: str, text: str, width: int) -> str:
    return shown + " " * max(0, width - get_cwidth(text))
