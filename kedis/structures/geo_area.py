"""Circles and boxes on the earth, and the cells of the geohash grid that cover them.

The grid is the finest whose cells are not smaller than the shape, so that the cell of the centre
and its eight neighbours cover it: nine ranges of scores. Of these, neighbours that the bounding box does not
reach are left out. The cells are searched in a fixed order (centre, N, S, E, W, NE, NW, SE, SW), because
replies without a given order are in the order of the search.

A box is not a rectangle on the map: a position is inside when it is at most half the height from the centre
along a meridian, and at most half the width along its own circle of latitude.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from math import cos, isfinite, nan, pi, sqrt

from kedis.structures.geohash import (
    EARTH_RADIUS,
    STEPS,
    Cell,
    cell,
    distance,
    latitude_distance,
    latitude_of,
    longitude_of,
)

#: Half the length of the equator on the web Mercator map, in metres.
_MAP_HALF = 20037726.37
_DEGREES = pi / 180.0
#: The neighbours as (rows north, columns east), in the order in which they are searched.
_NEIGHBOURS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
#: Towards the poles, cells narrow: from these latitudes on, one step less.
_NARROW, _VERY_NARROW = 66, 80


class Shape(ABC):
    """A circle or a box around a centre; lengths in metres, positions in degrees."""

    __slots__ = ("half_height", "half_width", "latitude", "longitude", "reach")

    def __init__(
        self, longitude: float, latitude: float, half_width: float, half_height: float, reach: float
    ):
        self.longitude = longitude
        self.latitude = latitude
        self.half_width = half_width
        self.half_height = half_height
        self.reach = reach
        """Metres from the centre to the farthest point."""

    @abstractmethod
    def distance_inside(self, longitude: float, latitude: float) -> float | None:
        """Metres from the centre to a position inside, None outside.  O(1)."""

    def inside(self, entries: Iterable[tuple[bytes, float]]) -> Iterator[tuple[float, bytes, float]]:
        """Yield (metres, member, score) for each (member, score) with a position inside. O(N).

        The scores are those of cells, so they are not negative. Positions too far north or south are left
        out by their latitude alone, which saves the rest of the computation for about half of the entries.
        """
        latitude = self.latitude
        # Slightly larger than exact, for rounding.
        farthest = self.half_height / EARTH_RADIUS / _DEGREES * (1 + 1e-9) + 1e-9
        distance_inside = self.distance_inside
        for member, score in entries:
            bits = int(score)
            north = latitude_of(bits)
            if -farthest <= north - latitude <= farthest:
                metres = distance_inside(longitude_of(bits), north)
                if metres is not None:
                    yield metres, member, score

    def cells(self) -> list[Cell]:
        """Cells that cover the shape, at most nine, in the order of the search.  O(1)."""
        steps = _fitting_steps(self.reach, self.latitude)
        west, south, east, north = self._bounds()
        centre = cell(self.longitude, self.latitude, steps)
        # Near the edge of its cell, the centre can be farther from the shape's edge than a neighbour reaches.
        if steps > 1 and (
            centre.beside(1, 0).north < north
            or centre.beside(-1, 0).south > south
            or centre.beside(0, 1).east < east
            or centre.beside(0, -1).west > west
        ):
            steps -= 1
            centre = cell(self.longitude, self.latitude, steps)
        found = [centre]
        for rows, columns in _NEIGHBOURS:
            beyond = (
                (rows < 0 and centre.south < south)
                or (rows > 0 and centre.north > north)
                or (columns < 0 and centre.west < west)
                or (columns > 0 and centre.east > east)
            )
            if beyond and steps >= 2:
                continue
            beside = centre.beside(rows, columns)
            # On a coarse grid the neighbours to both sides are the same cell.
            if len(found) == 1 or beside != found[-1]:
                found.append(beside)
        return found

    def _bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north ends; the longitudes at the parallel nearer to the pole."""
        height = self.half_height / EARTH_RADIUS / _DEGREES
        nearer = self.latitude - height if self.latitude < 0 else self.latitude + height
        width = self.half_width / EARTH_RADIUS / _cosine(nearer * _DEGREES) / _DEGREES
        return self.longitude - width, self.latitude - height, self.longitude + width, self.latitude + height


class Circle(Shape):
    """The positions at most ``radius`` metres from the centre."""

    __slots__ = ()

    def __init__(self, longitude: float, latitude: float, radius: float) -> None:
        super().__init__(longitude, latitude, radius, radius, radius)

    def distance_inside(self, longitude: float, latitude: float) -> float | None:
        metres = distance(self.longitude, self.latitude, longitude, latitude)
        return metres if metres <= self.reach else None


class Box(Shape):
    """A box of ``width`` by ``height`` metres, its sides along the parallels and meridians."""

    __slots__ = ()

    def __init__(self, longitude: float, latitude: float, width: float, height: float) -> None:
        half_width, half_height = width / 2, height / 2
        reach = sqrt(half_width * half_width + half_height * half_height)
        super().__init__(longitude, latitude, half_width, half_height, reach)

    def distance_inside(self, longitude: float, latitude: float) -> float | None:
        if latitude_distance(latitude, self.latitude) > self.half_height:
            return None
        if distance(longitude, latitude, self.longitude, latitude) > self.half_width:
            return None
        return distance(self.longitude, self.latitude, longitude, latitude)


def _fitting_steps(reach: float, latitude: float) -> int:
    """The finest grid whose cells are not smaller than ``reach``."""
    if reach == 0:
        return STEPS
    steps = -1
    while reach < _MAP_HALF:
        reach *= 2
        steps += 1
    if abs(latitude) > _NARROW:
        steps -= 2 if abs(latitude) > _VERY_NARROW else 1
    return max(1, min(steps, STEPS))


def _cosine(angle: float) -> float:
    return cos(angle) if isfinite(angle) else nan
