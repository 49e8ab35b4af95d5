"""The command line as other users of the machine see it, with ``ps``: secrets in it are made unreadable.

On Linux the kernel reads the words from the memory of the process each time somebody asks, at the place that
``/proc/self/stat`` tells; so they can be written over. Elsewhere nothing is done. Between the start of the program and
this they are there to be seen: a file or the environment is the place for secrets.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

#: Of the fields behind the name of the program: where the words begin and end.
_ARG_START, _ARG_END = 45, 46
#: What may stand between the name of a flag, or of a user, and the secret in the same word.
_BEFORE = (b"=", b" ", b":")


def hide_arguments(secrets: Iterable[str]) -> bool:
    """Write stars over ``secrets`` where they are words of the command line, or ends of words; whether it was done."""
    wanted = {secret.encode("utf-8", "surrogateescape") for secret in secrets if secret}
    if not wanted or not sys.platform.startswith("linux"):
        return False
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/self/cmdline", "rb") as file:
            line = file.read()
    except OSError:
        return False
    start = int(fields[_ARG_START])
    if int(fields[_ARG_END]) - start != len(line):  # somebody has moved them
        return False
    import ctypes  # 10 ms, which a start without secrets does without

    at = 0
    for word in line.split(b"\0"):
        for secret in wanted:
            for place in _places(word, secret):
                ctypes.memset(start + at + place, ord("*"), len(secret))
        at += len(word) + 1
    return True


def _places(word: bytes, secret: bytes) -> list[int]:
    """Where a secret begins in a word: the whole word, after a sign of ``_BEFORE``, or before the host of a url."""
    if word == secret:
        return [0]
    places = [len(word) - len(secret)] if word.endswith(tuple(sign + secret for sign in _BEFORE)) else []
    in_url = word.find(b":" + secret + b"@")
    if in_url < 0:
        in_url = word.find(b"/" + secret + b"@")
    return places + ([in_url + 1] if in_url >= 0 else [])
