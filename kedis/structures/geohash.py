"""Positions on the earth as numbers of 52 bits (near positions have near numbers), and distances between them.

**The number.** Longitude (-180 to 180 degrees) and latitude (-85.05112878 to 85.05112878, the square map of web
Mercator) are each cut into 2^26 steps. The bits of the two step numbers are interleaved, longitude in the odd
positions, latitude in the even ones. So the first 2 n bits of the number name a cell of a grid of 2^n by 2^n,
and a cell is a range of numbers: a sorted set whose scores they are is an index by position. 52 bits fit into
a double, and a cell at that depth is about 60 cm wide.

Decoding gives the middle of the cell. A score that is no position is decoded as well, with the result of the C
conversion from double to a 64-bit integer and back to two halves.

**The text.** The geohash of G. Niemeyer, 11 characters of 5 bits each, uses the whole range of latitudes, -90 to
90; the last character is always "0", since 52 bits make ten characters and two bits more.

**The distance** is along a great circle of a sphere with a radius of 6,372,797.560856 m, by the haversine formula
(at most 0.5 % from the true one).
"""

from __future__ import annotations

from math import asin, cos, pi, sin, sqrt
from typing import NamedTuple

STEPS = 26
LONGITUDE_MAX = 180.0
LATITUDE_MAX = 85.05112878
EARTH_RADIUS = 6372797.560856  # in metres

_TEXT_LATITUDE_MAX = 90.0
_ALPHABET = b"0123456789bcdefghjkmnpqrstuvwxyz"
_RADIANS = pi / 180.0
_WHOLE = 1 << STEPS
_LATITUDES = LATITUDE_MAX + LATITUDE_MAX


def _spread_table() -> list[int]:
    """Each byte with a zero bit before every one of its bits."""
    return [int("0".join(f"{byte:08b}"), 2) for byte in range(256)]


def _gather_table() -> bytes:
    """The eight bits in the even positions of each number of 16 bits."""
    nibbles = [int(f"{byte:08b}"[1::2], 2) for byte in range(256)]
    rows = [bytes(low | high << 4 for low in nibbles) for high in range(16)]
    return b"".join(rows[nibble] for nibble in nibbles)


_SPREAD = _spread_table()
_GATHER = _gather_table()


class Cell(NamedTuple):
    """A cell of the grid of 2^steps by 2^steps: its row (latitude) and column (longitude)."""

    row: int
    column: int
    steps: int

    @property
    def scores(self) -> tuple[int, int]:
        """The numbers of 52 bits in the cell: the first, and the first after it."""
        shift = 2 * (STEPS - self.steps)
        bits = interleave(self.row, self.column)
        return bits << shift, (bits + 1) << shift

    def beside(self, rows: int, columns: int) -> Cell:
        """The cell ``rows`` north and ``columns`` east, around the edges of the map."""
        whole = (1 << self.steps) - 1
        row = (self.row + rows) & whole if rows else self.row
        column = (self.column + columns) & whole if columns else self.column
        return Cell(row, column, self.steps)

    @property
    def south(self) -> float:
        """The southern edge in degrees."""
        return _edge(self.row, self.steps, LATITUDE_MAX)

    @property
    def north(self) -> float:
        """The northern edge in degrees."""
        return _edge(self.row + 1, self.steps, LATITUDE_MAX)

    @property
    def west(self) -> float:
        """The western edge in degrees."""
        return _edge(self.column, self.steps, LONGITUDE_MAX)

    @property
    def east(self) -> float:
        """The eastern edge in degrees."""
        return _edge(self.column + 1, self.steps, LONGITUDE_MAX)


def _edge(number: int, steps: int, most: float) -> float:
    return -most + number / (1 << steps) * (most + most)


def is_position(longitude: float, latitude: float) -> bool:
    """Whether the map contains this position, in degrees."""
    return -LONGITUDE_MAX <= longitude <= LONGITUDE_MAX and -LATITUDE_MAX <= latitude <= LATITUDE_MAX


def cell(longitude: float, latitude: float, steps: int) -> Cell:
    """The cell of a position on the map. O(1)."""
    return _cell(longitude, latitude, steps, LATITUDE_MAX)


def _cell(longitude: float, latitude: float, steps: int, latitude_max: float) -> Cell:
    row = (latitude + latitude_max) / (latitude_max + latitude_max) * (1 << steps)
    column = (longitude + LONGITUDE_MAX) / (LONGITUDE_MAX + LONGITUDE_MAX) * (1 << steps)
    return Cell(int(row), int(column), steps)


def interleave(row: int, column: int) -> int:
    """The interleaved bits of two numbers of up to 32 bits, those of ``row`` in the even positions."""
    spread = _SPREAD
    return (
        spread[row & 255]
        | spread[row >> 8 & 255] << 16
        | spread[row >> 16 & 255] << 32
        | spread[row >> 24] << 48
        | spread[column & 255] << 1
        | spread[column >> 8 & 255] << 17
        | spread[column >> 16 & 255] << 33
        | spread[column >> 24] << 49
    )


def encode(longitude: float, latitude: float) -> int:
    """The number of a position on the map. O(1)."""
    row, column, _ = _cell(longitude, latitude, STEPS, LATITUDE_MAX)
    return interleave(row, column)


def decode(score: float) -> tuple[float, float]:
    """Longitude and latitude of the middle of the cell whose number is ``score``.  O(1), 1.5 microseconds."""
    bits = _to_unsigned(score)
    return longitude_of(bits), latitude_of(bits)


def longitude_of(bits: int) -> float:
    """The longitude of the middle of the cell whose number is ``bits``, an unsigned integer of 64 bits.  O(1)."""
    odd = bits >> 1
    column = (
        _GATHER[odd & 0xFFFF]
        | _GATHER[odd >> 16 & 0xFFFF] << 8
        | _GATHER[odd >> 32 & 0xFFFF] << 16
        | _GATHER[odd >> 48] << 24
    )
    # The mean of both edges, computed as such: a shorter formula rounds differently.
    middle = (-LONGITUDE_MAX + column / _WHOLE * 360.0 + (-LONGITUDE_MAX + (column + 1) / _WHOLE * 360.0)) / 2
    return middle if column < _WHOLE else LONGITUDE_MAX


def latitude_of(bits: int) -> float:
    """The latitude of the middle of the cell whose number is ``bits``, an unsigned integer of 64 bits.  O(1)."""
    row = (
        _GATHER[bits & 0xFFFF]
        | _GATHER[bits >> 16 & 0xFFFF] << 8
        | _GATHER[bits >> 32 & 0xFFFF] << 16
        | _GATHER[bits >> 48] << 24
    )
    middle = (
        -LATITUDE_MAX + row / _WHOLE * _LATITUDES + (-LATITUDE_MAX + (row + 1) / _WHOLE * _LATITUDES)
    ) / 2
    return middle if row < _WHOLE else LATITUDE_MAX


def _to_unsigned(score: float) -> int:
    """A double as an unsigned integer of 64 bits; out of range as the instructions of x86-64 convert it."""
    if 0 <= score < 2.0**63:
        return int(score)
    if score >= 2.0**63:
        return int(score) if score < 2.0**64 else 0
    return int(score) & ((1 << 64) - 1) if score >= -(2.0**63) else 1 << 63


def text(score: float) -> bytes:
    """The standard geohash, 11 characters, of the position whose number is ``score``.  O(1)."""
    row, column, _ = _cell(*decode(score), STEPS, _TEXT_LATITUDE_MAX)
    bits = interleave(row, column)
    return bytes(_ALPHABET[bits >> shift & 31] for shift in range(47, 0, -5)) + _ALPHABET[:1]


def distance(longitude1: float, latitude1: float, longitude2: float, latitude2: float) -> float:
    """Metres between two positions.  O(1)."""
    longitude1, latitude1 = longitude1 * _RADIANS, latitude1 * _RADIANS
    longitude2, latitude2 = longitude2 * _RADIANS, latitude2 * _RADIANS
    u = sin((latitude2 - latitude1) / 2)
    v = sin((longitude2 - longitude1) / 2)
    # Rounding can raise the root slightly above 1 for opposite points.
    return 2.0 * EARTH_RADIUS * asin(min(1.0, sqrt(u * u + cos(latitude1) * cos(latitude2) * v * v)))


def latitude_distance(latitude1: float, latitude2: float) -> float:
    """Metres between two circles of latitude.  O(1)."""
    return EARTH_RADIUS * abs(latitude2 * _RADIANS - latitude1 * _RADIANS)
