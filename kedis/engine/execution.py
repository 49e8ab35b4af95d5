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


class ScriptState:
    """The state of one script under way; :class:`kedis.scripting.script_run.Run` gives it its methods.

    It stands here for the native path, which makes most of them, slot by slot.

    Attributes:
        client: who has asked for the script.
        inner: the client that its commands run by.
        user: whose permissions hold.
        forbidden: the flags of commands that it must not call.
        denies_growth: commands that may grow are refused.
        run: runs a command, once one was called.
        targets: where effects go (redis.set_repl).
        end_error: the error that is to end it; None: it goes on.
        last_ns: until when a script that has written may go on at a shutdown.
        has_failed: an error that no command has counted has counted as the script's failure.
        argv, name, is_function: the request, and what runs.
        began_ns, limit_ns: when it has begun, and how long it may take before others are let in.
        wrote: whether a command was called that writes.
        slow: whether it is over its time limit, and others run.
    """

    __slots__ = (
        "argv",
        "began_ns",
        "client",
        "denies_growth",
        "end_error",
        "forbidden",
        "has_failed",
        "inner",
        "is_function",
        "last_ns",
        "limit_ns",
        "name",
        "run",
        "slow",
        "targets",
        "user",
        "wrote",
    )
