"""cjson, cmsgpack, struct and bit with random values, side by side with real Redis."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable, Iterator

import pytest

from tests.oracle import Oracle
from tests.scripting.agreement import Scripts, Wire


@pytest.fixture(scope="module")
def redis() -> Iterator[Wire]:
    oracle = Oracle()
    wire = Wire(oracle)
    yield wire
    wire.close()
    oracle.close()


@pytest.fixture(scope="module")
def scripts() -> Scripts:
    return Scripts()


_INTEGERS = [
    0,
    1,
    -1,
    31,
    32,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32,
    2**53,
    2**62,
    -32,
    -33,
    -128,
]
_DOUBLES = [
    0.1,
    -0.5,
    1.5,
    1e15,
    1e300,
    -1e-300,
    1 / 3,
    3.4e38,
    1e-45,
    2.0**63,
    2.0**64,
    -(2.0**63),
    123456789.125,
]


def number(rng: random.Random) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return str(rng.choice(_INTEGERS))
    if kind == 1:
        return repr(rng.choice(_DOUBLES))
    if kind == 2:
        return str(rng.randrange(-(2**53), 2**53))
    if kind == 3:
        return str(rng.randrange(-300, 300))
    value: float = struct.unpack("<d", rng.randbytes(8))[0]
    return "0" if math.isnan(value) or math.isinf(value) else repr(value)


def text(rng: random.Random) -> str:
    length = rng.choice([0, 1, 3, 31, 32, 40, 255, 256]) if rng.random() < 0.3 else rng.randrange(6)
    return '"' + "".join(f"\\{rng.randrange(256):03d}" for _ in range(length)) + '"'


def value(rng: random.Random, depth: int = 0) -> str:
    kind = rng.randrange(6 if depth < 4 else 3)
    if kind == 0:
        return number(rng)
    if kind == 1:
        return text(rng)
    if kind == 2:
        return rng.choice(["true", "false"])
    if kind == 3:
        return "{" + ",".join(value(rng, depth + 1) for _ in range(rng.choice([0, 1, 3, 16, 17]))) + "}"
    if kind == 4:
        return (
            "{"
            + ",".join(f"[{rng.randrange(1, 9)}]={value(rng, depth + 1)}" for _ in range(rng.randrange(4)))
            + "}"
        )
    return "{" + ",".join(f"[{text(rng)}]={value(rng, depth + 1)}" for _ in range(rng.randrange(2))) + "}"


def _damaged(data: bytes, rng: random.Random) -> bytes:
    if not data or rng.random() < 0.5:
        return data
    place = rng.randrange(len(data))
    return data[:place] + (rng.randbytes(1) if rng.random() < 0.5 else b"") + data[place + 1 :]


def _quoted(data: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


def _json(rng: random.Random) -> str:
    def node(depth: int) -> object:
        kind = rng.randrange(7 if depth < 4 else 5)
        if kind == 0:
            return rng.choice([None, True, False])
        if kind == 1:
            return rng.choice(["", "a", "é€😀", 'a/b"\\\n\t', "\x7f\x01"])
        if kind == 2:
            return rng.randrange(-(10**18), 10**18)
        if kind == 3:
            return rng.choice([0.1, 1e300, -2.5e-7, 5.0])
        if kind == 4:
            return rng.randrange(-9, 9)
        if kind == 5:
            return [node(depth + 1) for _ in range(rng.randrange(4))]
        return {rng.choice(["k", "1", ""]): node(depth + 1)}

    data = json.dumps(node(0), ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1])).encode()
    for _ in range(rng.randrange(3)):
        data = _damaged(data, rng)
    return _quoted(data)


_LAYOUTS = [
    "b",
    "B",
    "h",
    "H",
    "l",
    "L",
    "T",
    "i",
    "I",
    "i3",
    "I7",
    "i8",
    "I9",
    "i16",
    "f",
    "d",
    "s",
    "c2",
    "c0",
    "x",
]


def _layout(rng: random.Random) -> str:
    parts = [rng.choice([*_LAYOUTS, "<", ">", "!", "!4", " "]) for _ in range(rng.randrange(1, 5))]
    return "".join(parts)


_SHOW = """
local function show(v)
  if type(v) == 'number' then return string.format('%.17g', v) end
  if type(v) ~= 'table' then return type(v) .. ':' .. tostring(v) end
  local keys = {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return type(a) .. tostring(a) < type(b) .. tostring(b) end)
  local parts = {}
  for _, k in ipairs(keys) do parts[#parts + 1] = show(k) .. '=' .. show(v[k]) end
  return '{' .. table.concat(parts, ',') .. '}'
end
local function all(...)
  local parts = {}
  for i = 1, select('#', ...) do parts[i] = show((select(i, ...))) end
  return table.concat(parts, ' ')
end
"""
_NULL = "local function hide(v) return v == cjson.null and 'null' or v end\n"


def _bit(rng: random.Random) -> str:
    name = rng.choice(
        [
            "tobit",
            "bnot",
            "bswap",
            "lshift",
            "rshift",
            "arshift",
            "rol",
            "ror",
            "band",
            "bor",
            "bxor",
            "tohex",
        ]
    )
    count = {"tobit": 1, "bnot": 1, "bswap": 1}.get(name, 2)
    if name in ("band", "bor", "bxor"):
        count = rng.randrange(1, 5)
    return f"return bit.{name}({','.join(number(rng) for _ in range(count))})"


def _cjson_encode(rng: random.Random) -> str:
    return f"return cjson.encode({value(rng)})"


def _cjson_decode(rng: random.Random) -> str:
    return _SHOW.replace(
        "type(v) .. ':' .. tostring(v)", "v == cjson.null and 'null' or type(v) .. ':' .. tostring(v)"
    ) + (f"return all(cjson.decode({_json(rng)}))")


def _cmsgpack_pack(rng: random.Random) -> str:
    return f"return cmsgpack.pack({value(rng)}, {value(rng)})"


def _cmsgpack_there_and_back(rng: random.Random) -> str:
    return _SHOW + f"return all(cmsgpack.unpack(cmsgpack.pack({value(rng)}, {value(rng)})))"


def _cmsgpack_any_bytes(rng: random.Random) -> str:
    first = rng.choice([rng.randrange(256), rng.randrange(0x80, 0xA0), rng.randrange(0xC0, 0xE0)])
    data = bytes([first]) + bytes(
        rng.choice([0, 0, 0, 1, 2, 3, 0xC0, 0xFF, 65]) for _ in range(rng.randrange(12))
    )
    return _SHOW + f"return all(cmsgpack.unpack({_quoted(data)}))"


def _struct_pack(rng: random.Random) -> str:
    arguments = ",".join(rng.choice([number, text])(rng) for _ in range(rng.randrange(4)))
    return f"return struct.pack('{_layout(rng)}'{',' if arguments else ''}{arguments})"


def _struct_unpack(rng: random.Random) -> str:
    data = _quoted(bytes(rng.choice([0, 1, 2, 127, 128, 255]) for _ in range(rng.randrange(30))))
    return _SHOW + f"return all(struct.unpack('{_layout(rng)}', {data}, {rng.randrange(1, 4)}))"


def _struct_size(rng: random.Random) -> str:
    return f"return struct.size('{_layout(rng)}')"


@pytest.mark.parametrize(
    "make",
    [
        *(_bit, _cjson_encode, _cjson_decode, _cmsgpack_pack, _cmsgpack_there_and_back, _cmsgpack_any_bytes),
        *(_struct_pack, _struct_unpack, _struct_size),
    ],
)
def test_random(make: Callable[[random.Random], str], redis: Wire, scripts: Scripts) -> None:
    rng = random.Random(make.__name__)
    for _ in range(400):
        script = make(rng)
        expected, got = redis.eval(script), scripts.wire(script)
        assert got == expected, script
