"""Access rules (ACL): the words of ACL SETUSER and of a ``user`` line, and back again.

Rules are applied one after the other. The commands of a selector are described anew from what it allows, as Redis 7.0
does it: first the categories that come closest to it, then the single commands that remain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from kedis.engine.acl_selector import ALL_ACCESS, Selector
from kedis.engine.keyspec import CHANGES, READS
from kedis.engine.table import Command, CommandTable

_SPACES = re.compile(rb"[\s\0]")
#: What ends a word inside of a selector; other white space is skipped before one only.
_WORD_ENDS = re.compile(rb"[ \n\r\t\0]")
_DIGEST = re.compile(rb"[0-9a-f]{64}")

UNKNOWN = "Unknown command or category name in ACL"
_SYNTAX = "Syntax error"
_AFTER_ALL_KEYS = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try "
    "'resetkeys' to start with an empty list of patterns"
)
_AFTER_ALL_CHANNELS = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try "
    "'resetchannels' to start with an empty list of channels"
)
_NO_SUCH_PASSWORD = "The password you are trying to remove from the user does not exist"
_BAD_DIGEST = (
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
)
_FIRST_WORD_OF_SUBCOMMAND = "Allowing first-arg of a subcommand is not supported"

#: Sets of commands whose rules a table remembers.
_MOST_DESCRIBED = 1000
_ACCESS_LETTERS = {b"R": READS, b"W": CHANGES}


class RuleError(Exception):
    """A rule that cannot be applied; the text is Redis's."""


class UnmatchedParenthesis(Exception):
    """A selector without its end; the text is its beginning."""


def has_spaces(word: bytes) -> bool:
    """Whether a word holds white space or NUL, which a line of rules cannot give back."""
    return _SPACES.search(word) is not None


def with_selectors_joined(words: Sequence[bytes]) -> Iterator[bytes]:
    """``words`` with those of each selector, from ``(`` to ``)``, as one.

    Raises UnmatchedParenthesis, with the latest word that could have begun the selector.
    """
    joined: bytes | None = None
    first = b""
    for word in words:
        if joined is None:
            if not word.startswith(b"(") or word.endswith(b")"):
                yield word
                continue
            joined, first = word, word
        else:
            joined += b" " + word
            if word.startswith(b"(") and not word.endswith(b")"):
                first = word
        if word.endswith(b")"):
            yield joined
            joined = None
    if joined is not None:
        raise UnmatchedParenthesis(first.decode("utf-8", "surrogateescape"))


class UserRules:
    """The properties of a user that rules change; :class:`kedis.engine.users.User` has them as its own.

    Attributes:
        passwords: SHA-256 digests in hexadecimal, in the order given.
        sanitizes: whether ``sanitize-payload`` was given, or the opposite; Kedis always checks what RESTORE brings.
        selectors: the root selector first.
    """

    __slots__ = ("enabled", "needs_no_password", "passwords", "sanitizes", "selectors")

    def __init__(self) -> None:
        self.enabled = self.needs_no_password = False
        self.passwords: list[bytes] = []
        self.sanitizes: bool | None = None
        self.selectors = [Selector()]

    def take(self, other: UserRules) -> None:
        """Become equal to ``other``."""
        self.enabled, self.needs_no_password = other.enabled, other.needs_no_password
        self.passwords = list(other.passwords)
        self.sanitizes = other.sanitizes
        self.selectors = [selector.copy() for selector in other.selectors]

    def apply(self, rule: bytes, table: CommandTable, *, all_channels: bool) -> None:
        """Apply one rule. Raises RuleError.

        Args:
            all_channels: the setting acl-pubsub-default: selectors begin with all channels allowed.
        """
        word = rule.lower()
        if not word:
            return
        if word in (b"on", b"off"):
            self.enabled = word == b"on"
        elif word == b"nopass":
            self.needs_no_password = True
            self.passwords.clear()
        elif word == b"resetpass":
            self.needs_no_password = False
            self.passwords.clear()
        elif word in (b"sanitize-payload", b"skip-sanitize-payload"):
            self.sanitizes = word == b"sanitize-payload"
        elif rule[:1] in (b">", b"#"):
            self._add_password(_digest(rule))
        elif rule[:1] in (b"<", b"!"):
            digest = _digest(rule)
            if digest not in self.passwords:
                raise RuleError(_NO_SUCH_PASSWORD)
            self.passwords.remove(digest)
        elif rule.startswith(b"(") and rule.endswith(b")"):
            self.selectors.append(_selector(rule[1:-1], table, all_channels))
        elif word == b"clearselectors":
            del self.selectors[1:]
        elif word == b"reset":
            self.__init__()  # type: ignore[misc]
            self.sanitizes = True
            self.selectors[0].all_channels = all_channels
        else:
            apply_to_selector(self.selectors[0], rule, table)

    def _add_password(self, digest: bytes) -> None:
        if digest not in self.passwords:
            self.passwords.append(digest)
        self.needs_no_password = False

    @property
    def flags(self) -> list[bytes]:
        """The flags in Redis's order."""
        flags = [b"on" if self.enabled else b"off"]
        if self.needs_no_password:
            flags.append(b"nopass")
        if self.sanitizes is not None:
            flags.append(b"sanitize-payload" if self.sanitizes else b"skip-sanitize-payload")
        return flags

    def described(self, table: CommandTable, *, for_file: bool = False) -> bytes:
        """The rules that make this user, as ACL LIST shows them.

        Args:
            for_file: write a pattern ``*`` that was given access in two steps so that others may follow it.
        """
        words = [*self.flags, *(b"#" + digest for digest in self.passwords)]
        root, *others = self.selectors
        words += _selector_words(root, table, for_file)
        words += [b"(" + b" ".join(_selector_words(other, table, for_file)) + b")" for other in others]
        return b" ".join(words)


def _digest(rule: bytes) -> bytes:
    if rule[:1] in (b">", b"<"):
        return sha256(rule[1:]).hexdigest().encode()
    if not _DIGEST.fullmatch(rule[1:]):
        raise RuleError(_BAD_DIGEST)
    return rule[1:]


def _selector(rules: bytes, table: CommandTable, all_channels: bool) -> Selector:
    selector = Selector()
    selector.all_channels = all_channels
    for rule in filter(None, (word.lstrip(b"\v\f") for word in _WORD_ENDS.split(rules))):
        if rule.startswith(b"(") or rule.endswith(b")"):  # a line could not give it back
            raise RuleError(_SYNTAX)
        apply_to_selector(selector, rule, table)
    return selector


# -- one selector -----------------------------------------------------------------------------------------


def apply_to_selector(selector: Selector, rule: bytes, table: CommandTable) -> None:
    """Apply a rule about commands, keys or channels. Raises RuleError."""
    word = rule.lower()
    if word in (b"allkeys", b"~*"):
        selector.all_keys = True
        selector.forget_keys()
    elif word == b"resetkeys":
        selector.all_keys = False
        selector.forget_keys()
    elif word in (b"allchannels", b"&*"):
        selector.all_channels = True
        selector.channels.clear()
    elif word == b"resetchannels":
        selector.all_channels = False
        selector.channels.clear()
    elif word in (b"allcommands", b"+@all"):
        _set_all(selector, table.all_bits)
    elif word in (b"nocommands", b"-@all"):
        _set_all(selector, 0)
    elif rule[:1] in (b"~", b"%"):
        _allow_keys(selector, rule)
    elif rule[:1] == b"&":
        if selector.all_channels:
            raise RuleError(_AFTER_ALL_CHANNELS)
        if has_spaces(rule):
            raise RuleError(_SYNTAX)
        selector.allow_channels(rule[1:])
    elif rule[:2] in (b"+@", b"-@"):
        _set_category(selector, rule, table)
    elif rule[:1] in (b"+", b"-"):
        _set_command(selector, rule, table)
    else:
        raise RuleError(_SYNTAX)


def _set_all(selector: Selector, bits: int) -> None:
    selector.commands = bits
    selector.begins_full = bits != 0
    selector.first_words.clear()


def _allow_keys(selector: Selector, rule: bytes) -> None:
    if selector.all_keys:
        raise RuleError(_AFTER_ALL_KEYS)
    access, pattern = ALL_ACCESS, rule[1:]
    if rule.startswith(b"%"):
        letters, _, pattern = rule[1:].partition(b"~")
        access = 0
        for letter in letters.upper():
            kind = _ACCESS_LETTERS.get(bytes((letter,)), 0)
            if not kind or access & kind:  # unknown, or a second time
                raise RuleError(_SYNTAX)
            access |= kind
        if not access:
            raise RuleError(_SYNTAX)
    if has_spaces(pattern):
        raise RuleError(_SYNTAX)
    selector.allow_keys(pattern, access)


def _set_category(selector: Selector, rule: bytes, table: CommandTable) -> None:
    category = rule[2:].decode("latin-1").lower()
    if category not in table.reaches:
        raise RuleError(UNKNOWN)
    _set_bits(selector, table.reaches[category], rule.startswith(b"+"))


def _set_bits(selector: Selector, bits: int, allowed: bool) -> None:
    """Allow or deny the commands of ``bits``, whatever their first argument."""
    selector.commands = selector.commands | bits if allowed else selector.commands & ~bits
    for command in [command for command in selector.first_words if command.bit & bits]:
        del selector.first_words[command]


def _set_command(selector: Selector, rule: bytes, table: CommandTable) -> None:
    allowed, name = rule.startswith(b"+"), rule[1:]
    command = table.declared_as(name) if not name.endswith(b"|") else None
    if command is not None:
        _set_bits(selector, command.family, allowed)
        return
    before, bar, first_word = name.rpartition(b"|")
    command = table.declared_as(before) if bar and allowed else None
    if command is None:
        raise RuleError(UNKNOWN)
    if command.parent is not None:
        raise RuleError(_FIRST_WORD_OF_SUBCOMMAND)
    if command.subcommands and first_word:
        raise RuleError(UNKNOWN)
    if not first_word or has_spaces(first_word):
        raise RuleError(_SYNTAX)
    selector.first_words.setdefault(command, {}).setdefault(first_word.lower(), first_word)


# -- descriptions -----------------------------------------------------------------------------------------


def _selector_words(selector: Selector, table: CommandTable, for_file: bool) -> Iterable[bytes]:
    yield from key_words(selector, for_file=for_file)
    if not selector.all_channels:
        yield b"resetchannels"
    yield from channel_words(selector)
    yield from command_words(selector, table)


def key_words(selector: Selector, *, for_file: bool = False) -> list[bytes]:
    """The rules of a selector about keys."""
    if selector.all_keys:
        return [b"~*"]
    prefixes = {ALL_ACCESS: b"~", READS: b"%R~", CHANGES: b"%W~"}
    words = [prefixes[access] + pattern for pattern, (access, _) in selector.keys.items()]
    return [b"%RW~*" if for_file and word == b"~*" else word for word in words]


def channel_words(selector: Selector) -> list[bytes]:
    """The rules of a selector about channels."""
    return [b"&*"] if selector.all_channels else [b"&" + pattern for pattern in selector.channels]


def command_words(selector: Selector, table: CommandTable) -> list[bytes]:
    """The rules of a selector about commands: the base, the categories that come closest, and the rest one by one.

    0.1 ms, or 1 us where the table remembers them: many users have the same.
    """
    if selector.first_words:
        return _command_words(selector, table)
    known, permitted = table.described_rules, (selector.commands, selector.begins_full)
    if permitted not in known:
        if len(known) >= _MOST_DESCRIBED:
            known.clear()
        known[permitted] = _command_words(selector, table)
    return known[permitted]


def _command_words(selector: Selector, table: CommandTable) -> list[bytes]:
    full = selector.begins_full
    words = [b"+@all" if full else b"-@all"]
    reached = table.all_bits if full else 0
    rest = selector.commands  # what the categories so far have not told
    applied: set[str] = set()
    while (best := _closest(rest, full, table.categories, applied)) is not None:
        applied.add(best)
        bits = table.reaches[best]
        reached, rest = (reached & ~bits, rest | bits) if full else (reached | bits, rest & ~bits)
        words.append((b"-@" if full else b"+@") + best.encode())
    return [*words, *_single_words(selector, table.declared.values(), reached)]


def _closest(rest: int, begins_full: bool, categories: dict[str, int], applied: set[str]) -> str | None:
    """The category with the fewest commands that are not meant, and of these with the most that are."""
    best, least, most = None, 1 << 30, 0
    for name, bits in categories.items():
        if name in applied:
            continue
        allowed = (rest & bits).bit_count()
        denied = bits.bit_count() - allowed
        meant, others = (denied, allowed) if begins_full else (allowed, denied)
        if meant > others and (others < least or (others == least and meant > most)):
            best, least, most = name, others, meant
    return best


def _single_words(selector: Selector, rows: Iterable[Command], reached: int) -> Iterator[bytes]:
    """The rules for the rows that the rules so far, which lead to ``reached``, have wrong."""
    for row in rows:
        allowed = selector.commands & row.bit
        if bool(allowed) != bool(reached & row.bit):
            yield (b"+" if allowed else b"-") + row.name.encode()
            reached = reached | row.family if allowed else reached & ~row.family
        if not allowed:
            for word in selector.first_words.get(row, {}).values():
                yield b"+%b|%b" % (row.name.encode(), word)
        yield from _single_words(selector, row.subcommands.values(), reached)
