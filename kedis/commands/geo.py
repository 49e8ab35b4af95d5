"""Geospatial indexes: sorted sets whose scores are 52-bit geohashes.

GEOADD is journalled as the equivalent ZADD.  Searching is in :mod:`kedis.commands.geo_search`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.parsing.options import double
from kedis.engine.flags import DENYOOM, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.resp.values import NULL_ARRAY, NullArray, Raw
from kedis.structures import geohash
from kedis.structures.packed import SortedSet

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: Metres in each unit.
_UNITS = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}
_ADD_WORDS = frozenset([b"NX", b"XX", b"CH"])

Coordinate = bytes | Raw


@command(
    "GEOADD",
    arity=-5,
    flags=WRITE | DENYOOM,
    group="geo",
    since="3.2.0",
    summary="Adds members with longitude and latitude to a geospatial index, or updates them.",
    keys=[span("RW update", 1)],
    complexity="O(log N) for each member",
    syntax=(
        'key@0 [condition("NX" | "XX")~6.2.0] [change="CH"~6.2.0] '
        "longitude_latitude_member{longitude:double latitude:double member}..."
    ),
)
def geoadd(client: Client, argv: Sequence[bytes]) -> int:
    first = 2
    words = set()
    while first < len(argv) and (word := argv[first].upper()) in _ADD_WORDS:
        words.add(word)
        first += 1
    if first == len(argv) or (len(argv) - first) % 3 or words >= {b"NX", b"XX"}:
        raise CommandError(errors.SYNTAX)
    key, db = argv[1], client.db
    entries = []
    for at in range(first, len(argv), 3):
        longitude, latitude = position(argv, at)
        entries.append((argv[at + 2], geohash.encode(longitude, latitude)))
    members = db.lookup_write_typed(key, SortedSet)
    if members is None:
        if b"XX" in words:
            return 0
        members = db.lookup_or_create(key, SortedSet)
    added, moved = _add(members, entries, words)
    if not added + moved:
        return 0
    db.modified(key, members, "zadd", added + moved)
    scored = [part for member, score in entries for part in (b"%d" % score, member)]
    client.propagate(b"zadd", *argv[1:first], *scored)
    return added + moved if b"CH" in words else added


def _add(members: SortedSet, entries: Sequence[tuple[bytes, int]], words: set[bytes]) -> tuple[int, int]:
    """Add or move the entries that NX and XX allow; returns how many were (added, moved)."""
    added = moved = 0
    for member, number in entries:
        score = float(number)
        old = members.score(member)
        if old == score or (b"XX" if old is None else b"NX") in words:
            continue
        members.add(member, score)
        added += old is None
        moved += old is not None
    return added, moved


@command(
    "GEODIST",
    arity=-4,
    flags=READONLY,
    group="geo",
    since="3.2.0",
    summary="Returns how far apart two members are, in the given unit.",
    keys=[span("RO access", 1)],
    complexity="O(1)",
    syntax='key@0 member1 member2 [unit("M" | "KM" | "FT" | "MI")]',
)
def geodist(client: Client, argv: Sequence[bytes]) -> bytes | None:
    if len(argv) > 5:
        raise CommandError(errors.SYNTAX)
    metres = unit(argv[4]) if len(argv) == 5 else 1.0
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    if members is None:
        return None
    one, other = members.score(argv[2]), members.score(argv[3])
    if one is None or other is None:
        return None
    return format_distance(geohash.distance(*geohash.decode(one), *geohash.decode(other)) / metres)


@command(
    "GEOHASH",
    arity=-2,
    flags=READONLY,
    group="geo",
    since="3.2.0",
    summary="Encodes the positions of members as 11-character geohashes.",
    keys=[span("RO access", 1)],
    complexity="O(1) for each member",
    syntax="key@0 member...",
)
def geohash_(client: Client, argv: Sequence[bytes]) -> list[bytes | None]:
    return [None if score is None else geohash.text(score) for score in _scores(client, argv)]


@command(
    "GEOPOS",
    arity=-2,
    flags=READONLY,
    group="geo",
    since="3.2.0",
    summary="Returns the positions of members as longitude and latitude.",
    keys=[span("RO access", 1)],
    complexity="O(1) for each member",
    syntax="key@0 member...",
)
def geopos(client: Client, argv: Sequence[bytes]) -> list[list[Coordinate] | NullArray]:
    return [
        NULL_ARRAY if score is None else coordinates(client, geohash.decode(score))
        for score in _scores(client, argv)
    ]


def _scores(client: Client, argv: Sequence[bytes]) -> list[float | None]:
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    return [None if members is None else members.score(member) for member in argv[2:]]


def position(argv: Sequence[bytes], at: int) -> tuple[float, float]:
    """Longitude and latitude in two arguments from ``at`` on."""
    longitude, latitude = double(argv[at]), double(argv[at + 1])
    if not geohash.is_position(longitude, latitude):
        raise CommandError(value_errors.invalid_position(longitude, latitude))
    return longitude, latitude


def unit(word: bytes) -> float:
    """The metres in a unit of length."""
    metres = _UNITS.get(word.upper())
    if metres is None:
        raise CommandError(value_errors.UNSUPPORTED_UNIT)
    return metres


def format_distance(length: float) -> bytes:
    """A distance with four decimals, as replies show it."""
    return b"%.4f" % length


def coordinates(client: Client, place: tuple[float, float]) -> list[Coordinate]:
    """Longitude and latitude as replies show them: 17 decimals, zeros trimmed; numbers in RESP3."""
    texts = [(b"%.17f" % value).rstrip(b"0").rstrip(b".") for value in place]
    if client.resp == 2:
        return [*texts]
    return [Raw(b",%b\r\n" % text) for text in texts]
