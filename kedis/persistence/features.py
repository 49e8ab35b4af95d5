"""To what feature of Redis a command belongs that this version does not have.

A file that holds such a command is not damaged, and must not be called so: it is the reader who cannot go on.
"""

from __future__ import annotations

_FUNCTION = (b"FUNCTION", b"FCALL")
_SCRIPT = (b"EVAL", b"EVALSHA", b"SCRIPT")
_FEATURES = {
    **dict.fromkeys(_FUNCTION, "functions"),
    **dict.fromkeys(_SCRIPT, "a script"),
}


def missing_feature(name: bytes) -> str:
    """What the unknown command ``name`` says of the file that holds it, with its article; empty for mere nonsense.

    A name with a dot between letters is that of a module's command, as of JSON.SET.
    """
    family, dot, rest = name.partition(b".")
    if dot and family.isalpha() and rest.replace(b".", b"").replace(b"_", b"").isalnum():
        return "a module's value"
    return _FEATURES.get(name.upper(), "")
