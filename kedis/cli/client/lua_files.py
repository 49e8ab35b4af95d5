"""`kedis-cli --eval FILE` and `--functions-rdb FILE`: a script from a file, the server's functions into one."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import Link
from kedis.cli.client.output import complain
from kedis.cli.client.target import BadTarget
from kedis.cli.client.wire import ErrorReply
from kedis.rdb.crc64 import crc64
from kedis.rdb.payload import VERSION

#: Version of the format and checksum, behind what FUNCTION DUMP returns.
_FOOTER = 10
_END = b"\xff"


def eval_words(path: str, words: Sequence[bytes]) -> list[bytes]:
    """The EVAL that runs the script at `path` with the keys before a lone comma and the arguments behind it.

    Raises BadTarget when the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            script = file.read()
    except OSError as error:
        raise BadTarget(f"cannot read {path}: {error.strerror}") from None
    comma = words.index(b",") if b"," in words else len(words)
    keys, arguments = words[:comma], words[comma + 1 :]
    return [b"EVAL", script, b"%d" % len(keys), *keys, *arguments]


def functions_snapshot(payload: bytes) -> bytes:
    """A snapshot that holds the functions of a FUNCTION DUMP and no keys."""
    content = b"REDIS%04d" % VERSION + payload[:-_FOOTER] + _END
    return content + crc64(content).to_bytes(8, "little")


def save_functions(link: Link, path: str) -> int:
    """Save the functions of the server to `path`; returns the exit code. Raises LinkLost, ServerSays, BadTarget."""
    payload = link.send([b"FUNCTION", b"DUMP"])
    if isinstance(payload, ErrorReply) or not isinstance(payload, bytes):
        raise ServerSays(str(payload))
    content = functions_snapshot(payload)
    if path == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return 0
    try:
        with open(path, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BadTarget(f"cannot write {path}: {error.strerror}") from None
    complain(f"functions saved to {path} ({len(content)} bytes)")
    return 0
