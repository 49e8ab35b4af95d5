"""What a pair of keys must do: a number and a list, which commands, transactions and scripts change together.

A history is about several such pairs. No operation touches two of them, so each has a history of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: The number, or None where there is no key, and the elements of the list.
State = tuple[int | None, tuple[int, ...]]
EMPTY: State = (None, ())
#: The outcome of an operation whose answer has not come: it has taken effect, or it has not.
UNKNOWN: Any = object()


@dataclass(frozen=True, eq=False)
class Operation:
    """What a client has asked, when it did, what it was answered, and when.

    Attributes:
        pair: number of the pair of keys.
        kind: a name of :data:`STEPS`.
        argument: what it writes, or for ``exec`` the number that it has watched and the one that it writes.
        result: as :data:`STEPS` gives it, or UNKNOWN.
        invoked, returned: on the clock of the one process in which all clients are, in nanoseconds. An operation
            without an answer has returned when its client saw the connection end: the server was dead by then.
    """

    client: int
    pair: int
    kind: str
    argument: Any
    result: Any
    invoked: int
    returned: int


def _get(state: State, argument: Any) -> tuple[State, Any]:
    return state, state[0]


def _set(state: State, argument: Any) -> tuple[State, Any]:
    return (argument, state[1]), b"OK"


def _swap(state: State, argument: Any) -> tuple[State, Any]:
    return (argument, state[1]), state[0]


def _increment(state: State, argument: Any) -> tuple[State, Any]:
    number = (state[0] or 0) + 1
    return (number, state[1]), number


def _push(state: State, argument: Any) -> tuple[State, Any]:
    elements = (*state[1], argument)
    return (state[0], elements), len(elements)


def _pop(state: State, argument: Any) -> tuple[State, Any]:
    if not state[1]:
        return state, None
    return (state[0], state[1][1:]), state[1][0]


def _range(state: State, argument: Any) -> tuple[State, Any]:
    return state, state[1]


def _delete(state: State, argument: Any) -> tuple[State, Any]:
    return EMPTY, (state[0] is not None) + bool(state[1])


def _unit(state: State, argument: Any) -> tuple[State, Any]:
    """MULTI, INCR, RPUSH, LRANGE, EXEC."""
    number = (state[0] or 0) + 1
    elements = (*state[1], argument)
    return (number, elements), (number, len(elements), elements)


def _script(state: State, argument: Any) -> tuple[State, Any]:
    """A script that swaps the number and pushes it."""
    elements = (*state[1], argument)
    return (argument, elements), (state[0], len(elements))


def _exec(state: State, argument: Any) -> tuple[State, Any]:
    """EXEC of a SET after WATCH and GET: it succeeds where nobody has changed the number, and may fail anyway."""
    watched, written = argument
    return (written, state[1]), state[0] == watched


#: State before and argument -> state after and result.
STEPS: dict[str, Callable[[State, Any], tuple[State, Any]]] = {
    "get": _get,
    "set": _set,
    "swap": _swap,
    "increment": _increment,
    "push": _push,
    "pop": _pop,
    "blocking pop": _pop,
    "range": _range,
    "delete": _delete,
    "unit": _unit,
    "script": _script,
    "exec": _exec,
}


def step(state: State, operation: Operation) -> State | None:
    """The state after the operation; None where it could not have had its result in this state."""
    after, result = STEPS[operation.kind](state, operation.argument)
    if operation.kind == "exec" and result is False:
        return state if operation.result is UNKNOWN else None
    return after if operation.result is UNKNOWN or result == operation.result else None
