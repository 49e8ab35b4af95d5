"""Switches of DEBUG for tests: they turn something off (:mod:`kedis.engine.debug_switches`), or only say so.

QUICKLIST-PACKED-THRESHOLD and REPLYBUFFER are about parts of Redis that have no counterpart here: their words are
checked, and nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import leading_number
from kedis.config import parse_size
from kedis.engine.debug_switches import DebugSwitches
from kedis.errors import CommandError, debug_errors
from kedis.resp.values import OK

if TYPE_CHECKING:
    from kedis.engine.client import Client

_LARGEST_THRESHOLD = 1 << 32


def switch(name: str) -> Callable[[Client, Sequence[bytes]], Any]:
    """The handler that turns an attribute of the switches on or off by a number."""
    assert name in DebugSwitches.__slots__

    def handler(client: Client, argv: Sequence[bytes]) -> Any:
        setattr(client.engine.debug, name, leading_number(argv[2]) != 0)
        return OK

    return handler


def allow_in_scripts(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG SET-DISABLE-DENY-SCRIPTS."""
    client.engine.debug.allows_in_scripts = leading_number(argv[2]) != 0
    client.engine.scripting.follow_debug()
    return OK


def set_active_expire(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG SET-ACTIVE-EXPIRE."""
    client.engine.keyspace.active_expiry = leading_number(argv[2]) != 0
    return OK


def rewrite_all(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG CONFIG-REWRITE-FORCE-ALL: CONFIG REWRITE with a line for every setting."""
    if client.engine.config.file is None:
        raise CommandError(debug_errors.REWRITE_ALL_FAILED)
    debug = client.engine.debug
    debug.rewrites_all = True
    try:
        client.engine.process.rewrite_config()
    finally:
        debug.rewrites_all = False
    return OK


def flush_delay(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG AOF-FLUSH-SLEEP: sleep before each write of the append-only file, in microseconds."""
    client.engine.debug.flush_delay_us = max(0, int(leading_number(argv[2])))
    return OK


def packed_threshold(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG QUICKLIST-PACKED-THRESHOLD."""
    try:
        size = parse_size(argv[2].decode("latin-1"))
    except ValueError:
        size = -1
    if not 0 <= size <= _LARGEST_THRESHOLD:
        raise CommandError(debug_errors.PACKED_THRESHOLD)
    return OK


def reply_buffer(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG REPLYBUFFER."""
    if argv[2].lower() not in (b"peak-reset-time", b"resizing"):
        raise CommandError(errors.wrong_subcommand(argv[1], "debug"))
    return OK
