"""Entries of a stream as a reply: ``[id, [field, value, ...]]`` each, the same in both protocols.

They come in *runs*, column by column: the ids, then the values of each field.  Where all entries of a run have the same
fields, the wire is put together by columns as well, 0.4 us an entry of 2 fields; entry by entry it takes 2.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Protocol

from kedis.resp.long_replies import RESP2_IN_PARTS, RESP3_IN_PARTS, LongReply, in_parts
from kedis.resp.replies import BULK_HEADERS, RESP2, RESP3, Append, encode_command


class Run(Protocol):
    """Consecutive entries, rising; what they are does not change any more."""

    @property
    def fields(self) -> Sequence[bytes]:
        """The fields of entries that are told column by column."""

    def __len__(self) -> int: ...

    def id_texts(self, start: int, stop: int) -> list[bytes]:
        """The ids of entries start..stop-1."""

    def value_columns(self, start: int, stop: int) -> list[list[bytes]] | None:
        """For each field the values of entries start..stop-1; None where the fields are not the same."""

    def pairs(self, start: int, stop: int) -> list[list[bytes]]:
        """Fields and values in turn of entries start..stop-1."""


class Entries:
    """The reply.

    Args:
        runs: in the order of the reply.
        reverse: whether each run is told from its end.
    """

    __slots__ = ("_ends", "_reverse", "_runs", "_whole")

    def __init__(self, runs: Sequence[Run], reverse: bool = False) -> None:
        self._runs = runs
        self._reverse = reverse
        self._ends = list(accumulate(map(len, runs)))
        self._whole: bytes | None = None

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[list[Any]]:
        """The entries as lists."""
        for run in self._runs:
            size = len(run)
            entries = map(list, zip(run.id_texts(0, size), run.pairs(0, size), strict=True))
            yield from reversed(list(entries)) if self._reverse else entries

    def whole(self) -> bytes:
        """All of it as it is sent, kept for a second client. O(N)."""
        if self._whole is None:
            parts = [b"*%d\r\n" % len(self)]
            parts += [_run_wire(run, 0, len(run), self._reverse) for run in self._runs]
            self._whole = b"".join(parts)
        return self._whole

    def wire(self, start: int, stop: int) -> bytes:
        """Entries start..stop-1 as they are sent. O(stop - start)."""
        parts: list[bytes] = []
        number = bisect_right(self._ends, start)
        while start < stop:
            run, end = self._runs[number], self._ends[number]
            first, last = start - (end - len(run)), min(stop, end) - (end - len(run))
            if self._reverse:
                first, last = len(run) - last, len(run) - first
            parts.append(_run_wire(run, first, last, self._reverse))
            start = min(stop, end)
            number += 1
        return b"".join(parts)


def _run_wire(run: Run, start: int, stop: int, reverse: bool) -> bytes:
    ids = run.id_texts(start, stop)
    columns = run.value_columns(start, stop)
    if reverse:
        ids.reverse()
    if columns is None:
        pairs = run.pairs(start, stop)
        if reverse:
            pairs.reverse()
        return b"".join(
            [
                b"*2\r\n%b%b\r\n%b" % (BULK_HEADERS[len(text)], text, encode_command(each))
                for text, each in zip(ids, pairs, strict=True)
            ]
        )
    if reverse:
        for column in columns:
            column.reverse()
    return _columns_wire(run.fields, ids, columns)


def _columns_wire(fields: Sequence[bytes], ids: list[bytes], columns: list[list[bytes]]) -> bytes:
    """One join of all pieces: for each entry its id, then for each field what stands before the value, and that."""
    count, stride = len(ids), 2 * len(fields) + 2
    pieces = [b"\r\n*2\r\n"] * (stride * count)
    pieces[::stride] = _bulks(ids)
    before = b"\r\n*%d\r\n" % (2 * len(fields))
    for at, (field, column) in enumerate(zip(fields, columns, strict=True)):
        pieces[2 * at + 1 :: stride] = [b"%b$%d\r\n%b\r\n" % (before, len(field), field)] * count
        pieces[2 * at + 2 :: stride] = _bulks(column)
        before = b"\r\n"
    pieces[-1] = b"\r\n"
    return b"*2\r\n" + b"".join(pieces)


def _bulks(texts: list[bytes]) -> list[bytes]:
    """Bulk strings without the end of their last line."""
    try:
        return [BULK_HEADERS[len(text)] + text for text in texts]
    except IndexError:  # one is longer than the table
        return [b"$%d\r\n%b" % (len(text), text) for text in texts]


def _encode(value: Entries, append: Append) -> None:
    append(value.whole())


def _long(value: Entries) -> LongReply:
    return LongReply(b"*%d\r\n" % len(value), len(value), lambda start, stop: [value.wire(start, stop)])


for _plain, _long_table in ((RESP2, RESP2_IN_PARTS), (RESP3, RESP3_IN_PARTS)):
    _plain[Entries] = _encode
    _long_table[Entries] = in_parts(_encode, _long)
