"""Hashes whose fields have a time to live (Redis 7.4 and later), of which a hash here can hold only the other fields.

==  =============================================================================================
22  as 24, without the earliest time, and each time in full (previews of 7.4)
23  as 25, without the earliest time (previews of 7.4)
24  earliest time (8), number of fields; for each: time, field, value
25  earliest time (8), a listpack of fields, values and times in milliseconds, 0 for none
==  =============================================================================================

The time in form 24 is 0 for none, else one more than the distance from the earliest time. Such a hash need not have
any field with a time: they may all have lost it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import compress

from kedis.rdb.compact import read_listpack
from kedis.rdb.source import RdbError, Source
from kedis.rdb.unsupported_features import Unsupported
from kedis.structures.packed import Hash

#: The forms.
EXPIRING_FIELDS = _FULL_PREVIEW, _FLAT_PREVIEW, _FULL, _FLAT = 22, 23, 24, 25
#: Those of them whose bytes are a listpack.
FLAT_EXPIRING_FIELDS = _FLAT_PREVIEW, _FLAT
WHAT = "a hash field with a time to live"
_TIME_BYTES = 8

Build = Callable[[Source, Sequence[bytes]], Hash]


def readers(build: Build) -> Mapping[int, Callable[[Source], Hash]]:
    """The reader of each form; ``build`` makes a hash of fields and values in turn.

    A reader raises RdbError, and Unsupported where a field has a time: the rest of the hash is its ``remainder``.
    """
    return {form: _reader(form, build) for form in EXPIRING_FIELDS}


def _reader(form: int, build: Build) -> Callable[[Source], Hash]:
    read = _flat_triples if form in FLAT_EXPIRING_FIELDS else _triples

    def reader(source: Source) -> Hash:
        if form in (_FULL, _FLAT):
            source.integer(_TIME_BYTES)
        texts, times = read(source)
        value = build(source, texts)
        count = sum(map(bool, times))
        if not count:
            return value
        kept = [time == 0 for time in times for _ in range(2)]
        remainder = build(source, list(compress(texts, kept))) or None
        raise Unsupported(WHAT, source.offset, count=count, remainder=remainder)

    return reader


def _triples(source: Source) -> tuple[list[bytes], list[int]]:
    """Fields and values in turn, and the time of each field."""
    texts: list[bytes] = []
    times: list[int] = []
    for _ in range(source.length()):
        times.append(source.number())
        texts += source.strings(2)
    return texts, times


def _flat_triples(source: Source) -> tuple[list[bytes], list[int]]:
    begin = source.offset
    raw = source.string()
    try:
        elements = read_listpack(raw)
        if len(elements) % 3:
            raise source.fail("a field without a value or a time")
        times = [_time(source, text) for text in elements[2::3]]
    except RdbError as error:
        raise RdbError(f"{error.reason} (in {len(raw)} bytes)", begin) from None
    texts = [b""] * (2 * len(times))
    texts[::2], texts[1::2] = elements[::3], elements[1::3]
    return texts, times


def _time(source: Source, text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise source.fail("a time of a field that is none")
    return int(text)
