"""The errors of keys, their time to live, and databases, in Redis's words."""

from __future__ import annotations

from kedis.errors import shown

NOT_AN_INT32 = "ERR value is out of range, value must between -2147483648 and 2147483647"
SAME_OBJECT = "ERR source and destination objects are the same"
INVALID_FIRST_DB = "ERR invalid first DB index"
INVALID_SECOND_DB = "ERR invalid second DB index"
NX_AND_OTHERS = "ERR NX and XX, GT or LT options at the same time are not compatible"
GT_AND_LT = "ERR GT and LT options at the same time are not compatible"
LFU_NOT_SELECTED = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
    "between policies at runtime LRU and LFU data will take some time to adjust."
)
LFU_SELECTED = (
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
    "policies at runtime LRU and LFU data will take some time to adjust."
)


def invalid_expire_time(command: str) -> str:
    """The error for a time to live that does not fit 64 bits of milliseconds."""
    return f"ERR invalid expire time in '{command}' command"


def unsupported_option(option: bytes) -> str:
    """The error for an option that EXPIRE and its like do not have."""
    return f"ERR Unsupported option {shown(option)}"
