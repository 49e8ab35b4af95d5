"""Small integers are one object each, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from kedis.structures.small_integers import COUNT, SPELLED, shared


def test_each_is_the_common_object() -> None:
    for number in range(COUNT):
        assert shared(b"%d" % number) is SPELLED[number]


@pytest.mark.parametrize(
    "text", [b"", b"007", b"00", b"10000", b"-1", b"+1", b"1.0", b" 1", b"1\n", b"\xb2\xb2", b"ab"]
)
def test_other_texts_stay_as_they_are(text: bytes) -> None:
    assert shared(text) is text
