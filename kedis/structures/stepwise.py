"""Emptying a large structure a piece at a time, for the lazy freeing of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import Any


def pop_in_steps(pop: Callable[[], Any], elements: Sized, piece: int) -> Iterator[None]:
    """Call ``pop``, which takes one of ``elements``, until none is left; yields after every ``piece`` of them."""
    while elements:
        for _ in range(min(piece, len(elements))):
            pop()
        yield
