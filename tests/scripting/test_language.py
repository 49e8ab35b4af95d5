"""What scripts see of Lua, side by side with real Redis: values, errors and their texts, read-only tables, shebangs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle import Oracle
from tests.scripting.agreement import Scripts, Wire
from tests.scripting.scripts import SCRIPTS


@pytest.fixture
def redis() -> Iterator[Wire]:
    oracle = Oracle()
    wire = Wire(oracle)
    yield wire
    wire.close()
    oracle.close()


def test_fixed_scripts(redis: Wire) -> None:
    scripts = Scripts()
    differences = []
    for script in SCRIPTS:
        expected, got = redis.eval(script), scripts.wire(script)
        if expected != got:
            differences.append(f"{script}\n  redis {expected!r}\n  kedis {got!r}")
    assert not differences, "\n".join(differences)


def test_random_numbers_are_the_same_sequence(redis: Wire) -> None:
    scripts = Scripts()
    for script in (
        "return {math.random(1000), math.random(1000)}",
        "return tostring(math.random())",
        "math.randomseed(7) return math.random(10, 20)",
        "math.randomseed(-3) return {math.random(1e6), math.random(1e10), math.random(-5, 5)}",
    ):
        assert scripts.wire(script) == redis.eval(script)


def test_any_bytes_as_a_script(redis: Wire) -> None:
    import random

    rng = random.Random(20)
    scripts = Scripts()
    words = [
        b"return ",
        b"local x=",
        b"1",
        b"'a",
        b"\n",
        b"end ",
        b"(",
        b")",
        b"\0",
        b"\xff",
        b"{",
        b"}",
        b"if ",
        b"..",
        b"--",
    ]
    for _ in range(300):
        source = b"".join(rng.choice(words) for _ in range(rng.randrange(1, 9)))
        assert scripts.wire(source) == redis.eval(source), source
