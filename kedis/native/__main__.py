"""``python -m kedis.native``: which path serves requests, and why."""

from kedis.native import describe

print(describe())
