#!/usr/bin/env bash
# objgraph 3.6.2, Pympler 1.1 and guppy3 3.1.5 on CPython 3.11.
#
# gc.freeze() is what a program calls before it forks, so that the children's collector leaves the pages of the parent
# alone. The frozen objects move to a list of their own, which gc.get_objects() and gc.get_referrers() do not walk. So
# counts by objgraph and Pympler fall to 0 for a thousand objects that are all there, and stay so in parent and children: a
# leak that is looked for in a server that has forked once is not seen. guppy3 starts from the interpreter's roots, and
# counts them in both cases. After gc.unfreeze() all three agree again.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'objgraph==3.6.2' 'pympler==1.1' 'guppy3==3.1.5'
cat >"$folder/count.py" <<'PY'
import gc

import guppy
import objgraph
from pympler import muppy


class Leaked:
    pass


kept = [Leaked() for _ in range(1000)]
heap = guppy.hpy()


def counts(when):
    found = (
        objgraph.count("Leaked"),
        len(muppy.filter(muppy.get_objects(), Type=Leaked)),
        (heap.heap() & Leaked).count,
    )
    print(f"{when}: objgraph {found[0]}, Pympler {found[1]}, guppy3 {found[2]}")
    return found


assert counts("before") == (1000, 1000, 1000)
gc.freeze()
assert counts("frozen") == (0, 0, 1000)
gc.unfreeze()
assert counts("thawed") == (1000, 1000, 1000)
PY
"$folder/venv/bin/python" "$folder/count.py"
# Output:
#   before: objgraph 1000, Pympler 1000, guppy3 1000
#   frozen: objgraph 0, Pympler 0, guppy3 1000
#   thawed: objgraph 1000, Pympler 1000, guppy3 1000
