"""`peek KEY`: the type, expiry, size and first elements of a key."""

from __future__ import annotations

from collections.abc import Callable

from kedis.cli.client.link import Link
from kedis.cli.client.modes.stat import readable_bytes
from kedis.cli.client.wire import ErrorReply
from kedis.cli.terminal_text import one_line

_FIRST = b"9"
# type -> the command that counts, what it counts, the command that shows the first part
_LOOKS: dict[str, tuple[bytes, str, Callable[[bytes], list[bytes]]]] = {
    "string": (b"STRLEN", "bytes", lambda key: [b"GETRANGE", key, b"0", b"199"]),
    "list": (b"LLEN", "items", lambda key: [b"LRANGE", key, b"0", _FIRST]),
    "set": (b"SCARD", "members", lambda key: [b"SSCAN", key, b"0", b"COUNT", b"10"]),
    "zset": (b"ZCARD", "members", lambda key: [b"ZRANGE", key, b"0", _FIRST, b"WITHSCORES"]),
    "hash": (b"HLEN", "fields", lambda key: [b"HSCAN", key, b"0", b"COUNT", b"10"]),
    "stream": (b"XLEN", "entries", lambda key: [b"XRANGE", key, b"-", b"+", b"COUNT", b"3"]),
}


def peek(link: Link, key: bytes) -> tuple[str, list[bytes], object]:
    """One line of facts, and the command and reply that show the first part. Raises LinkLost.

    A missing key gives the line alone, with an empty command. Costs O(1) and the first ten elements, except
    that a small collection is shown whole.
    """
    kind, ttl, memory, encoding = link.send_many(
        [(b"TYPE", key), (b"PTTL", key), (b"MEMORY", b"USAGE", key), (b"OBJECT", b"ENCODING", key)]
    )
    if isinstance(kind, ErrorReply):
        return f"(error) {kind}", [], None
    if not isinstance(kind, str):
        return "(the answer to TYPE is none)", [], None
    name = str(kind)
    if name == "none":
        return "(no such key)", [], None
    facts = [name, _life(ttl)]
    if isinstance(encoding, bytes):
        facts.insert(1, encoding.decode("ascii", "replace"))
    if isinstance(memory, int):
        facts.append(f"{readable_bytes(memory)} of memory")
    if name not in _LOOKS:
        return ", ".join(facts), [], None
    counter, unit, look = _LOOKS[name]
    words = look(key)
    count, part = link.send_many([(counter, key), words])
    facts.append(f"{count:,} {unit}" if isinstance(count, int) else _complaint(count))
    if words[0] in (b"SSCAN", b"HSCAN") and isinstance(part, list) and len(part) == 2:
        words = [b"HGETALL" if words[0] == b"HSCAN" else b"SMEMBERS", key]
        part = part[1]
    return ", ".join(facts), words, part


def _complaint(reply: object) -> str:
    return one_line(reply) if isinstance(reply, ErrorReply) else "of unknown size"


def _life(milliseconds: object) -> str:
    if not isinstance(milliseconds, int) or milliseconds < 0:
        return "no expiry"
    seconds, rest = divmod(milliseconds, 1000)
    if seconds < 60:
        return f"expires in {seconds}.{rest // 100} s"
    hours, minutes = divmod(seconds // 60, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds % 60, "s")]
    return "expires in " + " ".join(f"{value} {unit}" for value, unit in parts if value)
