"""The errors of the stream commands, in Redis's words."""

from __future__ import annotations

INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
INVALID_START = "ERR invalid start ID for the interval"
INVALID_END = "ERR invalid end ID for the interval"

# XADD, XTRIM, XSETID.
ID_ZERO = "ERR The ID specified in XADD must be greater than 0-0"
ID_NOT_ABOVE_TOP = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
IDS_EXHAUSTED = "ERR The stream has exhausted the last possible ID, unable to add more items"
ENTRY_TOO_LARGE = "ERR Elements are too large to be stored"
MAXLEN_NEGATIVE = "ERR The MAXLEN argument must be >= 0."
LIMIT_NEGATIVE = "ERR The LIMIT argument must be >= 0."
MAXLEN_AND_MINID = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
LIMIT_WITHOUT_STRATEGY = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
LIMIT_WITHOUT_TILDE = "ERR syntax error, LIMIT cannot be used without the special ~ option"
NO_STRATEGY = "ERR syntax error, XTRIM must be called with a trimming strategy"
ENTRIES_ADDED_NEGATIVE = "ERR entries_added must be positive"
SETID_BELOW_TOP = "ERR The ID specified in XSETID is smaller than the target stream top item"
SETID_BELOW_GIVEN = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
ADDED_BELOW_LENGTH = "ERR The entries_added specified in XSETID is smaller than the target stream length"

# XREAD, XREADGROUP.
UNBALANCED = "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
GREATER_WITHOUT_GROUP = (
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
)
DOLLAR_WITH_GROUP = (
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
)
GROUP_WITH_XREAD = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
NOACK_WITH_XREAD = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
MISSING_GROUP = "ERR Missing GROUP option for XREADGROUP"
BLOCKED_KEY_GONE = "UNBLOCKED the stream key no longer exists"
BLOCKED_GROUP_GONE = "NOGROUP the consumer group this client was blocked on no longer exists"

# Consumer groups.
GROUP_NEEDS_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
    "option to create an empty stream automatically."
)
GROUP_EXISTS = "BUSYGROUP Consumer Group name already exists"
ENTRIES_READ_NEGATIVE = "ERR value for ENTRIESREAD must be positive or -1"
AUTOCLAIM_COUNT = "ERR COUNT must be > 0"


def block_in_script(command: bytes) -> str:
    """The error for BLOCK where a script calls XREAD or XREADGROUP."""
    return f"ERR {_shown(command)} command is not allowed with BLOCK option from scripts"


def no_group(key: bytes, group: bytes) -> str:
    """The error for a key or a group that is not there."""
    return f"NOGROUP No such key '{_shown(key)}' or consumer group '{_shown(group)}'"


def no_group_to_read(key: bytes, group: bytes) -> str:
    """The same for XREADGROUP."""
    return f"{no_group(key, group)} in XREADGROUP with GROUP option"


def no_group_of_key(key: bytes, group: bytes) -> str:
    """The error for a group that the stream at `key` does not have."""
    return f"NOGROUP No such consumer group '{_shown(group)}' for key name '{_shown(key)}'"


def invalid_idle_time(command: str) -> str:
    """The error for a least idle time that is not an integer."""
    return f"ERR Invalid min-idle-time argument for {command}"


def invalid_claim_option(option: str) -> str:
    """The error for the argument of an option of XCLAIM."""
    return f"ERR Invalid {option} option argument for XCLAIM"


def unknown_claim_option(option: bytes) -> str:
    """The error for an option that XCLAIM does not have."""
    return f"ERR Unrecognized XCLAIM option '{_shown(option)}'"


def _shown(word: bytes) -> str:
    """A client's word as an error repeats it: up to a NUL."""
    return word.partition(b"\0")[0].decode("utf-8", "surrogateescape")
