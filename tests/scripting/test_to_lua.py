"""Replies on their way to Lua: none that the wire knows is forgotten."""

from __future__ import annotations

from kedis.resp.entries import Entries
from kedis.resp.replies import RESP2, RESP3
from kedis.scripting import to_lua
from tests.oracle import Oracle
from tests.scripting.agreement import Wire
from tests.scripting.test_programs import Kedis


def test_every_type_of_reply_has_a_form_in_lua() -> None:
    known = set(RESP2) | set(RESP3) | {Entries}
    forgotten = {kind for kind in known if not any(base in to_lua._WRITERS for base in kind.__mro__)}
    assert not forgotten


_CALLS = [
    "'geoadd', 'g', 13.361389, 38.115556, 'p'",
    "'geopos', 'g', 'p', 'x'",
    "'geodist', 'g', 'p', 'p'",
    "'geosearch', 'g', 'frommember', 'p', 'byradius', 1, 'km', 'withcoord', 'withdist', 'withhash'",
    "'xadd', 's', '1-1', 'a', 'b'",
    "'xadd', 's', '2-1', 'a', 'b', 'c', 'd'",
    "'xrange', 's', '-', '+'",
    "'xrevrange', 's', '+', '-', 'COUNT', 1",
    "'xread', 'streams', 's', '0'",
    "'xread', 'streams', 's', 't', '0', '0'",
    "'xread', 'block', 0, 'streams', 's', '$'",
    "'xgroup', 'create', 's', 'g', 0",
    "'xreadgroup', 'group', 'g', 'c', 'block', 0, 'streams', 's', '>'",
    "'xreadgroup', 'group', 'g', 'c', 'streams', 's', '>'",
    "'xpending', 's', 'g'",
    "'xautoclaim', 's', 'g', 'c', 0, 0",
    "'xinfo', 'stream', 's'",
    "'zadd', 'z', 1, 'm'",
    "'zrange', 'z', 0, -1, 'WITHSCORES'",
    "'zmscore', 'z', 'm', 'x'",
    "'hset', 'h', 'f', 'v'",
    "'hgetall', 'h'",
    "'hrandfield', 'h', 1, 'withvalues'",
    "'command', 'info', 'get'",
    "'lcs', 'a', 'b', 'idx'",
    "'memory', 'doctor'",
    "'slowlog', 'get', 0",
]

_SHOW = """
local function show(v)
  if type(v) ~= 'table' then return type(v) .. ':' .. tostring(v) end
  local keys, parts = {}, {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do parts[#parts + 1] = tostring(k) .. '=' .. show(v[k]) end
  return '{' .. table.concat(parts, ' ') .. '}'
end
"""
_DIFFERENT = ("command", "memory", "xinfo")  # their content is not the same; their form is


def test_replies_of_every_family() -> None:
    oracle = Oracle()
    for protocol in (2, 3):
        redis, kedis = Wire(oracle), Kedis(2)
        redis.call("FLUSHALL")
        for words in _CALLS:
            show = "type(r)" if words.startswith(tuple(f"'{name}" for name in _DIFFERENT)) else "show(r)"
            script = f"{_SHOW} redis.setresp({protocol}) local r = redis.pcall({words}) return {show}"
            assert kedis.call("EVAL", script, 0) == redis.call("EVAL", script, 0), words
        redis.close()
    oracle.close()
