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
