"""Whether a history is linearizable: whether all operations may have happened one after the other, each at a moment
between its call and its answer, with the results that they had.

The events, calls and answers in the order of time, are gone through once. What is kept is the set of all that may be so
far: a state, and which of the operations under way have happened in it already. An answer leaves of these the ones in
which its operation has happened; where none is left, there is no such order. That takes time and memory by how many
operations are under way at once, not by the length of the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.linearizability.model import EMPTY, UNKNOWN, Operation, State, step

#: A state, and the operations under way that have happened in it.
Possibility = tuple[State, frozenset[Operation]]
#: Operations that a report shows before the one that cannot be.
_SHOWN = 12


class NotLinearizable(AssertionError):
    """No order explains the history; the message has the first answer that none explains, and what came before."""


def check(history: Iterable[Operation]) -> int:
    """Check a history; returns the number of operations. Raises NotLinearizable."""
    pairs: dict[int, list[Operation]] = {}
    for operation in history:
        pairs.setdefault(operation.pair, []).append(operation)
    for operations in pairs.values():
        _check_pair(operations)
    return sum(map(len, pairs.values()))


def _check_pair(operations: Sequence[Operation]) -> None:
    events = [(operation.invoked, 0, at) for at, operation in enumerate(operations)]
    events += [(operation.returned, 1, at) for at, operation in enumerate(operations)]
    under_way: set[Operation] = set()
    possible: set[Possibility] = {(EMPTY, frozenset())}
    for _, is_answer, at in sorted(events):
        operation = operations[at]
        if not is_answer:
            under_way.add(operation)
            continue
        before, possible = possible, _after(operation, possible, under_way)
        under_way.remove(operation)
        if not possible:
            raise NotLinearizable(_report(operations, operation, before, under_way))


def _after(operation: Operation, possible: set[Possibility], under_way: set[Operation]) -> set[Possibility]:
    """What may be once ``operation`` is over."""
    found: set[Possibility] = set()
    seen = set(possible)
    left = list(possible)
    while left:
        state, happened = left.pop()
        if operation in happened:
            found.add((state, happened - {operation}))
            continue
        if operation.result is UNKNOWN:  # it need not have happened
            found.add((state, happened))
        for other in under_way - happened:
            after = step(state, other)
            if after is not None:
                next_one = (after, happened | {other})
                if next_one not in seen:
                    seen.add(next_one)
                    left.append(next_one)
    return found


def _report(
    operations: Sequence[Operation], wrong: Operation, before: set[Possibility], under_way: set[Operation]
) -> str:
    earlier = sorted(
        (each for each in operations if each.returned <= wrong.returned), key=lambda each: each.returned
    )
    lines = [
        f"no order explains {_shown(wrong)}",
        f"before it: {', '.join(sorted({repr(state) for state, _ in before}))}",
        *(f"under way: {_shown(each)}" for each in under_way),
        *(f"  {_shown(each)}" for each in earlier[-_SHOWN:]),
    ]
    return "\n".join(lines)


def _shown(operation: Operation) -> str:
    result = "unknown" if operation.result is UNKNOWN else operation.result
    took = (operation.returned - operation.invoked) / 1e6
    return f"client {operation.client}: {operation.kind} {operation.argument} -> {result}, {took:.1f} ms"
