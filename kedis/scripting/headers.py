"""The first line of a script or library: ``#!lua name=mylib flags=no-writes,allow-oom``."""

from __future__ import annotations

from kedis.engine.flags import DENYOOM, STALE, WRITE
from kedis.errors import CommandError


class ScriptFlag:
    """What a script or function is allowed, or promises. Plain integers, as :class:`kedis.engine.flags.Flag`."""

    NO_WRITES = 1
    ALLOW_OOM = 2
    ALLOW_STALE = 4
    NO_CLUSTER = 8
    ALLOW_CROSS_SLOT_KEYS = 16
    #: A script without a header: commands are checked one by one as it calls them.
    COMPATIBILITY = 32


#: The flags by the names that headers and redis.register_function give them, in Redis's order.
FLAG_NAMES: dict[str, int] = {
    "no-writes": ScriptFlag.NO_WRITES,
    "allow-oom": ScriptFlag.ALLOW_OOM,
    "allow-stale": ScriptFlag.ALLOW_STALE,
    "no-cluster": ScriptFlag.NO_CLUSTER,
    "allow-cross-slot-keys": ScriptFlag.ALLOW_CROSS_SLOT_KEYS,
}


def call_flags(flags: int, command_flags: int) -> int:
    """The flags of a call of a script or function with ``flags`` by a command that has ``command_flags``.

    One without a header leaves the command's; one with a header writes, grows and needs fresh data unless it says
    otherwise.
    """
    if flags & ScriptFlag.COMPATIBILITY:
        return command_flags
    found = command_flags & ~(WRITE | DENYOOM | STALE)
    if not flags & ScriptFlag.NO_WRITES:
        found |= WRITE if flags & ScriptFlag.ALLOW_OOM else WRITE | DENYOOM
    return found | STALE if flags & ScriptFlag.ALLOW_STALE else found


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def script_flags(body: bytes) -> tuple[int, bytes]:
    """The flags of a script's header, and the script without it; its lines keep their numbers.

    Raises CommandError for a header that is wrong.
    """
    if not body.startswith(b"#!"):
        return ScriptFlag.COMPATIBILITY, body
    line, end, _ = body.partition(b"\n")
    if not end:
        raise CommandError("ERR Invalid script shebang")
    words = line.split(b" ")
    if words[0] != b"#!lua":
        raise CommandError(f"ERR Unexpected engine in script shebang: {_shown(words[0])}")
    flags = 0
    for word in filter(None, words[1:]):
        _, _, values = word.partition(b"=")
        if not word.startswith(b"flags="):
            raise CommandError(f"ERR Unknown lua shebang option: {_shown(word)}")
        for value in values.split(b",") if values else ():
            flag = FLAG_NAMES.get(_shown(value))
            if flag is None:
                raise CommandError(f"ERR Unexpected flag in script shebang: {_shown(value)}")
            flags |= flag
    return flags, body[len(line) :]
