"""The errors of DEBUG and PFDEBUG, in Redis's words."""

from __future__ import annotations

from kedis.errors import shown

NOT_SPARSE = "ERR HLL encoding is not sparse"
DEBUG_NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the "
    "server."
)
RELOAD_OPTIONS = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
REWRITE_ALL_FAILED = "ERR CONFIG-REWRITE-FORCE-ALL failed: Bad address"
PROTOCOL_TYPE = (
    "ERR Wrong protocol type name. Please use one of the following: "
    "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
)
NOT_IN_RESP2 = "ERR RESP2 is not supported by this command"
PACKED_THRESHOLD = "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
NOT_AN_SDS = "ERR Not an sds encoded string."
NO_HASH_TABLE = "ERR The value stored at the specified key is not represented using an hash table"
DEBUG_DATABASE = "ERR Out of range database"

RELOAD_FAILED = "ERR Error trying to load the RDB dump"
AOF_LOAD_FAILED = "ERR Error trying to load the AOF files, check server logs."
AOF_LACKS_DATA = (
    "ERR there is no append-only file to load: it was never written, or its base is being written now"
)
AOF_LACKS_UNIT = "ERR DEBUG LOADAOF cannot run inside a transaction, which is not in the file yet"


def unknown_pfdebug(subcommand: bytes) -> str:
    """The error for a subcommand that PFDEBUG does not have."""
    return f"ERR Unknown PFDEBUG subcommand '{shown(subcommand[:128])}'"


def not_encoded_so(encoding: str) -> str:
    """The error for a value of another encoding than the subcommand looks into."""
    return f"ERR Not a {encoding} encoded object."
