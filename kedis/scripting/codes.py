"""Codes of the values that cross between Lua and Python; ``lua/redis.lua`` has the same numbers.

A plain value (string, number, boolean) crosses as it is.  Everything else comes as several values: from Python as
nil, a code and what belongs to it; from Lua as a code and what belongs to it.  ``CODED`` is followed by pairs of a
code and a value in prefix order, in which containers give the number of their elements.
"""

from __future__ import annotations

PLAIN = 1
STATUS = 2
ERROR = 3
ARRAY = 4
MAP = 5
SET = 6
DOUBLE = 7
BIG_NUMBER = 8
VERBATIM = 9
NIL = 10
#: From Python: an array of plain values.
FLAT = 11
#: From Python: a table that is there already.  From Lua: a result that is fetched in parts, of so many values.
READY = 12
CODED = 13
#: From Python: the script ends with this error, whatever it catches.
STOP = 14
#: From Lua: the error of a command, within the result; it has been counted.
COUNTED_ERROR = 15
