"""Random edits on both sides, twice: each way of resolving gives exactly what a dict would give."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kedis.cli.client.standalone.dialogue import resolve
from kedis.cli.client.standalone.key_values import Value
from kedis.cli.client.standalone.reconcile import Reconciliation
from tests.cli.standalone.world import DATABASES, Content, Script, World

FAR = 32_503_680_000_000
Place = tuple[int, bytes]
Edit = tuple[int, tuple[str | int, ...]]

keys = st.sampled_from(["a", "b", "c", "d"])
texts = st.sampled_from(["x", "y"])
commands = st.one_of(
    st.tuples(st.just("SET"), keys, texts),
    st.tuples(st.just("APPEND"), keys, texts),
    st.tuples(st.just("RPUSH"), keys, texts),
    st.tuples(st.just("HSET"), keys, texts, texts),
    st.tuples(st.just("SADD"), keys, texts),
    st.tuples(st.just("ZADD"), keys, st.integers(0, 2), texts),
    st.tuples(st.just("PEXPIREAT"), keys, st.integers(FAR, FAR + 1)),
    st.tuples(st.just("PERSIST"), keys),
    st.tuples(st.just("DEL"), keys),
    st.tuples(st.just("RENAME"), keys, keys),
    st.tuples(st.just("FLUSHDB")),
)
edits = st.lists(st.tuples(st.sampled_from(DATABASES), commands), max_size=8)
ways = st.one_of(
    st.sampled_from(["s", "m", "n", "l"]), st.lists(st.sampled_from("msk"), min_size=8, max_size=8)
)
rounds = st.lists(st.tuples(edits, edits, ways), min_size=1, max_size=2)


class Model:
    """What was resolved, in the plainest way: for each key, both sides at that time."""

    def __init__(self, base: Content) -> None:
        self.base = base
        self.settled: dict[Place, tuple[Value | None, Value | None]] = {}

    def resolve(self, mine: Content, theirs: Content, way: str | list[str]) -> Content:
        """What the server should hold afterwards."""
        after = dict(theirs)
        decisions = list(way) if isinstance(way, list) else []
        places = [(database, key) for database in DATABASES for key in (b"a", b"b", b"c", b"d")]
        for place in places:
            here, there = mine.get(place), theirs.get(place)
            then_mine, then_theirs = self.settled.get(place, (self.base.get(place),) * 2)
            if here == then_mine:
                continue
            if here == there:
                self.settled[place] = (here, there)
                continue
            if isinstance(way, list):
                choice = decisions.pop(0)
            else:
                choice = {"s": "s", "m": "m", "n": "m" if there == then_theirs else "k", "l": "k"}[way]
            if choice == "m":
                after.pop(place, None)
                if here is not None:
                    after[place] = here
                self.settled[place] = (here, here)
            elif choice == "s":
                self.settled[place] = (here, there)
        return after


class Answers(Script):
    """Answers the menu in one way, then leaves the rest open."""

    def __init__(self, way: str | list[str]) -> None:
        super().__init__()
        self.way = way
        self.decisions = list(way) if isinstance(way, list) else []
        self.chosen = False

    def ask(self, question: str, choices: object) -> str:
        if "Push?" in question:
            return "y"
        if "to decide" in question:
            return self.decisions.pop(0)
        if self.chosen:
            return "l"
        self.chosen = True
        return "o" if isinstance(self.way, list) else self.way


@pytest.mark.parametrize("kind", ["kedis", "redis"])
def test_each_way_gives_the_expected_union(kind: str, request: pytest.FixtureRequest) -> None:
    port = request.getfixturevalue(f"{kind}_port")

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(edits, st.booleans(), rounds)
    def check(
        start: list[Edit], with_snapshot: bool, rounds: list[tuple[list[Edit], list[Edit], str]]
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            world = World(port, Path(folder))
            try:
                _check(world, start, with_snapshot, rounds)
            finally:
                world.close()

    check()


def _check(
    world: World, start: list[Edit], with_snapshot: bool, rounds: list[tuple[list[Edit], list[Edit], str]]
) -> None:
    world.call("FLUSHALL")
    for database, words in start:
        world.call(*words, database=database)
    world.stand_alone(with_snapshot)
    model = Model(world.on_alone())
    assert model.base == (world.on_server() if with_snapshot else {})
    for here, there, way in rounds:
        for database, words in here:
            world.edit(*words, database=database)
        for database, words in there:
            world.call(*words, database=database)
        mine, theirs = world.on_alone(), world.on_server()
        expected = model.resolve(mine, theirs, way)
        terminal = Answers(way)
        assert resolve(Reconciliation(world.link(), world.divergence(), terminal), terminal)
        assert world.on_server() == expected
        assert world.on_alone() == mine
