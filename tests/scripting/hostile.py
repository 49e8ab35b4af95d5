"""Runs scripts that are out to harm, in a process of its own: ``python -m tests.scripting.hostile SEED COUNT``.

A script of the command line (``-``, then its text) is run as well; the reply is printed.  What matters is that the
process is still there at the end, and that the interpreter works.
"""

from __future__ import annotations

import random
import sys
from typing import Any

from kedis.errors import CommandError
from kedis.resp.values import Pairs, SimpleString
from tests.scripting.agreement import Nobody, Scripts

_MEMORY = 16 << 20
#: Looks at the clock after which a script is ended.
_PATIENCE = 30


def _values(text: str) -> list[str]:
    return [value.strip() for value in text.split(" |")]


_NUMBERS = _values("""
    0 | 1 | -1 | 2 | 7 | 255 | 8000 | 2^31 | 2^31-1 | -2^31 | 2^32 | 2^32+1 | 2^53 | 2^63 | -2^63 | 1e300 | 1/0 |
    -1/0 | 0/0 | 0.5 | -0.0
""")
_STRINGS = _values("""
    '' | 'x' | '%' | '[' | '(()' | '.-' | '%b' | '%f[a]' | '%1' | '\\0' | '0x10' | '1e5' | '*' | ('x'):rep(5000) |
    ('a*'):rep(40000) | ('a-'):rep(40000) | ('a?'):rep(40000) | ('('):rep(300) | ('['):rep(20000) |
    ('{'):rep(20000) | ('\\145'):rep(20000) | ('\\129\\1'):rep(20000) | ('not '):rep(20000) | 'i8' | '>I16' |
    ('b'):rep(9000) | ('x'):rep(9000) | 'c0' | '!16d' | 's' | '[1,2,{"a":null}]' | cmsgpack.pack({1,{2,{}}}) |
    struct.pack('d', 1.5) | string.dump(function() return 1 end) | 'return 1' |
    'local function f() return f() end return f()' | 'return ' .. ('a.'):rep(300) .. 'a' | '\\27Lua'
""")
_OTHERS = _values("""
    nil | true | false | {} | {1,2,3} | {n=2^31} | string | _G | redis | cjson.null | {{{}}} | SELF |
    function() end | function(...) return ... end | function() error('x') end | function() error({err='X'}) end |
    DEEP | coroutine.create(function() end) | coroutine.wrap(function() coroutine.yield() end) | EVIL | EVERY |
    function(...) return select('#', ...) < 100 and ANY(...) end | string.rep | pcall | error | redis.call |
    setmetatable({}, {__index=function(t, k) return t[k] end}) | setmetatable({}, {__call=pcall})
""")
_PRELUDE = """
local SELF = {} SELF.self = SELF SELF[1] = SELF
local DEEP = {} for i = 1, 3000 do DEEP = {DEEP} end
local EVIL = setmetatable({}, {}) local m = getmetatable(EVIL)
for _, name in ipairs({'index', 'newindex', 'call', 'tostring', 'eq', 'lt', 'le', 'concat', 'add', 'unm', 'len'}) do
  m['__' .. name] = function(a, b) return name == 'lt' and a < b or a .. b end
end
local EVERY = setmetatable({}, {__index = function(t, k) return type(k) == 'number' and k < 1000 and k or nil end})
local ANY = pcall
"""
_NAMES = """
    pairs next ipairs rawget rawset rawequal getmetatable setmetatable pcall xpcall select tonumber tostring
    type unpack assert error loadstring load collectgarbage gcinfo string.byte string.char string.dump
    string.find string.format string.gmatch string.gsub string.len string.lower string.match string.rep
    string.reverse string.sub string.upper table.concat table.foreach table.foreachi table.getn table.insert
    table.maxn table.remove table.setn table.sort math.random math.randomseed math.ldexp math.frexp math.fmod
    math.max coroutine.create coroutine.resume coroutine.wrap coroutine.yield coroutine.status coroutine.running
    cjson.encode cjson.decode cjson.encode_max_depth cjson.decode_max_depth cjson.encode_sparse_array cjson.new
    cjson.encode_number_precision cmsgpack.pack cmsgpack.unpack cmsgpack.unpack_one cmsgpack.unpack_limit
    struct.pack struct.unpack struct.size bit.tobit bit.band bit.lshift bit.tohex bit.bswap redis.call
    redis.pcall redis.error_reply redis.status_reply redis.sha1hex redis.log redis.setresp redis.set_repl
    redis.acl_check_cmd
"""
_FUNCTIONS = _NAMES.split()


def _value(rng: random.Random, depth: int) -> str:
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind < 2:
        return rng.choice(_NUMBERS)
    if kind < 4:
        return rng.choice(_STRINGS)
    if kind < 6:
        return rng.choice(_OTHERS)
    if kind == 6:
        return f"({_call(rng, depth + 1)})"
    return f"{{{_value(rng, depth + 1)}, {_value(rng, depth + 1)}, [{_value(rng, 3)} or 1]={_value(rng, depth + 1)}}}"


_TABLES = [
    value for value in _OTHERS if value[0] in "{_DSE" or value.startswith("setmetatable") or value == "string"
]
_TEXT = (
    "string.",
    "struct.",
    "cmsgpack.unpack",
    "cjson.decode",
    "loadstring",
    "redis.sha",
    "redis.call",
    "redis.acl",
)
_TABLE = (
    "table.",
    "next",
    "pairs",
    "ipairs",
    "raw",
    "setmeta",
    "getmeta",
    "unpack",
    "cjson.encode",
    "cmsgpack.pack",
)


def _call(rng: random.Random, depth: int) -> str:
    name = rng.choice(_FUNCTIONS)
    arguments = [_value(rng, depth) for _ in range(rng.randrange(5))]
    fitting = _STRINGS if name.startswith(_TEXT) else _TABLES if name.startswith(_TABLE) else None
    for place in range(min(len(arguments), 2)):  # most calls get past the check of the first arguments
        if fitting and rng.random() < 0.7:
            arguments[place] = rng.choice(fitting if place == 0 or fitting is _STRINGS else _NUMBERS)
    return f"{name}({', '.join(arguments)})"


def script(rng: random.Random) -> str:
    """Calls of random functions with values that they are not made for, and a result of whatever comes out."""
    lines = [_PRELUDE, "local kept = {}"]
    for number in range(rng.randrange(1, 12)):
        call = _call(rng, 0)
        lines.append(
            rng.choice(
                [
                    f"kept[{number}] = {{pcall(function() return {call} end)}}",
                    f"kept[{number}] = {{coroutine.resume(coroutine.create(function() return {call} end))}}",
                    f"xpcall(function() kept[{number}] = {call} end, function(e) return e .. {_value(rng, 2)} end)",
                    f"for i = 1, 50 do kept[#kept + 1] = {{pcall(function() return {call} end)}} end",
                    f"pcall(function() local t = {{}} for i = 1, 1e5 do t[i] = ('x'):rep(1000) .. i end end) "
                    f"kept[{number}] = {{pcall(function() return {call} end)}}",
                ]
            )
        )
    lines.append(
        rng.choice(["return kept", "return 1", f"return {_call(rng, 0)}", f"error({_value(rng, 0)})"])
    )
    return "\n".join(lines)


class _Impatient(Nobody):
    """Ends a script that looks at the clock too often; answers commands with every kind of value."""

    left = _PATIENCE

    def tick(self) -> bytes | None:
        self.left -= 1
        return b"ERR ended" if self.left < 0 else None

    def call(self, argv: list[bytes]) -> Any:
        values = [
            argv,
            argv[0],
            len(argv),
            None,
            Pairs([(b"m", 1.5)]),
            {b"a": [None, b"b" * 5000]},
            SimpleString(b"x"),
        ]
        if len(argv) == 1:
            raise CommandError("ERR no such thing")
        return values[len(argv[0]) % len(values)]


def main(words: list[str]) -> None:
    """Run the scripts and print "alive"."""
    caller = _Impatient()
    scripts = Scripts(_MEMORY, caller)
    if words[0] == "-":
        print(scripts.wire(words[1])[:200])
    else:
        rng = random.Random(int(words[0]))
        for _ in range(int(words[1])):
            caller.left = _PATIENCE
            source = script(rng)
            if len(words) > 2:
                with open(words[2], "w") as file:
                    file.write(source)
            scripts.wire(source)
            caller.left = _PATIENCE
            assert scripts.value("return redis.call('seven77', 'y')[2]") == b"y"
    print("alive")


if __name__ == "__main__":
    main(sys.argv[1:])
