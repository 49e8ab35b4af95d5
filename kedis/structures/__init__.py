"""The data structures. Each is a module in Python, complete by itself; some can be compiled as well, for speed.

``setup.py`` puts the compiled modules into the folder ``compiled``: made from the same source, with the C types that
the ``.pxd`` file beside it adds, or, for scan index, key numbers, skip list and packed collections, from a ``.pyx``.
They have the names of the Python ones, and this package takes them from there where all were built: its ``__path__``
then begins with that folder.
``KEDIS_PURE=1`` in the environment chooses Python.

Attributes:
    PURE: Python was chosen.
    COMPILED: whether the compiled modules are used.
"""

import os
from importlib.machinery import EXTENSION_SUFFIXES

#: The modules that can be compiled. They know each other's C types, so it is all of them or none.
COMPILABLE = (
    "consumer_groups",
    "containers",
    "id_map",
    "key_numbers",
    "listpack_size",
    "packed",
    "scan_index",
    "skiplist",
    "sorted_set",
    "stream",
    "stream_block",
    "stream_columns",
)

PURE = os.environ.get("KEDIS_PURE", "") not in ("", "0")

_FOLDER = os.path.join(__path__[0], "compiled")


def _are_built() -> bool:
    found = os.listdir(_FOLDER) if os.path.isdir(_FOLDER) else []
    return all(any(name + suffix in found for suffix in EXTENSION_SUFFIXES) for name in COMPILABLE)


COMPILED = not PURE and _are_built()
if COMPILED:
    __path__.insert(0, _FOLDER)
