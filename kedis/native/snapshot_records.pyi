"""What Python sees of ``snapshot_records.pyx``."""

from mmap import mmap
from typing import Any

from kedis.structures.packing import Thresholds

def make_room(database: Any, count: int) -> None: ...
def put_records(
    data: bytes | mmap, position: int, end: int, database: Any, thresholds: Thresholds | None, least_ms: int
) -> tuple[int, int]: ...
