"""Hashes, lists, sets and sorted sets as values: packed into one buffer while they are small, in the compiled build.

In Python a collection has one representation, the full structure of :mod:`kedis.structures.containers`,
:mod:`~kedis.structures.lists` or :mod:`~kedis.structures.sorted_set`: to find the
middle one of ten packed fields takes 0.06 us in C (packed.pyx) and 1.2 us in Python, where a dict takes 0.04; of a
hundred, 0.26 and 10. Handlers do not see which they have, for both have the same methods:

- what the full structure's own module says of changing, sampling and scanning;
- ``in``, ``len``, iteration, and for a hash ``get``, ``[]``, ``keys``, ``values``, ``items``;
- ``as_dict`` and ``as_set``: the content as the built-in type, to read only. It may be the structure itself, or a copy.
- ``words`` and ``integers``: the packed bytes, for dumps.

The compiled classes are subclasses of no built-in type, and theirs are the only classes of values that a keyspace has.

A packed collection becomes full with the change that exceeds its thresholds, and stays so (`kedis.structures.packing`).
So does a set of texts with more than 64, which Redis never packs: it says that it is a table in both cases. A list is
packed up to 8 KB and 256 elements, whatever ``list-max-listpack-size`` is: to clients every list is a quicklist.
"""

from __future__ import annotations

from kedis.structures.containers import Hash, Set
from kedis.structures.lists import List
from kedis.structures.sorted_set import SortedSet

__all__ = ["Hash", "List", "Set", "SortedSet"]
