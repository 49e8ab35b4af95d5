#!/usr/bin/env bash
# mypy 2.4.1 (its compiler mypyc), CPython 3.11, gcc.
#
# Typed code that mypyc compiles is meant to run as it does in the interpreter. At the bounds of sequences it does not:
#
# * a slice of `bytes` whose end is before its start is empty in Python; compiled it raises SystemError, which code that
#   parses a protocol does not expect ("nothing between two positions" is such a slice);
# * an index into a list that does not fit the machine's word is an IndexError in Python; compiled it is an OverflowError,
#   so that `except IndexError` around a table lookup lets a hostile length through to the caller.
#
# The same module is run twice, interpreted and compiled. Exits 0 while the two differ as said. Installs into a temporary
# folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mypy==2.4.1' setuptools
cat > "$folder/bounds.py" <<'PYTHON'
def between(data: bytes, start: int, stop: int) -> bytes:
    return data[start:stop]


def at(items: list[int], index: int) -> int:
    return items[index]
PYTHON
cat > "$folder/ask.py" <<'PYTHON'
import bounds


def outcome(function, *arguments):
    try:
        return repr(function(*arguments))
    except Exception as error:
        return type(error).__name__


print("slice:", outcome(bounds.between, b"abcd", 3, 1), " index:", outcome(bounds.at, [1], 1 << 70))
PYTHON
cd "$folder"
interpreted=$("$folder/venv/bin/python" ask.py)
"$folder/venv/bin/mypyc" bounds.py > compile.log 2>&1 || { tail -n 5 compile.log; exit 1; }
compiled=$("$folder/venv/bin/python" ask.py)
echo "interpreted  $interpreted"
echo "compiled     $compiled"
[ "$interpreted" = "slice: b''  index: IndexError" ] && [ "$compiled" = "slice: SystemError  index: OverflowError" ]
# interpreted  slice: b''  index: IndexError
# compiled     slice: SystemError  index: OverflowError
