"""Values of keys, read from a server, from the engine in this process, or from a file.

A value has a type, a content and an expiry. Two values are equal when their digests are: 16 bytes of BLAKE2 over a form
that does not depend on the order of a set, hash or sorted set.

`read` is exact for each batch: the keys are watched, read in three rounds (types, sizes, contents), and an empty
MULTI and EXEC tells whether one of them was changed in between; then smaller batches are tried. Large values are
read in pieces, which bounds the replies. A stream is read and written as a whole, in the form of DUMP. Values of other
types, and a stream in the form of a later Redis, are held as their DUMP, which can be compared.

Needs PEXPIRETIME, that is Redis 7 or Kedis.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from kedis.cli.client import expected
from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import Link
from kedis.cli.client.wire import ErrorReply
from kedis.rdb.payload import WrongFooter, dump, restore
from kedis.rdb.source import RdbError
from kedis.structures.stream import Stream

#: Keys that are read, compared or written together.
BATCH_KEYS = 100
#: Max. elements and bytes of a value in one command or reply.
PIECE_ELEMENTS = 1000
PIECE_BYTES = 1 << 20
_TRIES = 5
NEVER = -1

Command = list[bytes]


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a key.

    content: bytes of a string, list of a list, set of a set, dict of a hash, dict of scores of a sorted set, Stream;
    for any other kind the bytes of DUMP. expire_at_ms: milliseconds since 1970, or NEVER.
    """

    kind: str
    content: Any
    expire_at_ms: int = NEVER

    @property
    def size(self) -> int:
        """Bytes of the content, roughly. O(elements)."""
        return sum(len(element) + 16 for element in _elements(self.kind, self.content))

    @property
    def count(self) -> int:
        """Elements, or bytes of a string."""
        return len(self.content)

    @property
    def can_be_written(self) -> bool:
        """Whether its type and form are known here."""
        return self.kind in ("string", *_WRITERS) or isinstance(self.content, Stream)


class Changed(Exception):
    """A key was changed while it was read in several steps."""


def digest_of(value: Value | None) -> bytes | None:
    """The digest of a value; None for no key. O(size log elements)."""
    if value is None:
        return None
    hashed = hashlib.blake2b(b"%b %d " % (value.kind.encode(), value.expire_at_ms), digest_size=16)
    elements = _elements(value.kind, value.content)
    if value.kind in ("set", "hash", "zset"):
        # Sorted by member; each field stays before its value.
        width = 1 if value.kind == "set" else 2
        flat = list(elements)
        groups = sorted(tuple(flat[at : at + width]) for at in range(0, len(flat), width))
        elements = chain.from_iterable(groups)
    for element in elements:
        hashed.update(b"%d:" % len(element))
        hashed.update(element)
    return hashed.digest()


def _elements(kind: str, content: Any) -> Iterator[bytes]:
    if kind == "hash":
        return chain.from_iterable(content.items())
    if kind == "zset":
        return chain.from_iterable((member, encode_score(score)) for member, score in content.items())
    if isinstance(content, Stream):
        return (repr(part).encode() for part in content.contents())
    return iter(content if kind in ("list", "set") else (content,))


def encode_score(score: float) -> bytes:
    """The shortest digits that read back as the same score; -0 is 0."""
    return repr(score + 0.0).encode()


# -- writing


def write_commands(key: bytes, value: Value | None) -> Iterator[Command]:
    """The commands that make `key` hold `value`, whatever it held before. Raises ValueError for other types."""
    yield [b"DEL", key]
    if value is None:
        return
    yield from build_commands(key, value)


def build_commands(key: bytes, value: Value) -> Iterator[Command]:
    """The commands that make `value` where there is no key. Raises ValueError for types beside the five."""
    if value.kind == "string":
        yield [b"SET", key, value.content[:PIECE_BYTES]]
        for at in range(PIECE_BYTES, len(value.content), PIECE_BYTES):
            yield [b"APPEND", key, value.content[at : at + PIECE_BYTES]]
    elif isinstance(value.content, Stream):
        yield [b"RESTORE", key, b"0", dump(value.content)]
    else:
        for words in _pieces(_groups(value)):
            yield [_WRITERS[value.kind], key, *words]
    if value.expire_at_ms != NEVER:
        yield [b"PEXPIREAT", key, b"%d" % value.expire_at_ms]


_WRITERS = {"list": b"RPUSH", "set": b"SADD", "hash": b"HSET", "zset": b"ZADD"}


def _groups(value: Value) -> Iterator[tuple[bytes, ...]]:
    if value.kind == "hash":
        return iter(value.content.items())
    if value.kind == "zset":
        return ((encode_score(score), member) for member, score in value.content.items())
    if value.kind in ("list", "set"):
        return ((element,) for element in value.content)
    raise ValueError(f"a value of the type {value.kind} cannot be written")


def _pieces(groups: Iterator[tuple[bytes, ...]]) -> Iterator[list[bytes]]:
    piece: list[bytes] = []
    weight = count = 0
    for group in groups:
        piece += group
        count += 1
        weight += sum(map(len, group))
        if count >= PIECE_ELEMENTS or weight >= PIECE_BYTES:
            yield piece
            piece, weight, count = [], 0, 0
    if piece:
        yield piece


# -- reading


def ask(link: Link, commands: Sequence[Sequence[bytes]]) -> list[Any]:
    """The replies to commands that must not fail. Raises LinkLost, Changed for WRONGTYPE, else ServerSays."""
    replies = link.send_many(commands)
    for words, reply in zip(commands, replies, strict=True):
        if isinstance(reply, ErrorReply):
            if reply.startswith("WRONGTYPE"):
                raise Changed
            if words[0] == b"PEXPIRETIME" and "unknown command" in reply:
                raise ServerSays(f"{link.description} is older than Redis 7: times to live cannot be copied")
            raise ServerSays(f"{link.description} refuses {words[0].decode()}: {reply}")
    return replies


def select(link: Link, database: int) -> None:
    """Change the database. Raises LinkLost, ServerSays."""
    if link.database != database:
        ask(link, [[b"SELECT", b"%d" % database]])


def read(link: Link, keys: Sequence[bytes]) -> dict[bytes, Value | None]:
    """The values of keys of the link's database, each as it was at one moment. Raises LinkLost, ServerSays."""
    if not keys:
        return {}
    for _ in range(_TRIES if len(keys) == 1 else 1):
        try:
            values = read_watched(link, keys)
        except Changed:
            ask(link, [[b"UNWATCH"]])
            continue
        if ask(link, [[b"MULTI"], [b"EXEC"]])[-1] is not None:
            return values
    if len(keys) == 1:
        return {keys[0]: _read_at_once(link, keys[0])}
    half = len(keys) // 2
    return read(link, keys[:half]) | read(link, keys[half:])


def read_watched(link: Link, keys: Sequence[bytes]) -> dict[bytes, Value | None]:
    """Like `read`, but leaves the keys watched, for a transaction of the caller.

    Raises Changed if they were changed meanwhile; LinkLost, ServerSays.
    """
    types = [[b"TYPE", key] for key in keys]
    expiries = [[b"PEXPIRETIME", key] for key in keys]
    replies = ask(link, [[b"WATCH", *keys], *types, *expiries])[1:]
    kinds = {key: _type_named(kind) for key, kind in zip(keys, replies, strict=False) if kind != "none"}
    moments = [expected.integer(reply, "PEXPIRETIME") for reply in replies[len(keys) :]]
    expire_at = dict(zip(keys, moments, strict=True))
    sized = [key for key in kinds if kinds[key] in _SIZES]
    counts = ask(link, [[_SIZES[kinds[key]], key] for key in sized])
    sizes = {
        key: expected.integer(count, _SIZES[kinds[key]].decode())
        for key, count in zip(sized, counts, strict=True)
    }
    small = [key for key in kinds if sizes.get(key, 0) <= _limit(kinds[key])]
    contents: dict[bytes, Any] = dict(
        zip(small, ask(link, [_whole(kinds[key], key) for key in small]), strict=True)
    )
    values: dict[bytes, Value | None] = dict.fromkeys(keys)
    for key, kind in kinds.items():
        if key in contents:
            content = _decoded(kind, contents.pop(key))
        else:
            content = _decoded(kind, _PIECEMEAL[kind](link, key))
        if content is None:
            raise Changed
        values[key] = Value(kind, content, max(expire_at[key], NEVER))
    return values


_SIZES = {"string": b"STRLEN", "list": b"LLEN", "set": b"SCARD", "hash": b"HLEN", "zset": b"ZCARD"}


def _type_named(reply: object) -> str:
    if isinstance(reply, str):
        return str(reply)
    raise ServerSays("the answer to TYPE is not the name of a type")


def _limit(kind: str) -> int:
    return PIECE_BYTES if kind == "string" else PIECE_ELEMENTS


def _whole(kind: str, key: bytes) -> Command:
    if kind == "list":
        return [b"LRANGE", key, b"0", b"-1"]
    if kind == "zset":
        return [b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]
    return [{"string": b"GET", "set": b"SMEMBERS", "hash": b"HGETALL"}.get(kind, b"DUMP"), key]


def _decoded(kind: str, reply: Any) -> Any:
    """The content of a reply; None when the key was deleted before it. Raises ServerSays."""
    if reply is None or (kind in _WRITERS and reply == []):
        return None
    command = _whole(kind, b"")[0].decode()
    if kind == "stream":
        return _decoded_stream(expected.bulk(reply, command))
    if kind not in _WRITERS:
        return expected.bulk(reply, command)
    elements = expected.bulks(reply, command)
    if kind == "list":
        return elements
    if kind == "set":
        return set(elements)
    pairs = expected.pairs(elements, command)
    return dict(pairs) if kind == "hash" else {member: _score(score) for member, score in pairs}


def _decoded_stream(payload: bytes) -> Stream | bytes:
    """The stream in a payload of DUMP; the payload itself where its form is of a later version. Raises ServerSays."""
    try:
        return restore(payload)  # type: ignore[return-value]
    except WrongFooter:
        return payload
    except RdbError as error:
        raise ServerSays(f"the answer to DUMP holds no stream: {error}") from None


def _score(data: bytes) -> float:
    try:
        return float(data)
    except ValueError:
        raise ServerSays("the answer to ZRANGE holds a score that is no number") from None


def _read_at_once(link: Link, key: bytes) -> Value | None:
    """Read a key that changes all the time: one transaction, however large, with the read command of each type."""
    head = [[b"MULTI"], [b"TYPE", key], [b"PEXPIRETIME", key]]
    while True:
        wholes = [_whole(kind, key) for kind in _SIZES]
        answers = ask(link, [*head, *wholes, [b"EXEC"]])[-1]
        found, expire_at, *contents = expected.array(answers, "EXEC", 2 + len(wholes))
        kind = _type_named(found)
        if kind == "none":
            return None
        if kind in _SIZES:
            content = _decoded(kind, dict(zip(_SIZES, contents, strict=True))[kind])
            return Value(kind, content, max(expected.integer(expire_at, "PEXPIRETIME"), NEVER))
        answers = ask(link, [*head, _whole(kind, key), [b"EXEC"]])[-1]
        found, expire_at, content = expected.array(answers, "EXEC", 3)
        if found == kind:
            return Value(
                kind, _decoded(kind, content), max(expected.integer(expire_at, "PEXPIRETIME"), NEVER)
            )


def _string_pieces(link: Link, key: bytes) -> bytes:
    pieces: list[bytes] = []
    while not pieces or len(pieces[-1]) == PIECE_BYTES:
        at = len(pieces) * PIECE_BYTES
        reply = ask(link, [[b"GETRANGE", key, b"%d" % at, b"%d" % (at + PIECE_BYTES - 1)]])[0]
        pieces.append(expected.bulk(reply, "GETRANGE"))
    return b"".join(pieces)


def _list_pieces(link: Link, key: bytes) -> list[bytes]:
    elements: list[bytes] = []
    while True:
        at = len(elements)
        reply = ask(link, [[b"LRANGE", key, b"%d" % at, b"%d" % (at + PIECE_ELEMENTS - 1)]])[0]
        piece = expected.bulks(reply, "LRANGE")
        elements += piece
        if len(piece) < PIECE_ELEMENTS:
            return elements


def _scanned(command: bytes, width: int) -> Callable[[Link, bytes], list[bytes]]:
    def scan(link: Link, key: bytes) -> list[bytes]:
        found: dict[bytes, Sequence[bytes]] = {}
        cursor = b"0"
        while True:
            reply = ask(link, [[command, key, cursor, b"COUNT", b"%d" % PIECE_ELEMENTS]])[0]
            cursor, piece = expected.page(reply, command.decode())
            rest = iter(piece)
            while group := tuple(islice(rest, width)):
                found[group[0]] = group
            if cursor == b"0":
                return list(chain.from_iterable(found.values()))

    return scan


_PIECEMEAL: dict[str, Callable[[Link, bytes], Any]] = {
    "string": _string_pieces,
    "list": _list_pieces,
    "set": _scanned(b"SSCAN", 1),
    "hash": _scanned(b"HSCAN", 2),
    "zset": _scanned(b"ZSCAN", 2),
}
