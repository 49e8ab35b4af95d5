"""Values are read exactly, whatever their type and size, even while others write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedis.cli.client.standalone import key_values
from kedis.cli.client.standalone.key_values import Value, digest_of, read, write_commands
from tests.cli.standalone.world import Meddled, World, once

FAR = 32_503_680_000_000
EVERY_TYPE = [
    Value("string", b""),
    Value("string", bytes(range(256)) * 20),
    Value("list", [b"b", b"a", b"b", b""]),
    Value("list", [b"%d" % number for number in range(500)]),
    Value("set", {b"x", b"\xff\x00", b""}),
    Value("set", {b"%d" % number for number in range(500)}),
    Value("hash", {b"field": b"value", b"": b""}),
    Value("hash", {b"%d" % number: b"v" * number for number in range(500)}),
    Value("zset", {b"a": 0.1, b"b": float("inf"), b"c": float("-inf"), b"d": 1e300, b"e": -0.5}),
    Value("zset", {b"%d" % number: number / 3 for number in range(500)}),
    Value("hash", {b"a": b"1"}, FAR),
]


@pytest.fixture(params=[False, True], ids=["whole", "in pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(key_values, "PIECE_ELEMENTS", 7)
        monkeypatch.setattr(key_values, "PIECE_BYTES", 100)


@pytest.mark.usefixtures("pieces")
def test_every_type_there_and_back(world: World) -> None:
    link = world.link()
    for number, value in enumerate(EVERY_TYPE):
        for words in write_commands(b"key:%d" % number, value):
            assert not isinstance(link.send(words), Exception)
    found = read(link, [b"key:%d" % number for number in range(len(EVERY_TYPE))] + [b"none"])
    assert list(found.values()) == [*EVERY_TYPE, None]


@pytest.mark.usefixtures("pieces")
def test_a_key_that_changes_while_it_is_read_is_read_again(world: World) -> None:
    world.call("RPUSH", "list", *range(30))
    world.call("SET", "other", "x")
    link = Meddled(world.link())
    link.before = once(b"LLEN", lambda: world.call("LSET", "list", 29, "new"))
    link.after = once(b"LLEN", lambda: world.call("LSET", "list", 0, "new"))
    found = read(link, [b"list", b"other"])[b"list"]
    assert found is not None
    assert found.content[0] == b"new"
    assert found.content[-1] == b"new"


@pytest.mark.usefixtures("pieces")
def test_a_key_that_changes_its_type_all_the_time_is_read_all_the_same(world: World) -> None:
    link = Meddled(world.link())
    turns = iter(range(1000))

    def change(_commands: object) -> None:
        if next(turns) % 2:
            world.call("SET", "key", "text")
        else:
            world.call("DEL", "key")
            world.call("SADD", "key", *range(20))

    link.after = change
    found = read(link, [b"key"])[b"key"]
    assert found in (Value("string", b"text"), Value("set", {b"%d" % number for number in range(20)}), None)


def test_a_key_written_without_end_is_read_in_one_transaction(world: World) -> None:
    world.call("RPUSH", "list", "a")
    link = Meddled(world.link())
    link.before = lambda commands: world.call("RPUSH", "list", "a")
    found = read(link, [b"list"])[b"list"]
    assert found is not None
    assert set(found.content) == {b"a"}


texts = st.binary(max_size=4)
contents = st.one_of(
    st.tuples(st.just("string"), texts),
    st.tuples(st.just("list"), st.lists(texts, min_size=1)),
    st.tuples(st.just("set"), st.sets(texts, min_size=1)),
    st.tuples(st.just("hash"), st.dictionaries(texts, texts, min_size=1)),
    st.tuples(st.just("zset"), st.dictionaries(texts, st.floats(allow_nan=False), min_size=1)),
)
all_values = st.builds(
    lambda content, at: Value(content[0], content[1], at), contents, st.sampled_from([-1, FAR, FAR + 1])
)


@given(all_values, all_values)
def test_equal_values_and_no_others_have_equal_digests(one: Value, other: Value) -> None:
    assert (digest_of(one) == digest_of(other)) == (one == other)


@given(st.dictionaries(texts, texts, min_size=2))
def test_the_order_of_a_hash_does_not_matter(fields: dict[bytes, bytes]) -> None:
    turned = dict(reversed(fields.items()))
    assert digest_of(Value("hash", fields)) == digest_of(Value("hash", turned))
