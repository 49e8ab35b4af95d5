"""The errors of the commands on values, in Redis's words."""

from __future__ import annotations

from kedis.errors import shown

# Strings.
DECREMENT_OVERFLOW = "ERR decrement would overflow"
OFFSET_OUT_OF_RANGE = "ERR offset is out of range"
STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
LCS_NOT_STRINGS = "ERR The specified keys must contain string values"
LCS_LEN_AND_IDX = "ERR If you want both the length and indexes, please just use IDX."
LCS_TOO_LARGE = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"

# Bits of strings.
BIT_OFFSET_OUT_OF_RANGE = "ERR bit offset is not an integer or out of range"
BIT_OUT_OF_RANGE = "ERR bit is not an integer or out of range"
BIT_NOT_0_OR_1 = "ERR The bit argument must be 1 or 0."
BITOP_NOT_SINGLE = "ERR BITOP NOT must be called with a single source key."
BITFIELD_TYPE = (
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
)
BITFIELD_OVERFLOW = "ERR Invalid OVERFLOW type specified"
BITFIELD_READ_ONLY = "ERR BITFIELD_RO only supports the GET subcommand"

# HyperLogLog.
NOT_A_HYPERLOGLOG = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPT_HYPERLOGLOG = "INVALIDOBJ Corrupted HLL object detected"
NO_SUCH_HYPERLOGLOG = "ERR The specified key does not exist"

# Positions.
UNSUPPORTED_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI"
COUNT_NOT_POSITIVE = "ERR COUNT must be > 0"
NO_SUCH_MEMBER = "ERR could not decode requested zset member"
RADIUS_NOT_A_NUMBER = "ERR need numeric radius"
RADIUS_NEGATIVE = "ERR radius cannot be negative"
WIDTH_NOT_A_NUMBER = "ERR need numeric width"
HEIGHT_NOT_A_NUMBER = "ERR need numeric height"
BOX_NEGATIVE = "ERR height or width cannot be negative"
ANY_WITHOUT_COUNT = "ERR the ANY argument requires COUNT argument"


def invalid_position(longitude: float, latitude: float) -> str:
    """The error for a longitude or latitude that the map does not have."""
    return f"ERR invalid longitude,latitude pair {longitude:f},{latitude:f}"


def store_with_decorations(name: str) -> str:
    """The error for a search that is to be stored and answered in full at once."""
    return f"ERR {name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"


def exactly_one(options: str, command: bytes) -> str:
    """The error for a search without a centre or without a shape, naming ``command`` as it was written."""
    return f"ERR exactly one of {options} can be specified for {shown(command)}"


# Lists.
LIST_RANK_ZERO = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to "
    "start from the end of the list"
)
COUNT_NEGATIVE = "ERR COUNT can't be negative"
MAXLEN_NEGATIVE = "ERR MAXLEN can't be negative"
POP_COUNT_NOT_POSITIVE = "ERR count should be greater than 0"

# Sets and hashes.
SAMPLE_COUNT_OUT_OF_RANGE = (
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
)
KEY_COUNT_NOT_POSITIVE = "ERR numkeys should be greater than 0"
KEY_COUNT_TOO_LARGE = "ERR Number of keys can't be greater than number of args"
LIMIT_NEGATIVE = "ERR LIMIT can't be negative"
HASH_VALUE_NOT_AN_INTEGER = "ERR hash value is not an integer"
HASH_VALUE_NOT_A_FLOAT = "ERR hash value is not a float"
NAN_OR_INFINITY = "ERR value is NaN or Infinity"
INCREMENT_TO_INFINITY = "ERR increment would produce NaN or Infinity"

# Sorted sets.
NX_AND_XX = "ERR XX and NX options at the same time are not compatible"
GT_LT_AND_NX = "ERR GT, LT, and/or NX options at the same time are not compatible"
INCR_OF_SEVERAL = "ERR INCR option supports a single increment-element pair"
SCORE_NOT_A_NUMBER = "ERR resulting score is not a number (NaN)"
RANGE_NOT_A_FLOAT = "ERR min or max is not a float"
RANGE_NOT_A_STRING = "ERR min or max not valid string range item"
LIMIT_OF_RANKS = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
SCORES_OF_NAMES = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
WEIGHT_NOT_A_FLOAT = "ERR weight value is not a float"
NEGATIVE_LIMIT = "ERR LIMIT can't be negative"


def no_input_keys(command: str) -> str:
    """The error for a count of keys below 1."""
    return f"ERR at least 1 input key is needed for '{command}' command"
