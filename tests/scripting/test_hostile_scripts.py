"""Scripts that are out to end the process, or to hold it: an error for each, and all goes on."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from kedis.errors import CommandError
from tests.scripting import hostile
from tests.scripting.agreement import Nobody, Scripts

_TOO_COMPLEX = "pattern too complex"


def _run_apart(*words: str) -> str:
    """Run a script in a process of its own, which these scripts could end; what it prints."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.scripting.hostile", *words], capture_output=True, text=True, timeout=600
    )
    assert process.returncode == 0, process.stderr[-2000:]
    assert process.stdout.endswith("alive\n")
    return process.stdout


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("return string.find('x', ('a*'):rep(200000))", _TOO_COMPLEX),
        ("return string.match('x', ('a*'):rep(200000))", _TOO_COMPLEX),
        ("for w in string.gmatch('x', ('a*'):rep(200000)) do end", _TOO_COMPLEX),
        ("for w in string.gfind('x', ('a*'):rep(200000)) do end", _TOO_COMPLEX),
        ("return string.gsub('x', ('a*'):rep(200000), '')", _TOO_COMPLEX),
        ("return string.gsub('x', ('a*'):rep(200000), function() end)", _TOO_COMPLEX),
        ("return ('x'):gsub(('a-'):rep(1000000), {})", _TOO_COMPLEX),
        ("return ('x'):find(('a?'):rep(1000000))", _TOO_COMPLEX),
        ("return unpack({}, -2^31, 2^31-1)", "too many results to unpack"),
        ("return unpack({1, 2}, -2^31)", "too many results to unpack"),
    ],
)
def test_what_would_end_the_process(script: str, error: str) -> None:
    assert error in _run_apart("-", script)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_random_calls(seed: str) -> None:
    _run_apart(seed, "15")


def test_as_complex_as_a_pattern_may_be() -> None:
    script = """
    local _, last = string.find(('a'):rep(2000), ('a?'):rep(2000))
    local plain = string.find(('-'):rep(30000), ('-'):rep(20000), 1, true)
    return {last, plain, ('a'):rep(30000):match(('a'):rep(30000)) ~= nil}
    """
    assert Scripts().value(script) == [2000, 1, 1]


@pytest.mark.parametrize(
    "script",
    [
        "return struct.pack(('x'):rep(1e6))",
        "return struct.pack(('<>'):rep(1e6))",
        "return struct.unpack(('x'):rep(1e6), ('x'):rep(1e6))",
        "return struct.size(('b'):rep(1e6))",
        "return pcall(struct.size, ('!1!2'):rep(1e6))",
        "return cjson.decode('[' .. ('1,'):rep(3e5) .. '1]')",
        "cjson.decode_max_depth(2^31-1) return pcall(cjson.decode, ('['):rep(1e5))",
        "return cmsgpack.unpack('\\221\\0\\255\\255\\255' .. ('\\192'):rep(1e6))",
        "local t = {} for i = 1, 10 do t = {t, t, t} end return cjson.encode(t)",
        "return table.insert({}, -2^31, 1)",
    ],
)
def test_a_single_long_call_is_ended(script: str) -> None:
    """The clock is looked at within it, so that others run and the script can be killed."""
    caller = Nobody()
    caller.reason = b"ERR killed"
    result = Scripts(caller=caller).value(script)
    assert isinstance(result, CommandError) and str(result).startswith("ERR killed"), result
    assert caller.ticks < 10


@pytest.mark.parametrize("call", ["f(1)", "redis.call(1)", "g.f(1)"])
def test_many_tail_calls_are_compiled_in_linear_time(call: str) -> None:
    """A search from each to the begin of the script took a minute; now all of it takes 70 ms."""
    scripts = Scripts()
    began = time.process_time()
    scripts.value(f"local f, g do return 1 end {f'if f then return {call} end ' * 20_000}")
    assert time.process_time() - began < 10


def test_a_repeated_string_is_made_in_blocks() -> None:
    """Lua's own is made byte by byte: slower than turning a string round, which has to be."""
    scripts = Scripts()

    def seconds(script: str) -> float:
        began = time.process_time()
        assert scripts.value(script) == 1
        return time.process_time() - began

    turned = seconds("local s = ('x'):rep(1e6) for i = 1, 100 do string.reverse(s) end return 1")
    assert seconds("for i = 1, 100 do string.rep('x', 1e6) end return 1") < turned / 2
    assert scripts.value("return string.rep('', 2^31 - 1)") == b""


def test_repeated_strings_of_every_length() -> None:
    rng = random.Random(20)
    scripts = Scripts()
    for _ in range(100):
        text, count = "abcdefg"[: rng.randrange(1, 8)], rng.randrange(1, 20_000)
        assert scripts.value(f"return string.rep('{text}', {count})") == (text * count).encode()


_NESTED = """
local depth, most = 0, 0
local function nest() depth = depth + 1 most = math.max(most, depth) return (string.gsub('a', 'a', nest)) end
"""


@pytest.mark.parametrize(
    "call",
    [
        "pcall(nest)",
        "xpcall(nest, function() end)",
        "coroutine.resume(coroutine.create(nest))",
        "pcall(coroutine.wrap(nest))",
    ],
)
def test_replacements_within_replacements_are_bounded(call: str) -> None:
    """Each takes 9 KB of the C stack, 200 of them more than some threads have; whoever catches it gives them back."""
    scripts = Scripts()
    assert "C stack overflow" in str(scripts.value(f"{_NESTED} return nest()"))
    result = scripts.value(
        f"{_NESTED} {call} local first = most depth, most = 0, 0 {call} return {{first, most}}"
    )
    assert result == [51, 51]


_SMALL_STACK = """
import threading
from tests.scripting.agreement import Scripts
threading.stack_size(1 << 20)
script = '''
    local depth = 0
    local function nest()
      depth = depth + 1
      if depth == 50 then return string.find('x', ('a*'):rep(1000)) end
      return (string.gsub('a', 'a', nest))
    end
    return pcall(nest)
'''
results = []
thread = threading.Thread(target=lambda: results.append(Scripts().value(script)))
thread.start()
thread.join()
assert results == [1], results
"""


def test_a_small_stack_is_enough() -> None:
    process = subprocess.run(
        [sys.executable, "-c", _SMALL_STACK], capture_output=True, text=True, timeout=600
    )
    assert process.returncode == 0, process.stderr[-2000:]


def test_a_program_of_hostile_calls_is_the_same_each_time() -> None:
    assert hostile.script(random.Random(3)) == hostile.script(random.Random(3))
