"""What a target of the fuzzers is, and how it draws structured input from bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import ClassVar

from tests.oracle import Oracle


class Find(AssertionError):
    """Something that must not happen: two answers that differ, or too much time.

    Args:
        kind: what kind of thing; one input is kept of each.
        details: what exactly.
    """

    def __init__(self, kind: str, details: str = "") -> None:
        super().__init__(f"{kind}: {details}")
        self.kind = kind


class Target:
    """A piece of Kedis that takes bytes from strangers.

    A subclass runs one input, and raises where something is wrong. It is made once and runs many inputs.

    Args:
        redis: gives a real Redis to compare with, for the targets that have one.

    Attributes:
        name: on the command line, and of the folder of its corpus.
        modules: what its coverage is measured of.
        compares: whether it needs a Redis.
        words: pieces that the fuzzer puts into inputs.
        most_kb: what one input may take of memory.
    """

    name: ClassVar[str]
    modules: ClassVar[tuple[str, ...]]
    compares: ClassVar[bool] = False
    words: ClassVar[tuple[bytes, ...]] = ()
    most_kb: ClassVar[int] = 300_000

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        self._start_redis = redis

    def run(self, data: bytes) -> None:
        """Run one input. Raises whatever is wrong with it."""
        raise NotImplementedError

    def seeds(self) -> Iterator[bytes]:
        """Inputs to begin with."""
        raise NotImplementedError


class BytesAsDice(random.Random):
    """A source of choices that takes them from bytes, so that whoever changes the bytes changes the choices.

    What is beyond the end is zero.
    """

    def __new__(cls, data: bytes) -> BytesAsDice:
        return super().__new__(cls)

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data = data
        self._position = 0

    def getrandbits(self, count: int) -> int:
        size = (count + 7) // 8
        taken = self._data[self._position : self._position + size]
        self._position += size
        return int.from_bytes(taken, "little") & ((1 << count) - 1)

    def random(self) -> float:
        return self.getrandbits(16) / 65536


_SWELL = 0xFE
_UNIT = 64


def swollen(data: bytes, most: int = 200_000) -> bytes:
    """``data`` in which the byte FE, a byte and a number stand for 64 times so many of that byte.

    A fuzzer's inputs are short; many limits are not.
    """
    if _SWELL not in data:
        return data
    out = bytearray()
    at = 0
    while at < len(data):
        if data[at] == _SWELL and at + 2 < len(data):
            out += data[at + 1 : at + 2] * (_UNIT * data[at + 2])
            at += 3
        else:
            out.append(data[at])
            at += 1
    return bytes(out[:most])


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """``data`` cut into pieces of ``size`` bytes."""
    return (data[at : at + size] for at in range(0, len(data), size))
