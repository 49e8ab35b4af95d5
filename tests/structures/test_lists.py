"""List against a plain list; its account after every mutator; and that nothing can pass the account by."""

import ast
from collections import deque
from pathlib import Path
from random import Random

import pytest

import kedis
from kedis.structures.containers import Hash, Set
from kedis.structures.footprint import bytes_footprints
from kedis.structures.lists import List

SOURCE = Path(kedis.__file__).parent
VALUES = [b"", b"a", b"b" * 15, b"c" * 16, b"d" * 17, b"e" * 700]


def step(rng: Random, value: List, model: list[bytes]) -> None:
    """One random change of both."""
    element, size = rng.choice(VALUES), len(model)
    few = [rng.choice(VALUES) for _ in range(rng.randrange(6))]
    start, count = rng.randint(0, size), rng.randint(-3, 3)
    stop = rng.randint(start, size)
    match rng.randrange(12):
        case 0:
            value.push_left(element)
            model.insert(0, element)
        case 1:
            value.push_right(element)
            model.append(element)
        case 2:
            value.push_left_many(few)
            model[:0] = few[::-1]
        case 3:
            value.push_right_many(few)
            model += few
        case 4 if model:
            assert value.pop_left() == model.pop(0)
        case 5 if model:
            assert value.pop_right() == model.pop()
        case 6:
            assert value.pop_left_many(len(few)) == model[: len(few)]
            del model[: len(few)]
        case 7:
            assert value.pop_right_many(len(few)) == model[::-1][: len(few)]
            del model[max(0, size - len(few)) :]
        case 8 if model:
            place = rng.randrange(-size, size)
            value.replace(place, element)
            model[place] = element
        case 9:
            value.insert(start, element)
            model.insert(start, element)
        case 10:
            found = [place for place, each in enumerate(model) if each == element]
            doomed = found[:count] if count > 0 else found[count:] if count else found
            assert value.discard(element, count) == len(doomed)
            model[:] = [each for place, each in enumerate(model) if place not in doomed]
        case 11 if rng.random() < 0.2:
            value.trim(start, stop)
            model[:] = model[start:stop]
        case _:
            assert value.slice(start, stop) == model[start:stop]
            assert list(value.positions(element, stop)) == [p for p in range(stop) if model[p] == element]
            backward = list(value.positions_from_tail(element, stop))
            assert backward == [p for p in range(size - 1, size - 1 - stop, -1) if model[p] == element]


@pytest.mark.parametrize("seed", range(5))
def test_list_against_a_plain_list(seed: int) -> None:
    rng = Random(seed)
    value, model = List(), list[bytes]()
    for _ in range(3000):
        step(rng, value, model)
        assert list(value) == model
        value._check()
    value.clear()
    value._check()
    assert value.footprint == List().footprint


def test_slices_and_trims_far_from_both_ends() -> None:
    model = [b"%d" % number for number in range(5000)]
    value = List(model)
    assert value.slice(2000, 2100) == model[2000:2100]
    assert value.slice(4000, 4900) == model[4000:4900]
    assert list(value) == model
    value.trim(1000, 4000)
    value.trim(1400, 1500)
    assert list(value) == model[2400:2500]
    value._check()


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000, 100_000])
def test_the_footprint_is_near_what_the_interpreter_tells(count: int) -> None:
    value = List([b"x" * 10] * count)
    told = value.__sizeof__() + bytes_footprints(value)
    assert abs(value.footprint - told) <= 700 + told // 50


CALLS = {
    List: ["append", "appendleft", "extend", "extendleft", "pop", "popleft", "remove"],
    Hash: ["pop", "popitem", "setdefault", "update"],
    Set: ["add", "discard", "pop", "remove", "update", "difference_update", "intersection_update"],
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in CALLS.items() for name in names])
def test_inherited_mutators_are_refused(kind: type, name: str) -> None:
    """What BLPOP once did: pop an element by the method of the base class, which knows of no account."""
    with pytest.raises(TypeError, match="keep its account"):
        getattr(kind(), name)(b"x")


@pytest.mark.parametrize(
    "statement",
    ["x[0] = b''", "x += [b'']", "x *= 2", "del x[0]", "h |= {}", "s |= {b''}", "s -= {b''}"],
)
def test_operators_that_change_are_refused(statement: str) -> None:
    with pytest.raises(TypeError, match="keep its account"):
        exec(statement, {"x": List([b"a"]), "h": Hash({b"f": b"v"}), "s": Set([b"m"])})


def test_every_mutator_of_a_deque_is_ours_or_refused() -> None:
    harmless = {"__init__", "copy", "count", "index", "reverse", "rotate"}  # nothing comes, nothing goes
    named = {name for name in vars(deque) if not name.startswith("__")}
    assert named - harmless - vars(List).keys() == {"maxlen"}


def test_nobody_assigns_to_fields_of_a_hash_but_the_hash() -> None:
    """`x[field] = value` and `del x[field]` are not refused: a command would have to name a hash to use them."""
    for path in (SOURCE / "commands").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
                assert ast.unparse(node.value) not in ("fields", "values", "members", "value"), (
                    path,
                    node.lineno,
                )
