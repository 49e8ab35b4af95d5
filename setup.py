"""Builds Kedis: as plain Python, or, with ``KEDIS_COMPILE=1``, with the path of a command compiled by mypyc.

Everything else about the project stands in pyproject.toml.  The compiled modules are the same source; what is not
listed here stays Python, beside them: what is not on the path of every command, and what mypyc cannot compile
(classes derived from dict, set, deque and OSError).  Mind in the modules listed that a slice of bytes whose end is
before its start raises SystemError in mypyc 2.4.

mypyc compiles by types, those of the libraries among them: whoever builds in an environment of its own, as pip does,
needs these libraries there, too.
"""

import os
import re
import sys
import tomllib
from pathlib import Path

from setuptools import Extension, setup

MYPYC = "mypy[mypyc]>=1.18,<3"
#: Dependencies that bring types; mypy is told to do without those of the others (pyproject.toml).
TYPED = ("prometheus_client", "redis")

HOT = [
    "kedis/commands/hashes.py",
    "kedis/commands/key_expiry.py",
    "kedis/commands/keys.py",
    "kedis/commands/lists.py",
    "kedis/commands/sets.py",
    "kedis/commands/sorted_set_ranges.py",
    "kedis/commands/sorted_sets.py",
    "kedis/commands/string_numbers.py",
    "kedis/commands/strings.py",
    "kedis/engine/counters.py",
    "kedis/engine/keyspec.py",
    "kedis/engine/call.py",
    "kedis/engine/table.py",
    "kedis/engine/engine.py",
    "kedis/observability/turns.py",
    "kedis/persistence/aof.py",
    "kedis/persistence/append_file.py",
    "kedis/persistence/checksum.py",
    "kedis/engine/propagation.py",
    "kedis/persistence/unsynced.py",
    "kedis/resp/canonical.py",
    "kedis/resp/entries.py",
    "kedis/resp/long_replies.py",
    "kedis/resp/replies.py",
    "kedis/resp/requests.py",
    "kedis/server/aof_faults.py",
    "kedis/server/aof_policy.py",
    "kedis/server/connection.py",
    "kedis/server/before_sleep.py",
    "kedis/server/sender.py",
    "kedis/server/group_commit.py",
    "kedis/server/network.py",
    "kedis/server/network_server.py",
    "kedis/server/peer.py",
    "kedis/engine/client.py",
    "kedis/store/database.py",
    "kedis/store/key_table.py",
    "kedis/store/keyspace.py",
    "kedis/store/access.py",
    "kedis/store/account.py",
    "kedis/store/state.py",
    "kedis/structures/consumer_groups.py",
    "kedis/structures/footprint.py",
    "kedis/structures/histogram.py",
    "kedis/structures/id_map.py",
    "kedis/structures/listpack_size.py",
    "kedis/structures/scan_index.py",
    "kedis/structures/skiplist.py",
    "kedis/structures/skiplist_nodes.py",
    "kedis/structures/sorted_set.py",
    "kedis/structures/stream.py",
    "kedis/structures/stream_block.py",
    "kedis/structures/stream_columns.py",
    "kedis/structures/stream_id.py",
]

wanted = os.environ.get("KEDIS_COMPILE", "0") not in ("", "0")


def extensions() -> list[Extension]:
    """The compiled modules; none where only the metadata are asked for."""
    if not wanted or not {"build", "build_ext", "bdist_wheel", "install"} & set(sys.argv):
        return []
    try:
        from mypyc.build import mypycify
    except ImportError:
        sys.exit(f"KEDIS_COMPILE=1 needs mypyc: pip install '{MYPYC}'")
    compiled: list[Extension] = mypycify(HOT, opt_level="2", debug_level="0", target_dir="build/mypyc")
    return compiled


def build_requirements() -> list[str]:
    """What the build environment needs beside setuptools; pip asks for it with ``get_requires_for_build_wheel``."""
    if not wanted:
        return []
    project = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=~!;\[ ]", each, maxsplit=1)[0]: each for each in project["dependencies"]}
    return [MYPYC, *[names[name] for name in TYPED]]


setup(ext_modules=extensions(), setup_requires=build_requirements())
