"""The native path: a request from its bytes to its reply in C, where a compiler was there when Kedis was installed.

It serves clean requests of plain clients, and hands everything else to the Python path on the same bytes; that one
alone defines what a command is. ``docs/understand/native.md`` explains both.

Attributes:
    PATH: ``native`` or ``python``: the path that serves requests in this process. ``KEDIS_PURE=1`` in the environment
        chooses Python.
    LOOP: whether it also receives and sends (Linux).
    REASON: why it is ``python``; empty where it is not.
"""

from __future__ import annotations

import importlib
import os
import sys

PURE = os.environ.get("KEDIS_PURE", "") not in ("", "0")


def _reason() -> str:
    if PURE:
        return "KEDIS_PURE is set"
    try:
        importlib.import_module("kedis.native.path")
    except ImportError as error:
        return f"the extension was not built: {error}"
    return ""


REASON = _reason()
PATH = "python" if REASON else "native"
LOOP = not REASON and sys.platform == "linux"
