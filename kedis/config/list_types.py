"""Settings of several words: snapshot points, addresses, buffer limits, event classes and the like.

Words are split at every single space, so two spaces make an empty word, which is refused as Redis does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kedis.config.setting_types import WRONG_COUNT, Choice, Kind, OneWord, parse_size, print_size
from kedis.config.syntax import quote_word

OutputLimit = tuple[int, int, int]

_NUMBER = re.compile("[+-]?[0-9]{1,18}")
#: The largest number of changes or seconds: Redis keeps 32 bits of a larger one.
_MOST = (1 << 31) - 1
_FLOAT = re.compile(r"[+-]?(?:[0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,3})?")
_MOST_ADDRESSES = 16
_MOST_STREAMS = 100


class WordList(Kind):
    """The base of types of several words; the value is a tuple."""

    many = True

    def text(self, value: Any) -> str:
        return " ".join(value)

    def lines(self, value: Any) -> list[str]:
        return [" ".join(map(quote_word, value)) or '""']


class Addresses(WordList):
    """Network addresses; ``*`` is all, a leading ``-`` means "if there is such an address"."""

    def parse(self, words: Sequence[str], old: Any) -> tuple[str, ...]:
        addresses = tuple(filter(None, words)) or tuple(words)  # several spaces in one word of a command line
        if len(addresses) > _MOST_ADDRESSES:
            raise ValueError("Too many bind addresses specified.")
        return addresses

    def expected(self) -> str:
        return "addresses separated by spaces, such as: 127.0.0.1 -::1"


class SavePoints(WordList):
    """Pairs of seconds and changes; ``""`` is none, and forgets the lines before."""

    accumulates = True

    def parse(self, words: Sequence[str], old: Any) -> tuple[tuple[int, int], ...]:
        if not all(map(_NUMBER.fullmatch, words)) or len(words) % 2:
            raise ValueError("Invalid save parameters")
        numbers = [int(word) for word in words]
        pairs = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        if any(seconds < 1 or not 0 <= changes <= _MOST for seconds, changes in pairs):
            raise ValueError("Invalid save parameters")
        return (*old, *pairs) if pairs else ()

    def text(self, value: Any) -> str:
        return " ".join(f"{seconds} {changes}" for seconds, changes in value)

    def lines(self, value: Any) -> list[str]:
        return [f"{seconds} {changes}" for seconds, changes in value] or ['""']

    def expected(self) -> str:
        return 'pairs of seconds and changes, such as: 3600 1 300 100; "" is none'


class OutputLimits(WordList):
    """A hard limit, a soft one and its seconds for each class of client; classes not named stay as they are.

    The value maps ``normal``, ``replica`` and ``pubsub`` to (bytes, bytes, seconds) and is never changed in
    place.  CONFIG GET calls the replicas ``slave``, as Redis does.
    """

    def parse(self, words: Sequence[str], old: Any) -> dict[str, OutputLimit]:
        if len(words) % 4:
            raise ValueError("Wrong number of arguments in buffer limit configuration.")
        limits = dict(old)
        for at in range(0, len(words), 4):
            name = words[at].lower()
            name = "replica" if name == "slave" else name
            if name not in limits:
                raise ValueError("Invalid client class specified in buffer limit configuration.")
            limits[name] = self._limit(*words[at + 1 : at + 4])
        return limits

    def _limit(self, hard: str, soft: str, seconds: str) -> OutputLimit:
        try:
            if not _NUMBER.fullmatch(seconds) or not 0 <= int(seconds) <= _MOST:
                raise ValueError(seconds)
            return parse_size(hard), parse_size(soft), int(seconds)
        except ValueError:
            raise ValueError(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
            ) from None

    def text(self, value: Any) -> str:
        shown = {"replica": "slave"}
        return " ".join(
            f"{shown.get(name, name)} {hard} {soft} {seconds}"
            for name, (hard, soft, seconds) in value.items()
        )

    def lines(self, value: Any) -> list[str]:
        return [
            f"{name} {print_size(hard)} {print_size(soft)} {seconds}"
            for name, (hard, soft, seconds) in value.items()
        ]

    def expected(self) -> str:
        return (
            "normal, replica or pubsub, a hard limit, a soft limit and seconds, such as: pubsub 32mb 8mb 60"
        )


class Choices(WordList):
    """Any of several words, in any case; ``default`` means none of them."""

    def __init__(self, options: Sequence[str]) -> None:
        self._one = Choice(("default", *options))

    def parse(self, words: Sequence[str], old: Any) -> tuple[str, ...]:
        chosen = {self._one.parse_word(word) for word in words or ("",)}
        if {"save", "nosave"} <= chosen:
            raise ValueError("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return tuple(option for option in self._one.options[1:] if option in chosen)

    def text(self, value: Any) -> str:
        return " ".join(value) or "default"

    def lines(self, value: Any) -> list[str]:
        return [self.text(value)]

    def expected(self) -> str:
        return f"any of {', '.join(self._one.options)}"


class EventClasses(OneWord):
    """The letters of keyspace events.  The value holds every letter on its own, ``A`` never."""

    _ALL = "g$lshzxetd"
    _ORDER = _ALL + "nKEm"

    def parse_word(self, word: str) -> str:
        if not set(word) <= set(self._ORDER + "A"):
            raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        letters = set(word) | (set(self._ALL) if "A" in word else set())
        return "".join(letter for letter in self._ORDER if letter in letters)

    def text(self, value: Any) -> str:
        # Beside A, Redis does not print n; the file needs it all the same.
        return self.lines(value)[0].strip('"').replace("An", "A")

    def lines(self, value: Any) -> list[str]:
        return [quote_word(value.replace(self._ALL, "A"))]

    def expected(self) -> str:
        return 'letters of Ag$lshzxeKEtmdn, such as KEA; "" is none'


class OomScores(WordList):
    """Three numbers for the kernel's out-of-memory score."""

    def parse(self, words: Sequence[str], old: Any) -> tuple[int, ...]:
        if len(words) != 3:
            raise ValueError(WRONG_COUNT)
        if not all(_NUMBER.fullmatch(word) and -2000 <= int(word) <= 2000 for word in words):
            raise ValueError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return tuple(map(int, words))

    def text(self, value: Any) -> str:
        return " ".join(map(str, value))

    def lines(self, value: Any) -> list[str]:
        return [self.text(value)]

    def expected(self) -> str:
        return "three numbers from -2000 to 2000"


class StreamKeys(WordList):
    """Keys of streams, each in database 0 or, as ``db3=key``, in another."""

    def parse(self, words: Sequence[str], old: Any) -> tuple[str, ...]:
        names = tuple(filter(None, words))
        if len(names) > _MOST_STREAMS:
            raise ValueError(f"at most {_MOST_STREAMS} streams")
        return names

    def expected(self) -> str:
        return "up to 100 keys of streams, such as: orders db3=events"


class HostNames(WordList):
    """Names of hosts, in lower case."""

    def parse(self, words: Sequence[str], old: Any) -> tuple[str, ...]:
        return tuple(word.lower() for word in words if word)

    def expected(self) -> str:
        return "names separated by spaces, such as: kedis.example.com"


class Percentiles(WordList):
    """Numbers from 0 to 100; none is allowed."""

    def parse(self, words: Sequence[str], old: Any) -> tuple[float, ...]:
        if not all(map(_FLOAT.fullmatch, words)):
            raise ValueError("Invalid latency-tracking-info-percentiles parameters")
        numbers = tuple(map(float, words))
        if not all(0.0 <= number <= 100.0 for number in numbers):
            raise ValueError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
        return numbers

    def text(self, value: Any) -> str:
        return " ".join(f"{number:.6f}".rstrip("0").rstrip(".") for number in value)

    def lines(self, value: Any) -> list[str]:
        return [self.text(value) or '""']

    def expected(self) -> str:
        return "numbers from 0 to 100, such as: 50 99 99.9"


class ReplicaOf(WordList):
    """The host and port of a master; ``no one`` is none.  The value is a string."""

    def parse(self, words: Sequence[str], old: Any) -> str:
        if len(words) != 2:
            raise ValueError(WRONG_COUNT)
        if [word.lower() for word in words] == ["no", "one"]:
            return ""
        if not re.fullmatch("[0-9]{1,5}", words[1]) or int(words[1]) > 65535:
            raise ValueError("Invalid master port")
        return " ".join(words)

    def text(self, value: Any) -> str:
        return str(value)

    def lines(self, value: Any) -> list[str]:
        return [value or "no one"]

    def expected(self) -> str:
        return "a host and a port, or: no one"
