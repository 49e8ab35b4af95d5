"""MurmurHash64A: many at once as one by one.  The values themselves are compared with Redis's registers elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random

import pytest

from kedis.structures import hyperloglog as hll
from kedis.structures.hyperloglog_runs import Runs
from kedis.structures.murmur import hash64, hash64_many

SEED = 0xADC83B19


def test_a_published_value() -> None:
    assert hash64(b"", 0) == 0
    assert hash64(b"hello", 0) == 0x1E68D17C457BF117


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 15, 16, 17, 40, 200])
@pytest.mark.parametrize("count", [1, 7, 8, 511, 512, 513, 1300])
def test_texts_of_one_length(length: int, count: int) -> None:
    random = Random(length)
    texts = [random.randbytes(length) for _ in range(count)]
    texts[0] = b"\xff" * length
    assert hash64_many(texts, SEED) == [hash64(text, SEED) for text in texts]


def test_texts_of_all_lengths_keep_their_order() -> None:
    random = Random(1)
    texts = [random.randbytes(random.choice([0, 3, 8, 12, 13, random.randrange(300)])) for _ in range(2000)]
    assert hash64_many(texts, SEED) == [hash64(text, SEED) for text in texts]


@pytest.mark.parametrize("limit", [0, 100, 500, 3000, 16000])
@pytest.mark.parametrize("before", [0, 30, 700, 4000])
def test_many_elements_give_the_string_that_one_by_one_gives(limit: int, before: int) -> None:
    random = Random(limit + before)
    elements = [random.randbytes(random.randrange(4, 20)) for _ in range(before)]
    together, singly = hll.create(), hll.create()
    for element in elements:
        hll.add(together, [element], 3000)
        hll.add(singly, [element], 3000)
    for size in (64, 100, 65, 800, 64, 3000):
        some = [
            random.choice(elements) if elements and size == 65 else random.randbytes(8) for _ in range(size)
        ]
        raised = sum(hll.add(singly, [element], limit) for element in some)
        assert hll.add(together, some, limit) == raised
        assert together == singly


def test_foreign_runs_are_left_as_they_are() -> None:
    """Nobody who writes runs in another way than Redis gets them written anew for a register that stays."""
    foreign = hll.create()[: hll.HEADER_SIZE] + b"\x40\x00" + b"\x7f\xfe"
    assert Runs.read(foreign[hll.HEADER_SIZE :]) is None
    elements = [b"element:%d" % number for number in range(100)]
    together, singly = foreign.copy(), foreign.copy()
    assert hll.add(together, elements, 3000) == sum(hll.add(singly, [element], 3000) for element in elements)
    assert together == singly


def calls_of(work: Callable[[], object]) -> int:
    """How many functions, of Python and of C, ``work`` calls."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_elements_are_not_hashed_one_by_one() -> None:
    """39 ms for 5,000 known elements were 20,000 calls."""
    elements = [b"element:%d" % number for number in range(10_000, 15_000)]
    buffer = hll.create()
    assert calls_of(lambda: hll.add(buffer, elements, 3000)) < 2000
    assert calls_of(lambda: hll.add(buffer, elements, 3000)) < 2000
