#!/usr/bin/env bash
# Cython 3.3.1, CPython 3.11, setuptools 80.9.0, any C compiler.
#
# `wraparound=False` is known as an optimisation for typed lists and memory views. It also reaches an index into an object
# of no declared type, where the compiler has inferred a C integer for the index from a plain Python assignment; and then
# the class of the object decides at run time: a list, bytes, a range, a dict and a class with `__getitem__` still take
# -1 as Python does, while a deque and an array.array answer IndexError. The same line of one function is right for the
# objects of the test and wrong for the one that comes later.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'cython==3.3.1' 'setuptools==80.9.0'
cd "$folder"
cat >last.pyx <<'PYX'
# cython: language_level=3, wraparound=False
def last(items):
    at = -1
    return items[at]
PYX
cat >setup.py <<'PY'
from Cython.Build import cythonize
from setuptools import setup

setup(name="last", ext_modules=cythonize(["last.pyx"], quiet=True))
PY
"$folder/venv/bin/python" setup.py -q build_ext --inplace >/dev/null 2>&1
cat >try.py <<'PY'
from array import array
from collections import UserList, deque

from last import last

for items in ([1, 2], b"ab", range(3), {-1: "x"}, UserList([1, 2]), deque([1, 2]), array("i", [1, 2])):
    try:
        print(type(items).__name__, last(items))
    except IndexError:
        print(type(items).__name__, "IndexError")
PY
"$folder/venv/bin/python" try.py | tee found
diff found - <<'EXPECTED'
list 2
bytes 98
range 2
dict x
UserList 2
deque IndexError
array IndexError
EXPECTED
# Output:
#   list 2
#   bytes 98
#   range 2
#   dict x
#   UserList 2
#   deque IndexError
#   array IndexError
