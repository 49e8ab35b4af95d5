"""Detection of lines that carry a secret, which are kept out of the history."""

from __future__ import annotations

from functools import cache

from kedis.config import SECRET_SETTINGS
from kedis.engine.table import CommandTable
from kedis.errors import ProtocolError
from kedis.resp.requests import split_inline

_SETTINGS = frozenset(name.encode() for name in SECRET_SETTINGS)
#: Words that a password follows, wherever they stand: a line with a mistake in it is no less secret.
_ANNOUNCING = _SETTINGS | {b"auth", b"auth2"}


def carries_secret(line: str) -> bool:
    """Whether a typed line carries a password. With unbalanced quotes it is split at blanks."""
    words = _words(line)
    if words and words[0].isdigit():
        words = words[1:]
    if not words:
        return False
    name, rest = words[0], words[1:]
    if name in (b":connect", b"connect"):  # `connect redis://user:password@host`
        return any(b"@" in word for word in rest)
    if name == b"acl":
        return rest[:1] == [b"setuser"]
    if name == b"config":
        return not _SETTINGS.isdisjoint(rest)
    row = _commands().named(name)
    if row is None or row.secrets is None:
        return False
    return not _ANNOUNCING.isdisjoint(rest) or any(at < len(words) for at in row.secrets(words))


def _words(line: str) -> list[bytes]:
    data = line.replace("\\\n", " ").encode("utf-8", "surrogateescape")
    try:
        return [word.lower() for word in split_inline(data.replace(b"\n", b" ").strip())]
    except ProtocolError:
        return [word.strip(b"\"'").lower() for word in data.split()]


@cache
def _commands() -> CommandTable:
    from kedis.commands import load_all  # a client that runs one command keeps no history, and starts faster

    load_all()
    return CommandTable()
