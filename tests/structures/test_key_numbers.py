"""KeyNumbers against a dict. Scans, random choice and splits are those of the scan index, which has its own tests."""

from random import Random

import pytest

from kedis.structures.key_numbers import KeyNumbers
from tests.structures.both import each_form

form = each_form(__name__)

MOST = 2**63 - 1


def filled(count: int) -> KeyNumbers:
    numbers = KeyNumbers()
    for number in range(count):
        numbers[b"key:%d" % number] = number
    return numbers


@pytest.mark.parametrize("seed", range(4))
def test_random_changes_agree_with_a_dict(seed: int) -> None:
    rng = Random(seed)
    numbers, model = KeyNumbers(), dict[bytes, int]()
    for growing in (0.9, 0.2, 0.7, 0.02):
        for _ in range(900):
            key = b"%d" % rng.randrange(800)
            if rng.random() < growing:
                numbers[key] = model[key] = rng.randrange(-MOST, MOST)
            else:
                assert (key in numbers) == (key in model)
                assert numbers.get(key) == model.get(key)
                assert numbers.get(key, b"none") == model.get(key, b"none")
                if model.pop(key, None) is not None:
                    del numbers[key]
            if rng.random() < 0.2:
                numbers._check()
            if rng.random() < 0.02:
                numbers.repack()
        numbers._check()
        assert len(numbers) == len(model) and bool(numbers) == bool(model)
        assert dict(numbers) == dict(numbers.items()) == model and set(numbers) == set(model)


def test_the_number_of_a_key_that_is_there_is_replaced_and_its_object_kept() -> None:
    numbers = KeyNumbers()
    first = b"a key %d" % 1
    numbers[first] = -MOST - 1
    numbers[b"a key %d" % 1] = MOST
    assert numbers[first] == MOST and len(numbers) == 1
    assert next(iter(numbers)) is first and numbers.held(b"a key %d" % 1) is first
    other = b"a key %d" % 1
    numbers.exchange(other)
    numbers.exchange(b"none")
    assert next(iter(numbers)) is other and dict(numbers.items()) == {first: MOST} and len(numbers) == 1


def test_a_missing_key_is_an_error() -> None:
    numbers = filled(100)
    with pytest.raises(KeyError):
        numbers[b"missing"]
    with pytest.raises(KeyError):
        del numbers[b"missing"]
    with pytest.raises(ValueError):
        numbers.discard(b"missing")
    assert numbers.get(b"missing") is None
    numbers._check()


def test_what_is_added_and_discarded_as_in_an_index() -> None:
    numbers = filled(10)
    numbers.add(b"new")
    assert numbers[b"new"] == 0
    numbers.discard(b"new")
    assert b"new" not in numbers and len(numbers) == 10
    numbers._check()


def test_scans_and_draws_find_every_key() -> None:
    numbers = filled(1000)
    cursor, found = numbers.scan(0, 50)
    while cursor:
        cursor, more = numbers.scan(cursor, 50)
        found += more
    assert sorted(found) == sorted(numbers)
    rng = Random(1)
    assert all(numbers.random(rng) in numbers for _ in range(100))
    drawn = numbers.sample(rng, 10)
    assert len(set(drawn)) == 10 and all(key in numbers for key in drawn)


def test_emptied_at_once_and_in_steps() -> None:
    numbers = filled(1000)
    steps = numbers.free_in_steps(5)
    assert len(numbers) == 0 and numbers.get(b"key:1") is None
    numbers[b"key:1"] = 7
    assert sum(1 for _ in steps) >= 2
    assert dict(numbers.items()) == {b"key:1": 7}
    numbers.clear()
    assert not numbers and b"key:1" not in numbers
    numbers._check()


def test_other_keys_and_numbers_are_refused(form: str) -> None:
    numbers = KeyNumbers()
    if form == "python":  # which has no other types than its annotations
        numbers[b"key"] = MOST + 1
        assert numbers[b"key"] == MOST + 1
        return
    with pytest.raises(OverflowError):
        numbers[b"key"] = MOST + 1
    with pytest.raises(TypeError):
        numbers["key"] = 1  # type: ignore[index]
    assert not numbers
