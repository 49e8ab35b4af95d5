"""Families of commands that Kedis does not have: those of Redis's modules, and those that came after Redis 7.0.

Whoever sends one has not mistyped it, so the error of an unknown command says what is missing.
"""

from __future__ import annotations

_MODULES = {
    b"bf": "Bloom filters",
    b"cf": "cuckoo filters",
    b"cms": "count-min sketches",
    b"ft": "search",
    b"graph": "graphs",
    b"json": "JSON values",
    b"tdigest": "t-digests",
    b"tfunction": "triggers",
    b"topk": "top-k lists",
    b"ts": "time series",
}
_LATER = {
    "expiry of single fields (Redis 7.4)": (
        b"hexpire hexpireat hexpiretime hpersist hpexpire hpexpireat hpexpiretime hpttl httl hgetdel hgetex hsetex"
    ),
    "WAITAOF (Redis 7.2)": b"waitaof",
    "vector sets (Redis 8.0)": (
        b"vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange vrem vsetattr vsim"
    ),
    "streams of Redis 8.2": b"xackdel xdelex",
}
_FAMILY_OF = {name: family for family, names in _LATER.items() for name in names.split()}


def missing_family(name: bytes) -> str:
    """The family of the unknown command ``name``, in any case; empty for a word that is in none. O(1)."""
    word = name[:64].lower()
    module, dot, rest = word.partition(b".")
    return _MODULES.get(module, "") if dot and rest else _FAMILY_OF.get(word, "")
