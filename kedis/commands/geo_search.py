"""GEOSEARCH, GEOSEARCHSTORE and their older forms, GEORADIUS and GEORADIUSBYMEMBER.

All six share one search; :class:`_Form` says where each takes the centre and the shape from, and its options.
Arguments are parsed from left to right, so that the first of several errors is reported.

Unsorted results come in the order in which the cells are searched. COUNT without ANY sorts by distance first, to
return the nearest; with ANY the search ends as soon as enough are found.

Difference from Redis: among members at the same distance COUNT may choose others, since the sort of Redis is not
stable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from kedis import errors
from kedis.commands.geo import coordinates, format_distance, position, unit
from kedis.commands.parsing.options import double, integer
from kedis.engine.flags import DENYOOM, READONLY, WRITE
from kedis.engine.keyspec import after_keyword, span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.structures import geohash
from kedis.structures.geo_area import Box, Circle, Shape
from kedis.structures.packed import SortedSet

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: A member inside the shape: metres from the centre, member, score.
_Found = tuple[float, bytes, float]

_PAGE = 1000  # members taken from the set at a time
_FLAGS = frozenset([b"WITHDIST", b"WITHHASH", b"WITHCOORD", b"ANY", b"ASC", b"DESC"])
_DECORATIONS = frozenset([b"WITHDIST", b"WITHHASH", b"WITHCOORD"])


class _Form(NamedTuple):
    """How one of the commands differs from the others."""

    source_at: int = 1  # the argument that is the key
    options_at: int = 2
    is_search: bool = True  # GEOSEARCH and GEOSEARCHSTORE: centre and shape are options
    stores: bool = False
    event: str = "georadiusstore"


class _Query:
    """The arguments of a search."""

    def __init__(self) -> None:
        self.words: set[bytes] = set()
        self.order: bytes = b""
        self.count = 0
        self.target: bytes | None = None
        self.by_distance = False
        self.centre: tuple[float, float] | None = None
        self.centre_from = b""  # the option; a member of a set that is not there gives no centre
        self.radius: float | None = None
        self.box: tuple[float, float] | None = None
        self.metres = 1.0  # in the unit of the shape

    def shape(self) -> Shape:
        assert self.centre is not None
        if self.radius is not None:
            return Circle(*self.centre, self.radius * self.metres)
        assert self.box is not None
        return Box(*self.centre, self.box[0] * self.metres, self.box[1] * self.metres)


_SEARCH = _Form()
_SEARCH_STORE = _Form(source_at=2, options_at=3, stores=True, event="geosearchstore")
_RADIUS = _Form(options_at=6, is_search=False, stores=True)
_RADIUS_RO = _Form(options_at=6, is_search=False)
_RADIUS_BY_MEMBER = _Form(options_at=5, is_search=False, stores=True)
_RADIUS_BY_MEMBER_RO = _Form(options_at=5, is_search=False)


@command(
    "GEOSEARCH",
    arity=-7,
    flags=READONLY,
    group="geo",
    since="6.2.0",
    summary="Finds the members within a circle or a box.",
    keys=[span("RO access", 1)],
    complexity="O(log N + M) for M members in the cells around the shape",
    syntax=(
        'key@0 from("FROMMEMBER" member | "FROMLONLAT" longitude_latitude{longitude:double '
        'latitude:double}) by(circle{"BYRADIUS" radius:double unit("M" | "KM" | "FT" | "MI")} '
        '| box{"BYBOX" width:double height:double unit("M" | "KM" | "FT" | "MI")}) '
        '[order("ASC" | "DESC")] [count{"COUNT" count:int ["ANY"]}] ["WITHCOORD"] ["WITHDIST"] '
        '["WITHHASH"]'
    ),
)
def geosearch(client: Client, argv: Sequence[bytes]) -> list[Any] | int:
    return _search(client, argv, _SEARCH)


@command(
    "GEOSEARCHSTORE",
    arity=-8,
    flags=WRITE | DENYOOM,
    group="geo",
    since="6.2.0",
    summary="Stores the members within a circle or a box in a sorted set; returns their number.",
    keys=[span("OW update", 1), span("RO access", 2)],
    complexity="O(log N + M log M) for M members in the cells around the shape",
    syntax=(
        'destination@0 source@1 from("FROMMEMBER" member | "FROMLONLAT" '
        'longitude_latitude{longitude:double latitude:double}) by(circle{"BYRADIUS" '
        'radius:double unit("M" | "KM" | "FT" | "MI")} | box{"BYBOX" width:double '
        'height:double unit("M" | "KM" | "FT" | "MI")}) [order("ASC" | "DESC")] [count{"COUNT" '
        'count:int ["ANY"]}] ["STOREDIST"]'
    ),
)
def geosearchstore(client: Client, argv: Sequence[bytes]) -> list[Any] | int:
    return _search(client, argv, _SEARCH_STORE)


@command(
    "GEORADIUS",
    arity=-6,
    flags=WRITE | DENYOOM,
    group="geo",
    since="3.2.0",
    summary="Finds or stores the members within a radius of a position; see GEOSEARCH.",
    keys=[
        span("RO access", 1),
        after_keyword("OW update", "STORE", 6),
        after_keyword("OW update", "STOREDIST", 6),
    ],
    complexity="O(log N + M) for M members in the cells around the circle",
    syntax=(
        'key@0 longitude:double latitude:double radius:double unit("M" | "KM" | "FT" | "MI") '
        '["WITHCOORD"] ["WITHDIST"] ["WITHHASH"] [count{"COUNT" count:int ["ANY"~6.2.0]}] '
        '[order("ASC" | "DESC")] ["STORE" key@1] ["STOREDIST" key@2]'
    ),
    deprecated=("6.2.0", "GEOSEARCH or GEOSEARCHSTORE with BYRADIUS"),
)
def georadius(client: Client, argv: Sequence[bytes]) -> list[Any] | int:
    return _search(client, argv, _RADIUS)


@command(
    "GEORADIUS_RO",
    arity=-6,
    flags=READONLY,
    group="geo",
    since="3.2.10",
    summary="Finds the members within a radius of a position; see GEOSEARCH.",
    keys=[span("RO access", 1)],
    complexity="O(log N + M) for M members in the cells around the circle",
    syntax=(
        'key@0 longitude:double latitude:double radius:double unit("M" | "KM" | "FT" | "MI") '
        '["WITHCOORD"] ["WITHDIST"] ["WITHHASH"] [count{"COUNT" count:int ["ANY"~6.2.0]}] '
        '[order("ASC" | "DESC")]'
    ),
    deprecated=("6.2.0", "GEOSEARCH with BYRADIUS"),
)
def georadius_ro(client: Client, argv: Sequence[bytes]) -> list[Any] | int:
    return _search(client, argv, _RADIUS_RO)


@command(
    "GEORADIUSBYMEMBER",
    arity=-5,
    flags=WRITE | DENYOOM,
    group="geo",
    since="3.2.0",
    summary="Finds or stores the members within a radius of a member; see GEOSEARCH.",
    keys=[
        span("RO access", 1),
        after_keyword("OW update", "STORE", 5),
        after_keyword("OW update", "STOREDIST", 5),
    ],
    complexity="O(log N + M) for M members in the cells around the circle",
    syntax=(
        'key@0 member radius:double unit("M" | "KM" | "FT" | "MI") ["WITHCOORD"] ["WITHDIST"] '
        '["WITHHASH"] [count{"COUNT" count:int ["ANY"]}] [order("ASC" | "DESC")] ["STORE" '
        'key@1] ["STOREDIST" key@2]'
    ),
    deprecated=("6.2.0", "GEOSEARCH or GEOSEARCHSTORE with BYRADIUS and FROMMEMBER"),
)
def georadiusbymember(client: Client, argv: Sequence[bytes]) -> list[Any] | int:
    return _search(client, argv, _RADIUS_BY_MEMBER)


@command(
    "GEORADIUSBYMEMBER_RO",
    arity=-5,
    flags=READONLY,
    group="geo",
    since="3.2.10",
    summary="Finds the members within a radius of a member; see GEOSEARCH.",
    keys=[span("RO access", 1)],
    complexity="O(log N + M) for M members in the cells around the circle",
    syntax=(
        'key@0 member radius:double unit("M" | "KM" | "FT" | "MI") ["WITHCOORD"] ["WITHDIST"] '
        '["WITHHASH"] [count{"COUNT" count:int ["ANY"]}] [order("ASC" | "DESC")]'
    ),
    deprecated=("6.2.0", "GEOSEARCH with BYRADIUS and FROMMEMBER"),
)
def georadiusbymember_ro(client: Client, argv: Sequence[bytes]) -> list[Any] | int:
    return _search(client, argv, _RADIUS_BY_MEMBER_RO)


def _search(client: Client, argv: Sequence[bytes], form: _Form) -> list[Any] | int:
    members = client.db.lookup_read_typed(argv[form.source_at], SortedSet)
    query = _parse(argv, form, members)
    found = [] if members is None else _find(members, query)
    if query.target is not None:
        return _store(client, query, form, found)
    return _reply(client, query, found)


# -- arguments --------------------------------------------------------------------------------------------


def _parse(argv: Sequence[bytes], form: _Form, members: SortedSet | None) -> _Query:
    query = _Query()
    if form.is_search:
        query.target = argv[1] if form.stores else None
    else:
        if form.options_at == 6:
            query.centre = position(argv, 2)
            _parse_radius(query, argv, 4)
        elif members is not None:  # of a set that is not there not even the radius is looked at
            _centre_on_member(query, members, argv[2])
            _parse_radius(query, argv, 3)
    at = form.options_at
    while at < len(argv):
        at += _parse_option(query, argv, at, form, members)
    _check(query, argv, form)
    if query.count and not query.order and b"ANY" not in query.words:
        query.order = b"ASC"
    return query


def _parse_option(
    query: _Query, argv: Sequence[bytes], at: int, form: _Form, members: SortedSet | None
) -> int:
    """Parse the option at ``at``; returns how many arguments it took."""
    word, following = argv[at].upper(), len(argv) - at - 1
    if word in _FLAGS:
        query.words.add(word)
        if word in (b"ASC", b"DESC"):
            query.order = word
        return 1
    if word == b"COUNT" and following:
        query.count = integer(argv[at + 1])
        if query.count <= 0:
            raise CommandError(value_errors.COUNT_NOT_POSITIVE)
        return 2
    if form.is_search:
        return _parse_search_option(query, argv, at, form, members)
    if form.stores and following and word in (b"STORE", b"STOREDIST"):
        query.target = argv[at + 1]
        query.by_distance = word == b"STOREDIST"
        return 2
    raise CommandError(errors.SYNTAX)


def _parse_search_option(
    query: _Query, argv: Sequence[bytes], at: int, form: _Form, members: SortedSet | None
) -> int:
    # An option may be repeated, and the last one counts; its alternative may not come after it.
    word, following = argv[at].upper(), len(argv) - at - 1
    if word == b"FROMMEMBER" and following and query.centre_from != b"FROMLONLAT":
        _centre_on_member(query, members, argv[at + 1])
        query.centre_from = word
        return 2
    if word == b"FROMLONLAT" and following > 1 and query.centre_from != b"FROMMEMBER":
        query.centre = position(argv, at + 1)
        query.centre_from = word
        return 3
    if word == b"BYRADIUS" and following > 1 and query.box is None:
        _parse_radius(query, argv, at + 1)
        return 3
    if word == b"BYBOX" and following > 2 and query.radius is None:
        _parse_box(query, argv, at + 1)
        return 4
    if word == b"STOREDIST" and form.stores:
        query.by_distance = True
        return 1
    raise CommandError(errors.SYNTAX)


def _centre_on_member(query: _Query, members: SortedSet | None, member: bytes) -> None:
    if members is None:
        return
    score = members.score(member)
    if score is None:
        raise CommandError(value_errors.NO_SUCH_MEMBER)
    query.centre = geohash.decode(score)


def _parse_radius(query: _Query, argv: Sequence[bytes], at: int) -> None:
    query.radius = double(argv[at], value_errors.RADIUS_NOT_A_NUMBER)
    if query.radius < 0:
        raise CommandError(value_errors.RADIUS_NEGATIVE)
    query.metres = unit(argv[at + 1])


def _parse_box(query: _Query, argv: Sequence[bytes], at: int) -> None:
    width = double(argv[at], value_errors.WIDTH_NOT_A_NUMBER)
    height = double(argv[at + 1], value_errors.HEIGHT_NOT_A_NUMBER)
    if width < 0 or height < 0:
        raise CommandError(value_errors.BOX_NEGATIVE)
    query.box = width, height
    query.metres = unit(argv[at + 2])


def _check(query: _Query, argv: Sequence[bytes], form: _Form) -> None:
    if query.target is not None and query.words & _DECORATIONS:
        name = "GEOSEARCHSTORE" if form.is_search else "STORE option in GEORADIUS"
        raise CommandError(value_errors.store_with_decorations(name))
    if form.is_search and not query.centre_from:
        raise CommandError(value_errors.exactly_one("FROMMEMBER or FROMLONLAT", argv[0]))
    if form.is_search and query.radius is None and query.box is None:
        raise CommandError(value_errors.exactly_one("BYRADIUS and BYBOX", argv[0]))
    if b"ANY" in query.words and not query.count:
        raise CommandError(value_errors.ANY_WITHOUT_COUNT)


# -- searching --------------------------------------------------------------------------------------------


def _find(members: SortedSet, query: _Query) -> list[_Found]:
    shape = query.shape()
    inside = shape.inside(_in_cells(members, shape))
    found = list(islice(inside, query.count)) if b"ANY" in query.words else list(inside)
    if query.order:
        found.sort(key=itemgetter(0), reverse=query.order == b"DESC")
    return found[: query.count] if query.count else found


def _in_cells(members: SortedSet, shape: Shape) -> Iterator[tuple[bytes, float]]:
    for cell in shape.cells():
        low, high = cell.scores
        start, stop = members.rank_range_by_score(low, False, high, True)
        for page in range(start, stop, _PAGE):
            yield from members.slice(page, min(page + _PAGE, stop))


def _store(client: Client, query: _Query, form: _Form, found: Sequence[_Found]) -> int:
    assert query.target is not None
    if not found:
        client.db.remove(query.target)
        return 0
    if query.by_distance:
        scores = {member: metres / query.metres for metres, member, _ in found}
    else:
        scores = {member: score for _, member, score in found}
    client.db.set_value(query.target, SortedSet.from_scores(scores), form.event, changes=len(found))
    return len(found)


def _reply(client: Client, query: _Query, found: Sequence[_Found]) -> list[Any]:
    words = query.words
    if not words & _DECORATIONS:
        return [member for _, member, _ in found]
    replies = []
    for metres, member, score in found:
        reply: list[Any] = [member]
        if b"WITHDIST" in words:
            reply.append(format_distance(metres / query.metres))
        if b"WITHHASH" in words:
            reply.append(int(score))
        if b"WITHCOORD" in words:
            reply.append(coordinates(client, geohash.decode(score)))
        replies.append(reply)
    return replies
