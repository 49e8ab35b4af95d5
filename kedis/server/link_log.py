"""What a replica logs of its link: mostly words of Redis, which programs look for."""

from __future__ import annotations

import logging

from kedis.replication.applier import StreamError
from kedis.replication.arrival import BadSnapshot, UnreadableSnapshot
from kedis.replication.handshake import Answered, ConnectionLost, Event, LinkError, Refused, Requested
from kedis.replication.replica import Replica, Stage

log = logging.getLogger("kedis.replication")


def log_handshake(event: Event | None) -> None:
    """Log one event before the master and the replica agree. Raises LinkError where it is none of these."""
    if isinstance(event, Answered):
        log.info("Master replied to PING, replication can continue...")
    elif isinstance(event, Requested):
        if event.position is None:
            log.info("Partial resynchronization not possible (no cached master)")
        else:
            log.info(
                "Trying a partial resynchronization (request %s:%d).",
                event.position.replid,
                event.position.offset + 1,
            )
    elif isinstance(event, Refused) and event.what == "PSYNC":
        log.info("Master does not support PSYNC or is in error state (reply: %s)", event.text)
        log.info("Retrying with SYNC...")
    elif isinstance(event, Refused):
        log.info("(Non critical) Master does not understand REPLCONF %s: %s", event.what, event.text)
    else:
        raise LinkError(f"{type(event).__name__} within the handshake")


def log_end(error: Exception, state: Replica, pause_seconds: float, *, gone: bool) -> None:
    """Log why a link has ended.

    Args:
        state: as it was until then.
        gone: whether the data that the snapshot was to replace are gone.
        pause_seconds: until the next try, where that is not at once.
    """
    if isinstance(error, StreamError):
        log.error("Protocol error from the master's stream, which is of no use any more: %s", error)
    elif isinstance(error, UnreadableSnapshot):
        log.error(
            "The MASTER's snapshot cannot be held here: %s; the data stay as they are, the next try is in %d s",
            error,
            pause_seconds,
        )
    elif isinstance(error, BadSnapshot):
        log.error("Internal error in RDB reading: %s", error)
        log.error(
            "Failed trying to load the MASTER synchronization DB from disk/socket; the data %s",
            "are gone, since the file of the snapshot has changed" if gone else "stay as they are",
        )
    elif state.is_up:
        if not isinstance(error, (ConnectionLost, OSError)):
            log.warning("%s", error)
        log.info("Connection with master lost.")
        log.info("Caching the disconnected master state.")
    elif state.stage is Stage.SYNC:
        log.warning("I/O error trying to sync with MASTER: %s", error)
    elif state.stage is Stage.CONNECTING:
        log.warning("Error condition on socket for SYNC: %s", error)
    else:
        log.warning("%s", error)
