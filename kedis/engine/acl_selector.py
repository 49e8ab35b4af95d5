"""Selectors: what one set of access rules (ACL) allows.

A user has a root selector and perhaps further ones, in parentheses; a command runs if one of them allows it whole: the
command, its keys and its channels. A selector is changed by rules (:mod:`kedis.engine.acl_rules`) in a copy, which then
takes the place of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from kedis.engine.flags import NO_AUTH
from kedis.engine.keyspec import CHANGES, READS, access_of
from kedis.engine.table import Command
from kedis.structures.glob import Matcher, compile_glob, prefix_of


class Reason(IntEnum):
    """What a selector does not allow; of several selectors the highest counts, as in Redis."""

    COMMAND = 1
    KEY = 2
    CHANNEL = 3


#: The reason, and the position of the word that is not allowed.
Denial = tuple[Reason, int]

#: Allowed keys that are remembered, and how long one may be.
_REMEMBERED = 1024
_LONGEST_REMEMBERED = 128

_COMMAND_DENIED: Denial = (Reason.COMMAND, 0)
ALL_ACCESS = READS | CHANGES


class KeyTests(NamedTuple):
    """How a key is tested for an access: ``key.startswith(prefixes) or known(key) or allows(key)``.

    The patterns that are not prefixes take 0.3 us a key and more in Python. ``known`` knows keys that were allowed
    lately; ``allows`` compares.
    """

    prefixes: tuple[bytes, ...]
    known: Callable[[bytes], bool | None]
    allows: Callable[[bytes], bool]


class Selector:
    """One set of permissions; a new one allows nothing.

    Attributes:
        commands: the bits of the commands allowed (:attr:`kedis.engine.table.Command.bit`).
        begins_full: it was ``+@all`` before single commands were taken away: how its rules are described.
        first_words: first arguments with which a command is allowed that else is not (``+select|0``): in lower case,
            and as given.
        all_keys, all_channels: ``~*``, ``&*``.
        keys: pattern -> the access allowed to the keys that match, and its matcher.
        channels: pattern -> its matcher.
    """

    __slots__ = (
        "_plans",
        "_tests",
        "all_channels",
        "all_keys",
        "begins_full",
        "channels",
        "commands",
        "first_words",
        "keys",
    )

    def __init__(self) -> None:
        self.commands = 0
        self.begins_full = False
        self.first_words: dict[Command, dict[bytes, bytes]] = {}
        self.all_keys = self.all_channels = False
        self.keys: dict[bytes, tuple[int, Matcher]] = {}
        self.channels: dict[bytes, Matcher] = {}
        self._plans: dict[int, tuple[tuple[bytes, ...], tuple[Matcher, ...]]] = {}
        self._tests: dict[int, KeyTests] = {}

    def copy(self) -> Selector:
        """An equal selector, which may be changed. O(rules)."""
        other = Selector()
        other.commands, other.begins_full = self.commands, self.begins_full
        other.first_words = {command: dict(words) for command, words in self.first_words.items()}
        other.all_keys, other.all_channels = self.all_keys, self.all_channels
        other.keys, other.channels = dict(self.keys), dict(self.channels)
        return other

    def allow_keys(self, pattern: bytes, access: int) -> None:
        """Allow ``access`` to the keys that match ``pattern``, beside what was allowed to them."""
        self._forget_plans()
        before = self.keys.get(pattern)
        self.keys[pattern] = (
            (access, compile_glob(pattern)) if before is None else (before[0] | access, before[1])
        )

    def forget_keys(self) -> None:
        """Have no pattern of keys."""
        self.keys.clear()
        self._forget_plans()

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._tests.clear()

    def allow_channels(self, pattern: bytes) -> None:
        """Allow the channels that match ``pattern``, and the subscription to ``pattern`` itself."""
        self.channels[pattern] = compile_glob(pattern)

    def denial(self, command: Command, argv: Sequence[bytes]) -> Denial | None:
        """Why ``command``, whose arity is right, may not run with these words; None where it may.

        O(keys and channels in ``argv`` x patterns). 0.3 us for a command of one key and one pattern.
        """
        if not self.commands & command.bit and not command.flags & NO_AUTH:
            words = self.first_words.get(command)
            if words is None or len(argv) < 2 or argv[1].lower() not in words:
                return _COMMAND_DENIED
        if command.names_keys and not self.all_keys:
            position = self._denied_key(command, argv)
            if position is not None:
                return Reason.KEY, position
        if command.channels and not self.all_channels:
            position = self._denied_channel(command, argv)
            if position is not None:
                return Reason.CHANNEL, position
        return None

    def _denied_key(self, command: Command, argv: Sequence[bytes]) -> int | None:
        if command.key_range is not None:
            first, last, step, access = command.key_range
            end = first + last if last >= 0 else len(argv) + last
            if end >= len(argv):  # the handler will refuse it
                return None
            position = self._first_denied(argv, range(first, end + 1, step), access)
            if position is None or command.key_flags is None:
                return position
        try:
            uses = command.key_uses(argv)
        except ValueError:  # the handler will refuse it for the same reason
            return None
        for position, flags in uses:
            if not self.allows_key(argv[position], access_of(flags)):
                return position
        return None

    def _first_denied(self, argv: Sequence[bytes], positions: Iterable[int], access: int) -> int | None:
        """The first of ``positions`` whose key no pattern allows all of ``access`` to. O(positions x patterns)."""
        prefixes, matchers = self._plans.get(access) or self.plan_for(access)
        for position in positions:
            key = argv[position]
            if key.startswith(prefixes):
                continue
            for matches in matchers:
                if matches(key):
                    break
            else:
                return position
        return None

    def allows_key(self, key: bytes, access: int) -> bool:
        """Whether one pattern allows all of ``access`` to ``key``. O(patterns)."""
        return self.all_keys or self._first_denied((key,), (0,), access) is None

    def plan_for(self, access: int) -> tuple[tuple[bytes, ...], tuple[Matcher, ...]]:
        """The patterns that allow ``access``: the prefixes, which one call compares, and the matchers of the others."""
        prefixes, matchers = [], []
        for pattern, (allowed, matches) in self.keys.items():
            if not access & ~allowed:
                prefix = prefix_of(pattern)
                if prefix is None:
                    matchers.append(matches)
                else:
                    prefixes.append(prefix)
        plan = self._plans[access] = tuple(prefixes), tuple(matchers)
        return plan

    def tests_for(self, access: int) -> KeyTests:
        """The tests of a key for ``access``, which the permits of all commands share."""
        if access not in self._tests:
            prefixes, matchers = self.plan_for(access)
            self._tests[access] = KeyTests(prefixes, *_remembering(matchers))
        return self._tests[access]

    def allows_channel(self, name: bytes, is_pattern: bool) -> bool:
        """Whether a channel is allowed, or the subscription to a pattern, which must be the very one. O(patterns)."""
        if is_pattern:
            return self.all_channels or name in self.channels
        return self.all_channels or any(matches(name) for matches in self.channels.values())

    def _denied_channel(self, command: Command, argv: Sequence[bytes]) -> int | None:
        end = 2 if command.channels == "first" else len(argv)
        is_pattern = command.channels == "patterns"
        for position in range(1, min(end, len(argv))):
            if not self.allows_channel(argv[position], is_pattern):
                return position
        return None

    @property
    def reads_every_key(self) -> bool:
        """Whether any key may be read, as SORT's BY and GET need."""
        pattern = self.keys.get(b"*")
        return self.all_keys or (pattern is not None and bool(pattern[0] & READS))


def _remembering(
    matchers: Sequence[Matcher],
) -> tuple[Callable[[bytes], bool | None], Callable[[bytes], bool]]:
    """``known`` and ``allows`` of :class:`KeyTests`."""
    if not matchers:
        return _no_pattern, _no_pattern
    answers: dict[bytes, bool] = {}

    def allows(key: bytes) -> bool:
        found = any(matches(key) for matches in matchers)
        if found and len(key) <= _LONGEST_REMEMBERED:
            if len(answers) >= _REMEMBERED:
                answers.clear()
            answers[key] = True
        return found

    return answers.get, allows


def _no_pattern(_key: bytes) -> bool:
    return False
