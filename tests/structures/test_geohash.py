"""Geohashes, distances and the cells around a shape."""

from __future__ import annotations

from itertools import pairwise
from math import inf, pi
from random import Random

import pytest

from kedis.structures import geohash
from kedis.structures.geo_area import Box, Circle, Shape

PALERMO, CATANIA = (13.361389, 38.115556), (15.087269, 37.502669)


def random_place(random: Random) -> tuple[float, float]:
    return random.uniform(-180, 180), random.uniform(-85, 85)


def test_interleaving_is_what_it_says() -> None:
    random = Random(1)
    for _ in range(200):
        row, column = random.getrandbits(32), random.getrandbits(32)
        expected = sum((row >> bit & 1) << 2 * bit | (column >> bit & 1) << 2 * bit + 1 for bit in range(32))
        assert geohash.interleave(row, column) == expected


def test_a_position_is_found_again_within_a_cell() -> None:
    random = Random(2)
    for _ in range(1000):
        longitude, latitude = random_place(random)
        again = geohash.decode(float(geohash.encode(longitude, latitude)))
        assert again[0] == pytest.approx(longitude, abs=180 / 2**26)
        assert again[1] == pytest.approx(latitude, abs=85.06 / 2**26)
        assert geohash.encode(*again) == geohash.encode(longitude, latitude)


def test_well_known_texts() -> None:
    """Examples that are published with the format."""
    for place, expected in [
        ((-5.6, 42.6), b"ezs42"),
        ((10.40744, 57.64911), b"u4pruydqqv"),
        (PALERMO, b"sqc8b49rny"),
        ((-74.0060, 40.7128), b"dr5reg"),
    ]:
        found = geohash.text(float(geohash.encode(*place)))
        assert found.startswith(expected)
        assert len(found) == 11
        assert found.endswith(b"0")


def test_distances() -> None:
    assert geohash.distance(*PALERMO, *CATANIA) == pytest.approx(166_274, abs=1)
    assert geohash.distance(*PALERMO, *PALERMO) == 0
    quarter = geohash.EARTH_RADIUS * pi / 2
    assert geohash.distance(0, 0, 90, 0) == pytest.approx(quarter)
    assert geohash.distance(-90, 0, 90, 0) == pytest.approx(2 * quarter)
    assert geohash.distance(179, 0, -179, 0) == pytest.approx(quarter / 45)
    assert geohash.latitude_distance(-45, 45) == pytest.approx(quarter)
    for place in (random_place(Random(3)) for _ in range(100)):
        opposite = (place[0] - 180 if place[0] > 0 else place[0] + 180, -place[1])
        assert geohash.distance(*place, *opposite) == pytest.approx(2 * quarter)


def test_a_cell_is_a_range_of_scores_and_an_area() -> None:
    random = Random(4)
    for _ in range(300):
        place = random_place(random)
        steps = random.randint(1, 26)
        cell = geohash.cell(*place, steps)
        low, high = cell.scores
        assert low <= geohash.encode(*place) < high
        assert cell.west <= place[0] <= cell.east
        assert cell.south <= place[1] <= cell.north
        assert cell.beside(1, 1).beside(-1, -1) == cell
        assert cell.beside(0, 1 << steps) == cell, "not around the world"


@pytest.mark.parametrize("seed", range(6))
def test_the_cells_around_a_shape_hold_all_that_is_inside(seed: int) -> None:
    """Up to a latitude of 70 degrees and across 180; what is inside is found by trying every point."""
    random = Random(seed)
    for _ in range(30):
        longitude, latitude = random.uniform(-179, 179), random.uniform(-70, 70)
        size = 10 ** random.uniform(1, 6)
        shape: Shape = random.choice(
            [Circle(longitude, latitude, size), Box(longitude, latitude, 2 * size, size)]
        )
        ranges = [cell.scores for cell in shape.cells()]
        degrees = size / 111_000
        inside = 0
        for _ in range(100):
            x = longitude + random.uniform(-4, 4) * degrees
            y = latitude + random.uniform(-2, 2) * degrees
            x = (x + 180) % 360 - 180
            if abs(y) < 80 and shape.distance_inside(x, y) is not None:
                inside += 1
                score = geohash.encode(x, y)
                assert any(low <= score < high for low, high in ranges), (longitude, latitude, size, x, y)
        assert inside or size > 1e5


def test_no_cell_comes_twice() -> None:
    random = Random(6)
    for _ in range(500):
        longitude, latitude = random_place(random)
        size = random.choice([0, inf, 10 ** random.uniform(-3, 8)])
        for shape in (Circle(longitude, latitude, size), Box(longitude, latitude, size, size)):
            cells = shape.cells()
            assert 1 <= len(set(cells)) == len(cells) <= 9
            assert all(len({cell.steps for cell in pair}) == 1 for pair in pairwise(cells))


def test_inside() -> None:
    circle = Circle(0, 0, 1000)
    assert circle.distance_inside(0, 0) == 0
    assert circle.distance_inside(0, 0.008) == pytest.approx(890, abs=1)
    assert circle.distance_inside(0, 0.01) is None
    box = Box(0, 60, 4000, 1000)
    assert box.distance_inside(0.03, 60) == pytest.approx(1668, abs=1)
    assert box.distance_inside(0.04, 60) is None
    assert box.distance_inside(0, 60.01) is None
