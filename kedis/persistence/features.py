"""Features of Redis that this version lacks, by the commands that belong to them.

A file that holds such a command is not damaged, and must not be reported as damaged: the reader lacks the feature.
"""

from __future__ import annotations


def missing_feature(name: bytes) -> str:
    """The missing feature to which the unknown command ``name`` belongs, with its article; empty for an unknown word.

    A name with a dot between letters is that of a module's command, as of JSON.SET.
    """
    family, dot, rest = name.partition(b".")
    if dot and family.isalpha() and rest.replace(b".", b"").replace(b"_", b"").isalnum():
        return "a module's value"
    return ""
