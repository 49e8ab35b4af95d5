"""The command table: every fact about a command, declared once beside its function.

A handler is a plain function ``handler(client, argv) -> value``; :func:`command` registers it and returns it
unchanged, so that nothing stands between the engine and the handler.  Arity, flags, key positions, ACL
categories and documentation are data on :class:`Command`; COMMAND, the engine's checks, the journal, the
metrics and the README's table all read them from here.

A container such as CLIENT has no handler of its own; its subcommands are declared as ``"CLIENT|ID"`` and hang
below it.  (COMMAND alone is both: it answers without a subcommand, too.)

Key positions are given as key specifications, the form in which Redis 7 publishes them: where the keys begin
(an index or a keyword), how to find the rest (a range or a count), and what is done to them.
"""

from __future__ import annotations

import enum
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kedis.engine.client import Client

Argv = Sequence[bytes]
Handler = Callable[["Client", Any], Any]


class Flag(enum.IntFlag):
    """What a command does and where it may run, in the order in which COMMAND INFO lists them."""

    WRITE = enum.auto()
    READONLY = enum.auto()
    DENYOOM = enum.auto()
    ADMIN = enum.auto()
    PUBSUB = enum.auto()
    NOSCRIPT = enum.auto()
    BLOCKING = enum.auto()
    LOADING = enum.auto()
    STALE = enum.auto()
    SKIP_MONITOR = enum.auto()
    SKIP_SLOWLOG = enum.auto()
    ASKING = enum.auto()
    FAST = enum.auto()
    NO_AUTH = enum.auto()
    NO_MANDATORY_KEYS = enum.auto()
    NO_ASYNC_LOADING = enum.auto()
    NO_MULTI = enum.auto()
    ALLOW_BUSY = enum.auto()


WRITE = Flag.WRITE
READONLY = Flag.READONLY
DENYOOM = Flag.DENYOOM
ADMIN = Flag.ADMIN
PUBSUB = Flag.PUBSUB
NOSCRIPT = Flag.NOSCRIPT
BLOCKING = Flag.BLOCKING
LOADING = Flag.LOADING
STALE = Flag.STALE
SKIP_MONITOR = Flag.SKIP_MONITOR
SKIP_SLOWLOG = Flag.SKIP_SLOWLOG
ASKING = Flag.ASKING
FAST = Flag.FAST
NO_AUTH = Flag.NO_AUTH
NO_MANDATORY_KEYS = Flag.NO_MANDATORY_KEYS
NO_ASYNC_LOADING = Flag.NO_ASYNC_LOADING
NO_MULTI = Flag.NO_MULTI
ALLOW_BUSY = Flag.ALLOW_BUSY

#: ACL categories in the order in which COMMAND INFO lists them.
CATEGORIES = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
]

_GROUP_CATEGORY = {
    "bitmap": "bitmap",
    "connection": "connection",
    "generic": "keyspace",
    "geo": "geo",
    "hash": "hash",
    "hyperloglog": "hyperloglog",
    "list": "list",
    "scripting": "scripting",
    "set": "set",
    "sorted-set": "sortedset",
    "stream": "stream",
    "string": "string",
    "transactions": "transaction",
}


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One key specification: how keys are found in a command and what happens to them.

    ``flags`` are Redis's words (``"RW access update"``).  The keys begin at ``index``, or after the word
    ``keyword`` searched from argument ``start_from`` on.  They are then a range (``last``, ``step``,
    ``limit``), or, with ``count_at`` given, as many as that argument says.  ``unknown`` marks positions
    that no specification can name.
    """

    flags: str
    index: int = 0
    keyword: str | None = None
    start_from: int = 0
    last: int = 0
    step: int = 1
    limit: int = 0
    count_at: int | None = None
    first_key: int = 1
    unknown: bool = False

    def positions(self, argv: Argv) -> Iterator[int]:
        """Yield the positions of the keys in ``argv``; ValueError when the arguments do not fit."""
        begin = self._begin(argv)
        if begin is None:
            return
        if self.count_at is not None:
            try:
                count = int(argv[begin + self.count_at])
            except IndexError:
                raise ValueError("no key count") from None
            first = begin + self.first_key
            end = first + (count - 1) * self.step
            if count < 1 or end >= len(argv):
                raise ValueError("key count out of range")
        else:
            first = begin
            end = begin + self.last if self.last >= 0 else len(argv) + self.last
            if self.last == -1 and self.limit > 1:
                end = begin + (len(argv) - begin) // self.limit - 1
            if not first <= end < len(argv):
                raise ValueError("missing keys")
        yield from range(first, end + 1, self.step)

    def _begin(self, argv: Argv) -> int | None:
        if self.unknown:
            return None
        if self.keyword is None:
            return self.index
        word = self.keyword.encode()
        if self.start_from > 0:
            search = range(self.start_from, len(argv))
        else:
            search = range(len(argv) + self.start_from, 0, -1)
        for position in search:
            if argv[position].upper() == word:
                return position + 1
        return None

    @property
    def is_fixed_range(self) -> bool:
        return self.keyword is None and self.count_at is None and not self.unknown


def span(flags: str, index: int, last: int = 0, step: int = 1, limit: int = 0) -> KeySpec:
    """Keys from argument ``index`` on: ``last`` counts from there (0: that one only) or from the end (-1)."""
    return KeySpec(flags, index=index, last=last, step=step, limit=limit)


def counted(flags: str, index: int, first_key: int = 1, step: int = 1) -> KeySpec:
    """Argument ``index`` says how many keys follow."""
    return KeySpec(flags, index=index, count_at=0, first_key=first_key, step=step)


def after_keyword(
    flags: str, keyword: str, start_from: int, last: int = 0, step: int = 1, limit: int = 0
) -> KeySpec:
    """Keys after the word ``keyword``, which is searched from argument ``start_from`` on (or back from the end)."""
    return KeySpec(flags, keyword=keyword, start_from=start_from, last=last, step=step, limit=limit)


def unknown_keys(flags: str) -> KeySpec:
    """Keys whose positions depend on data."""
    return KeySpec(flags, unknown=True)


#: Durations are counted in units of 2^6 ns.
_UNIT_BITS = 6
#: Below so many units (32.8 us) each has a count of its own.
_SHORT = 512
#: Longer ones are told apart by so many bits: by steps of 1/128, as the two significant figures of Redis's.
_PRECISION = 8


class Counters:
    """Live figures of one command; plain integers, so that the hot path touches nothing else.

    ``histogram[i]`` counts the calls that took between 64 i and 64 i + 63 nanoseconds.  It has a place for what took
    less than ``short_ns``, for nothing before the first call; the others go to :meth:`count`.  ``errors`` counts the
    calls that ran and failed, ``refusals`` those that did not run, by the first word of the reply.
    """

    __slots__ = ("errors", "histogram", "longer", "nanoseconds", "refusals", "short_ns")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Zero everything (CONFIG RESETSTAT)."""
        self.nanoseconds = 0
        self.histogram: list[int] = []
        self.short_ns = 0
        #: Longer calls, by the last unit of their bucket.
        self.longer: dict[int, int] = {}
        self.errors: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()

    def count(self, elapsed_ns: int) -> None:
        """Count a call; what is below zero, from a clock that was set back, counts as zero.  O(1)."""
        if not self.histogram:
            self.histogram = [0] * _SHORT
            self.short_ns = _SHORT << _UNIT_BITS
        units = max(elapsed_ns, 0) >> _UNIT_BITS
        if units < _SHORT:
            self.histogram[units] += 1
        else:
            last = units | ((1 << units.bit_length() - _PRECISION) - 1)
            self.longer[last] = self.longer.get(last, 0) + 1

    def durations(self) -> list[tuple[int, int]]:
        """(nanoseconds at most, calls) of each bucket that has any, rising.  O(buckets)."""
        found = [(units, calls) for units, calls in enumerate(self.histogram) if calls]
        found += sorted(self.longer.items())
        return [((units + 1 << _UNIT_BITS) - 1, calls) for units, calls in found]

    @property
    def calls(self) -> int:
        return sum(self.histogram) + sum(self.longer.values())

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def rejected(self) -> int:
        return sum(self.refusals.values())


@dataclass(eq=False, slots=True)
class Command:
    """A row of the table.  ``arity`` counts the name; negative means at least that many arguments."""

    name: str
    arity: int
    flags: Flag
    group: str
    since: str
    summary: str
    keys: tuple[KeySpec, ...] = ()
    categories: frozenset[str] = frozenset()
    tips: tuple[str, ...] = ()
    complexity: str = ""
    function: Handler | None = None
    find_keys: Callable[[Argv], list[tuple[int, str]]] | None = None
    key_flags: Callable[[Argv], str] | None = None
    permission: Callable[[Client], None] | None = None
    parent: Command | None = None
    subcommands: dict[bytes, Command] = field(default_factory=dict)
    # Derived once, read on every call:
    least: int = 0
    most: int = 0
    writes: bool = False
    shows_named_keys: bool = False
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self.writes = bool(self.flags & WRITE)
        #: Whether it only reads, and nothing but the keys among its words.
        self.shows_named_keys = bool(self.flags & READONLY) and self.has_keys and not self.moves_keys
        if self.function is None or self.subcommands:
            self.least, self.most = 1, 0  # a container: never fits, so that the engine looks below it
        elif self.arity >= 0:
            self.least = self.most = self.arity
        else:
            self.least, self.most = -self.arity, sys.maxsize

    def accepts(self, count: int) -> bool:
        """Whether a call with ``count`` arguments (the name included) fits the arity."""
        return count == self.arity if self.arity >= 0 else count >= -self.arity

    @property
    def acl_categories(self) -> list[str]:
        """The ACL categories that follow from flags and group, and the explicit ones, in Redis's order."""
        found = set(self.categories)
        if self.flags & WRITE:
            found.add("write")
        if self.flags & READONLY and self.group != "scripting":
            found.add("read")
        if self.flags & ADMIN:
            found |= {"admin", "dangerous"}
        if self.flags & PUBSUB:
            found.add("pubsub")
        if self.flags & BLOCKING:
            found.add("blocking")
        found.add("fast" if self.flags & FAST else "slow")
        if self.group in _GROUP_CATEGORY and self.function is not None:
            found.add(_GROUP_CATEGORY[self.group])
        return [name for name in CATEGORIES if name in found and f"-{name}" not in found]

    @property
    def moves_keys(self) -> bool:
        """Whether key positions depend on the arguments ("movablekeys")."""
        return self.find_keys is not None or any(
            not spec.is_fixed_range or "incomplete" in spec.flags for spec in self.keys
        )

    @property
    def has_keys(self) -> bool:
        """Whether arguments may be keys (the channels of sharded pub/sub are only placed like keys)."""
        return self.find_keys is not None or any("not_key" not in spec.flags for spec in self.keys)

    @property
    def flag_names(self) -> list[str]:
        names = [flag.name.lower() for flag in Flag if flag in self.flags and flag.name is not None]
        return [*names, "movablekeys"] if self.moves_keys else names

    @property
    def legacy_range(self) -> tuple[int, int, int]:
        """First key, last key and step, as COMMAND gave them before key specifications existed."""
        first = last = step = 0
        for spec in self.keys:
            if not spec.is_fixed_range:
                continue
            end = spec.index + spec.last if spec.last >= 0 else spec.last
            if first == 0:
                first, last, step = spec.index, end, spec.step
            elif last >= 0 and spec.index == last + 1 and step == spec.step == 1:
                last = end
            else:
                break
        return first, last, step

    def key_positions(self, argv: Argv) -> list[int]:
        """Positions of the keys in ``argv``.  ValueError when the arguments do not fit the command."""
        return [position for position, _ in self.key_uses(argv)]

    def key_uses(self, argv: Argv) -> list[tuple[int, str]]:
        """Positions of the keys in ``argv``, and what happens to each, in Redis's words.  ValueError as above."""
        if self.find_keys is not None:
            return self.find_keys(argv)
        specs = [spec for spec in self.keys if "not_key" not in spec.flags]
        found = [(position, spec.flags) for spec in specs for position in spec.positions(argv)]
        if self.key_flags is not None:
            return [(position, self.key_flags(argv)) for position, _ in found]
        return found


#: Lower-case name -> command, in order of registration.  Containers hold their subcommands.
COMMANDS: dict[bytes, Command] = {}


def command(
    name: str,
    *,
    arity: int,
    flags: Flag | int = 0,
    group: str,
    since: str,
    summary: str,
    keys: Sequence[KeySpec] = (),
    categories: str = "",
    tips: Sequence[str] = (),
    complexity: str = "",
    find_keys: Callable[[Argv], list[tuple[int, str]]] | None = None,
    key_flags: Callable[[Argv], str] | None = None,
    permission: Callable[[Client], None] | None = None,
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of ``name`` (``"CLIENT|ID"`` for a subcommand).

    ``categories`` names ACL categories that do not follow from flags and group; ``-name`` takes one away.
    ``find_keys`` gives the positions and flags of the keys where ``keys`` cannot describe them, ``key_flags``
    the flags where they depend on the options.  ``permission`` raises for a client that may not run the command,
    before it is queued in a transaction; the handler asks it, too.
    """

    def register(function: Handler) -> Handler:
        _add(
            Command(
                name=name.lower(),
                arity=arity,
                flags=Flag(flags),
                group=group,
                since=since,
                summary=summary,
                keys=tuple(keys),
                categories=frozenset(categories.split()),
                tips=tuple(tips),
                complexity=complexity,
                function=function,
                find_keys=find_keys,
                key_flags=key_flags,
                permission=permission,
            )
        )
        return function

    return register


def container(
    name: str,
    *,
    arity: int,
    group: str,
    since: str,
    summary: str,
    flags: Flag | int = 0,
    categories: str = "",
    complexity: str = "",
) -> None:
    """Register a command that consists of subcommands only; declare it before them."""
    _add(
        Command(
            name=name.lower(),
            arity=arity,
            flags=Flag(flags),
            group=group,
            since=since,
            summary=summary,
            categories=frozenset(categories.split()),
            complexity=complexity,
        )
    )


def _add(row: Command) -> None:
    parent_name, _, child = row.name.partition("|")
    if child:
        row.parent = COMMANDS[parent_name.encode()]
        row.parent.least, row.parent.most = 1, 0
        siblings = row.parent.subcommands
        key = child.encode()
    else:
        siblings = COMMANDS
        key = row.name.encode()
    if key in siblings:
        raise ValueError(f"command {row.name} is declared twice")
    siblings[key] = row


def every_command() -> Iterator[Command]:
    """All rows, each container followed by its subcommands."""
    for row in COMMANDS.values():
        yield row
        yield from row.subcommands.values()
