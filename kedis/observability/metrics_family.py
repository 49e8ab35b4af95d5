"""A row of the table of metrics: a family with its name, type, labels, and the source of its numbers.

A row is read with the :class:`~kedis.observability.observer.Observer` as its only argument.  Most rows name an
attribute of it (``engine.keyspace.hits``), and that path is what documents them, too; the others bear a function
and say in words what it looks at.

Units are Prometheus's base units, and the name's last word says which: seconds, bytes, ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kedis.observability.observer import Observer

#: A value with the values of its labels.
Reading = tuple[tuple[str, ...], Any]
Read = Callable[["Observer"], Iterable[Reading]]

_UNITS = ("seconds", "bytes", "ratio")


@dataclass(frozen=True, slots=True)
class Buckets:
    """Which counts of a :class:`~kedis.structures.histogram.Histogram` are shown, and in which unit.

    Bucket ``i`` ends at 2^i - 1, so that every bound is exact: no observation lies between it and the next count.

    Attributes:
        first, last: indexes of the first and last bound; what is beyond is in ``+Inf``.
        scale: how many of the counted units (nanoseconds) make one of the shown (seconds).
    """

    first: int
    last: int
    scale: int

    @property
    def bounds(self) -> list[float]:
        """The values of ``le``, without ``+Inf``."""
        return [((1 << index) - 1) / self.scale for index in range(self.first, self.last + 1)]


#: 1.023 us to 17.2 s in steps of two: 25 bounds.
DURATIONS = Buckets(10, 34, 1_000_000_000)
#: 1, 3, 7 … 1,048,575.
AMOUNTS = Buckets(1, 20, 1)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family.

    Attributes:
        name: as in queries, ``_total`` included.
        kind: ``counter``, ``gauge`` or ``histogram``.
        help: a line about it.
        where: where the numbers are read.
        read: yields the values, each with those of its labels, in the order of ``labels``.
        labels: names of the labels; their values come from fixed tables, unless the family is `changing`.
        buckets: of a histogram.
        changing: whether series come and go, so that nothing of them should be kept.
    """

    name: str
    kind: str
    help: str
    where: str
    read: Read
    labels: tuple[str, ...] = ()
    buckets: Buckets | None = None
    changing: bool = False

    @property
    def unit(self) -> str:
        """``seconds``, ``bytes``, ``ratio``, or nothing for plain numbers."""
        word = self.name.removesuffix("_total").rpartition("_")[2]
        return word if word in _UNITS else ""


def counter(name: str, help: str, where: str, read: Read | None = None, labels: Sequence[str] = ()) -> Family:
    """A number that only grows (and begins anew with the process, or with CONFIG RESETSTAT)."""
    return Family(name, "counter", help, where, read or _attribute(where), tuple(labels))


def gauge(name: str, help: str, where: str, read: Read | None = None, labels: Sequence[str] = ()) -> Family:
    """A number that goes up and down."""
    return Family(name, "gauge", help, where, read or _attribute(where), tuple(labels))


def histogram(
    name: str,
    help: str,
    where: str,
    read: Read | None = None,
    labels: Sequence[str] = (),
    buckets: Buckets = DURATIONS,
) -> Family:
    """Counts by size; the values read are objects with ``counts`` and ``total``."""
    return Family(name, "histogram", help, where, read or _attribute(where), tuple(labels), buckets)


def seconds(where: str) -> Read:
    """Read nanoseconds at ``where``, give seconds."""
    get = attrgetter(where)
    return lambda observer: [((), get(observer) / 1e9)]


def _attribute(where: str) -> Read:
    get = attrgetter(where)
    return lambda observer: [((), get(observer))]
