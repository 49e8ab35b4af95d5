"""Lists: pushing and popping at the ends, and moving from list to list.

Commands by index or value are in :mod:`kedis.commands.list_positions`. LMPOP is journalled as the LPOP or RPOP of
the key that it found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer_between, key_count, natural
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import counted, span
from kedis.engine.table import Handler, command
from kedis.errors import CommandError, value_errors
from kedis.resp.values import NULL_ARRAY, NullArray
from kedis.structures.packed import List

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.store.database import Database


class _End(NamedTuple):
    """An end of a list: its commands, and the methods of :class:`List` that they call."""

    push: str
    pushx: str
    pop: str
    adds: str
    name: str
    push_one: Callable[[List, bytes], None]
    push_many: Callable[[List, Sequence[bytes]], None]
    pop_one: Callable[[List], bytes]


# -- pushing ----------------------------------------------------------------------------------------------


def _pusher(end: _End) -> Handler:
    push_one, push_many, event = end.push_one, end.push_many, end.push.lower()

    def push(client: Client, argv: Sequence[bytes]) -> int:
        db = client.db
        key = argv[1]
        values = db.lookup_or_create(key, List)
        if len(argv) == 3:
            push_one(values, argv[2])
            db.modified(key, values, event)
        else:
            push_many(values, argv[2:])
            db.modified(key, values, event, len(argv) - 2)
        return len(values)

    return push


def _pusher_to_existing(push: Handler) -> Handler:
    def pushx(client: Client, argv: Sequence[bytes]) -> Any:
        return push(client, argv) if client.db.lookup_write_typed(argv[1], List) is not None else 0

    return pushx


# -- popping ----------------------------------------------------------------------------------------------


def _popper(end: _End) -> Handler:
    pop_one, event = end.pop_one, end.pop.lower()

    def pop(client: Client, argv: Sequence[bytes]) -> bytes | list[bytes] | NullArray | None:
        if len(argv) > 2:
            return _pop_count(client, argv, event)
        key = argv[1]
        db = client.db
        values = db.lookup_write_typed(key, List)
        if values is None:
            return None
        value = pop_one(values)
        db.modified(key, values, event)
        return value

    return pop


for _end in (
    _End("LPUSH", "LPUSHX", "LPOP", "Prepends", "head", List.push_left, List.push_left_many, List.pop_left),
    _End("RPUSH", "RPUSHX", "RPOP", "Appends", "tail", List.push_right, List.push_right_many, List.pop_right),
):
    _push = command(
        _end.push,
        arity=-3,
        flags=WRITE | DENYOOM | FAST,
        group="list",
        since="1.0.0",
        summary=f"{_end.adds} elements to a list, creating it if needed; returns the new length.",
        keys=[span("RW insert", 1)],
        complexity="O(1) for each element",
        syntax="key@0 element...",
    )(_pusher(_end))
    command(
        _end.pushx,
        arity=-3,
        flags=WRITE | DENYOOM | FAST,
        group="list",
        since="2.2.0",
        summary=f"{_end.adds} elements to an existing list; returns the new length, 0 if there is no list.",
        keys=[span("RW insert", 1)],
        complexity="O(1) for each element",
        syntax="key@0 element...",
    )(_pusher_to_existing(_push))
    command(
        _end.pop,
        arity=-2,
        flags=WRITE | FAST,
        group="list",
        since="1.0.0",
        summary=f"Removes and returns elements from the {_end.name} of a list.",
        keys=[span("RW access delete", 1)],
        complexity="O(1) for each element",
        syntax="key@0 [count:int~6.2.0]",
    )(_popper(_end))


def _pop_count(client: Client, argv: Sequence[bytes], name: str) -> list[bytes] | NullArray:
    if len(argv) > 3:
        raise CommandError(errors.wrong_arity(name))
    count = natural(argv[2])
    key = argv[1]
    values = client.db.lookup_write_typed(key, List)
    if values is None:
        return NULL_ARRAY
    return pop_many(client.db, key, values, name == "lpop", count) if count else []


def pop_many(db: Database, key: bytes, values: List, left: bool, count: int) -> list[bytes]:
    """Remove and return up to ``count`` (at least 1) elements of the list ``values`` at ``key``.

    From the head if ``left``, else from the tail, the outermost element first.  O(count).
    """
    popped = values.pop_left_many(count) if left else values.pop_right_many(count)
    db.modified(key, values, "lpop" if left else "rpop", len(popped))
    return popped


@command(
    "LMPOP",
    arity=-4,
    flags=WRITE,
    group="list",
    since="7.0.0",
    summary="Removes and returns elements from the first non-empty list of several.",
    keys=[counted("RW access delete", 1)],
    complexity="O(N + M) in the number of keys and of elements removed",
    syntax='numkeys:int key@0... where("LEFT" | "RIGHT") ["COUNT" count:int]',
)
def lmpop(client: Client, argv: Sequence[bytes]) -> list[bytes | list[bytes]] | NullArray:
    keys = key_count(argv, 1, value_errors.KEY_COUNT_NOT_POSITIVE)
    left, count = parse_pop_options(argv, 2 + len(keys))
    return pop_first(client, keys, left, count) or NULL_ARRAY


def parse_pop_options(argv: Sequence[bytes], start: int) -> tuple[bool, int]:
    """``LEFT|RIGHT [COUNT count]`` from ``argv[start]`` on: whether LEFT, and the count (default 1).

    Raises CommandError.
    """
    if start >= len(argv):
        raise CommandError(errors.SYNTAX)
    left = is_left(argv[start])
    count = 0
    rest = iter(argv[start + 1 :])
    for word in rest:
        argument = next(rest, None)
        if word.upper() != b"COUNT" or argument is None or count:
            raise CommandError(errors.SYNTAX)
        count = integer_between(argument, 1, INT64_MAX, value_errors.POP_COUNT_NOT_POSITIVE)
    return left, count or 1


def pop_first(
    client: Client, keys: Sequence[bytes], left: bool, count: int
) -> list[bytes | list[bytes]] | None:
    """Pop from the first of ``keys`` that exists; returns [key, elements], or None if none does.

    Raises WRONGTYPE.  O(len(keys) + count).
    """
    for key in keys:
        values = client.db.lookup_write_typed(key, List)
        if values is not None:
            popped = pop_many(client.db, key, values, left, count)
            client.propagate(b"LPOP" if left else b"RPOP", key, b"%d" % len(popped))
            return [key, popped]
    return None


# -- moving -----------------------------------------------------------------------------------------------


@command(
    "LMOVE",
    arity=5,
    flags=WRITE | DENYOOM,
    group="list",
    since="6.2.0",
    summary="Moves an element from either end of one list to either end of another; returns it.",
    keys=[span("RW access delete", 1), span("RW insert", 2)],
    complexity="O(1)",
    syntax='source@0 destination@1 wherefrom("LEFT" | "RIGHT") whereto("LEFT" | "RIGHT")',
)
def lmove(client: Client, argv: Sequence[bytes]) -> bytes | None:
    from_left, to_left = is_left(argv[3]), is_left(argv[4])
    return move(client.db, argv[1], argv[2], from_left, to_left)


@command(
    "RPOPLPUSH",
    arity=3,
    flags=WRITE | DENYOOM,
    group="list",
    since="1.2.0",
    summary="Moves the last element of one list to the head of another; returns it.",
    keys=[span("RW access delete", 1), span("RW insert", 2)],
    complexity="O(1)",
    syntax="source@0 destination@1",
    deprecated=("6.2.0", "LMOVE from RIGHT to LEFT"),
)
def rpoplpush(client: Client, argv: Sequence[bytes]) -> bytes | None:
    return move(client.db, argv[1], argv[2], False, True)


def is_left(word: bytes) -> bool:
    """Whether ``word`` is LEFT; False for RIGHT, CommandError for anything else."""
    side = word.upper()
    if side == b"LEFT":
        return True
    if side == b"RIGHT":
        return False
    raise CommandError(errors.SYNTAX)


def move(db: Database, source_key: bytes, target_key: bytes, from_left: bool, to_left: bool) -> bytes | None:
    """Move one element between the ends of two lists, or of one; None if the source does not exist.

    The element is inserted before it is removed, so that a list of one that is its own target never is empty.  O(1).
    """
    source = db.lookup_write_typed(source_key, List)
    if source is None:
        return None
    target = db.lookup_or_create(target_key, List)
    value = source[0 if from_left else -1]
    if source is target:
        source.rotate((-1 if from_left else 1) if from_left != to_left else 0)
    else:
        (target.push_left if to_left else target.push_right)(value)
        (source.pop_left if from_left else source.pop_right)()
    db.modified(target_key, target, "lpush" if to_left else "rpush")
    db.modified(source_key, source, "lpop" if from_left else "rpop", 0)
    return value


@command(
    "LLEN",
    arity=2,
    flags=READONLY | FAST,
    group="list",
    since="1.0.0",
    summary="Returns how many elements a list has.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def llen(client: Client, argv: Sequence[bytes]) -> int:
    return len(client.db.lookup_read_typed(argv[1], List) or ())
