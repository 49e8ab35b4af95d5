"""Figures that Kedis-Python, the program whose name Kedis bears, has published of itself.

It was measured with a script with threads: 100,000 operations, half SET half GET, one connection a thread.  Another
machine, so that the shapes can be compared, and the figures only as orders of magnitude.
"""

from __future__ import annotations

#: Operations a second by connections.
BY_CONNECTIONS = {1: 13_898, 2: 15_631, 5: 18_390, 10: 21_492, 20: 13_984, 50: 10_977}

#: Operations a second on one connection, by fsync policy.
BY_POLICY = {"always": 1_081, "everysec": 13_898}
