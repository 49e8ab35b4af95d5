"""Lua's cmsgpack and struct, which scripts give bytes of clients to, beside Redis's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.fuzz.target import Find, Target
from tests.oracle import Oracle
from tests.scripting.agreement import Scripts, Wire

#: Values as text, tables in the order of their keys.
_SHOW = b"""
local function show(v, depth)
  local kind = type(v)
  if kind == 'number' then
    if v ~= v then return 'nan' end
    return string.format('%.17g', v)
  elseif kind ~= 'table' then return kind .. ':' .. tostring(v)
  elseif depth > 30 then return '...' end
  local parts = {}
  for key, value in pairs(v) do parts[#parts + 1] = show(key, depth + 1) .. '=' .. show(value, depth + 1) end
  table.sort(parts)
  return '{' .. table.concat(parts, ',') .. '}'
end
local function all(...)
  local parts = {}
  for at = 1, select('#', ...) do parts[at] = show((select(at, ...)), 0) end
  return table.concat(parts, ';')
end
"""
_SEPARATOR = b"\xff\xfe"


class _Lua(Target):
    """A script with arguments, on both servers."""

    compares = True
    scripts: tuple[bytes, ...]

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        super().__init__(redis)
        self._redis = Wire(redis())
        self._mine = Scripts()

    def run(self, data: bytes) -> None:
        if not data:
            return
        script = _SHOW + self.scripts[data[0] % len(self.scripts)]
        arguments = self.arguments(data[1:])
        mine = self._mine.wire(script, [], arguments)
        theirs = self._redis.eval(script, 0, *arguments)
        if mine != theirs:
            raise Find(
                f"script {data[0] % len(self.scripts)}",
                f"{arguments}: Redis answers {theirs!r:.400}, Kedis {mine!r:.400}",
            )

    def arguments(self, data: bytes) -> list[bytes]:
        raise NotImplementedError


class MessagePack(_Lua):
    """Bytes unpacked, and what they are packed and unpacked again."""

    name = "cmsgpack"
    modules = ("kedis.scripting.binary",)
    words = (
        b"\xc0",
        b"\xca",
        b"\xcb",
        b"\xcf",
        b"\xd3",
        b"\xdd\0\0\0\2",
        b"\xdf\0\0\0\1",
        b"\xda\0\3",
        b"\xc7\3",
        b"\xd9\2",
    )
    scripts = (
        b"return all(pcall(cmsgpack.unpack, ARGV[1]))",
        b"return all(pcall(cmsgpack.unpack_one, ARGV[1], tonumber(ARGV[2])))",
        b"return all(pcall(cmsgpack.unpack_limit, ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])))",
        b"""return all(pcall(function()
          local values = {cmsgpack.unpack(ARGV[1])}
          for at, value in ipairs(values) do values[at] = show(cmsgpack.unpack(cmsgpack.pack(value)), 0) end
          return table.concat(values, ';')
        end))""",
    )

    def arguments(self, data: bytes) -> list[bytes]:
        small = data[:2].ljust(2, b"\0")
        return [data[2:], b"%d" % (small[0] - 8), b"%d" % (small[1] - 8)]

    def seeds(self) -> Iterator[bytes]:
        for mode in range(len(self.scripts)):
            head = bytes([mode, 9, 8])
            yield head + b"\x93\x01\xa3abc\xc3"
            yield head + b"\x82\xa1a\x01\xa1b\x92\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18\xc0" + b"\x05\xff"
            yield (
                head
                + b"\xcf"
                + b"\xff" * 8
                + b"\xd3"
                + b"\x80"
                + b"\0" * 7
                + b"\xda\0\3xyz\xdc\0\1\x01\xde\0\1\1\2"
            )


class Struct(_Lua):
    """Layouts of fuzzed letters: how long, what they pack, what they unpack."""

    name = "struct"
    modules = ("kedis.scripting.binary",)
    words = (
        b"i4",
        b"I8",
        b"!4",
        b"!8",
        b">",
        b"<",
        b"c0",
        b"c3",
        b"s",
        b"d",
        b"f",
        b"bBhHlLT",
        b"x",
        _SEPARATOR,
        b"i99",
    )
    scripts = (
        b"return all(pcall(struct.size, ARGV[1]))",
        b"return all(pcall(struct.unpack, ARGV[1], ARGV[2]))",
        b"return all(pcall(struct.unpack, ARGV[1], ARGV[2], tonumber(ARGV[3])))",
        b"return all(pcall(struct.pack, ARGV[1], ARGV[2], ARGV[3], ARGV[4]))",
        b"return all(pcall(struct.pack, ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])))",
    )

    def arguments(self, data: bytes) -> list[bytes]:
        return [*data.split(_SEPARATOR), b"", b"", b"", b""][:4]

    def seeds(self) -> Iterator[bytes]:
        for mode in range(len(self.scripts)):
            head = bytes([mode])
            yield head + _SEPARATOR.join((b">I2hbBi4", b"\1\2\3\4\5\6\7\x08\x09\x0a", b"2", b"3"))
            yield head + _SEPARATOR.join((b"!8 c3 s d f", b"abcde\0" + b"\0" * 40, b"3.5", b"-1e300"))
            yield head + _SEPARATOR.join((b"bc0", b"\3abc", b"0x1F", b"12"))
