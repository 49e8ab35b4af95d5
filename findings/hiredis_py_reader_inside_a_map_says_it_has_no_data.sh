#!/usr/bin/env bash
# hiredis (Python) 3.5.0, CPython 3.11.
#
# Reader.has_data() is how a program asks whether a reader still holds bytes, for example before it gives the reader to
# another connection. In the middle of a reply the answer depends on where the cut is. Cut inside an element, the bytes
# of that element wait in the reader's buffer and has_data() is True. Cut *between* two elements of an array or a map, all
# bytes have been consumed: the buffer is empty and has_data() is False, although the reader is inside a reply,
# and gives the elements of the next reply to the unfinished one. So False does not mean that a reader is
# between two replies: only a reader whose gets() has just returned a reply, with nothing left, can be used for another
# stream.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check 'hiredis==3.5.0'
cat >"$folder/try.py" <<'PY'
import hiredis

whole = b"%2\r\n+one\r\n:1\r\n+two\r\n:2\r\n"
for cut in (len(b"%2\r\n+o"), len(b"%2\r\n+one\r\n:1\r\n")):
    reader = hiredis.Reader(notEnoughData="unfinished")
    reader.feed(whole[:cut])
    answer = reader.gets()
    print(f"fed {whole[:cut]!r}: {answer}, has_data() is {reader.has_data()}")

reader.feed(b"+another\r\n:3\r\n")  # what would be two replies of another stream
mixed = reader.gets()
print("and then two replies of another stream:", mixed)
assert mixed == {"one": 1, "another": 3} or mixed == {b"one": 1, b"another": 3}
assert not reader.has_data()
PY
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/output"
grep -q "has_data() is True" "$folder/output"
grep -q "has_data() is False" "$folder/output"
# Output:
#   fed b'%2\r\n+o': unfinished, has_data() is True
#   fed b'%2\r\n+one\r\n:1\r\n': unfinished, has_data() is False
#   and then two replies of another stream: {b'one': 1, b'another': 3}
