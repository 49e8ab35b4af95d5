"""What DEBUG turns off for a test; nothing else does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class DebugSwitches:
    """The switches of one engine.

    Attributes:
        pauses_cron: no periodic work is done (PAUSE-CRON).
        skips_checksums: the checksums of snapshots and payloads are not compared (SET-SKIP-CHECKSUM-VALIDATION).
        allows_in_scripts: scripts may call the commands that are denied to them (SET-DISABLE-DENY-SCRIPTS).
        rewrites_all: the next rewrite of the configuration file gives every setting (CONFIG-REWRITE-FORCE-ALL).
        flush_delay_us: the server sleeps so long before each write of the append-only file (AOF-FLUSH-SLEEP).
    """

    pauses_cron: bool = False
    skips_checksums: bool = False
    allows_in_scripts: bool = False
    rewrites_all: bool = False
    flush_delay_us: int = 0
