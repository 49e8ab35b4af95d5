"""From bytes on the wire to commands, without sockets.

A client sends each command in one of two forms::

    *2\\r\\n$3\\r\\nGET\\r\\n$4\\r\\nuser\\r\\n        an array of bulk strings
    GET user\\r\\n                            inline: a typed line, with quotes

Bytes are collected in one buffer, and a state machine takes complete parts from its front: a count line, a length line,
an argument.  No part is parsed twice, so a command costs time linear in its size however finely it was cut.  Nothing is
allocated for data that is announced but not received.

Parsing gives way: a call of ``feed`` takes at most ``STEPS`` steps (a line, an argument, a run of empty requests),
about 0.3 ms, and leaves the rest in the buffer for the next call.  The caller decides by the clock when to call again.
The fast path (below) is bounded by the size of a read alone, 1.2 ms for 64 KB.

Where Redis is lenient so is this parser: ``\\r`` and any one byte end a header line, any two bytes end a
bulk, commands of no or negative count and blank lines are skipped, and a line with a NUL in it never ends.
Numbers are strict: an optional minus and decimal digits without leading zeros, in 64 bits.

``kedis.resp.canonical`` takes the common case out of the hands of this parser, with equal results.
"""

from __future__ import annotations

import itertools
import re

from kedis import errors
from kedis.errors import ProtocolError
from kedis.resp.canonical import UNKNOWN, parse_canonical

#: The longest inline request, and the longest count or length line, in bytes.
LINE_LIMIT = 64 * 1024
#: Arguments from this size in bytes on count for maxmemory-clients as soon as they are announced: Redis reserves them.
_LARGE_ARGUMENT = 32 * 1024
#: Max. arguments, and bytes of each, before authentication.
UNAUTHENTICATED_ARGUMENTS = 10
UNAUTHENTICATED_BULK_LENGTH = 16 * 1024
#: The default of proto-max-bulk-len.
MAX_BULK_LENGTH = 512 * 1024 * 1024

#: Lines and arguments that one call of ``feed`` takes at most, outside the fast path; each costs 1 to 3 us.
STEPS = 128

_MAX_ARGUMENTS = 2**31 - 1
_MAX_INTEGER = 2**63 - 1
_STAR = 0x2A
#: The length lines of short arguments: a look-up takes a third of the steps of reading one.
_SHORT = 1024
_SHORT_HEADERS = {b"$%d" % length: length for length in range(_SHORT)}
#: Short arguments are taken together where so many are missing, and so much of them has come; at most so many bytes.
_MANY = 64
_ENOUGH_BYTES = 4096
_CHUNK = 16 * 1024
#: How many of them count as a step.
_PER_STEP = 16

_BLANK = rb" \t\n\r\v\f"
# Blank lines, each within LINE_LIMIT, and commands of no arguments.
_match_empty = re.compile(rb"(?:[ \t\r\v\f]{0,65536}+\n|\*(?:0|-[1-9][0-9]{0,17})\r.)++", re.DOTALL).match
_match_blanks = re.compile(rb"[%b]*" % _BLANK).match
# Without these, ``bytes.split`` gives the arguments: quotes, and blanks that do not end a word.
_search_special = re.compile(rb"[\"'\v\f]").search
_WORD = rb"[^ \t\n\r\"']*"
_DOUBLE_QUOTED = rb'"((?:\\.|[^"\\])*+)"'
_SINGLE_QUOTED = rb"'((?:\\'|[^'])*+)'"
# A quoted part ends its argument: a blank or the end of the line must follow.
_match_argument = re.compile(
    rb"(%b)(?:(?:%b|%b)(?=[%b]|\Z))?" % (_WORD, _DOUBLE_QUOTED, _SINGLE_QUOTED, _BLANK), re.DOTALL
).match
# A double-quoted part in pieces: an escape each, and the runs between them.
_pieces = re.compile(rb"[^\\]+|\\x[0-9a-fA-F]{2}|\\.", re.DOTALL).findall
_CONTROLS = {b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t", b"\\b": b"\b", b"\\a": b"\a"}
_HEX = b"0123456789abcdefABCDEF"
_MEANING = {b"\\" + bytes([byte]): bytes([byte]) for byte in range(256)}
_MEANING.update(_CONTROLS)
_MEANING.update({b"\\x%c%c" % pair: bytes((int(bytes(pair), 16),)) for pair in itertools.product(_HEX, _HEX)})


#: Bytes of a buffer that holds nothing.
_EMPTY_BUFFER = bytearray().__sizeof__()


class RequestParser:
    """The parser of one client.

    Args:
        max_bulk_length: proto-max-bulk-len in bytes; may be changed at any time.

    Attributes:
        authenticated: while it is False, few and short arguments only are accepted.
        held: the last ``feed`` stopped early: after ``STEPS``, or behind an AUTH or HELLO, because whether the next
            command is within the limits depends on its outcome.  Run the commands, set ``authenticated``, then
            feed again (``b""`` will do).
        form: what is known of the bytes that the last ``feed`` took (:func:`kedis.resp.canonical.parse_canonical`).
    """

    __slots__ = (
        "_argv",
        "_buffer",
        "_bulk_length",
        "_command_start",
        "_failed",
        "_line_end",
        "_missing",
        "_position",
        "_searched",
        "_short",
        "_steps",
        "_unclean",
        "authenticated",
        "form",
        "held",
        "max_bulk_length",
    )

    def __init__(self, max_bulk_length: int = MAX_BULK_LENGTH) -> None:
        self.max_bulk_length = max_bulk_length
        self.authenticated = True
        self.held = False
        self.form = UNKNOWN
        self._buffer = bytearray()
        self._position = 0  # in the buffer: what is before it has been taken
        self._searched = 0  # in the buffer: no line end before it
        self._command_start = 0  # in the buffer, where the command at hand began; negative once that is gone
        self._argv: list[bytes] = []
        self._missing = 0  # arguments of the command at hand still to come
        self._short = False  # there are many, and those before were short
        self._bulk_length: int | None = None  # of the argument at hand, once its length line has come
        self._line_end = -1  # in the buffer: where the inline command at hand ends
        self._steps = 0  # that this call may still take
        self._unclean = False  # the fast path has refused what is held
        self._failed = False

    @property
    def pending_bytes(self) -> int:
        """Bytes received that do not make a whole command yet."""
        return len(self._buffer) - self._command_start

    @property
    def is_empty(self) -> bool:
        """Whether no part of a command is held."""
        return not (self._buffer or self._missing or self._argv)

    @property
    def free_bytes(self) -> int:
        """Unused bytes of the buffer for incomplete commands."""
        return self._buffer.__sizeof__() - _EMPTY_BUFFER - len(self._buffer)

    @property
    def announced_bytes(self) -> int:
        """Bytes of a large argument that its length line has announced and that have not come yet."""
        length = self._bulk_length
        if length is None or length < _LARGE_ARGUMENT:
            return 0
        return max(self._position + length - len(self._buffer), 0)

    @property
    def pending_arguments(self) -> int:
        """Arguments of the command at hand that have been taken; each is an object of its own."""
        return len(self._argv)

    def discard(self) -> None:
        """Drop the buffer and ignore later input: the client is being closed."""
        self._failed = True
        self.held = False
        self._argv = []
        self._buffer = bytearray()
        self._position = self._searched = self._command_start = self._missing = 0

    def feed(self, data: bytes) -> list[list[bytes]]:
        """Take in ``data`` and return the commands that it completes, each a non-empty list of arguments.

        Not all of them, where ``held`` is set afterwards.

        Args:
            data: the next bytes from the client, of any length.

        Raises:
            ProtocolError: to be sent to the client, which must be closed.  ``commands`` holds those completed before.
                Whatever is fed later is ignored.

        O(len(data)), amortised over the life of the client, and at most ``STEPS`` steps where the fast path fails.
        """
        commands: list[list[bytes]] = []
        if self._failed:
            return commands
        if self._buffer or self._missing:
            self.form = UNKNOWN
            self._buffer += data
            one_by_one = self.authenticated and not self._unclean  # then again what the fast path takes
            if not self._take(commands, at_most=1 if one_by_one else None) or not one_by_one:
                self._unclean = self._unclean and self.held
                return commands
            data = bytes(self._buffer)
            self._clear()
        if self.authenticated and len(data) <= self.max_bulk_length:
            clean, taken, form = parse_canonical(data)
            if taken == len(data):
                if commands:
                    return commands + clean
                self.form = form
                return clean
            commands += clean
            data = data[taken:] if taken else data
        self.form = UNKNOWN
        self._buffer += data
        self._take(commands)
        self._unclean = self.held
        return commands

    def give_up(self) -> ProtocolError:
        """After a failed allocation: release the buffer, and ignore later input.

        Returns the error for the client.
        """
        self.discard()
        return ProtocolError(errors.NO_MEMORY)

    def _clear(self) -> None:
        """Forget the buffer, which holds nothing but what is given to the fast path."""
        self._buffer.clear()
        self._position = self._searched = self._command_start = 0

    def _take(self, commands: list[list[bytes]], at_most: int | None = None) -> bool:
        """Append the commands that are whole, ``at_most`` so many; tell whether it stopped at that number.

        Where the steps of this call are used up it stops as well, and sets ``held``.

        Bytes taken are dropped from the buffer once at the end, not command by command, which would move the
        rest of the buffer every time.
        """
        self.held = False
        self._steps = STEPS
        try:
            while self._position < len(self._buffer):
                argv = self._next_command(commands)
                if argv is None:
                    return False
                self._command_start = self._position
                if argv:
                    commands.append(argv)
                    if len(commands) == at_most:
                        return True
            return False
        except ProtocolError as error:
            self._failed = True
            self._position = self._command_start = len(self._buffer)
            error.commands = commands
            raise
        except MemoryError:
            problem = self.give_up()
            problem.commands = commands
            raise problem from None
        finally:
            self._drop_taken()

    def _drop_taken(self) -> None:
        taken = self._position
        if not taken:
            return
        del self._buffer[:taken]
        self._position = 0
        self._searched = max(self._searched - taken, 0)
        self._command_start -= taken
        if self._line_end >= 0:
            self._line_end -= taken

    def _step(self) -> bool:
        """Count a step; False, and ``held``, if there is none left."""
        if not self._steps:
            self.held = True
            return False
        self._steps -= 1
        return True

    def _next_command(self, before: list[list[bytes]]) -> list[bytes] | None:
        """The next command, perhaps empty; None if it is not whole or must wait for those ``before`` it."""
        if not self._missing:
            if self._line_end >= 0:
                return self._inline_arguments()
            if not self._step():
                return None
            is_array = self._buffer[self._position] == _STAR
            if is_array or self._line_has_come():
                empty = _match_empty(self._buffer, self._position)
                if empty is not None:
                    self._position = empty.end()
                    return []
            if not is_array:
                return self._inline()
            start = self._position
            count = self._count()
            if count is None:
                return None
            if count > UNAUTHENTICATED_ARGUMENTS and not self.authenticated:
                self._refuse(errors.UNAUTHENTICATED_MULTIBULK_LENGTH, start, before)
                return None
            self._missing = max(count, 0)
            self._short = self._missing >= _MANY and self.authenticated and self.max_bulk_length >= _SHORT
        while self._missing:
            if not self._step():
                return None
            if self._short and self._bulk_length is None and self._short_arguments():
                continue
            if not self._argument(before):
                return None
        argv, self._argv = self._argv, []
        return argv

    def _refuse(self, text: str, start: int, before: list[list[bytes]]) -> None:
        """Raise the error ``text`` over the line at ``start``, or go back there if ``before`` may lift it."""
        if not any(argv[0].upper() in (b"AUTH", b"HELLO") for argv in before):
            raise ProtocolError(text)
        self._position = start
        self.held = True

    def _count(self) -> int | None:
        """Take the line ``*COUNT``; None if it is not whole."""
        line = self._header_line(errors.TOO_BIG_MULTIBULK_COUNT)
        if line is None:
            return None
        count = parse_length(line[1:])
        if count is None or count > _MAX_ARGUMENTS:
            raise ProtocolError(errors.INVALID_MULTIBULK_LENGTH)
        return count

    def _short_arguments(self) -> bool:
        """Take the short arguments that have come whole; False where it is better to take them one by one.

        What has come is cut at every line end.  A part that is as long as the part before it says is an argument, with
        its own line end behind it; whatever else there is, is left.  0.1 us an argument, 0.75 one by one.
        """
        start = self._position
        if len(self._buffer) - start < _ENOUGH_BYTES:
            return False
        with memoryview(self._buffer) as view:
            parts = bytes(view[start : start + _CHUNK]).split(b"\r\n")
        count = min((len(parts) - 1) // 2, self._missing)
        said = [_SHORT_HEADERS.get(header) for header in parts[: 2 * count : 2]]
        lengths = list(map(len, parts[1 : 2 * count : 2]))
        if said != lengths:
            count = next(at for at, length in enumerate(lengths) if said[at] != length)
        self._short = (
            count >= _MANY
        )  # else longer ones are among them, for which all this would be done in vain
        self._argv += parts[1 : 2 * count : 2]
        self._missing -= count
        self._position = start + sum(map(len, parts[: 2 * count])) + 4 * count
        self._steps = max(self._steps - count // _PER_STEP, 0)
        return count > 0

    def _argument(self, before: list[list[bytes]]) -> bool:
        """Take the next argument; False if it is not whole."""
        if self._bulk_length is None:
            start = self._position
            length = self._length()
            if length is None:
                return False
            if length > UNAUTHENTICATED_BULK_LENGTH and not self.authenticated:
                self._refuse(errors.UNAUTHENTICATED_BULK_LENGTH, start, before)
                return False
            self._bulk_length = length
        end = self._position + self._bulk_length
        if len(self._buffer) < end + 2:
            return False
        if self._bulk_length < 1024:
            self._argv.append(bytes(self._buffer[self._position : end]))
        else:
            with memoryview(self._buffer) as view:  # a slice of the bytearray would be a second copy
                self._argv.append(bytes(view[self._position : end]))
        self._position = end + 2
        self._bulk_length = None
        self._missing -= 1
        return True

    def _length(self) -> int | None:
        """Take the line ``$LENGTH``; None if it is not whole."""
        buffer, start = self._buffer, self._position
        end = buffer.find(b"\r\n", start, start + 8)
        if end > start:
            known = _SHORT_HEADERS.get(bytes(buffer[start:end]))
            if known is not None and known <= self.max_bulk_length:  # nearly always
                self._position = end + 2
                return known
        line = self._header_line(errors.TOO_BIG_BULK_COUNT)
        if line is None:
            return None
        if line[:1] != b"$":
            raise ProtocolError(errors.expected_dollar(line[0] if line else 0x0D))
        length = parse_length(line[1:])
        if length is None or not 0 <= length <= self.max_bulk_length:
            raise ProtocolError(errors.INVALID_BULK_LENGTH)
        return length

    def _header_line(self, too_big: str) -> bytes | None:
        """Take a line that ends with ``\\r`` and one more byte; None if it is not whole."""
        end = self._find_line_end(b"\r", too_big)
        if end is None or end + 2 > len(self._buffer):
            return None
        line = bytes(self._buffer[self._position : end])
        self._position = end + 2
        return line

    def _line_has_come(self) -> bool:
        """Whether there is the end of a line; nothing is looked at for it that was looked at before."""
        return self._buffer.find(b"\n", max(self._position, self._searched)) >= 0

    def _inline(self) -> list[bytes] | None:
        """Take an inline command; None if its line is not whole."""
        end = self._find_line_end(b"\n", errors.TOO_BIG_INLINE_REQUEST)
        if end is None:
            return None
        buffer = self._buffer
        if _search_special(buffer, self._position, end) is None:
            line = bytes(buffer[self._position : end])
            self._position = end + 1
            return line.split()
        self._position = _end_of_blanks(buffer, self._position, end)
        self._line_end = end
        return self._inline_arguments()

    def _inline_arguments(self) -> list[bytes] | None:
        """Take the arguments of the line up to ``_line_end``, some of which may have been taken before."""
        while self._position < self._line_end:
            if not self._step():
                return None
            argument, self._position = _inline_argument(self._buffer, self._position, self._line_end)
            self._argv.append(argument)
        self._position = self._line_end + 1
        self._line_end = -1
        argv, self._argv = self._argv, []
        return argv

    def _find_line_end(self, mark: bytes, too_big: str) -> int | None:
        """Where ``mark`` is in the buffer; None if it has not come yet.

        A NUL hides what is behind it, so that its line grows until it is too big.
        """
        buffer = self._buffer
        start = max(self._position, self._searched)
        found = buffer.find(mark, start)
        stop = len(buffer) if found < 0 else found
        nul = buffer.find(b"\0", start, stop)
        if nul >= 0:
            self._searched, stop, found = nul, len(buffer), -1
        elif found < 0:
            self._searched = stop
        if stop - self._position > LINE_LIMIT:
            raise ProtocolError(too_big)
        return None if found < 0 else found


def parse_length(digits: bytes) -> int | None:
    """The number of a header line, or None if it is not canonical, such as ``+1``, ``01`` or ``1_0``.

    O(1): at most twenty characters are looked at.
    """
    magnitude = digits[1:] if digits[:1] == b"-" else digits
    if len(magnitude) > 19 or not magnitude.isdigit() or (magnitude[0] == 0x30 and digits != b"0"):
        return None
    number = int(digits)
    return number if -_MAX_INTEGER - 1 <= number <= _MAX_INTEGER else None


def split_inline(line: bytes) -> list[bytes]:
    """The arguments of an inline command.

    Blanks separate.  Double quotes understand ``\\n \\r \\t \\b \\a \\xHH``, and any other byte after a
    backslash as itself; single quotes understand ``\\'``.  A closing quote must be followed by a blank or the
    end.

    Raises:
        ProtocolError: unbalanced quotes.

    O(len(line)).
    """
    argv = []
    end = len(line)
    position = _end_of_blanks(line, 0, end)
    while position < end:
        argument, position = _inline_argument(line, position, end)
        argv.append(argument)
    return argv


def _inline_argument(line: bytes | bytearray, position: int, end: int) -> tuple[bytes, int]:
    """The argument at ``position``, which is before ``end`` and no blank, and where the next one begins.

    Raises:
        ProtocolError: unbalanced quotes.
    """
    match = _match_argument(line, position, end)
    if match is None or (match.end() < end and line[match.end()] in b"\"'"):
        raise ProtocolError(errors.UNBALANCED_QUOTES)
    word, double, single = match.groups(b"")
    argument = word + _unescape(double) + single.replace(b"\\'", b"'")
    return argument, _end_of_blanks(line, match.end(), end)


def _end_of_blanks(line: bytes | bytearray, position: int, end: int) -> int:
    match = _match_blanks(line, position, end)
    return match.end() if match else position


def _unescape(text: bytes) -> bytes:
    """A double-quoted part without its escapes; 7 ms for 64 KB of nothing but escapes."""
    if b"\\" not in text:
        return text
    pieces = _pieces(text)
    return b"".join(map(_MEANING.get, pieces, pieces))
