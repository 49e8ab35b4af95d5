"""No way out of the sandbox, none to spoil it for others, and a bound on what a script takes."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from kedis.errors import CommandError
from kedis.resp.values import OK, BigNumber, Pairs, Verbatim
from kedis.scripting.binary import FUNCTIONS
from kedis.scripting.runtime import LEAST_MEMORY
from tests.oracle import Oracle
from tests.scripting.agreement import Nobody, Scripts, Wire

_WALK = """
local out, seen = {}, {}
local function walk(t, path)
  if seen[t] then return end
  seen[t] = true
  for k, v in pairs(t) do
    local name = path .. '.' .. tostring(k)
    local shown = (type(v) == 'number' or type(v) == 'boolean') and tostring(v) or ''
    out[#out + 1] = name .. ' ' .. type(v) .. ' ' .. shown
    if type(v) == 'table' then walk(v, name) end
    if type(k) == 'table' then walk(k, name .. '<key>') end
  end
  local m = getmetatable(t)
  if m then walk(m, path .. '<metatable>') end
end
walk(_G, '_G')
walk(getmetatable(''), 'string<metatable>')
table.sort(out)
return out
"""


def test_globals_are_those_of_redis() -> None:
    oracle = Oracle()
    try:
        wire = Wire(oracle)
        assert Scripts().wire(_WALK) == wire.eval(_WALK)
        wire.close()
    finally:
        oracle.close()


class _Everything(Nobody):
    """Answers with every kind of value that a command may return."""

    def call(self, argv: list[bytes]) -> Any:
        values = {
            b"list": [b"a", 1, None, [OK, CommandError("ERR x")]],
            b"map": {b"a": 1.5},
            b"set": {b"m"},
            b"pairs": Pairs([(b"m", 1.5)]),
            b"other": [True, BigNumber(2**70), Verbatim(b"v"), None],
            b"big": [b"x" * 100] * 5000,
        }
        if argv[0] not in values:
            raise CommandError("ERR no such thing")
        return values[argv[0]]


@pytest.mark.parametrize("protocol", [2, 3])
def test_only_lua_values_reach_a_script(protocol: int) -> None:
    script = f"""
    redis.setresp({protocol})
    local seen, count = {{}}, 0
    local function check(v)
      local kind = type(v)
      if kind == 'userdata' and v ~= cjson.null or kind == 'thread' then error('found a ' .. kind) end
      if kind == 'string' and (v:find('ython') or v:find('lupa') or v:find('kedis')) then error('found ' .. v) end
      count = count + 1
      if getmetatable(v) then check(getmetatable(v)) end
      if kind == 'table' and not seen[v] then
        seen[v] = true
        for k, w in pairs(v) do check(k) check(w) end
      end
    end
    check(_G)
    for _, name in ipairs({{'list', 'map', 'set', 'pairs', 'other', 'big', 'nothing'}}) do
      check(redis.pcall(name))
      check({{pcall(redis.call, name)}})
      check({{coroutine.resume(coroutine.create(function() return redis.call(name) end))}})
      check({{xpcall(function() return redis.call(name) end, function(e) check(e) return e end)}})
    end
    check({{pcall(string.rep, 'x', -1)}})
    check({{pcall(cjson.decode, '[')}})
    check({{pcall(struct.unpack, 'y', '')}})
    return count
    """
    count = Scripts(caller=_Everything()).value(script)
    assert isinstance(count, int), count
    assert count > 10_000


@pytest.mark.parametrize(
    "script",
    [
        "string.len = 1",
        "rawset(string, 'len', 1)",
        "table.insert(string, 1)",
        "table.insert(_G, 1)",
        "setmetatable(_G, {})",
        "setmetatable(string, nil)",
        "getmetatable(_G).__index = nil",
        "getmetatable('').__index = nil",
        "rawset(getmetatable(''), '__index', 1)",
        "for k in pairs(_G) do _G[k] = nil end",
        "for k in pairs(redis) do redis[k] = nil end",
        "cjson.null = 1",
        "cjson.decode = nil",
        "loadstring('string.len = 1')()",
        "coroutine.wrap(function() string.len = 1 end)()",
    ],
)
def test_nothing_shared_can_be_changed(script: str) -> None:
    scripts = Scripts()
    before = scripts.wire(_WALK)
    assert b"Attempt to modify a readonly table" in scripts.wire(script)
    assert scripts.wire(_WALK) == before


def test_binary_chunks_are_refused() -> None:
    script = """
    local code = string.dump(function() return 7 end)
    local done = 0
    local function reader() done = done + 1 return done == 1 and code or nil end
    return {tostring(loadstring(code)), tostring(load(reader))}
    """
    assert Scripts().value(script) == [b"nil", b"nil"]
    assert isinstance(Scripts().value("\x1bLuaQ" + "\0" * 50), CommandError)


_GREEDY = [
    "return string.rep('x', 1e10)",
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local t = {} while true do t[#t + 1] = redis.call('big') end",
    "while true do pcall(function() local t = {} while true do t[#t + 1] = redis.call('big') end end) end",
    "local t = {} while true do t[#t + 1] = struct.pack('c0', ('x'):rep(1e5) .. #t) end",
    "local t = {} while true do t[#t + 1] = loadstring('return ' .. #t) end",
    "local t = {} for i = 1, 1e7 do t[i] = coroutine.create(function() end) end",
    "return assert(loadstring(('local a = {' .. ('1,'):rep(3e6) .. '}')))",
    "return cjson.encode({('x'):rep(2e7), ('y'):rep(2e7)})",
]


@pytest.mark.parametrize("script", _GREEDY)
def test_memory_is_bounded_and_comes_back(script: str) -> None:
    scripts = Scripts(memory=32 << 20, caller=_Everything())
    before = scripts.runtime.memory_used
    result = scripts.value(script)
    assert isinstance(result, CommandError)
    assert "not enough memory" in str(result) or "length overflow" in str(result), result
    assert scripts.value("collectgarbage() return redis.call('list')[1]") == b"a"
    assert scripts.runtime.memory_used < before + (1 << 20)


def test_arguments_that_do_not_fit() -> None:
    scripts = Scripts(memory=LEAST_MEMORY)
    result = scripts.value("return #ARGV", [], [b"x" * (LEAST_MEMORY + 1)])
    assert str(result) == "ERR not enough memory"
    assert scripts.value("return #ARGV", [], [b"x"] * 5000) == 5000
    assert scripts.value("return {#KEYS, KEYS[3000], ARGV[1]}", [b"k"] * 3000, [b"v"]) == [3000, b"k", b"v"]


@pytest.mark.parametrize(
    "script",
    [
        "local function f() return 1 + f() end return f()",
        "local function f() return pcall(f) end return f()",
        "local f f = function() return (string.gsub('a', 'a', f)) end return f()",
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end return t[1]",
        "local t = {} for i = 1, 1e5 do t = {t} end return #cjson.encode(t)",
        "return cjson.decode(('['):rep(1e5))",
        "return cmsgpack.unpack(('\\145'):rep(1e5))",
        "return loadstring(('('):rep(1e5))",
        "return ('x'):rep(1e5):find(('.-'):rep(30) .. 'y')",
    ],
)
def test_recursion_is_bounded(script: str) -> None:
    if ".-" in script:
        script = script.replace("rep(30)", "rep(2)").replace("1e5", "300")
    scripts = Scripts()
    scripts.value(script)
    assert scripts.value("return 1") == 1


def test_results_that_nest_too_deep() -> None:
    scripts = Scripts()
    result = scripts.value("local t = {} t[1] = t return t")
    depth = 0
    while isinstance(result, list):
        result, depth = result[0], depth + 1
    assert depth > 100
    assert str(result) == "ERR reached lua stack limit"
    assert b"stack limit" in scripts.wire("local t = {} for i = 1, 1e5 do t = {t} end return t")


@pytest.mark.parametrize(
    "script",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "pcall(function() while true do end end) return 'survived'",
        "coroutine.wrap(function() while true do end end)()",
        "coroutine.resume(coroutine.create(function() while true do end end)) return 'survived'",
        "local function f() xpcall(function() while true do end end, f) end f()",
        "table.sort({3, 2, 1}, function() while true do end end)",
        "string.gsub('x', 'x', function() while true do end end)",
        "setmetatable({}, {__index = function() while true do end end}).x = nil local y = setmetatable({}, "
        "{__index = function() while true do end end}).x",
        "while true do local ok, e = pcall(error, 'x') end",
    ],
)
def test_a_script_that_is_to_end_does(script: str) -> None:
    caller = Nobody()
    caller.reason = b"ERR Script killed by user with SCRIPT KILL..."
    scripts = Scripts(caller=caller)
    result = str(scripts.value(script))
    assert re.match(
        r"ERR Script killed by user with SCRIPT KILL\.\.\. script: \w{40}, on @user_script:1\.", result
    )
    caller.reason = None
    assert scripts.value("local n = 0 for i = 1, 300000 do n = n + 1 end return n") == 300_000
    assert caller.ticks > 3


def test_an_exception_of_python_ends_the_script() -> None:
    class Broken(Nobody):
        def call(self, argv: list[bytes]) -> Any:
            raise ZeroDivisionError

    scripts = Scripts(caller=Broken())
    with pytest.raises(ZeroDivisionError):
        scripts.value("pcall(redis.call, 'x') return 'survived'")
    assert scripts.value("return 1") == 1


def test_a_collector_that_is_turned_off_collects() -> None:
    scripts = Scripts(memory=32 << 20)
    assert (
        scripts.value("collectgarbage('stop') for i = 1, 2e5 do local s = ('x'):rep(500) .. i end return 1")
        == 1
    )


def test_ten_thousand_scripts_leave_nothing_behind() -> None:
    scripts = Scripts(memory=256 << 20)
    before = scripts.runtime.memory_used
    for index in range(10_000):
        assert scripts.value(f"return {index}") == index
    assert scripts.runtime.memory_used < before + 10_000 * 1000
    scripts.runtime.forget_scripts(
        [hashlib.sha1(b"return %d" % index).hexdigest().encode() for index in range(10_000)]
    )
    assert scripts.runtime.memory_used < before + (256 << 10)


@pytest.mark.parametrize(
    "catch",
    [
        "local _, e = pcall(fault) return type(e) .. ' ' .. tostring(e)",
        "local _, e = xpcall(fault, function(e) return type(e) .. ' ' .. tostring(e) end) return e",
        "local _, e = coroutine.resume(coroutine.create(fault)) return type(e) .. ' ' .. tostring(e)",
        "local _, e = pcall(coroutine.wrap(fault)) return type(e) .. ' ' .. tostring(e)",
    ],
)
def test_an_exception_of_python_is_not_seen_by_the_script(
    catch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bit_tobit(_number: object) -> int:
        raise ZeroDivisionError("text of Python")

    monkeypatch.setitem(FUNCTIONS, "bit_tobit", bit_tobit)
    script = f"local function fault() return (bit.tobit(1)) end {catch}"
    assert Scripts().wire(script) == b"$21\r\nstring internal error\r\n"


@pytest.mark.parametrize("count", [7996, 7997, 7998, 10000])
def test_as_many_results_as_the_stack_holds(count: int) -> None:
    script = (
        f"local function read() return select('#', struct.unpack(('b'):rep({count}), ('a'):rep({count}))) end "
        "local ok, result = pcall(read) return ok and result or type(result) .. ' ' .. result"
    )
    overflow = b"$55\r\nstring user_script:1: stack overflow (too many results)\r\n"
    assert Scripts().wire(script) == (b":%d\r\n" % (count + 1) if count <= 7997 else overflow)


@pytest.mark.parametrize("call", ["redis.log(0/0, 'x')", "redis.set_repl(0/0)", "redis.setresp(0/0)"])
def test_settings_that_are_no_number(call: str) -> None:
    reply = Scripts().wire(f"local ok, e = pcall(function() {call} end) return type(e) .. ' ' .. e")
    assert b"string ERR Invalid " in reply or b"string ERR RESP version" in reply
