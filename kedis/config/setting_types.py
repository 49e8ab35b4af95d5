"""Types of settings: parsing, checks and printing of one word.

A type turns the words behind a setting's name into a Python value and back.  The refusals are Redis's texts,
since CONFIG SET sends them to clients.  Differences on purpose: a size that passes 64 bits stays at the top
instead of wrapping around to a small one (``17179869184gb`` would be "no limit").
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kedis.config.syntax import quote_word

INT_MAX = 2**31 - 1
UINT_MAX = 2**32 - 1
LLONG_MAX = 2**63 - 1
ULLONG_MAX = 2**64 - 1

WRONG_COUNT = "wrong number of arguments"

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_SIZE = re.compile(r"([0-9]{0,127})([a-z]{0,2})")
_UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1024,
    "m": 1000**2,
    "mb": 1024**2,
    "g": 1000**3,
    "gb": 1024**3,
}


class Kind(ABC):
    """The type of a setting."""

    #: Takes several words; one word that holds spaces counts as several.
    many = False
    #: A second line of the same file adds to the first instead of replacing it.
    accumulates = False

    @abstractmethod
    def parse(self, words: Sequence[str], old: Any) -> Any:
        """The value of ``words``.

        Args:
            words: what follows the setting's name.
            old: the current value; used by types that change a part of it.

        Raises ValueError with the reason, in Redis's words.
        """

    def text(self, value: Any) -> str:
        """The value as CONFIG GET prints it."""
        return str(value)

    def lines(self, value: Any) -> list[str]:
        """The value as written behind the name in a configuration file, one item per line."""
        return [quote_word(self.text(value))]

    @abstractmethod
    def expected(self) -> str:
        """A description of valid values, to end the sentence "it takes …"."""


class OneWord(Kind):
    """The type of a setting that takes a single word."""

    def parse(self, words: Sequence[str], old: Any) -> Any:
        if len(words) != 1:
            raise ValueError(WRONG_COUNT)
        return self.parse_word(words[0])

    @abstractmethod
    def parse_word(self, word: str) -> Any:
        """The value of a single word.  Raises ValueError."""


class Flag(OneWord):
    """``yes`` or ``no`` in any case; a bool."""

    def parse_word(self, word: str) -> bool:
        folded = word.lower()
        if folded not in ("yes", "no"):
            raise ValueError("argument must be 'yes' or 'no'")
        return folded == "yes"

    def text(self, value: Any) -> str:
        return "yes" if value else "no"

    def expected(self) -> str:
        return "yes or no"


class Integer(OneWord):
    """A whole number within bounds, both included.

    ``clamp`` narrows the value further without complaint, as Redis does with ``hz``.
    """

    def __init__(self, low: int, high: int, clamp: tuple[int, int] | None = None) -> None:
        self.low = low
        self.high = high
        self.clamp = clamp

    def parse_word(self, word: str) -> int:
        if not _INTEGER.fullmatch(word) or not -LLONG_MAX - 1 <= int(word) <= LLONG_MAX:
            raise ValueError("argument couldn't be parsed into an integer")
        return self.within(int(word))

    def within(self, number: int) -> int:
        """``number`` if it keeps the bounds, clamped.  Raises ValueError."""
        if not self.low <= number <= self.high:
            raise ValueError(
                f"argument must be between {self.shown(self.low)} and {self.shown(self.high)} inclusive"
            )
        if self.clamp:
            low, high = self.clamp
            return max(low, min(number, high))
        return number

    def shown(self, bound: int) -> str:
        """A number as messages and CONFIG GET print it."""
        return str(bound)

    def text(self, value: Any) -> str:
        return self.shown(value)

    def expected(self) -> str:
        low, high = self.clamp or (self.low, self.high)
        if high < INT_MAX:
            return f"an integer from {self.shown(low)} to {self.shown(high)}"
        return f"an integer of at least {self.shown(low)}" if low > -INT_MAX else "an integer"


class Octal(Integer):
    """A number written in base eight, such as the permissions of a file."""

    def parse_word(self, word: str) -> int:
        if not re.fullmatch("-?[0-7]{1,20}", word):
            raise ValueError("argument couldn't be parsed as an octal number")
        return self.within(int(word, 8))

    def shown(self, bound: int) -> str:
        return f"{bound:o}"

    def expected(self) -> str:
        return "an octal number from 0 to 777, such as 700"


class Memory(Integer):
    """A size in bytes; ``1k`` is 1000 and ``1kb`` 1024 of them."""

    def parse_word(self, word: str) -> int:
        return self.within(parse_size(word))

    def lines(self, value: Any) -> list[str]:
        return [print_size(value)]

    def expected(self) -> str:
        least = f" of at least {print_size(self.low)}" if self.low > 1 else ""
        return f"a size in bytes{least}, such as 1048576, 100mb or 1gb"


class MemoryOrPercent(OneWord):
    """A size in bytes, or a share of maxmemory such as ``5%``, kept as a negative number."""

    def parse_word(self, word: str) -> int:
        if re.fullmatch("[0-9]{1,18}%", word):
            if int(word[:-1]) > 100:
                raise ValueError("percentage argument must be less or equal to 100")
            return -int(word[:-1])
        try:
            return Memory(0, LLONG_MAX).within(parse_size(word))
        except ValueError as error:
            if "between" in str(error):
                raise
            raise ValueError("argument must be a memory or percent value") from None

    def text(self, value: Any) -> str:
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: Any) -> list[str]:
        return [self.text(value) if value < 0 else print_size(value)]

    def expected(self) -> str:
        return "a size in bytes, such as 100mb, or a share of maxmemory, such as 5%"


class Text(OneWord):
    """Any text; ``check`` may refuse it by raising ValueError."""

    def __init__(self, check: Callable[[str], None] | None = None, expected: str = "text") -> None:
        self._check = check
        self._expected = expected

    def parse_word(self, word: str) -> str:
        if self._check:
            self._check(word)
        return word

    def expected(self) -> str:
        return f"{self._expected}, in quotes if it holds spaces"


class Folder(OneWord):
    """A folder, kept as an absolute path."""

    def parse_word(self, word: str) -> str:
        return os.path.abspath(word)

    def expected(self) -> str:
        return "the path of a folder"


class Choice(OneWord):
    """One word of a list, in any case; ``synonyms`` maps further words to them."""

    def __init__(self, options: Sequence[str], synonyms: Mapping[str, str] | None = None) -> None:
        self.options = options
        self._synonyms = synonyms or {}

    def parse_word(self, word: str) -> str:
        folded = word.lower()
        if folded not in self.options:
            raise ValueError(f"argument(s) must be one of the following: {', '.join(self.options)}")
        return self._synonyms.get(folded, folded)

    def expected(self) -> str:
        return f"one of {', '.join(self.options)}"


class PortOrNo(OneWord):
    """A TCP port, or ``no`` for none, which is None."""

    def parse_word(self, word: str) -> int | None:
        return None if word.lower() == "no" else int(Integer(0, 65535).parse_word(word))

    def text(self, value: Any) -> str:
        return "no" if value is None else str(value)

    def expected(self) -> str:
        return "a port from 0 to 65535 (0 takes a free one), or no"


def parse_size(word: str) -> int:
    """Bytes from ``100mb``; the empty word is 0, and 2**64 - 1 is the most.  Raises ValueError."""
    match = _SIZE.fullmatch(word.lower())
    if not match or match[2] not in _UNITS:
        raise ValueError("argument must be a memory value")
    return min(int(match[1] or "0") * _UNITS[match[2]], ULLONG_MAX)


def print_size(size: int) -> str:
    """Bytes in the largest unit that divides them."""
    for unit in ("gb", "mb", "kb"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


def file_name(setting: str, noun: str, may_be_empty: bool = False) -> Callable[[str], None]:
    """The check for a name without a path, as ``appendfilename`` wants it."""

    def check(word: str) -> None:
        if not word and not may_be_empty:
            raise ValueError(f"{setting} can't be empty")
        if "/" in word or "\\" in word:
            raise ValueError(f"{setting} can't be a path, just a {noun}")

    return check


def host_name(word: str) -> None:
    """Refuse what cannot be announced as a host name."""
    if len(word) >= 256:
        raise ValueError("Hostnames must be less than 256 characters")
    if not re.fullmatch("[A-Za-z0-9.-]*", word):
        raise ValueError("Hostnames may only contain alphanumeric characters, hyphens or dots")


def title_template(word: str) -> None:
    """Refuse a process title with variables that do not exist, or with nothing beside those that may be empty.

    ``{{`` stands for a brace.
    """
    variables = "title|listen-addr|server-mode|port|tls-port|unixsocket|config-file"
    rest = re.sub("{(?:title|server-mode|unixsocket)}", "", word)
    if not rest.strip(" ") or not re.fullmatch(rf"(?:[^{{]|\{{\{{|\{{(?:{variables})\}})+", word):
        raise ValueError("template format is invalid or contains unknown variables")
