"""The errors of the append-only file, snapshots, DUMP and MIGRATE, in Redis's words."""

from __future__ import annotations

from kedis.errors import shown

# The append-only file.
NO_PERSISTENCE = "ERR Background append only file rewriting is not possible: nothing is kept on disk here"
REWRITE_NOT_STARTED = (
    "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
)
REWRITE_IN_PROGRESS = "ERR Background append only file rewriting already in progress"


def aof_write_error(reason: str) -> str:
    """The refusal of writes (-MISCONF) while the append-only file cannot be written or synced."""
    return f"MISCONF Errors writing to the AOF file: {reason}"


# DUMP, RESTORE, SAVE, MIGRATE.
BUSY_KEY = "BUSYKEY Target key name already exists."
INVALID_TTL = "ERR Invalid TTL value, must be >= 0"
INVALID_IDLETIME = "ERR Invalid IDLETIME value, must be >= 0"
INVALID_FREQ = "ERR Invalid FREQ value, must be >= 0 and <= 255"
DUMP_FOOTER = "ERR DUMP payload version or checksum are wrong"
DUMP_FORMAT = "ERR Bad data format"


def unsupported_payload(what: str) -> str:
    return f"{DUMP_FORMAT}: the payload holds {what}, which this version cannot hold (see unsupported-data)"


MIGRATE_KEY_AND_KEYS = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
MIGRATE_WRITING = "IOERR error or timeout writing to target instance"
MIGRATE_READING = "IOERR error or timeout reading from target instance"
MIGRATE_NOWHERE = "ERR MIGRATE needs a server of its own, and cannot run inside a transaction"
#: The reason is in the log, as in Redis.
SAVE_FAILED = "ERR"
SHUTDOWN_FAILED = "ERR Errors trying to SHUTDOWN. Check logs."
BGSAVE_IN_PROGRESS = "ERR Background save already in progress"
BGSAVE_ANOTHER_CHILD = (
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule "
    "a BGSAVE whenever possible."
)
BGSAVE_FAILED = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may modify the data set are disabled, because this instance is configured to report errors during writes if "
    "RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the "
    "RDB error."
)


def target_error(reply: str) -> str:
    """The error for a server that refuses what MIGRATE sends it."""
    return f"ERR Target instance replied with error: {reply}"


def migrated_key_changed(key: bytes) -> str:
    """The error for a key that MIGRATE has copied, and could not delete."""
    return f"ERR '{shown(key)}' was changed while it was migrated: it was copied, and stays"
