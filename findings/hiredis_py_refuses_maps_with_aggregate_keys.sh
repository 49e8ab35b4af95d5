#!/usr/bin/env bash
# hiredis-py 3.5.0, CPython 3.11.
#
# RESP3 lets any type be the key of a map. hiredis-py builds a Python dict, so a map whose key is an array, a map or a
# set raises TypeError (unhashable) in `gets()`: the reply is well-formed and cannot be had. The same aggregates are
# fine as values and as members of an array. A set (`~`) comes as a list, so that one whose members are arrays is read
# without trouble. The reader is of no use afterwards: what was fed behind the reply, a plain status, is answered with
# ProtocolError.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'hiredis==3.5.0'
"$folder/venv/bin/python" - <<'PYTHON'
import hiredis


def read(wire):
    reader = hiredis.Reader()
    reader.feed(wire + b"+NEXT\r\n")
    answers = []
    for _ in range(2):
        try:
            answers.append(repr(reader.gets()))
        except Exception as error:
            answers.append(type(error).__name__)
    return answers


cases = {
    "array as key": b"%1\r\n*1\r\n:1\r\n:2\r\n",
    "map as key": b"%1\r\n%1\r\n:1\r\n:2\r\n:3\r\n",
    "set as key": b"%1\r\n~1\r\n:1\r\n:2\r\n",
    "array as value": b"%1\r\n:1\r\n*1\r\n:2\r\n",
    "set of arrays": b"~2\r\n*1\r\n:1\r\n*1\r\n:2\r\n",
}
print("hiredis", hiredis.__version__)
found = {name: read(wire) for name, wire in cases.items()}
for name, answers in found.items():
    print(f"{name}: {answers[0]}, then {answers[1]}")
keys = ("array as key", "map as key", "set as key")
good = all(found[name] == ["TypeError", "ProtocolError"] for name in keys)
good = good and found["array as value"] == ["{1: [2]}", "b'NEXT'"]
raise SystemExit(not good)
PYTHON
# hiredis 3.5.0
# array as key: TypeError, then ProtocolError
# map as key: TypeError, then ProtocolError
# set as key: TypeError, then ProtocolError
# array as value: {1: [2]}, then b'NEXT'
# set of arrays: [[1], [2]], then b'NEXT'
