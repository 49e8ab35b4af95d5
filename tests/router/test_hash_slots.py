"""Hash slots of keys, against values that Redis's CLUSTER KEYSLOT gives."""

from __future__ import annotations

import pytest

from kedis.router.hash_slots import SLOTS, key_slot


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        (b"", 0),
        (b"123456789", 0x31C3),
        (b"foo", 12182),
        (b"bar", 5061),
        (b"{user1000}.following", key_slot(b"user1000")),
        (b"a{foo}b{bar}", 12182),
        (b"foo{}{bar}", key_slot(b"foo{}{bar}")),
        (b"foo{{bar}}zap", key_slot(b"{bar")),
        (b"{foo", key_slot(b"{foo")),
        (b"}foo{", key_slot(b"}foo{")),
    ],
)
def test_slots(key: bytes, slot: int) -> None:
    assert key_slot(key) == slot


def test_an_empty_tag_counts_as_none() -> None:
    assert key_slot(b"{}a") != key_slot(b"{}b")


def test_all_slots_occur() -> None:
    assert {key_slot(b"%d" % number) for number in range(300_000)} == set(range(SLOTS))
