"""A unit of commands: those queued by MULTI, or called by a script.

Inside a unit time is frozen, nothing blocks, and the effects of its commands are propagated together, wrapped in
MULTI and EXEC where they are two or more. Units nest (EVAL inside EXEC): the effects of an inner unit belong to the
outermost one, which propagates them when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence

#: A command as it is propagated, and the number of its database.
Effect = tuple[int, Sequence[bytes | bytearray]]


class Execution:
    """One unit under way; ``outer`` is the enclosing unit, if any."""

    __slots__ = ("effects", "outer")

    def __init__(self, outer: Execution | None = None) -> None:
        self.outer = outer
        self.effects: list[Effect] = [] if outer is None else outer.effects
