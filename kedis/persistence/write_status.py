"""The write status: refuses changes with -MISCONF while the append-only file cannot be written."""

from __future__ import annotations

from kedis import errors
from kedis.engine.client import Client
from kedis.errors import CommandError, storage_errors
from kedis.persistence.aof import Aof


class WriteStatus:
    """Keeps ``aof_last_write_status`` and the engine's refusal of writes in step."""

    def __init__(self, aof: Aof) -> None:
        self._aof = aof
        self._engine = aof.engine

    def refuse_writes(self, reason: str) -> None:
        """Answer writes with -MISCONF from now on."""
        self._aof.aof_last_write_status = "err"
        self._engine.restrictions.set_write_error(storage_errors.aof_write_error(reason))

    def accept_writes(self) -> None:
        """Accept writes again."""
        self._aof.aof_last_write_status = "ok"
        self._engine.restrictions.set_write_error(None)

    def withdraw_replies(self, client: Client, turn: int) -> bool:
        """Replace the replies of ``client`` by the refusal, if it has written in ``turn``.

        Returns False, and drops all replies, where that is impossible (no memory): the client must be closed then,
        because its replies would be false.
        """
        if client.dirty_epoch == turn:
            try:
                client.refuse_replies(CommandError(self._engine.restrictions.write_error or errors.INTERNAL))
            except Exception:
                client.out.clear()
                return False
        return True
