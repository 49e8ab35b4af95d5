"""Values in RDB: there and back, from Redis in all its representations, and from anybody."""

from __future__ import annotations

import contextlib
import math
import struct
import tracemalloc
from itertools import chain
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedis.config import Config
from kedis.rdb.compact import read_intset, read_listpack, read_ziplist, read_zipmap
from kedis.rdb.crc64 import crc64
from kedis.rdb.payload import WrongFooter, dump, restore
from kedis.rdb.source import RdbError, Source, encode_length
from kedis.rdb.value_forms import decode_value, encode_text, encode_value
from kedis.structures.packed import Hash, List, Set, SortedSet
from tests.commands.driver import Client, ErrorReply
from tests.oracle import Oracle

TEXT = st.one_of(st.binary(max_size=80), st.integers().map(lambda number: b"%d" % number))
SCORE = st.floats(allow_nan=False)
VALUES = st.one_of(
    TEXT,
    st.lists(TEXT, min_size=1).map(List),
    st.sets(TEXT, min_size=1).map(Set),
    st.dictionaries(TEXT, TEXT, min_size=1).map(Hash),
    st.dictionaries(TEXT, SCORE.map(lambda score: score + 0.0), min_size=1).map(SortedSet.from_scores),
)


def plain(value: Any) -> Any:
    """Something that compares."""
    return list(value.items()) if isinstance(value, SortedSet) else value


@given(VALUES, st.booleans())
def test_there_and_back(value: Any, compressed: bool) -> None:
    kind, content = encode_value(value, compressed)
    source = Source(content)
    found: Any = decode_value(source, kind)
    assert plain(found) == plain(value)
    assert type(found) is type(value)
    assert source.position == len(content)
    if not isinstance(found, bytes):
        assert found.footprint > 0
        assert found.footprint == type(found)(found).footprint if isinstance(found, List) else True
    assert plain(restore(dump(value))) == plain(value)


@given(st.integers(0, 2**64 - 1))
def test_lengths(length: int) -> None:
    assert Source(encode_length(length)).number() == length


@pytest.mark.parametrize(
    "text", [b"0", b"-1", b"127", b"128", b"-32768", b"32768", b"-2147483648", b"2147483647"]
)
def test_small_integers_are_written_as_such(text: bytes) -> None:
    assert len(encode_text(text)) <= 5
    assert encode_text(text)[0] & 0xC0 == 0xC0
    assert Source(encode_text(text)).string() == text


@pytest.mark.parametrize("text", [b"007", b"-0", b"+1", b"2147483648", b"", b"-", b"\xb2", b"1 "])
def test_what_only_looks_like_an_integer_is_not(text: bytes) -> None:
    assert encode_text(text) == bytes([len(text)]) + text


# -- with Redis -------------------------------------------------------------------------------------------

#: Settings under which Redis keeps small containers in its flat forms, or does not.
FORMS: dict[str, dict[str, int]] = {
    "flat": {},
    "plain": {
        "hash-max-listpack-entries": 0,
        "zset-max-listpack-entries": 0,
        "set-max-intset-entries": 0,
    },
    "short lists": {"list-max-listpack-size": 2},
    "large elements": {"list-max-listpack-size": -1},
}
DATA: list[tuple[Any, ...]] = [
    ("SET", "text", "hello"),
    ("SET", "integer", "-12345"),
    ("SET", "long", "9223372036854775807"),
    ("SET", "compressible", "abcabcabcabc" * 50),
    ("SET", "binary", bytes(range(256))),
    (
        "RPUSH",
        "list",
        *range(-5, 5),
        "x",
        "y" * 70,
        4095,
        4096,
        -4096,
        70000,
        -(2**31),
        2**40,
        -(2**63),
        "z" * 5000,
    ),
    ("RPUSH", "huge", "h" * 20_000, "small", "i" * 20_000),
    ("SADD", "small integers", *range(-10, 10)),
    ("SADD", "middle integers", *range(0, 100_000, 9999), -40_000),
    ("SADD", "large integers", 2**62, -(2**62), 0),
    ("SADD", "words", "a", "b", "1", "", "x" * 200),
    ("HSET", "hash", "f", "v", "1", "2", "", "", "long", "w" * 300, "number", 65536),
    ("HSET", "flat hash", "f", "v", "1", "2", "", "", "-70000", "32768"),
    ("ZADD", "scores", 1, "a", -1.5, "b", "inf", "c", "-inf", "d", 0.1, "e", 1e300, "f", 17, "g" * 100),
    ("ZADD", "flat scores", 1, "a", -1.5, "b", "inf", "c", 3, "7"),
]
KEYS = [words[1] for words in DATA]


@pytest.fixture(params=FORMS)
def server(request: pytest.FixtureRequest, oracle: Oracle) -> Oracle:
    form = FORMS[request.param]
    for name, value in form.items():
        oracle.call("CONFIG", "SET", name, value)
    oracle.call("FLUSHALL")
    for words in DATA:
        oracle.call(*words)
    return oracle


@pytest.fixture
def client() -> Client:
    client = Client()
    client.engine.config.enable_debug_command = "yes"
    return client


def test_kedis_restores_what_redis_dumped(server: Oracle, client: Client) -> None:
    for key in KEYS:
        assert client.call("RESTORE", key, 0, server.call("DUMP", key)) == b"OK", key
    assert client.call("DEBUG", "DIGEST-VALUE", *KEYS) == server.call("DEBUG", "DIGEST-VALUE", *KEYS)
    client.state.db.check()


def test_redis_restores_what_kedis_dumped(server: Oracle, client: Client) -> None:
    for words in DATA:
        client.call(*words)
    for key in KEYS:
        assert server.call("RESTORE", key, 0, client.call("DUMP", key), "REPLACE") == b"OK", key
    assert client.call("DEBUG", "DIGEST-VALUE", *KEYS) == server.call("DEBUG", "DIGEST-VALUE", *KEYS)


def test_strings_are_dumped_to_the_same_bytes(oracle: Oracle, client: Client) -> None:
    for text in (
        "",
        "hello",
        "12",
        "-1",
        "300",
        "-40000",
        "2147483648",
        "007",
        "x" * 20,
        "0123456789abcdefghijklmnopqrstuvwxyz",
        bytes(range(256)),
    ):
        client.call("SET", "k", text)
        oracle.call("SET", "k", text)
        assert client.call("DUMP", "k") == oracle.call("DUMP", "k"), text


#: Where neither order nor how it came about decides on a form.
SIMPLE: list[tuple[Any, ...]] = [
    ("RPUSH", "k", "a", 1, "", "x" * 63, "x" * 64, "y" * 4095, 2000),
    ("RPUSH", "k", "y" * 4096),
    ("RPUSH", "k", "y" * 8192),
    ("RPUSH", "k", *range(2000)),
    (
        "RPUSH",
        "k",
        *(edge + step for edge in (0, 127, 4096, -4096, 1 << 15, 1 << 23, 1 << 31) for step in (-1, 0, 1)),
    ),
    (
        "RPUSH",
        "k",
        -(1 << 15) - 1,
        -(1 << 23) - 1,
        -(1 << 31) - 1,
        (1 << 63) - 1,
        -(1 << 63),
        1 << 63,
        "-0",
        "00",
    ),
    ("SADD", "k", 3, -1, 2),
    ("SADD", "k", 32767, -32768),
    ("SADD", "k", 32768, 1),
    ("SADD", "k", -(1 << 31), (1 << 31) - 1),
    ("SADD", "k", 1 << 31, (1 << 63) - 1, -(1 << 63)),
    ("SADD", "k", *range(512)),
    ("SADD", "k", "only one"),
    ("HSET", "k", "field", "value", "1", "2", "", "", "z", "v" * 64),
    ("HSET", "k", *range(1024)),
    ("HSET", "k", "long", "v" * 65),
    ("ZADD", "k", 1, "a", "2.5", "b", 3, "7", "0.1", "c", "1e300", "d", "inf", "e", "-inf", "f", "-0", "g"),
    ("ZADD", "k", 1e16, "a", 2**62, "b", 2**62 - 1024, "c", -(2**62), "d", 1e19, "e", -1.5, "x" * 64),
    ("ZADD", "k", 1, "x" * 65, -1.25, "y", "inf", "z"),
    ("ZADD", "k", *chain.from_iterable((number / 4, f"member:{number}") for number in range(128))),
    ("ZADD", "k", *chain.from_iterable((number / 4, f"member:{number}") for number in range(129))),
]


@pytest.mark.parametrize("words", SIMPLE, ids=lambda words: f"{words[0]}-{len(words) - 2}")
@pytest.mark.parametrize("size", [-2, -1, 5])
def test_small_containers_are_dumped_to_the_same_bytes(
    oracle: Oracle, client: Client, words: tuple[Any, ...], size: int
) -> None:
    oracle.call("CONFIG", "SET", "rdbcompression", "no", "list-max-listpack-size", size)
    client.call("CONFIG", "SET", "list-max-listpack-size", size)
    oracle.call("DEL", "k")
    for server in (client, oracle):
        server.call(*words)
    ours, theirs = client.call("DUMP", "k"), oracle.call("DUMP", "k")
    nodes = theirs[1] if theirs[0] == 18 else 1
    if nodes == 1:
        assert ours == theirs
    else:  # how the nodes are cut is Redis's own affair
        assert plain(restore(ours)) == plain(restore(theirs))


@given(VALUES)
def test_there_and_back_in_flat_forms(value: Any) -> None:
    found = restore(dump(value, Config()))
    assert plain(found) == plain(value)
    assert type(found) is type(value)


# -- older representations, built by hand -----------------------------------------------------------------


def ziplist(*elements: bytes | int) -> bytes:
    body, before, last = b"", 0, 10
    for element in elements:
        last = 10 + len(body)
        head = bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)
        if isinstance(element, int):
            if 0 <= element <= 12:
                content = bytes([0xF1 + element])
            else:
                code, size = next(
                    (code, size)
                    for code, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8))
                    if -(1 << 8 * size - 1) <= element < 1 << 8 * size - 1
                )
                content = bytes([code]) + element.to_bytes(size, "little", signed=True)
        elif len(element) < 64:
            content = bytes([len(element)]) + element
        elif len(element) < 1 << 14:
            content = struct.pack(">H", 1 << 14 | len(element)) + element
        else:
            content = b"\x80" + struct.pack(">I", len(element)) + element
        body += head + content
        before = len(head) + len(content)
    return struct.pack("<IIH", 11 + len(body), last, len(elements)) + body + b"\xff"


ELEMENTS: list[bytes | int] = [0, 12, 13, -1, 127, 128, -30000, 1 << 20, -(1 << 30), 1 << 40, b"", b"x" * 70]
ELEMENTS += [b"y" * 300, b"after a long one", b"z" * 17_000, b"end"]
SHOWN = [b"%d" % element if isinstance(element, int) else element for element in ELEMENTS]


def test_ziplists() -> None:
    assert read_ziplist(ziplist(*ELEMENTS)) == SHOWN
    assert read_ziplist(ziplist()) == []


def encoded(kind: int, raw: bytes) -> bytes:
    body = bytes([kind]) + encode_length(len(raw)) + raw + struct.pack("<H", 9)
    return body + struct.pack("<Q", crc64(body))


@pytest.mark.parametrize(
    ("kind", "raw", "ask", "expected"),
    [
        (10, ziplist(*ELEMENTS), ("LRANGE", "k", 0, -1), SHOWN),
        (
            12,
            ziplist(b"a", b"1.5", b"b", 2),
            ("ZRANGE", "k", 0, -1, "WITHSCORES"),
            [b"a", b"1.5", b"b", b"2"],
        ),
        (13, ziplist(b"f", b"v", 1, 2), ("HGETALL", "k"), [b"f", b"v", b"1", b"2"]),
        (9, b"\x02\x01f\x01\x00v\x02ab\x00\x02\xff\xff\xff", ("HGETALL", "k"), [b"f", b"v", b"ab", b""]),
    ],
)
def test_old_representations_in_kedis_and_redis(
    client: Client, oracle: Oracle, kind: int, raw: bytes, ask: tuple[Any, ...], expected: list[bytes]
) -> None:
    oracle.call("DEL", "k")
    for server in (client, oracle):
        assert server.call("RESTORE", "k", 0, encoded(kind, raw)) == b"OK"
        assert server.call(*ask) == expected


def test_lists_of_ziplists_and_scores_as_text(client: Client, oracle: Oracle) -> None:
    lists = b"\x0e\x02" + b"".join(bytes([len(part)]) + part for part in (ziplist(b"a", 1), ziplist(b"b")))
    scores = b"\x03\x04" + b"\x01a\x031.5" + b"\x01b\xfe" + b"\x01c\xff" + b"\x01d\x02-2"
    oracle.call("DEL", "l", "z")
    for server in (client, oracle):
        for key, content in (("l", lists), ("z", scores)):
            body = content + struct.pack("<H", 6)
            assert server.call("RESTORE", key, 0, body + struct.pack("<Q", crc64(body))) == b"OK"
        assert server.call("LRANGE", "l", 0, -1) == [b"a", b"1", b"b"]
        assert server.call("ZRANGE", "z", 0, -1) == [b"c", b"d", b"a", b"b"]


# -- from anybody -----------------------------------------------------------------------------------------


def checked(payload: bytes) -> Any:
    """What comes of a payload; whatever was accepted is sound."""
    body = payload[:-8]
    try:
        value: Any = restore(body + struct.pack("<Q", crc64(body)))
    except (RdbError, WrongFooter):
        return None
    if not isinstance(value, bytes):
        assert len(value) > 0
        if isinstance(value, (Hash, Set)):
            value._check()
        elif isinstance(value, SortedSet):
            value._check()
            assert not any(math.isnan(score) for _, score in value.items())
    return value


@pytest.mark.parametrize("form", FORMS)
def test_no_flipped_byte_gets_through_unsound(oracle: Oracle, form: str) -> None:
    random = Random(form)
    for name, value in FORMS[form].items():
        oracle.call("CONFIG", "SET", name, value)
    oracle.call("FLUSHALL")
    payloads = []
    for words in DATA:
        oracle.call(*words)
        payloads.append(oracle.call("DUMP", words[1]))
    accepted = refused = 0
    for payload in payloads:
        for at in range(min(len(payload) - 10, 600)):
            for byte in {payload[at] ^ 1 << random.randrange(8), random.randrange(256), 0xFF}:
                bad = payload[:at] + bytes([byte]) + payload[at + 1 :]
                if checked(bad) is None:
                    refused += 1
                else:
                    accepted += 1
        for end in range(0, len(payload) - 10, 7):
            checked(payload[:end] + payload[-10:])
    assert accepted > 100, "a changed text is a text"
    assert refused > 1000


@settings(max_examples=500)
@given(st.integers(0, 20), st.binary(max_size=60))
def test_any_bytes_are_a_value_or_refused(kind: int, content: bytes) -> None:
    checked(bytes([kind]) + content + struct.pack("<H", 10) + bytes(8))


@given(st.binary(max_size=60), st.sampled_from([read_listpack, read_ziplist, read_intset, read_zipmap]))
def test_flat_representations_of_any_bytes(raw: bytes, read: Any) -> None:
    for data in (raw, struct.pack("<I", len(raw) + 4) + raw):
        with contextlib.suppress(RdbError):
            assert all(isinstance(element, bytes) for element in read(data))


def test_a_length_is_not_believed() -> None:
    for claim in (b"\x80\xff\xff\xff\xff", b"\x81" + b"\x7f" * 8):
        for kind in (0, 1, 2, 4, 5, 14, 18):
            with pytest.raises(RdbError):
                decode_value(Source(claim + b"x"), kind)
    with pytest.raises(RdbError, match="bytes"):
        Source(b"\xc3\x01\x81" + b"\xff" * 8 + b"\x00").string()


@pytest.mark.parametrize("text", [b"1_0", b"", b"nan", b"x", b"1 2", b"\xb2"])
def test_a_score_that_is_no_number_is_refused(text: bytes) -> None:
    with pytest.raises(RdbError, match="not a number"):
        decode_value(Source(b"\x01\x01a" + bytes([len(text)]) + text), 3)


def test_compressed_bytes_cost_no_more_than_they_come_to() -> None:
    packed = b"\x00a" + b"\xe0\xff\x00" * 1000
    claim = b"\xc3" + encode_length(len(packed)) + encode_length(512 << 20) + packed
    tracemalloc.start()
    with pytest.raises(RdbError, match="less than was announced"):
        Source(claim).string()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


# -- the commands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("RESTORE", "k", 0, "PAYLOAD"),
        ("RESTORE", "k", -1, "PAYLOAD"),
        ("RESTORE", "k", "x", "PAYLOAD"),
        ("RESTORE", "k", 0, "PAYLOAD", "REPLACE"),
        ("RESTORE", "new", 0, "PAYLOAD", "replace", "ABSTTL"),
        ("RESTORE", "new", 0, "PAYLOAD", "IDLETIME", "-1"),
        ("RESTORE", "new", 0, "PAYLOAD", "IDLETIME", "x"),
        ("RESTORE", "new", 0, "PAYLOAD", "IDLETIME", "5", "FREQ", "1"),
        ("RESTORE", "new", 0, "PAYLOAD", "FREQ", "256"),
        ("RESTORE", "new", 0, "PAYLOAD", "FREQ", "255"),
        ("RESTORE", "new", 0, "PAYLOAD", "FREQ"),
        ("RESTORE", "new", 0, "PAYLOAD", "x"),
        ("RESTORE", "new", 0, "", "REPLACE"),
        ("RESTORE", "new", 0, "junk", "REPLACE"),
        ("RESTORE", "new", 0, "CHANGED", "REPLACE"),
        ("RESTORE", "new", 0, "LATER", "REPLACE"),
        ("RESTORE", "new", 0, "EMPTY", "REPLACE"),
        ("RESTORE", "new", 0, "UNKNOWN", "REPLACE"),
        ("RESTORE", "k", 1000, "PAYLOAD", "REPLACE", "ABSTTL"),
        ("RESTORE", "new", 1000, "PAYLOAD", "ABSTTL"),
        ("DUMP", "nothing"),
        ("DUMP", "k", "x"),
        ("RESTORE", "k"),
        ("RESTORE-ASKING", "new", 0, "PAYLOAD"),
    ],
)
def test_answers_are_those_of_redis(client: Client, oracle: Oracle, words: tuple[Any, ...]) -> None:
    payload = dump(b"hello")
    later = payload[:-10] + struct.pack("<H", 13)
    empty = b"\x01\x00" + struct.pack("<H", 10)
    unknown = b"\x30\x00" + struct.pack("<H", 10)
    stand_ins = {
        "PAYLOAD": payload,
        "CHANGED": payload[:2] + b"H" + payload[3:],
        "LATER": later + struct.pack("<Q", crc64(later)),
        "EMPTY": empty + struct.pack("<Q", crc64(empty)),
        "UNKNOWN": unknown + struct.pack("<Q", crc64(unknown)),
    }
    call = [stand_ins.get(word, word) for word in words]
    answers = []
    for server in (client, oracle):
        server.call("DEL", "new")
        server.call("SET", "k", "before")
        answers.append((server.call(*call), server.call("GET", "k"), server.call("GET", "new")))
    assert answers[0] == answers[1]


def test_a_time_to_live_is_journalled_as_a_moment(client: Client) -> None:
    payload = dump(b"x")
    now_ms = client.engine.keyspace.now_ms
    client.call("RESTORE", "k", 5000, payload)
    assert client.call("PTTL", "k") == 5000
    client.call("RESTORE", "k", 1, payload, "REPLACE", "ABSTTL")
    client.call("RESTORE", "nothing", 1, payload, "REPLACE", "ABSTTL")
    shown = payload.decode("utf-8", "surrogateescape")
    assert client.journal() == [f"0 RESTORE k {now_ms + 5000} {shown} ABSTTL", "0 DEL k"]


def test_idle_time_and_frequency_are_set_where_they_are_kept(client: Client) -> None:
    payload = dump(b"x")
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    client.call("RESTORE", "k", 0, payload, "IDLETIME", 100)
    assert client.call("OBJECT", "IDLETIME", "k") == 100
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    client.call("RESTORE", "k", 0, payload, "FREQ", 100, "REPLACE")
    assert client.call("OBJECT", "FREQ", "k") == 100
    assert client.call("RESTORE", "k", 0, payload) == ErrorReply("BUSYKEY Target key name already exists.")


def test_a_restored_list_wakes_whoever_waits_for_it(client: Client) -> None:
    waiting = client.another()
    assert waiting.replies("BLPOP", "list", 0) == []
    client.call("RESTORE", "list", 0, dump(List([b"a", b"b"])))
    assert waiting.pushed() == [[b"list", b"a"]]
    assert client.call("LRANGE", "list", 0, -1) == [b"b"]
    assert client.journal()[-1] == "0 LPOP list"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x09\x02\x00\xff", "Zipmap integrity check failed"),
        (b"\x0a\x03abc", "List ziplist integrity check failed"),
        (b"\x0b\x03abc", "Intset integrity check failed"),
        (b"\x0c\x03abc", "Zset ziplist integrity check failed"),
        (b"\x0d\x03abc", "Hash ziplist integrity check failed"),
        (b"\x10\x03abc", "Hash listpack integrity check failed"),
        (b"\x11\x03abc", "Zset listpack integrity check failed"),
        (b"\x0f\x01\x10" + b"\0" * 15 + b"\1\x03abc", "Stream listpack integrity check failed"),
        (b"\x12\x01\x01\x00", "a part of a list without bytes"),
    ],
)
def test_damage_is_named_by_type_and_form(payload: bytes, reason: str) -> None:
    """In Redis's words, which those who read the log look for."""
    with pytest.raises(RdbError, match=reason):
        restore(payload + b"\x0a\x00" + b"\0" * 8, verify=False)
