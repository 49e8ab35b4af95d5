"""Lua 5.1 bytecode: tail calls that must keep the frame of their caller.

``return redis.call(...)`` is a tail call.  Redis's ``redis.call`` is a C function, which Lua calls from within the
caller's frame; ours is written in Lua and would replace that frame, and with it the line that error messages name.
A tail call is an ordinary call followed by a return in Lua's code as well, so it becomes one by a change of its
opcode.  That is done for calls of functions by the names that Redis and Lua have for functions in C, and for no
others: a script may rely on tail calls of its own functions, which need no stack.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MOVE, _GET_UPVALUE, _GET_GLOBAL, _GET_TABLE, _SELF, _CALL, _TAIL_CALL = 0, 4, 5, 6, 11, 28, 29
#: Instructions whose A is no register that they set.
_SET_NOTHING = frozenset((7, 8, 9, 22, 23, 24, 25, 26, 30, 34, 35))
_HEADER = b"\x1bLua\x51\x00\x01\x04\x08\x04\x08\x00"
_CONSTANT = 256

#: Names of functions that are C functions in Redis and Lua functions here.
GLOBALS = frozenset(
    b"next pairs rawget rawset getmetatable setmetatable pcall xpcall gcinfo collectgarbage loadstring load "
    b"unpack error".split()
)
FIELDS = frozenset(
    b"call pcall error_reply status_reply sha1hex log setresp set_repl acl_check_cmd register_function "
    b"insert foreach find match gmatch gfind gsub rep random randomseed create resume wrap pack unpack "
    b"unpack_one unpack_limit size encode decode "
    b"encode_sparse_array encode_max_depth decode_max_depth encode_number_precision encode_keep_buffer "
    b"encode_invalid_numbers decode_invalid_numbers new tobit bnot bswap lshift rshift arshift rol ror band bor bxor "
    b"tohex __index".split()
)
_LOCALS = GLOBALS | FIELDS


class _Reader:
    """Walks over a chunk and finds, in each function, the instructions that are to be changed."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk = chunk
        self.position = len(_HEADER)
        self.found: list[int] = []

    def number(self) -> int:
        value: int = struct.unpack_from("<i", self.chunk, self.position)[0]
        self.position += 4
        return value

    def text(self) -> bytes:
        length: int = struct.unpack_from("<Q", self.chunk, self.position)[0]
        begin = self.position + 8
        self.position = begin + length
        return self.chunk[begin : begin + length - 1]

    def function(self) -> None:
        self.text()
        self.position += 12  # the lines, and four bytes of counts
        count = self.number()
        begin = self.position
        code = struct.unpack_from(f"<{count}I", self.chunk, begin)
        self.position += 4 * count
        constants = [self.constant() for _ in range(self.number())]
        for _ in range(self.number()):
            self.function()
        lines = self.number()
        self.position += 4 * lines
        local_names = [(self.text(), self.number(), self.number()) for _ in range(self.number())]
        upvalues = [self.text() for _ in range(self.number())]
        for place in _calls(code, constants, local_names, upvalues):
            self.found.append(begin + 4 * place)

    def constant(self) -> bytes | None:
        kind = self.chunk[self.position]
        self.position += 1
        if kind == 4:
            return self.text()
        self.position += (0, 1, 0, 8)[kind]
        return None


def _calls(
    code: tuple[int, ...],
    constants: list[bytes | None],
    local_names: list[tuple[bytes, int, int]],
    upvalues: list[bytes],
) -> Iterator[int]:
    """Where in ``code`` the tail calls are of functions by one of the names."""
    ours: frozenset[int] | None = None  # found when it is first needed
    for place, instruction in enumerate(code):
        if instruction & 63 != _TAIL_CALL:
            continue
        register = instruction >> 6 & 255
        source = _source(code, place, register)
        operation, right, middle, wide = source & 63, source >> 14 & 511, source >> 23, source >> 14
        if operation in (_GET_TABLE, _SELF) and right & _CONSTANT:
            named = constants[right - _CONSTANT] in FIELDS
        elif operation == _GET_GLOBAL:
            named = constants[wide] in GLOBALS
        elif operation == _GET_UPVALUE:
            named = middle < len(upvalues) and _is_ours(upvalues[middle])
        elif operation == _MOVE:
            if ours is None:
                ours = _holding_ours(code, constants)
            named = middle in ours or _is_ours(_local_name(local_names, middle, place))
        else:
            named = False
        if named:
            yield place


def _source(code: tuple[int, ...], place: int, register: int) -> int:
    """The instruction before ``place`` that put the function into ``register``."""
    for before in range(place - 1, -1, -1):
        instruction = code[before]
        if instruction >> 6 & 255 == register and instruction & 63 not in _SET_NOTHING:
            return instruction
    return _CALL


def _holding_ours(code: tuple[int, ...], constants: list[bytes | None]) -> frozenset[int]:
    """The local variables that are set to one of the functions somewhere (``local call = redis.call``)."""
    found = set()
    for instruction in code:
        right = instruction >> 14 & 511
        if instruction & 63 == _GET_TABLE and right & _CONSTANT and constants[right - _CONSTANT] in FIELDS:
            found.add(instruction >> 6 & 255)
    return frozenset(found)


def _is_ours(name: bytes) -> bool:
    return name in _LOCALS or name.endswith(b"call")


def _local_name(local_names: list[tuple[bytes, int, int]], register: int, place: int) -> bytes:
    active = [name for name, begin, end in local_names if begin <= place < end]
    return active[register] if register < len(active) else b""


def keep_tail_frames(chunk: bytes) -> bytes | None:
    """``chunk``, as string.dump made it, with those tail calls made ordinary; None if there are none.

    O(N) in the number of instructions.
    """
    if not chunk.startswith(_HEADER):  # another machine's; error messages may lack their line
        return None
    reader = _Reader(chunk)
    reader.function()
    if not reader.found:
        return None
    changed = bytearray(chunk)
    for place in reader.found:
        changed[place] = changed[place] & ~63 | _CALL
    return bytes(changed)
