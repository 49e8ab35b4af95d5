"""The native path: a request from its bytes to its reply in C, where its extensions were built.

It serves clean requests of plain clients, and hands everything else to the Python path on the same bytes; that one
alone defines what a command is. ``docs/understand/native.md`` explains both.

This module tells which path runs. It imports none of the extensions, so that every module of Kedis may ask it; ``python
-m kedis.native`` prints the answer.

Attributes:
    PATH: ``native`` or ``python``: the path that serves requests in this process. ``KEDIS_PURE=1`` in the environment
        chooses Python.
    LOOP: whether it also receives and sends (Linux).
    EXTENSIONS: the names of its modules in C.
    REASON: why it is ``python``; empty where it is not.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from kedis.structures import COMPILED, PURE

EXTENSIONS = (
    "path",
    "recovery",
    "snapshot_records",
    "lua_bridge",
    "routing",
    *(["loop", "pools"] if sys.platform == "linux" else []),
)
#: Written by a build that has failed (setup.py).
_NOTE = Path(__file__).with_name("not_built.txt")


def _reason() -> str:
    if PURE:
        return "KEDIS_PURE is set"
    if COMPILED and all(find_spec(f"{__name__}.{name}") for name in EXTENSIONS):
        return ""
    try:
        return _NOTE.read_text().strip()
    except OSError:
        return f"its extensions were not built for {sys.implementation.cache_tag} on {sys.platform}"


REASON = _reason()
PATH = "python" if REASON else "native"
LOOP = not REASON and sys.platform == "linux"


def describe() -> str:
    """The path that runs, and why, for people: ``native path``, ``python path: KEDIS_PURE is set``."""
    return f"python path: {REASON}" if REASON else "native path"
