"""Every error that goes over the wire.

A ``CommandError`` is the client's fault and is answered; any other exception is ours: it is logged with its
traceback at one boundary and answered ``-ERR internal error``.

An error travels as one line, ``-CODE text\\r\\n``.  The text kept here is that line without the leading
``-``, such as ``"WRONGTYPE Operation against ..."``.  The encoder makes sure that it stays one line.
"""

from __future__ import annotations


class CommandError(Exception):
    """An error that the client is told about.

    Args:
        text: the whole error line without the leading ``-``, beginning with its code.  Client bytes that are
            not UTF-8 are kept when they were decoded with ``surrogateescape``.
    """

    @property
    def code(self) -> str:
        """The first word of the line, such as ``ERR`` or ``WRONGTYPE``."""
        return str(self).partition(" ")[0]


class ProtocolError(CommandError):
    """Bytes that are not RESP: the client is answered and closed, for nothing after them can be trusted."""


WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"

# Protocol errors, in Redis's words.
INVALID_MULTIBULK_LENGTH = "ERR Protocol error: invalid multibulk length"
INVALID_BULK_LENGTH = "ERR Protocol error: invalid bulk length"
UNAUTHENTICATED_MULTIBULK_LENGTH = "ERR Protocol error: unauthenticated multibulk length"
UNAUTHENTICATED_BULK_LENGTH = "ERR Protocol error: unauthenticated bulk length"
TOO_BIG_MULTIBULK_COUNT = "ERR Protocol error: too big mbulk count string"
TOO_BIG_BULK_COUNT = "ERR Protocol error: too big bulk count string"
TOO_BIG_INLINE_REQUEST = "ERR Protocol error: too big inline request"
UNBALANCED_QUOTES = "ERR Protocol error: unbalanced quotes in request"


def expected_dollar(got: int) -> str:
    """The error for an argument that begins with the byte ``got`` instead of ``$``."""
    return f"ERR Protocol error: expected '$', got '{bytes((got,)).decode('utf-8', 'surrogateescape')}'"


# Refusals by the gatekeeper, in the order in which it checks.

INTERNAL = "ERR internal error"
NO_AUTH = "NOAUTH Authentication required."
NOT_IN_TRANSACTION = "ERR Command not allowed inside a transaction"
LOADING = "LOADING Redis is loading the dataset in memory"
TOO_MANY_CLIENTS = "ERR max number of clients reached"
PROTECTED_MODE = (
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. Connect from the loopback interface, set a password with the requirepass setting, or turn "
    "protection off with 'protected-mode no'."
)


def unknown_command(name: bytes, shown_arguments: str) -> str:
    """The error for a command that is not in the table; both parts are already cut to a sane length."""
    shown = name.decode("utf-8", "surrogateescape")
    return f"ERR unknown command '{shown}', with args beginning with: {shown_arguments}"


def unknown_subcommand(name: bytes, container: str) -> str:
    """The error for a subcommand that ``container`` does not have."""
    shown = name[:128].decode("utf-8", "surrogateescape")
    return f"ERR unknown subcommand '{shown}'. Try {container.upper()} HELP."


def wrong_arity(command: str) -> str:
    """The error for too few or too many arguments."""
    return f"ERR wrong number of arguments for '{command}' command"


def only_pubsub(command: str) -> str:
    """The error for an ordinary command of a subscribed RESP2 client."""
    return (
        f"ERR Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
        "allowed in this context"
    )


# Arguments, common to all families.

SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
NOT_POSITIVE = "ERR value is out of range, must be positive"
NO_SUCH_KEY = "ERR no such key"
INDEX_OUT_OF_RANGE = "ERR index out of range"
OVERFLOW = "ERR increment or decrement would overflow"
