"""The errors that go over the wire: their classes, and the texts that every family of commands may answer.

The texts of a family are in a module of their own beside this one (:mod:`kedis.errors.value_errors` and so on).

A ``CommandError`` is the client's fault and is answered; any other exception is ours: it is logged with its
traceback at one boundary and answered ``-ERR internal error``.

An error travels as one line, ``-CODE text\\r\\n``.  The text kept here is that line without the leading
``-``, such as ``"WRONGTYPE Operation against ..."``.  The encoder makes sure that it stays one line.
"""

from __future__ import annotations

from kedis.errors.missing_families import missing_family

#: Characters from which a first word is no code.
_LONG_CODE = 32


class CommandError(Exception):
    """An error that is sent to the client.

    Args:
        text: the whole error line without the leading ``-``, beginning with its code.  Client bytes that are
            not UTF-8 are kept when they were decoded with ``surrogateescape``.

    Attributes:
        counted: whether it is counted as an error already, as that of another command.
    """

    counted = False

    @property
    def code(self) -> str:
        """The first word of the line, such as ``WRONGTYPE``; one word alone, a script's, counts as ``ERR``."""
        word, space, _ = str(self).partition(" ")
        return word if space and len(word) < _LONG_CODE else "ERR"


class ProtocolError(CommandError):
    """Bytes that are not RESP: the client is answered and closed, for nothing after them can be trusted.

    Attributes:
        commands: those that were complete before the fault; they are still to be run.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.commands: list[list[bytes]] = []


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


# Admission, in the order of its checks.

INTERNAL = "ERR internal error"
#: The process cannot get the memory that the request needs.  (Redis ends where an allocation fails.)
NO_MEMORY = "OOM command failed: not enough memory"
NO_AUTH = "NOAUTH Authentication required."
NOT_IN_TRANSACTION = "ERR Command not allowed inside a transaction"
LOADING = "LOADING Redis is loading the dataset in memory"
TOO_MANY_CLIENTS = "ERR max number of clients reached"
PROTECTED_MODE = (
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. Connect from the loopback interface, set a password with the requirepass setting, or turn "
    "protection off with 'protected-mode no'."
)

_DENIED = {
    1: "this user has no permissions to run the '{}' command",
    2: "this user has no permissions to access one of the keys used as arguments",
    3: "this user has no permissions to access one of the channels used as arguments",
}
_DENIED_IN_EXEC = {
    1: "no permission to execute the command or subcommand",
    2: "no permission to touch the specified keys",
    3: "no permission to access one of the channels used as arguments",
}


def no_permission(reason: int, command: str) -> str:
    """The error for a command that the user may not run: for itself (1), a key (2) or a channel (3)."""
    return "NOPERM " + _DENIED[reason].format(command)


def no_longer_permitted(reason: int) -> str:
    """The error for a queued command that the user may not run any more when EXEC comes."""
    return (
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command "
        f"is no longer allowed for the following reason: {_DENIED_IN_EXEC[reason]}"
    )


def unknown_command(name: bytes, shown_arguments: str) -> str:
    """The error for a command that is not in the table; the arguments are already cut to a sane length.

    It is Redis's, and for a command of a family that is missing it goes on to say so.
    """
    family = missing_family(name)
    missing = f"(Kedis has no {family} yet)" if family else ""
    return f"ERR unknown command '{shown(name[:128])}', with args beginning with: {shown_arguments}{missing}"


def unknown_subcommand(name: bytes, container: str) -> str:
    """The error for a subcommand that ``container`` does not have."""
    return f"ERR unknown subcommand '{shown(name[:128])}'. Try {container.upper()} HELP."


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
SORT_NOT_A_DOUBLE = "ERR One or more scores can't be converted into double"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
NOT_POSITIVE = "ERR value is out of range, must be positive"
NO_SUCH_KEY = "ERR no such key"
INDEX_OUT_OF_RANGE = "ERR index out of range"
INVALID_CURSOR = "ERR invalid cursor"
OUT_OF_RANGE = "ERR value is out of range"
OVERFLOW = "ERR increment or decrement would overflow"


# What keeps a command from being run, found later than admission.

CUT_OFF = "ERR The server shuts down, and nothing of this is kept"
OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."
READ_ONLY_REPLICA = "READONLY You can't write against a read only replica."
MASTER_DOWN = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."


def wrong_subcommand(subcommand: bytes, container: str) -> str:
    """The error for a subcommand that does not exist in this form."""
    repeated = shown(subcommand[:128])
    return (
        f"ERR unknown subcommand or wrong number of arguments for '{repeated}'. Try {container.upper()} HELP."
    )


def shown(word: bytes) -> str:
    """A client's word as an error repeats it: up to a NUL."""
    return word.partition(b"\0")[0].decode("utf-8", "surrogateescape")
