"""Commands over the shards of a cluster: what is routed, split, sent to all, and refused; replies in their order."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.oracle import Oracle
from tests.router.clusters import Cluster, keys_of, slot_of
from tests.router.doors import Door

CROSSSLOT = "CROSSSLOT Keys in request don't hash to the same slot"
#: Two keys that the first and the last master have.
FIRST, LAST = "b", "a"
#: Commands whose keys must be in one slot.
INDIVISIBLE: list[tuple[Any, ...]] = [
    ("MSETNX", FIRST, 1, LAST, 2),
    ("RENAME", FIRST, LAST),
    ("RENAMENX", FIRST, LAST),
    ("COPY", FIRST, LAST),
    ("SINTER", FIRST, LAST),
    ("SUNIONSTORE", FIRST, LAST),
    ("SINTERCARD", 2, FIRST, LAST),
    ("SMOVE", FIRST, LAST, "m"),
    ("ZUNION", 2, FIRST, LAST),
    ("ZINTERSTORE", FIRST, 1, LAST),
    ("ZRANGESTORE", FIRST, LAST, 0, -1),
    ("ZMPOP", 2, FIRST, LAST, "MIN"),
    ("LMOVE", FIRST, LAST, "LEFT", "LEFT"),
    ("LMPOP", 2, FIRST, LAST, "LEFT"),
    ("RPOPLPUSH", FIRST, LAST),
    ("BLPOP", FIRST, LAST, 0),
    ("BLMOVE", FIRST, LAST, "LEFT", "LEFT", 0),
    ("BLMPOP", 0, 2, FIRST, LAST, "LEFT"),
    ("BZPOPMIN", FIRST, LAST, 0),
    ("BITOP", "AND", FIRST, LAST),
    ("PFCOUNT", FIRST, LAST),
    ("PFMERGE", FIRST, LAST),
    ("LCS", FIRST, LAST),
    ("GEOSEARCHSTORE", FIRST, LAST, "FROMLONLAT", 0, 0, "BYRADIUS", 1, "m"),
    ("SORT", FIRST, "STORE", LAST),
    ("XREAD", "STREAMS", FIRST, LAST, 0, 0),
    ("XREADGROUP", "GROUP", "g", "c", "STREAMS", FIRST, LAST, ">", ">"),
    ("EVAL", "return 1", 2, FIRST, LAST),
    ("WATCH", FIRST, LAST),
]


def test_replies_come_in_the_order_of_the_requests(door: Door, nodes: Cluster) -> None:
    tags = [nodes.tag(shard) for shard in range(3)]
    keys, chosen = keys_of(tags, 60), random.Random(1)
    wire = door.wire()
    assert wire.pipeline(("SET", key, f"value of {key}") for key in keys) == [b"OK"] * len(keys)
    for _ in range(10):
        asked: list[tuple[Any, ...]] = []
        expected: list[Any] = []
        for _ in range(400):
            key, others = chosen.choice(keys), chosen.sample(keys, 5)
            case = chosen.randrange(6)
            if case < 3:
                asked.append(("GET", key))
                expected.append(f"value of {key}".encode())
            elif case == 3:
                asked.append(("ECHO", key))
                expected.append(key.encode())
            elif case == 4:
                asked.append(("MGET", *others))
                expected.append([f"value of {each}".encode() for each in others])
            else:
                asked.append(("LPUSH", key, 1))
                expected.append("WRONGTYPE Operation against a key holding the wrong kind of value")
        assert wire.pipeline(asked) == expected
    wire.close()


@pytest.mark.parametrize("protocol", [2, 3])
def test_commands_that_are_split_answer_as_one_server(
    door: Door, nodes: Cluster, oracle: Oracle, protocol: int
) -> None:
    """Keys of all slots, some named twice: the replies of a Redis that has them all."""
    oracle.call("FLUSHALL")
    wire, other, chosen = door.wire(), oracle.another(), random.Random(protocol)
    wire.call("HELLO", protocol)
    other.call("HELLO", protocol)
    names = [f"key:{number}" for number in range(30)]
    for number in range(300):
        keys = [chosen.choice(names) for _ in range(chosen.randint(1, 12))]
        name = chosen.choice(["MGET", "MGET", "MSET", "MSET", "DEL", "UNLINK", "EXISTS", "TOUCH", "DBSIZE"])
        words = [name]
        if name == "MSET":
            words += [word for key in keys for word in (key, f"{key} {number} {chosen.random()}")]
        elif name != "DBSIZE":
            words += keys
        assert wire.call(*words) == other.call(*words), words
    assert sorted(wire.call("KEYS", "*")) == sorted(other.call("KEYS", "*"))
    assert sorted(wire.call("KEYS", "key:1?")) == sorted(other.call("KEYS", "key:1?"))
    for words in (["MSET", "a"], ["MGET"], ["DEL"], ["EXISTS"]):
        assert wire.call(*words) == str(other.call(*words)), words
    wire.close()
    other.close_socket()


def test_a_part_that_fails_is_the_answer(door: Door, nodes: Cluster) -> None:
    """MGET gives nil for what is no string, from each shard."""
    keys = [f"{nodes.tag(shard)}list" for shard in range(3)]
    for key in keys[:2]:
        door.call("RPUSH", key, 1)
    door.call("SET", keys[2], "text")
    assert door.call("MGET", *keys) == [None, None, b"text"]


@pytest.mark.parametrize("words", INDIVISIBLE, ids=lambda words: str(words[0]))
def test_what_cannot_be_split_answers_crossslot(door: Door, words: tuple[Any, ...]) -> None:
    assert door.call(*words) == CROSSSLOT


def test_hash_tags(door: Door, nodes: Cluster) -> None:
    """A key is where CLUSTER KEYSLOT says, tags and what only looks like one included."""
    keys = ["plain", "{a}b", "b{a}", "{}a", "{a", "a}", "{{a}}", "{a}{b}", "x{}{a}", "\xff", ""]
    for key in keys:
        assert door.call("SET", key, "x") == b"OK"
        slot = slot_of(key)
        assert nodes.nodes[0].call("CLUSTER", "KEYSLOT", key) == slot
        assert nodes.owner(slot).call("GET", key) == b"x"
    assert door.call("MSETNX", "{a}1", 1, "{a}2", 2) == 1


def test_every_shard_is_asked(door: Door, nodes: Cluster) -> None:
    assert door.call("RANDOMKEY") is None
    keys = {f"key:{number}" for number in range(100)}
    for key in keys:
        door.call("SET", key, 1)
    assert door.call("DBSIZE") == 100
    assert {key.decode() for key in door.call("KEYS", "*")} == keys
    assert {door.call("RANDOMKEY").decode() for _ in range(100)} <= keys
    assert all(node.call("DBSIZE") for node in nodes.masters)
    assert door.call("FLUSHALL") == b"OK"
    assert [node.call("DBSIZE") for node in nodes.masters] == [0, 0, 0]
    assert door.call("SELECT", 0) == b"OK"
    assert door.call("SELECT", 1) == "ERR SELECT is not allowed in cluster mode"


def scanned(door: Door, *options: Any) -> list[str]:
    """All that SCAN gives, from cursor 0 to cursor 0."""
    wire, cursor, found = door.wire(), b"0", []
    while True:
        cursor, keys = wire.call("SCAN", cursor, *options)
        found += [key.decode() for key in keys]
        if cursor == b"0":
            wire.close()
            return found


def test_scan_gives_all_keys_of_all_shards(door: Door, nodes: Cluster) -> None:
    keys = {f"key:{number}" for number in range(500)}
    wire = door.wire()
    wire.pipeline(("SET", key, 1) for key in keys)
    wire.pipeline(("SADD", f"set:{number}", 1) for number in range(50))
    for count in (1, 10, 1000):
        assert set(scanned(door, "COUNT", count)) == keys | {f"set:{number}" for number in range(50)}
    assert set(scanned(door, "MATCH", "key:1*")) == {key for key in keys if key.startswith("key:1")}
    assert len(set(scanned(door, "TYPE", "set"))) == 50
    assert wire.call("SCAN", "x") == "ERR invalid cursor"
    assert set(door.client().scan_iter(count=7)) >= keys
    wire.close()


def test_scan_gives_what_stays_while_others_come_and_go(door: Door, nodes: Cluster) -> None:
    """The guarantee of SCAN, over shards whose tables grow and shrink meanwhile."""
    wire, stays = door.wire(), {f"stays:{number}" for number in range(300)}
    wire.pipeline(("SET", key, 1) for key in stays)
    cursor, found, turn = b"0", set(), 0
    while True:
        cursor, keys = wire.call("SCAN", cursor, "COUNT", 5)
        found.update(key.decode() for key in keys)
        if cursor == b"0":
            break
        wire.pipeline(
            (
                "SET" if turn // 20 % 2 == 0 else "DEL",
                f"goes:{turn % 20}:{number}",
                *[1] * (turn // 20 % 2 == 0),
            )
            for number in range(50)
        )
        turn += 1
    assert found >= stays
    wire.close()


def test_scripts_are_loaded_everywhere(door: Door, nodes: Cluster) -> None:
    digest = door.call("SCRIPT", "LOAD", "return {KEYS[1], ARGV[1]}")
    for shard in range(3):
        key = nodes.tag(shard)
        assert door.call("EVALSHA", digest, 1, key, "x") == [key.encode(), b"x"]
        assert door.call("EVAL", "return redis.call('incr', KEYS[1])", 1, key) == 1
    assert door.call("SCRIPT", "EXISTS", digest, "0" * 40) == [1, 0]
    nodes.masters[1].call("SCRIPT", "FLUSH")
    assert door.call("SCRIPT", "EXISTS", digest) == [0]
    assert door.call("SCRIPT", "FLUSH") == b"OK"
    assert door.call("EVALSHA", digest, 1, "x", "x").startswith("NOSCRIPT")
    assert door.call("EVAL", "return 7", 0) == 7


def test_functions_are_loaded_everywhere(door: Door, nodes: Cluster) -> None:
    code = "#!lua name=mine\nredis.register_function('set_it', function(k, a) return redis.call('SET', k[1], a[1]) end)"
    assert door.call("FUNCTION", "LOAD", code) == b"mine"
    for shard in range(3):
        assert door.call("FCALL", "set_it", 1, nodes.tag(shard), shard) == b"OK"
        assert door.call("GET", nodes.tag(shard)) == str(shard).encode()
    dump = door.call("FUNCTION", "DUMP")
    assert door.call("FUNCTION", "FLUSH") == b"OK"
    assert door.call("FUNCTION", "LIST") == []
    assert door.call("FUNCTION", "RESTORE", dump) == b"OK"
    assert all(node.call("FUNCTION", "LIST")[0][1] == b"mine" for node in nodes.masters)
    assert door.call("FUNCTION", "LOAD", code) == "ERR Library 'mine' already exists"
    assert door.call("FUNCTION", "DELETE", "mine") == b"OK"


def test_inline_requests_and_both_protocols(door: Door, nodes: Cluster) -> None:
    with door.connect() as client:
        client.sendall(b"SET inline 'a b'\r\nGET inline\r\nHSET hash f v\r\nHGETALL hash\r\nHELLO 3\r\n")
        client.sendall(b"HGETALL hash\r\nGET nothing\r\nQUIT\r\n")
        received = b""
        while data := client.recv(65536):
            received += data
    assert received.startswith(b"+OK\r\n$3\r\na b\r\n:1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n%7\r\n")
    assert received.endswith(b"%1\r\n$1\r\nf\r\n$1\r\nv\r\n_\r\n+OK\r\n")


def test_large_values_pass_whole(door: Door, nodes: Cluster) -> None:
    wire = door.wire()
    for size in (0, 1, 65_535, 65_536, 1_000_000, 20_000_000):
        value = random.Random(size).randbytes(size)
        assert wire.call("SET", "large", value) == b"OK"
        assert wire.call("GET", "large") == value
    assert wire.call("PING") in (b"PONG", "PONG")
    wire.close()
