#!/usr/bin/env bash
# Cython 3.3.1, CPython 3.11, any C compiler.
#
# The length of a C array in a `cdef` declaration may be an expression over the constants of a `cdef enum`. `+` and `*`
# are fine there. A floor division is accepted by Cython without a word, too, but is copied into the C file as it is
# written in Python: there `//` begins a comment, the bracket is never closed, and the C compiler fails with an error that
# points into generated code. A division that is done in the enum itself is computed right.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left. The C file
# is looked at, not compiled.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'cython==3.3.1'
cat >"$folder/bound.pyx" <<'PYX'
cdef enum:
    WORDS = 10

def fill():
    cdef double doubled[WORDS * 2]
    cdef double halved[WORDS // 2]
    doubled[0] = halved[0] = 1
    return doubled[0] + halved[0]
PYX
"$folder/venv/bin/cython" -3 "$folder/bound.pyx" -o "$folder/bound.c"
grep -E '^ *double __pyx_v_(doubled|halved)\[' "$folder/bound.c" | sed 's/^ *//'
grep -q '\[(__pyx_e_5bound_WORDS // 2)\];' "$folder/bound.c"
# Output:
#   double __pyx_v_doubled[(__pyx_e_5bound_WORDS * 2)];
#   double __pyx_v_halved[(__pyx_e_5bound_WORDS // 2)];
