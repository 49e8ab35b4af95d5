"""LCS: the longest common subsequence of two strings.

The textbook table L(i, j), the length for the first i bytes of one string and the first j of the other, is
kept as one integer a row: bit j - 1 of row i is *clear* where L(i, j) = L(i, j - 1) + 1.  The next row
follows from the last by a handful of operations on whole integers (Crochemore, Iliopoulos, Pinzon and Reid,
2001): one step of Python for a whole row of cells, and one bit a cell where Redis takes 32.

Walking back from the far corner, a byte in common is taken; otherwise the step goes to the longer of the two
neighbours and, between equals, to the left.  The clear bit says just that: where L grows from the left, the
longer one is above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.commands.string_ranges import read_stored
from kedis.engine.flags import READONLY
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: What a cell of the table takes in Redis, in bytes: the limit on the size is Redis's.
_CELL_BYTES = 4
#: What Python takes for a row of few cells: an integer and its place in a list, in bytes.
_ROW_BYTES = 40


@command(
    "LCS",
    arity=-3,
    flags=READONLY,
    group="string",
    since="7.0.0",
    summary="Finds the longest common subsequence of two strings.",
    keys=[span("RO access", 1, last=1)],
    complexity="O(N * M) in the lengths of the strings",
    syntax='key1@0 key2@0 ["LEN"] ["IDX"] ["MINMATCHLEN" len:int] ["WITHMATCHLEN"]',
)
def lcs(client: Client, argv: Sequence[bytes]) -> Any:
    try:
        one, two = (bytes(read_stored(client, key)) for key in argv[1:3])
    except CommandError:
        raise CommandError(value_errors.LCS_NOT_STRINGS) from None
    want_length, want_places, least, with_lengths = _parse_options(argv)
    if want_length and want_places:
        raise CommandError(value_errors.LCS_LEN_AND_IDX)
    if want_length and len(one) > len(two):
        one, two = two, one  # few long rows cost less than many short ones, and the length is the same
    cells = (len(one) + 1) * (len(two) + 1)
    if max(cells * _CELL_BYTES, len(one) * _ROW_BYTES) > client.engine.config.proto_max_bulk_len:
        raise CommandError(value_errors.LCS_TOO_LARGE)
    rows = _table(one, two)
    length = len(two) - rows[-1].bit_count()
    if want_length:
        return length
    runs = _common_runs(one, two, rows)
    if not want_places:
        return b"".join([one[i : i + size] for i, _, size in runs][::-1])
    matches = [
        [[i, i + size - 1], [j, j + size - 1], *([size] if with_lengths else ())]
        for i, j, size in runs
        if size >= least
    ]
    return {b"matches": matches, b"len": length}


def _parse_options(argv: Sequence[bytes]) -> tuple[bool, bool, int, bool]:
    """LEN, IDX, the value of MINMATCHLEN (0 when not given), WITHMATCHLEN."""
    flags = {b"LEN": False, b"IDX": False, b"WITHMATCHLEN": False}
    least = 0
    rest = iter(argv[3:])
    for word in rest:
        option = word.upper()
        if option in flags:
            flags[option] = True
            continue
        argument = next(rest, None)
        if option != b"MINMATCHLEN" or argument is None:
            raise CommandError(errors.SYNTAX)
        least = integer(argument)
    return flags[b"LEN"], flags[b"IDX"], least, flags[b"WITHMATCHLEN"]


def _table(one: bytes, two: bytes) -> list[int]:
    """The rows of the table, ``len(one) + 1`` of them.  O(len(one) * len(two))."""
    every = (1 << len(two)) - 1
    places = {byte: _places(two, byte) for byte in set(one)}
    row = every
    rows = [row]
    for byte in one:
        common = row & places[byte]
        row = (row + common | row - common) & every
        rows.append(row)
    return rows


def _places(text: bytes, byte: int) -> int:
    """An integer with bit j set where ``text[j]`` is ``byte``.  O(len(text)) but for the conversion."""
    marks = text.translate(bytes(49 if value == byte else 48 for value in range(256)))
    return int(marks[::-1] or b"0", 2)


def _common_runs(one: bytes, two: bytes, rows: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """What the strings have in common, as (place in one, place in two, length), the last run first.

    O(len(one) * len(two) / 8) at worst, in whole bytes copied.
    """
    size = len(two) // 8 + 1
    i, j = len(one), len(two)
    row = rows[i].to_bytes(size, "little")
    run = 0
    while i and j:
        if one[i - 1] == two[j - 1]:
            run += 1
            i -= 1
            j -= 1
            row = rows[i].to_bytes(size, "little")
            continue
        if run:
            yield i, j, run
            run = 0
        place = j - 1
        if row[place >> 3] >> (place & 7) & 1:
            j -= 1
        else:
            i -= 1
            row = rows[i].to_bytes(size, "little")
    if run:
        yield i, j, run
