"""BGREWRITEAOF; the work itself is done by whoever keeps the append-only file (``engine.persistence``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.table import ADMIN, NO_ASYNC_LOADING, NOSCRIPT, command
from kedis.errors import CommandError
from kedis.resp.values import SimpleString

if TYPE_CHECKING:
    from kedis.session import Session


@command(
    "BGREWRITEAOF",
    arity=1,
    flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING,
    group="server",
    since="1.0.0",
    summary="Rewrites the append-only file to the shortest form, in the background.",
    complexity="O(N) in the size of the data, in another process.",
)
def bgrewriteaof(ctx: Session, argv: Sequence[bytes]) -> SimpleString:
    persistence = ctx.engine.persistence
    if persistence is None:
        raise CommandError(errors.NO_PERSISTENCE)
    if persistence.aof_rewrite_in_progress:
        raise CommandError(errors.REWRITE_IN_PROGRESS)
    persistence.request_rewrite()
    return SimpleString(b"Background append only file rewriting started")
