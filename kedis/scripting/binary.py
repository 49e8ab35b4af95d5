"""What the Lua libraries bit, struct and cmsgpack leave to Python, whose integers are exact.

The functions take and return what crosses the bridge: bytes, int, float.  A fault in the arguments of struct is
returned as None, its text, and the number of the argument that is to blame, if one is.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from kedis.resp.replies import signed_nan

Number = int | float
Fault = tuple[None, str] | tuple[None, str, int]

# -- bit ------------------------------------------------------------------------------------------------------

#: Added to a number it leaves the number's lowest 32 bits, rounded to even, in the lowest bits of the double.
_ROUNDER = 2.0**52 + 2.0**51


def _bits(number: Number) -> int:
    """The lowest 32 bits, as numbers of any size and fraction have them for LuaBitOp."""
    if type(number) is int and -0x100000000 < number < 0x100000000:
        return number & 0xFFFFFFFF
    word: int = struct.unpack("<Q", struct.pack("<d", number + _ROUNDER))[0]
    return word & 0xFFFFFFFF


def _signed(word: int) -> int:
    return word - 0x100000000 if word & 0x80000000 else word


def bit_tobit(number: Number) -> int:
    return _signed(_bits(number))


def bit_bnot(number: Number) -> int:
    return _signed(_bits(number) ^ 0xFFFFFFFF)


def bit_bswap(number: Number) -> int:
    return _signed(int.from_bytes(_bits(number).to_bytes(4, "little"), "big"))


def bit_lshift(number: Number, count: Number) -> int:
    return _signed(_bits(number) << (_bits(count) & 31) & 0xFFFFFFFF)


def bit_rshift(number: Number, count: Number) -> int:
    return _signed(_bits(number) >> (_bits(count) & 31))


def bit_arshift(number: Number, count: Number) -> int:
    return _signed(_bits(number)) >> (_bits(count) & 31)


def bit_rol(number: Number, count: Number) -> int:
    word, places = _bits(number), _bits(count) & 31
    return _signed((word << places | word >> (32 - places)) & 0xFFFFFFFF)


def bit_ror(number: Number, count: Number) -> int:
    return bit_rol(number, -(_bits(count) & 31))


def bit_band(first: Number, *rest: Number) -> int:
    word = _bits(first)
    for number in rest:
        word &= _bits(number)
    return _signed(word)


def bit_bor(first: Number, *rest: Number) -> int:
    word = _bits(first)
    for number in rest:
        word |= _bits(number)
    return _signed(word)


def bit_bxor(first: Number, *rest: Number) -> int:
    word = _bits(first)
    for number in rest:
        word ^= _bits(number)
    return _signed(word)


def bit_tohex(number: Number, digits: Number) -> bytes:
    count = _signed(_bits(digits))
    text = b"%08X" % _bits(number) if count < 0 else b"%08x" % _bits(number)
    count = min(abs(count), 8)
    return text[8 - count :]


# -- cmsgpack -------------------------------------------------------------------------------------------------


def pack_float(number: Number) -> bytes:
    """MessagePack's float of 32 bits where it holds the number, else of 64."""
    try:
        short = struct.pack(">f", number)
    except OverflowError:
        return b"\xcb" + struct.pack(">d", number)
    if struct.unpack(">f", short)[0] == number:
        return b"\xca" + short
    return b"\xcb" + struct.pack(">d", number)


def unpack_float(data: bytes) -> float:
    value: float = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
    return value


def unpack_integer(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


# -- struct ---------------------------------------------------------------------------------------------------

_MOST_INTEGER_SIZE = 32
#: Values that Lua's stack has room for.
_MOST_RESULTS = 7997
_MOST_INT = 2**31 - 1
#: The bits of a NaN, and those of the fraction of any number.
_NAN_BITS, _MANTISSA = 0x7FF8 << 48, (1 << 52) - 1
#: Whole numbers as C writes them, by base; as many digits are beyond 64 bits.
_WHOLE = {
    16: re.compile(rb"0x0*([0-9a-f]+)", re.IGNORECASE),
    8: re.compile(rb"0+([0-7]*)"),
    10: re.compile(rb"([1-9][0-9]*)"),
}
_MOST_DIGITS = 30
_NATIVE_SIZES = {"b": 1, "B": 1, "h": 2, "H": 2, "l": 8, "L": 8, "T": 8, "f": 4, "d": 8, "x": 1}
_SIGNED = frozenset("bhli")
_NATIVE_ALIGNMENT = 8
_WORD = 1 << 64


#: Items of a layout between two looks at the clock.
_PATIENCE = 4096
#: A number as C's strtod reads it, which Lua uses; what follows a zero byte is not looked at.
_NUMERAL = re.compile(
    rb"[ \t-\r]*([+-]?)(?:(0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?)"
    rb"|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)|(inf|infinity|nan(?:\(\w*\))?))[ \t-\r]*(?:\0.*)?",
    re.IGNORECASE | re.DOTALL,
)

#: Looks at the clock; True if the script is to end.
Tick = Callable[[], bool]


class _Fault(Exception):
    """A fault in what struct was asked.

    Args:
        text: what is wrong.
        argument: the number of the argument that is to blame; 0 for none.
    """

    def __init__(self, text: str, argument: int = 0) -> None:
        super().__init__(text)
        self.argument = argument


class _Item(NamedTuple):
    option: str
    size: int
    padding: int
    order: str


class _Layout:
    """Reads a format string, option by option, with the byte order and the alignment that it has set.

    A format of a million letters takes a second: ``tick`` is called now and then.
    """

    def __init__(self, text: bytes, tick: Tick) -> None:
        self._text = text.partition(b"\0")[0].decode("latin-1")  # in C a zero byte ends it
        self._tick = tick
        self._patience = _PATIENCE
        self._position = 0
        self._order: str = "<"
        self._alignment = 1

    def next(self, total: int, most: int | None = None) -> _Item | None:
        """The next item, which stands behind ``total`` bytes, of at most ``most``; None at the end."""
        while self._position < len(self._text):
            option = self._text[self._position]
            self._position += 1
            self._patience -= 1
            if not self._patience:
                self._patience = _PATIENCE
                if self._tick():
                    raise _Fault("the script is to end")
            size = self._size(option)
            padding = self._padding(option, size, total)
            if most is not None and total + padding + size > most:
                raise _Fault("data string too short", 2)
            if option in "<>":
                self._order = option
            elif option == "!":
                self._align()
            elif option != " ":
                return _Item(option, size, padding, self._order)
        return None

    def _digits(self, default: int) -> int:
        begin = self._position
        while self._position < len(self._text) and self._text[self._position] in "0123456789":
            self._position += 1
        if begin == self._position:
            return default
        value = int(self._text[begin : self._position].lstrip("0")[:20] or 0)
        if value > _MOST_INT:
            raise _Fault("integral size overflow")
        return value

    def _size(self, option: str) -> int:
        if option in "iI":
            size = self._digits(4)
            if size > _MOST_INTEGER_SIZE:
                raise _Fault(f"integral size {size} is larger than limit of {_MOST_INTEGER_SIZE}")
            return size
        if option == "c":
            return self._digits(1)
        return _NATIVE_SIZES.get(option, 0)

    def _align(self) -> None:
        alignment = self._digits(_NATIVE_ALIGNMENT)
        if alignment <= 0 or alignment & (alignment - 1):
            raise _Fault(f"alignment {alignment} is not a power of 2")
        self._alignment = alignment

    def _padding(self, option: str, size: int, total: int) -> int:
        alignment = min(size, self._alignment)
        if alignment <= 1 or option == "c":
            return 0
        return (alignment - (total & (alignment - 1))) & (alignment - 1)


def struct_pack(tick: Tick, layout: bytes, *values: object) -> bytes | Fault:
    """The values laid out as ``layout`` says."""
    try:
        return _pack(_Layout(layout, tick), values)
    except _Fault as fault:
        return _answer(fault)


def struct_unpack(tick: Tick, layout: bytes, data: bytes, offset: Number) -> tuple[object, ...]:
    """The values at ``offset`` (the first byte is 1) of ``data``, and the offset behind them."""
    try:
        return _unpack(_Layout(layout, tick), data, offset)
    except _Fault as fault:
        return _answer(fault)


def struct_size(tick: Tick, layout: bytes) -> int | Fault:
    """How many bytes a layout without strings takes."""
    try:
        reader, total = _Layout(layout, tick), 0
        while (item := reader.next(total)) is not None:
            if item.option == "s":
                raise _Fault("option 's' has no fixed size", 1)
            if item.option == "c" and not item.size:
                raise _Fault("option 'c0' has no fixed size", 1)
            if not (item.option.isascii() and item.option.isalnum()):  # an unknown letter has no size
                raise _invalid(item.option)
            total += item.padding + item.size
        return total
    except _Fault as fault:
        return _answer(fault)


def _answer(fault: _Fault) -> Fault:
    text = str(fault).encode("latin-1")
    return (None, text, fault.argument) if fault.argument else (None, text)  # type: ignore[return-value]


def _pack(reader: _Layout, values: tuple[object, ...]) -> bytes:
    out, total, argument = [], 0, 1
    while (item := reader.next(total)) is not None:
        packed = b"\0" * item.padding
        if item.option == "x":
            packed += b"\0"
        else:
            argument += 1
            value = values[argument - 2] if argument - 2 < len(values) else None
            packed += _pack_item(item, value, argument)
        out.append(packed)
        total += len(packed)
    return b"".join(out)


def _pack_item(item: _Item, value: object, argument: int) -> bytes:
    if item.option in "bBhHlLTiI":
        word = _word(_number(value, argument)).to_bytes(8, "little")
        word = word[: item.size] + b"\0" * (item.size - 8)
        return word if item.order == "<" else word[::-1]
    if item.option in "fd":
        return _pack_double(item, _number(value, argument))
    if item.option in "sc":
        text = _text(value, argument)
        if item.option == "s":
            return text + b"\0"
        if len(text) < item.size:
            raise _Fault("string too short", argument + 1)
        return text[: item.size] if item.size else text
    raise _invalid(item.option)


def _pack_double(item: _Item, number: Number) -> bytes:
    try:
        return struct.pack(item.order + item.option, number)
    except OverflowError:
        return struct.pack(item.order + item.option, math.copysign(math.inf, number))


def _invalid(option: str) -> _Fault:
    return _Fault(f"invalid format option '{option}'", 1)


def _number(value: object, argument: int) -> Number:
    if type(value) is int or type(value) is float:
        return value
    if isinstance(value, bytes):
        numeral = _NUMERAL.fullmatch(value)
        if numeral is None:
            raise _Fault("number expected, got string", argument)
        return _read_number(numeral)
    raise _Fault(f"number expected, got {_type_name(value)}", argument)


def _read_number(numeral: re.Match[bytes]) -> float:
    sign, hexadecimal, decimal, word = numeral.groups()
    if hexadecimal:
        try:
            value = float.fromhex(hexadecimal.decode())
        except OverflowError:
            value = math.inf
    else:
        value = float(decimal) if decimal else _read_special(word)
    return -value if sign == b"-" else value


def _read_special(word: bytes) -> float:
    """``inf``, or a NaN, which has in its lowest bits the number that stands in its parentheses."""
    name, _, figure = word.partition(b"(")
    if not figure:
        return float(name)
    payload = _read_payload(figure[:-1])
    bits = _NAN_BITS | min(payload, _WORD - 1) & _MANTISSA
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


def _read_payload(figure: bytes) -> int:
    """A whole number in hexadecimal, octal or decimal as C's strtoull reads it; 0 for what is none."""
    for base, pattern in _WHOLE.items():
        if digits := pattern.fullmatch(figure):
            return int(digits[1][:_MOST_DIGITS] or b"0", base)
    return 0


def _text(value: object, argument: int) -> bytes:
    if isinstance(value, bytes):
        return value
    if type(value) is int or type(value) is float:
        return b"%.14g" % value if value == value else signed_nan(value)
    raise _Fault(f"string expected, got {_type_name(value)}", argument)


def _type_name(value: object) -> str:
    if value is None:
        return "nil"
    if isinstance(value, (bool, bytes)):
        return "boolean" if isinstance(value, bool) else "string"
    name = type(value).__name__.lower()
    return next((kind for kind in ("table", "function", "thread") if kind in name), "userdata")


def _word(number: Number) -> int:
    """The number as 64 bits, as the machine converts doubles: negative ones through a signed integer."""
    if number != number:
        return _WORD >> 1
    if math.isinf(number):
        return _WORD >> 1 if number < 0 else 0
    whole = int(number)
    if number < 0:
        return whole % _WORD if whole >= -(_WORD >> 1) else _WORD >> 1
    return whole if whole < _WORD else 0


def _unpack(reader: _Layout, data: bytes, offset: Number) -> tuple[object, ...]:
    position = int(offset) - 1 if -(2.0**63) < offset < 2.0**63 else (_WORD >> 1) - 1
    if position == -1:
        raise _Fault("offset must be 1 or greater", 3)
    results: list[object] = []
    position %= _WORD
    while (item := reader.next(position, len(data))) is not None:
        position += item.padding
        size = item.size
        if len(results) >= _MOST_RESULTS:
            raise _Fault("stack overflow (too many results)")
        if item.option in "bBhHlLTiI":
            results.append(_unpack_integer(item, data[position : position + size]))
        elif item.option in "fd":
            results.append(struct.unpack_from(item.order + item.option, data, position)[0])
        elif item.option == "c":
            size = size or _previous_size(results, len(data) - position)
            results.append(data[position : position + size])
        elif item.option == "s":
            end = data.find(b"\0", position)
            if end < 0:
                raise _Fault("unfinished string in data")
            results.append(data[position:end])
            size = end + 1 - position
        elif item.option != "x":
            raise _invalid(item.option)
        position += size
    return (*results, _as_signed((position + 1) % _WORD))


def _previous_size(results: list[object], left: int) -> int:
    """The size of a ``c0`` string: the number before it, which it takes the place of."""
    previous = results[-1] if results else None
    numeral = _NUMERAL.fullmatch(previous) if isinstance(previous, bytes) else None
    if numeral is not None:  # to Lua that is a number as well
        previous = _read_number(numeral)
    if not isinstance(previous, (int, float)):
        raise _Fault("format 'c0' needs a previous size")
    results.pop()
    size = _word(previous)
    if size > left:
        raise _Fault("data string too short", 2)
    return size


def _unpack_integer(item: _Item, data: bytes) -> Number:
    ordered = data if item.order == "<" else data[::-1]
    word = int.from_bytes(ordered[:8], "little")
    if item.option not in _SIGNED:
        return float(word) if word >= 1 << 63 else word
    if not data:
        return 0
    mask = -1 << ((8 * len(data) - 1) % 64)
    if word & mask:
        word |= mask
    return _as_signed(word % _WORD)


def _as_signed(word: int) -> int:
    return word - _WORD if word >> 63 else word


#: The functions by the names that Lua has for them.
FUNCTIONS: dict[str, Callable[..., object]] = {
    function.__name__: function
    for function in (
        *(bit_tobit, bit_bnot, bit_bswap, bit_lshift, bit_rshift, bit_arshift, bit_rol, bit_ror),
        *(bit_band, bit_bor, bit_bxor, bit_tohex, pack_float, unpack_float, unpack_integer),
    )
}
#: The same for those that look at the clock.
LONG_FUNCTIONS: dict[str, Callable[..., object]] = {
    function.__name__: function for function in (struct_pack, struct_unpack, struct_size)
}
