"""What Python sees of ``string_records.pyx``."""

from typing import Any

def put_strings(data: bytes, position: int, end: int, database: Any) -> tuple[int, int]: ...
