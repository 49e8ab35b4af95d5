"""A grammar of random Lua programs: values of every kind, commands with every kind of reply, errors and pcall."""

from __future__ import annotations

import random

_KEYS = ["s", "n", "l", "t", "h", "z", "x"]
_VALUES = [
    "'a'",
    "'10'",
    "12",
    "-3",
    "0",
    "3.5",
    "-0.0",
    "1e15",
    "2^53",
    "1/3",
    "'v' .. 1",
    "tostring(nil)",
    "KEYS[1]",
    "ARGV[2]",
]


def _key(rng: random.Random) -> str:
    return f"'{rng.choice(_KEYS)}'"


def _value(rng: random.Random) -> str:
    return rng.choice(_VALUES)


def _command(rng: random.Random) -> str:
    key, value = _key(rng), _value(rng)
    integer = str(rng.randrange(-3, 20))
    return rng.choice(
        [
            f"'SET', {key}, {value}",
            f"'get', {key}",
            f"'mget', {key}, {_key(rng)}, 'x'",
            f"'incr', {key}",
            f"'incrbyfloat', 'n', {integer}",
            f"'append', {key}, {value}",
            f"'rpush', {key}, {value}, {_value(rng)}",
            f"'lrange', {key}, 0, -1",
            f"'lpop', {key}, 2",
            "'blmove', 'l', 'x', 'left', 'right', 0",
            f"'sadd', {key}, {integer}, {rng.randrange(9)}",
            f"'scard', {key}",
            f"'smismember', {key}, 1, 2",
            f"'hset', {key}, {value}, {_value(rng)}, 'f', 1",
            f"'hgetall', {key}",
            f"'hmget', {key}, 'f', 'g'",
            f"'zadd', {key}, {integer}, {value}",
            f"'zadd', {key}, 'INCR', 1.5, 'm'",
            f"'zrange', {key}, 0, -1, 'WITHSCORES'",
            f"'zscore', {key}, 'm'",
            f"'type', {key}",
            f"'exists', {key}, {_key(rng)}",
            f"'del', {key}",
            f"'expire', {key}, 100",
            f"'ttl', {key}",
            f"'persist', {key}",
            f"'rename', {key}, {_key(rng)}",
            f"'object', 'encoding', {key}",
            "'ping'",
            f"'echo', {value}",
            "'dbsize'",
            f"'geopos', {key}, 'm'",
            "'debug', 'jmap'",
            f"'lpos', {key}, {value}, 'count', 0",
            f"'sort', {key}",
            "'eval', 'return 1', 0",
            f"'nosuch', {key}",
            "'get'",
            f"'set', {key}",
            f"{key}, {{}}",
            f"'set', {key}, nil",
            "",
            f"'set', {key}, {value}, 'EX', 0",
            "'config', 'get', 'x'",
            f"'bitfield', {key}, 'GET', 'u8', 0",
            f"'select', {rng.randrange(2)}",
            f"'zpopmin', {key}",
            f"'hrandfield', {key}, 0",
            f"'getset', {key}, {value}",
        ]
    )


def _expression(rng: random.Random, depth: int = 0) -> str:
    kind = rng.randrange(12 if depth < 3 else 4)
    if kind == 0:
        return _value(rng)
    if kind == 1:
        return rng.choice(["true", "false", "nil", "cjson.null", "1/0", "-1/0", "2^63", "-2^63", "1e300"])
    if kind == 2:
        return "r[#r]"
    if kind == 3:
        return rng.choice(["'A b'", "''", "'x\\r\\ny'", "#ARGV", "KEYS", "function() end"])
    if kind <= 6:
        return "{" + ", ".join(_expression(rng, depth + 1) for _ in range(rng.randrange(4))) + "}"
    if kind == 7:
        field = rng.choice(["ok", "err", "double", "map", "set", "verbatim_string", "x"])
        return f"{{{field} = {_expression(rng, depth + 1)}}}"
    if kind == 8:
        return rng.choice(
            [
                "{double = 3.25}",
                "{map = {a = 1}}",
                "{set = {b = true}}",
                "{big_number = '12345678901234567890'}",
                "{verbatim_string = {format = 'txt', string = 'v'}}",
                "redis.status_reply('fine')",
                "redis.error_reply('MY oops')",
                "redis.error_reply('oops')",
            ]
        )
    if kind == 9:
        return f"type(redis.pcall({_command(rng)}))"
    if kind == 10:
        return f"show(redis.pcall({_command(rng)}))"
    return f"redis.pcall({_command(rng)})"


def _statement(rng: random.Random) -> str:
    kind = rng.randrange(14)
    if kind <= 5:
        return f"r[#r + 1] = redis.pcall({_command(rng)})"
    if kind == 6:
        return f"r[#r + 1] = redis.call({_command(rng)})"
    if kind == 7:
        return f"r[#r + 1] = {{pcall(redis.call{', ' if (words := _command(rng)) else ''}{words})}}"
    if kind == 8:
        return f"redis.setresp({rng.choice([2, 3])})"
    if kind == 9:
        return f"if {_expression(rng, 2)} then r[#r + 1] = {_expression(rng)} end"
    if kind == 10:
        return f"for i = 1, {rng.randrange(4)} do r[#r + 1] = redis.pcall('incr', 'n' .. i) end"
    if kind == 11:
        return f"r[#r + 1] = {{pcall(function() {_statement(rng)} end)}}"
    if kind == 12:
        return f"r[#r + 1] = show({_expression(rng, 1)})"
    return rng.choice(
        [
            f"error({rng.choice(_VALUES)})",
            "error({err = 'MY error'})",
            "local x = nil + 1",
            "undefined()",
            "string.x = 1",
            "redis.sha1hex()",
            "return redis.call('incr', 's')",
            "assert(false, 'no')",
        ]
    )


_SHOW = """local function show(v)
  if v == cjson.null then return 'null' end
  if type(v) == 'function' then return 'function' end
  if type(v) ~= 'table' then return type(v) .. ' ' .. tostring(v):gsub('0x%x+', '') end
  local keys, parts = {}, {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do parts[#parts + 1] = tostring(k):gsub('0x%x+', '') .. '=' .. show(v[k]) end
  return '{' .. table.concat(parts, ' ') .. '}'
end
"""


def program(rng: random.Random) -> str:
    """A random program that returns a list of what it has seen."""
    lines = [_statement(rng) for _ in range(rng.randrange(1, 8))]
    return _SHOW + "local r = {}\n" + "\n".join(lines) + "\nreturn r"
