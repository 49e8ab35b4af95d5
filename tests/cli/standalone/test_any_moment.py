"""Every single step of the way back, interrupted once: by a write of somebody else, by the loss of the connection."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from kedis.cli.client.link import LinkLost
from kedis.cli.client.standalone import key_values, reconcile
from tests.cli.standalone.world import Meddled, World, lose

LIST = b"list"
KEYS = [b"a", b"b", b"c", LIST, b"z"]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of two keys, and a list that is read in several pieces."""
    monkeypatch.setattr(reconcile, "BATCH_KEYS", 2)
    monkeypatch.setattr(key_values, "PIECE_ELEMENTS", 4)


class Step:
    """Acts at the `when`-th message and at no other; `reached` tells whether there were so many."""

    def __init__(self, act: Callable[[], object], when: int) -> None:
        self._act = act
        self._left = when
        self.reached = False

    def __call__(self, _commands: Sequence[Sequence[bytes]]) -> None:
        self._left -= 1
        if self._left == 0:
            self.reached = True
            self._act()


def diverged_worlds(port: int, folder: Path) -> Iterator[tuple[int, World]]:
    """The same divergence again and again, numbered from 1, until the caller has seen enough."""
    for number in itertools.count(1):
        world = World(port, folder / str(number))
        try:
            world.call("FLUSHALL")
            world.call("MSET", "a", 1, "b", 1, "c", 1, "z", 1)
            world.call("RPUSH", LIST, *range(10))
            world.stand_alone()
            world.edit("MSET", "a", 2, "b", 2, "c", 2, "z", 2)
            world.edit("LPUSH", LIST, "mine")
            yield number, world
        finally:
            world.close()


def test_a_write_at_any_step_of_a_push_survives(port: int, tmp_path: Path) -> None:
    for key in (b"a", LIST):
        for when, world in diverged_worlds(port, tmp_path / key.decode()):
            link = Meddled(world.link())
            found = world.reconciliation(link)
            meddle = Step(partial(world.call, "SET", key, "theirs"), when)
            link.before = meddle
            pushed = found.push(found.differences)
            if not meddle.reached:
                break
            content = world.on_server()
            assert content.pop((0, key)).content == b"theirs"
            assert content == {place: value for place, value in world.on_alone().items() if place[1] != key}
            # Either it came too late to be noticed, or it is told as a conflict.
            assert pushed.written == len(KEYS) - len(pushed.moved)
            assert [each.change.key for each in pushed.moved] in ([], [key])
        assert when > 8


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_connection_lost_at_any_step_is_taken_up_again(port: int, tmp_path: Path, side: str) -> None:
    for when, world in diverged_worlds(port, tmp_path):
        link = Meddled(world.link())
        meddle = Step(lose, when)
        setattr(link, side, meddle)
        mine = world.on_alone()
        try:
            found = world.reconciliation(link)
            found.push(found.differences)
        except LinkLost:
            # The next run: nothing but what is on the disk is known.
            world.alone.close()
            world.reopen()
            again = world.reconciliation()
            again.push(again.differences)
        assert world.on_server() == mine
        assert world.on_alone() == mine
        assert not world.reconciliation().differences
        if not meddle.reached:
            break
    assert when > 8
