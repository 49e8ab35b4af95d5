"""The errors of users and what they may (ACL), in Redis's words."""

from __future__ import annotations

from kedis.errors import shown

NO_ACL_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration."
)
ACL_NOT_SAVED = (
    "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
)
GENPASS_BITS = (
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to "
    "4096"
)
USER_NAME = "ERR Usernames can't contain spaces or null characters"
DEFAULT_USER_STAYS = "ERR The 'default' user cannot be removed"
SORT_BY_DENIED = "ERR BY option of SORT denied due to insufficient ACL permissions."
SORT_GET_DENIED = "ERR GET option of SORT denied due to insufficient ACL permissions."


def acl_rule(rule: bytes, problem: str) -> str:
    """The error for a rule of ACL SETUSER."""
    return f"ERR Error in ACL SETUSER modifier '{shown(rule.partition(bytes(1))[0])}': {problem}"


def unmatched_parenthesis(beginning: str) -> str:
    """The error for a selector of ACL SETUSER that does not end."""
    return f"ERR Unmatched parenthesis in acl selector starting at '{beginning}'."


def acl_file_unreadable(path: str, problem: str) -> str:
    """The error for ACL LOAD of a file that cannot be read."""
    return f"ERR Error loading ACLs, opening file '{path}': {problem}"


def user_not_found(name: bytes) -> str:
    """The error for ACL DRYRUN."""
    return f"ERR User '{shown(name)}' not found"


def no_such_command(name: bytes) -> str:
    """The error for ACL DRYRUN."""
    return f"ERR Command '{shown(name)}' not found"


def dry_run_denied(reason: int, denied: bytes) -> bytes:
    """What ACL DRYRUN answers where the user may not: no error."""
    if reason == 1:
        return b"This user has no permissions to run the '%b' command" % denied
    return b"This user has no permissions to access the '%b' %b" % (
        denied,
        b"key" if reason == 2 else b"channel",
    )


def unknown_category(category: bytes) -> str:
    """The error for ACL CAT."""
    return f"ERR Unknown category '{shown(category)}'"
