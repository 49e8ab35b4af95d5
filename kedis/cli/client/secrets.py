"""Detection of lines that carry a secret, which are kept out of the history."""

from __future__ import annotations

from kedis.errors import ProtocolError
from kedis.resp.requests import split_inline

_PASSWORD_SETTINGS = (b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass")


def carries_secret(line: str) -> bool:
    """Whether a typed line carries a password. With unbalanced quotes it is split at blanks."""
    data = line.replace("\\\n", " ").encode("utf-8", "surrogateescape")
    try:
        words = [word.lower() for word in split_inline(data.replace(b"\n", b" ").strip())]
    except ProtocolError:
        words = [word.strip(b"\"'").lower() for word in data.split()]
    if words and words[0].isdigit():
        words = words[1:]
    if not words:
        return False
    name, rest = words[0], words[1:]
    if name == b"auth":
        return True
    if name in (b"hello", b"migrate"):
        return any(word in (b"auth", b"auth2") for word in rest)
    if name == b"config":
        return any(word in _PASSWORD_SETTINGS for word in rest)
    if name == b"acl":
        return rest[:1] == [b"setuser"]
    # `connect redis://user:password@host`
    return name in (b":connect", b"connect") and any(b"@" in word for word in rest)
