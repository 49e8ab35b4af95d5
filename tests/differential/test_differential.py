"""Random sequences of commands from all families: Kedis and real Redis must answer, and then hold, the same.

Hypothesis draws the sequences, always the same ones; ``KEDIS_EXAMPLES`` raises their number, and
``python -m tests.differential.fuzz`` goes on where this ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kedis.commands import load_all
from kedis.engine.table import every_command
from tests.differential import grammar, test_shapes
from tests.differential.fuzz import problem, reduced
from tests.differential.scripts import Comparison, draw_script
from tests.differential.servers import RedisServer
from tests.oracle import Oracle

EXAMPLES = int(os.environ.get("KEDIS_EXAMPLES", "300"))
SEEDED = 4 * EXAMPLES
NAMES = grammar.known_names()


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    oracle = Oracle()
    server = RedisServer(oracle.port)
    yield server
    server.close()
    oracle.close()


def test_every_command_takes_part() -> None:
    load_all()
    names = {row.name for row in every_command()}
    assert names - grammar.GRAMMAR.keys() - grammar.SCRIPTED.keys() == set(), "no generator, and no script"
    assert (grammar.GRAMMAR.keys() | grammar.SCRIPTED.keys()) - names == set(), "no such command"
    assert grammar.GRAMMAR.keys() & grammar.SCRIPTED.keys() == set()
    assert test_shapes.SCRIPTS.keys() == grammar.SCRIPTED.keys(), "a script for each that is not drawn"


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(random=st.randoms(use_true_random=False))
def test_random_sequences_agree(redis: RedisServer, random: Random) -> None:
    Comparison(redis).run(draw_script(random, NAMES))


def test_seeded_sequences_agree(redis: RedisServer) -> None:
    """More of the same, faster, by the standard library's generator: what the fuzzer runs."""
    for seed in range(SEEDED):
        script = draw_script(Random(seed), NAMES)
        message = problem(script, redis)
        if message is not None:
            pytest.fail(f"seed {seed}:\n{reduced(script, redis, message)}")


def test_a_divergence_is_found_and_told(redis: RedisServer) -> None:
    """The comparison itself: where Kedis answers otherwise, the report is the least script that shows it."""
    script = [(0, [b"PING"]), (1, [b"TIME"]), (0, [b"ECHO", b"x"])]
    story = reduced(script, redis, "")
    assert story.splitlines()[0] == "1> TIME"
    assert "kedis: *[" in story
    assert "redis: *[" in story
