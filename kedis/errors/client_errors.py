"""The errors of connections, clients and transactions, in Redis's words."""

from __future__ import annotations

from kedis.errors import CommandError, shown

# Transactions.
NESTED_MULTI = "ERR MULTI calls can not be nested"
WATCH_INSIDE_MULTI = "ERR WATCH inside MULTI is not allowed"
EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI"
DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI"
EXEC_ABORTED = "EXECABORT Transaction discarded because of previous errors."


def exec_refused(reason: CommandError) -> str:
    """The error for an EXEC that is refused itself, or because of one of the queued commands."""
    return f"EXECABORT Transaction discarded because of: {str(reason).removeprefix('ERR ')}"


# Connections and clients.
DB_OUT_OF_RANGE = "ERR DB index is out of range"
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
AUTH_WITHOUT_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
PROTOCOL_NOT_A_NUMBER = "ERR Protocol version is not an integer or out of range"
UNSUPPORTED_PROTOCOL = "NOPROTO unsupported protocol version"
HELLO_NEEDS_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time"
)
BAD_CLIENT_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
INVALID_CLIENT_ID = "ERR Invalid client ID"
CLIENT_ID_NOT_POSITIVE = "ERR client-id should be greater than 0"
NO_SUCH_CLIENT = "ERR No such client"
BAD_PAUSE_MODE = "ERR CLIENT PAUSE mode must be WRITE or ALL"
BAD_UNBLOCK_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
TIMEOUT_NOT_AN_INTEGER = "ERR timeout is not an integer or out of range"
TIMEOUT_NEGATIVE = "ERR timeout is negative"
TIMEOUT_NOT_A_FLOAT = "ERR timeout is not a float or out of range"
UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"


def hello_option(option: bytes) -> str:
    """The error for an option that HELLO does not have, or that lacks its values."""
    return f"ERR Syntax error in HELLO option '{shown(option)}'"


def unknown_client_type(kind: bytes) -> str:
    """The error for CLIENT LIST TYPE and CLIENT KILL TYPE."""
    return f"ERR Unknown client type '{shown(kind)}'"


def no_such_user(user: bytes) -> str:
    """The error for CLIENT KILL USER."""
    return f"ERR No such user '{shown(user)}'"


def unrecognized_option(option: bytes) -> str:
    """The error for CLIENT SETINFO."""
    return f"ERR Unrecognized option '{shown(option)}'"


def bad_library_info(option: bytes) -> str:
    """The error for a library name or version that would break the lines of CLIENT LIST."""
    return f"ERR {shown(option)} cannot contain spaces, newlines or special characters."


# Client-side caching, MONITOR.
SECOND_REDIRECTION = "ERR A client can only redirect to a single other client"
NO_SUCH_REDIRECTION = "ERR The client ID you want redirect to does not exist"
PREFIX_NEEDS_BCAST = "ERR PREFIX option requires BCAST mode to be enabled"
CANNOT_SWITCH_BCAST = (
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
    "with a different mode."
)
OPT_WITH_BCAST = "ERR OPTIN and OPTOUT are not compatible with BCAST"
OPTIN_AND_OPTOUT = "ERR You can't specify both OPTIN mode and OPTOUT mode"
CANNOT_SWITCH_OPT = (
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
    "with a different mode."
)
CACHING_WITHOUT_TRACKING = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with "
    "OPTIN or OPTOUT mode enabled"
)
CACHING_YES_WITHOUT_OPTIN = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
CACHING_NO_WITHOUT_OPTOUT = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
MONITOR_IN_TRANSACTION = "ERR MONITOR isn't allowed for DENY BLOCKING client"
REPLICA_AND_KEYS = "ERR Replica can't interact with the keyspace"


def overlapping_prefixes(prefix: bytes, which: str, other: bytes) -> str:
    """The error for prefixes of CLIENT TRACKING of which one begins with the other."""
    return (
        f"ERR Prefix '{shown(prefix)}' overlaps with {which} prefix '{shown(other)}'. "
        "Prefixes for a single client must not overlap."
    )
