"""The types of :mod:`kedis.native.routing`, which are those of its form in Python."""

from kedis.engine.table import Command

def key_slot(key: bytes) -> int: ...

class Form:
    row: Command
    key_at: int
    least: int
    most: int
    reads_only: bool
    def __init__(self, row: Command, key_at: int, reads_only: bool, least: int, most: int) -> None: ...
