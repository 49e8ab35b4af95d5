"""Numbers as they travel on the wire: bytes to value and back, by Redis's rules rather than Python's.

Python's `int` and `float` take `1_000`, ` 12 `, `+5` and `007`; the wire does not. Three kinds of number
occur:

- Integers: signed 64-bit in the one spelling that printing would give. The length is looked at first, so a
  number of 100,000 digits costs nothing.
- Doubles (scores): C's `strtod` over the whole argument, without leading space, NaN, overflow, or underflow
  to zero. Printed with 17 significant digits. Range bounds are read by a laxer rule of their own, see
  `parse_score_bound`.
- Long doubles (INCRBYFLOAT, HINCRBYFLOAT): Redis computes in the 80-bit format of x87, 64 bits of mantissa,
  which Python has not. `LongDouble` keeps mantissa and exponent as integers and rounds half to even exactly
  where the processor would: after parsing and after adding. Printed with 17 decimals, zeros trimmed.

Every parser raises `NumberError`; the caller knows which words the client is owed.
"""

import re
from math import inf
from typing import NamedTuple


class NumberError(ValueError):
    """Not a number of the kind asked for."""


INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
UINT64_MAX = 2**64 - 1

# Indexes, counts and flags: a look-up costs a third of a conversion, and a miss next to nothing.
_SMALL = {b"%d" % number: number for number in range(-128, 1024)}

# Possessive quantifiers: one pass, no backtracking, however long the argument.
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}+")
_CURSOR = re.compile(rb"([+-]?)([0-9]++)")
_DECIMAL = re.compile(rb"([+-]?)([0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE]([+-]?[0-9]++))?")
_HEXADECIMAL = re.compile(
    rb"([+-]?)0[xX]([0-9a-fA-F]++(?:\.[0-9a-fA-F]*+)?|\.[0-9a-fA-F]++)(?:[pP]([+-]?[0-9]++))?"
)
_INFINITY = re.compile(rb"([+-]?)inf(?:inity)?", re.IGNORECASE)
_SPACE = b" \t\n\v\f\r"


# --- integers


def parse_int(text: bytes) -> int:
    """The signed 64-bit integer that `text` spells in canonical form. O(1): a long text is refused unread."""
    if len(text) < 19:
        value = _SMALL.get(text)
        if value is not None:
            return value
        # Without the regular expression, which would double the cost.
        if text.isdigit() and text[0] != 48:
            return int(text)
    if len(text) <= 20 and _INTEGER.fullmatch(text):
        value = int(text)
        if INT64_MIN <= value <= INT64_MAX:
            return value
    raise NumberError("not a 64-bit integer")


def parse_cursor(text: bytes) -> int:
    """The cursor of a SCAN call, by the rules of C's `strtoul`. O(len(text)).

    Empty is 0, a sign and leading zeros are taken, a negative number counts back from 2**64, and the text
    ends at a NUL.
    """
    text = text.partition(b"\0")[0]
    if not text:
        return 0
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise NumberError("not a cursor")
    sign, digits = match.groups()
    digits = digits.lstrip(b"0") or b"0"
    if len(digits) > 20 or int(digits) > UINT64_MAX:
        raise NumberError("cursor beyond 64 bits")
    return -int(digits) & UINT64_MAX if sign == b"-" else int(digits)


# --- doubles


def parse_float(text: bytes) -> float:
    """The double that `text` spells, infinities included. O(len(text))."""
    if text.isdigit() and len(text) < 16:
        return float(text)
    value, out_of_range = _strtod(text)
    if out_of_range:
        raise NumberError("beyond the range of a double")
    return value


def _strtod(text: bytes) -> tuple[float, bool]:
    """Value of the whole of `text`, and whether it over- or underflowed (to infinity, to zero)."""
    match = _DECIMAL.fullmatch(text)
    if match:
        value = float(text)
    elif match := _HEXADECIMAL.fullmatch(text):
        value = _from_hexadecimal(match)
    elif match := _INFINITY.fullmatch(text):
        return (-inf if match[1] == b"-" else inf), False
    else:
        raise NumberError("not a number")
    underflow = value == 0 and match[2].strip(b"0.") != b""
    return value, underflow or value in (inf, -inf)


def _from_hexadecimal(match: re.Match[bytes]) -> float:
    try:
        return float.fromhex(match[0].decode("ascii"))
    except OverflowError:
        return -inf if match[1] == b"-" else inf


def format_double(value: float) -> bytes:
    """`value` as a score is printed: up to 17 significant digits, `inf`, `-inf`."""
    return b"%.17g" % value


def parse_score_bound(text: bytes) -> tuple[float, bool]:
    """One end of a score range as (score, exclusive); `(` in front makes it exclusive.

    Laxer than `parse_float`, as in Redis: leading space is skipped, nothing at all is 0, numbers out of range
    become infinite or 0, and the text ends at a NUL.
    """
    exclusive = text.startswith(b"(")
    text = text[exclusive:].partition(b"\0")[0]
    if not text:
        return 0.0, exclusive
    return _strtod(text.lstrip(_SPACE))[0], exclusive


class LexBound(NamedTuple):
    """One end of a range of members; `infinite` is -1 below all members, 1 above them, 0 at `member`."""

    infinite: int
    member: bytes
    exclusive: bool


LEX_LOWEST = LexBound(-1, b"", False)
LEX_HIGHEST = LexBound(1, b"", False)


def parse_lex_bound(text: bytes) -> LexBound:
    """`-`, `+`, `[member` (inclusive) or `(member` (exclusive)."""
    first = text[:1]
    if first == b"[" or first == b"(":
        return LexBound(0, text[1:], first == b"(")
    if text[1:2] in (b"", b"\0"):  # the text ends at a NUL
        if first == b"-":
            return LEX_LOWEST
        if first == b"+":
            return LEX_HIGHEST
    raise NumberError("not a bound of a range of members")


# --- long doubles

_MANTISSA_BITS = 64
_LEAST_EXPONENT = -16445  # of the last bit of a subnormal number
_GREATEST_BIT = 16384  # values are below 2**16384
_LONG_DOUBLE_CHARS = 5 * 1024  # Redis reads into a buffer of this size, with a closing NUL
_DECIMALS = 17
_DECIMAL_UNIT = 10**_DECIMALS
_INFINITE = 1 << 30


class LongDouble(NamedTuple):
    """mantissa * 2**exponent, the mantissa signed and of at most 64 bits; or infinite, by `_INFINITE`."""

    mantissa: int
    exponent: int

    def is_infinite(self) -> bool:
        """Whether this is plus or minus infinity."""
        return self.exponent == _INFINITE


_ZERO = LongDouble(0, 0)


def parse_long_double(text: bytes) -> LongDouble:
    """The 80-bit long double nearest to `text`, infinities included. O(1): 5,119 bytes at most."""
    if len(text) >= _LONG_DOUBLE_CHARS:
        raise NumberError("too long for a float")
    if match := _DECIMAL.fullmatch(text):
        value = _from_decimal(match[2], match[3])
    elif match := _HEXADECIMAL.fullmatch(text):
        value = _from_hex_digits(match[2], match[3])
    elif match := _INFINITY.fullmatch(text):
        return LongDouble(-1 if match[1] == b"-" else 1, _INFINITE)
    else:
        raise NumberError("not a number")
    if value.is_infinite() or (not value.mantissa and match[2].strip(b"0.")):
        raise NumberError("beyond the range of a long double")
    return LongDouble(-value.mantissa, value.exponent) if match[1] == b"-" else value


def scaled_up(value: LongDouble, factor: int) -> int:
    """``value * factor``, as a long double, rounded up to a whole number; NumberError if it is infinite."""
    if value.is_infinite():
        raise NumberError("infinite product")
    product = _rounded(abs(value.mantissa) * factor, value.exponent)
    if product.is_infinite():
        raise NumberError("infinite product")
    mantissa = -product.mantissa if value.mantissa < 0 else product.mantissa
    return mantissa << product.exponent if product.exponent >= 0 else -(-mantissa >> -product.exponent)


def add_long_double(a: LongDouble, b: LongDouble) -> LongDouble:
    """The sum, rounded to 64 bits; NumberError if it is infinite or not a number."""
    if a.is_infinite() or b.is_infinite():
        raise NumberError("infinite sum")
    exponent = min(a.exponent, b.exponent)
    total = (a.mantissa << (a.exponent - exponent)) + (b.mantissa << (b.exponent - exponent))
    rounded = _rounded(abs(total), exponent)
    if rounded.is_infinite():
        raise NumberError("infinite sum")
    return LongDouble(-rounded.mantissa, rounded.exponent) if total < 0 else rounded


def format_long_double(value: LongDouble) -> bytes:
    """A finite `value` with up to 17 decimals, never an exponent; large numbers with all their digits."""
    mantissa, exponent = abs(value.mantissa), value.exponent
    if exponent >= 0:
        text = _print_integer(mantissa << exponent)
    else:
        whole, fraction = divmod(_shift_half_even(mantissa * _DECIMAL_UNIT, -exponent), _DECIMAL_UNIT)
        text = _print_integer(whole)
        if fraction:
            text += (b".%017d" % fraction).rstrip(b"0")
    return b"-" + text if value.mantissa < 0 and text != b"0" else text


def _from_decimal(digits: bytes, exponent: bytes | None) -> LongDouble:
    whole, _, fraction = digits.partition(b".")
    figures = (whole + fraction).lstrip(b"0")
    if not figures:
        return _ZERO
    scale = _clipped(exponent) - len(fraction)
    # Far out of range either way: decided without the powers of ten.
    if len(figures) + scale > 5000:
        return LongDouble(1, _INFINITE)
    if len(figures) + scale < -5000:
        return _ZERO
    number = _read_integer(figures)
    if scale >= 0:
        return _rounded(number * 10**scale, 0)
    divisor = 10**-scale
    # Enough bits that the last one of the quotient, made odd by any remainder, only ever breaks a tie.
    shift = max(0, _MANTISSA_BITS + 2 + divisor.bit_length() - number.bit_length())
    quotient, remainder = divmod(number << shift, divisor)
    return _rounded(quotient << 1 | (remainder != 0), -shift - 1)


def _from_hex_digits(digits: bytes, exponent: bytes | None) -> LongDouble:
    whole, _, fraction = digits.partition(b".")
    return _rounded(int(whole + fraction, 16), _clipped(exponent) - 4 * len(fraction))


def _clipped(exponent: bytes | None) -> int:
    """The value of an exponent of any length, held within a million either way."""
    if exponent is None:
        return 0
    figures = exponent.lstrip(b"+-").lstrip(b"0")[:7]
    size = min(int(figures or b"0"), 10**6)
    return -size if exponent.startswith(b"-") else size


def _rounded(number: int, exponent: int) -> LongDouble:
    """The long double nearest to number * 2**exponent, `number` not negative."""
    surplus = max(number.bit_length() - _MANTISSA_BITS, _LEAST_EXPONENT - exponent)
    if surplus > 0:
        number = _shift_half_even(number, surplus)
        exponent += surplus
    if not number:
        return _ZERO
    if number.bit_length() + exponent > _GREATEST_BIT:
        return LongDouble(1, _INFINITE)
    return LongDouble(number, exponent)


def _shift_half_even(number: int, bits: int) -> int:
    """number / 2**bits to the nearest integer, ties to even; `bits` at least 1."""
    quotient = number >> bits
    rest = number - (quotient << bits)
    half = 1 << (bits - 1)
    if rest > half or (rest == half and quotient & 1):
        quotient += 1
    return quotient


# Python refuses to convert more than 4,300 decimal digits at once; long doubles have up to 5,119.
_HALF_DIGITS = 2560
_HALF: int = 10**_HALF_DIGITS


def _read_integer(digits: bytes) -> int:
    if len(digits) <= _HALF_DIGITS:
        return int(digits)
    return int(digits[:-_HALF_DIGITS]) * _HALF + int(digits[-_HALF_DIGITS:])


def _print_integer(number: int) -> bytes:
    if number < _HALF:
        return b"%d" % number
    high, low = divmod(number, _HALF)
    return b"%d" % high + (b"%d" % low).zfill(_HALF_DIGITS)


# Possessive quantifiers, as above.
_LEADING_NUMBER = re.compile(rb"\s*+([+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)")


def leading_number(text: bytes) -> float:
    """The number that `text` begins with, 0 when there is none: what DEBUG takes. O(1)."""
    match = _LEADING_NUMBER.match(text[:64])
    return float(match[1]) if match else 0.0
