"""Transactions, blocking commands, scripts, streams and subscriptions: what takes a connection for itself a while."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
import redis

from tests.replication.masters import until
from tests.router.clusters import Cluster
from tests.router.doors import Door
from tests.router.test_routing import CROSSSLOT

# -- transactions ---------------------------------------------------------------------------------------------


def test_a_transaction_in_one_slot(door: Door, nodes: Cluster) -> None:
    wire = door.wire()
    for shard in range(3):
        key = f"{nodes.tag(shard)}n"
        assert wire.pipeline([("MULTI",), ("SET", key, 5), ("INCR", key), ("GET", key), ("EXEC",)]) == [
            b"OK",
            b"QUEUED",
            b"QUEUED",
            b"QUEUED",
            [b"OK", 6, b"6"],
        ]
    assert wire.pipeline([("MULTI",), ("EXEC",)]) == [b"OK", []]
    assert wire.call("EXEC") == "ERR EXEC without MULTI"
    wire.close()


def test_hello_behind_watch(door: Door, nodes: Cluster) -> None:
    """The connection that WATCH has taken speaks the client's protocol, whenever that was chosen."""
    wire = door.wire()
    wire.call("HSET", "{t}hash", "f", "v")
    for protocol, value in ((3, {b"f": b"v"}), (2, [b"f", b"v"])):
        assert wire.call("WATCH", "{t}k") == b"OK"
        wire.call("HELLO", protocol)
        assert wire.call("HGETALL", "{t}hash") == value
        replies = wire.pipeline([("MULTI",), ("HGETALL", "{t}hash"), ("EXEC",), ("HGETALL", "{t}hash")])
        assert replies[-2:] == [[value], value]
    wire.close()


def test_what_ends_nothing_leaves_the_watch(door: Door, nodes: Cluster) -> None:
    """DISCARD and EXEC without MULTI are errors, behind which the keys are watched as before."""
    wire, key = door.wire(), f"{nodes.tag(1)}watched"
    for word in ("DISCARD", "EXEC"):
        assert wire.pipeline([("WATCH", key), (word,)]) == [b"OK", f"ERR {word} without MULTI"]
        door.call("SET", key, word)
        assert wire.pipeline([("MULTI",), ("SET", key, "mine"), ("EXEC",)])[-1] is None
    assert nodes.call(key, "GET", key) == b"EXEC"
    wire.close()


def test_an_error_inside_of_a_transaction(door: Door, nodes: Cluster) -> None:
    wire = door.wire()
    wire.call("SET", "text", "x")
    replies = wire.pipeline([("MULTI",), ("INCR", "text"), ("GET", "text"), ("EXEC",)])
    assert replies[-1] == ["ERR value is not an integer or out of range", b"x"]
    replies = wire.pipeline([("MULTI",), ("GET",), ("GET", "text"), ("EXEC",)])
    assert replies[-1] == "EXECABORT Transaction discarded because of previous errors."
    assert wire.call("GET", "text") == b"x"
    wire.close()


def test_a_transaction_over_slots_is_refused(door: Door, nodes: Cluster) -> None:
    wire = door.wire()
    replies = wire.pipeline([("MULTI",), ("SET", "a", 1), ("SET", "b", 1), ("EXEC",)])
    assert CROSSSLOT in replies or replies[-1] == CROSSSLOT
    assert isinstance(replies[-1], str), replies
    assert door.call("EXISTS", "a", "b") == 0
    replies = wire.pipeline([("MULTI",), ("MGET", "a", "b"), ("EXEC",)])
    assert isinstance(replies[-1], str), replies
    assert wire.call("PING") in (b"PONG", "PONG")
    wire.close()


def test_watch(door: Door, nodes: Cluster) -> None:
    wire, key = door.wire(), f"{nodes.tag(1)}watched"
    assert wire.call("WATCH", key) == b"OK"
    nodes.call(key, "SET", key, "by another")
    assert wire.pipeline([("MULTI",), ("SET", key, "mine"), ("EXEC",)])[-1] is None
    assert wire.pipeline([("WATCH", key), ("MULTI",), ("SET", key, "mine"), ("EXEC",)])[-1] == [b"OK"]
    wire.pipeline([("WATCH", key), ("UNWATCH",)])
    door.call("SET", key, "by another")
    assert wire.pipeline([("MULTI",), ("GET", key), ("EXEC",)])[-1] == [b"by another"]
    wire.pipeline([("WATCH", key), ("MULTI",), ("DISCARD",)])
    door.call("SET", key, "again")
    assert wire.pipeline([("MULTI",), ("GET", key), ("EXEC",)])[-1] == [b"again"]
    assert wire.pipeline([("WATCH", key), ("GET", key), ("SET", key, 1), ("MULTI",), ("EXEC",)])[-1] is None
    wire.close()


def test_watched_counters_lose_nothing(door: Door, nodes: Cluster) -> None:
    """Clients that read, add one, and write in a transaction, each until it succeeds."""
    turns, clients = 15, 6

    def count(number: int) -> None:
        client, key = door.client(), f"{nodes.tag(number % 3)}counter"
        for _ in range(turns):
            client.transaction(lambda pipe: _add_one(pipe, key), key)

    threads = [threading.Thread(target=count, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [door.call("GET", f"{nodes.tag(shard)}counter") for shard in range(3)] == [b"30"] * 3


def _add_one(pipe: Any, key: str) -> None:
    value = int(pipe.get(key) or 0)
    pipe.multi()
    pipe.set(key, value + 1)


def test_who_leaves_behind_watch_leaves_nothing_to_others(door: Door, nodes: Cluster) -> None:
    """The connection that was taken still watches: another client's transaction would fail by that."""
    key, other = f"{nodes.tag(1)}watched", f"{nodes.tag(1)}other"
    leaving, wire = door.wire(), door.wire()
    number = leaving.call("CLIENT", "ID")
    assert leaving.call("WATCH", key) == b"OK"
    leaving.close()
    until(lambda: door.call("CLIENT", "LIST", "ID", number) in (b"", "", None))
    assert wire.call("WATCH", other) == b"OK"
    door.call("SET", key, 1)
    assert wire.pipeline([("MULTI",), ("SET", other, 1), ("EXEC",)])[-1] == [b"OK"]
    wire.close()


def test_a_client_that_ends_its_side_behind_a_transaction(door: Door, nodes: Cluster) -> None:
    """As ``printf … | nc`` does: what it has asked is done, and answered."""
    with door.connect() as client:
        client.sendall(b"WATCH k\r\nGET k\r\nMULTI\r\nINCR k\r\nEXEC\r\nGET k\r\n")
        client.shutdown(socket.SHUT_WR)
        received = b""
        while data := client.recv(4096):
            received += data
    assert received == b"+OK\r\n$-1\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n$1\r\n1\r\n"


@pytest.mark.parametrize("before", [[("MULTI",)], []], ids=["multi", "alone"])
def test_exec_that_is_refused_ends_the_watch(door: Door, nodes: Cluster, before: list[Any]) -> None:
    wire, key = door.wire(), f"{nodes.tag(1)}watched"
    assert str(wire.pipeline([("WATCH", key), *before, ("EXEC", "x")])[-1]).startswith("EXECABORT")
    door.call("SET", key, "by another")
    assert wire.pipeline([("MULTI",), ("SET", key, "mine"), ("EXEC",)])[-1] == [b"OK"]
    wire.close()


def test_how_transactions_end(nodes: Cluster) -> None:
    """One that a watched key has ended was not committed."""
    with Door(nodes.url) as door:
        wire = door.wire()
        assert (
            wire.pipeline([("WATCH", "k"), ("SET", "k", 1), ("MULTI",), ("GET", "k"), ("EXEC",)])[-1] is None
        )
        assert wire.pipeline([("WATCH", "k"), ("MULTI",), ("GET", "k"), ("EXEC",)])[-1] == [b"1"]
        ends = {end: door.total("kedis_transactions_total", outcome=end) for end in ("committed", "aborted")}
        assert ends == {"committed": 1, "aborted": 1}
        wire.close()


def test_numbers_that_are_too_long(door: Door) -> None:
    """Python refuses to read them, by an error that is nobody's fault but the client's."""
    long, wire = "9" * 5000, door.wire()
    assert wire.call("CLIENT", "UNBLOCK", long) == "ERR value is not an integer or out of range"
    replies = wire.pipeline([("MULTI",), ("SELECT", long), ("EXEC",)])
    assert "internal error" not in str(replies)
    wire.close()


def _own(door: Door, port: int) -> int:
    """The connections to a node that are for one client at a time."""
    lines = door.call("INFO", "router").splitlines()
    (line,) = [each for each in lines if b"master=127.0.0.1:%d," % port in each]
    return int(line.rpartition(b"own=")[2])


def test_blocking_behind_watch(door: Door, nodes: Cluster) -> None:
    """By the connection of WATCH where that is at the node, else by another, which is given back."""
    tags = [nodes.tag(shard) for shard in (1, 2)]
    before = _own(door, nodes.owner(f"{tags[1]}queue").known)
    wire = door.wire()
    number = wire.call("CLIENT", "ID")
    assert wire.call("WATCH", f"{tags[0]}k") == b"OK"
    for _ in range(5):
        assert wire.call("BLPOP", f"{tags[1]}queue", 0.01) is None
    # One for all five; those that wait for somebody else may be of another protocol or database.
    assert _own(door, nodes.owner(f"{tags[1]}queue").known) <= before + 1
    for tag in tags:
        key = f"{tag}queue"
        wire.send_all(("BLPOP", key, 0))
        until(lambda key=key: nodes.owner(key).info("clients")["blocked_clients"] == "1")
        assert door.call("CLIENT", "UNBLOCK", number) == 1
        assert wire.receive() is None
    assert wire.pipeline([("MULTI",), ("SET", f"{tags[0]}k", 1), ("EXEC",)])[-1] == [b"OK"]
    assert wire.call("WATCH", f"{tags[0]}k") == b"OK"
    wire.send_all(("BLPOP", f"{tags[1]}queue", 0))
    until(lambda: nodes.owner(f"{tags[1]}queue").info("clients")["blocked_clients"] == "1")
    wire.close()
    until(lambda: nodes.owner(f"{tags[1]}queue").info("clients")["blocked_clients"] == "0")


# -- blocking -------------------------------------------------------------------------------------------------


def test_a_blocked_client_is_served(door: Door, nodes: Cluster) -> None:
    wire, key = door.wire(), f"{nodes.tag(2)}queue"
    wire.send_all(("BLPOP", key, f"{key}:2", 0), ("PING",))
    until(lambda: nodes.owner(key).info("clients")["blocked_clients"] == "1")
    assert door.call("RPUSH", f"{key}:2", "x") == 1
    assert wire.receive() == [f"{key}:2".encode(), b"x"]
    assert wire.receive() in (b"PONG", "PONG")
    assert wire.call("BLPOP", key, 0.05) is None
    assert wire.call("BLMOVE", key, f"{key}:2", "LEFT", "RIGHT", 0.05) is None
    assert wire.call("BZPOPMIN", key, 0.05) is None
    door.call("RPUSH", key, "there")
    assert wire.call("BLPOP", key, 0) == [key.encode(), b"there"]
    wire.close()


def test_blocked_clients_hold_up_nobody(door: Door, nodes: Cluster) -> None:
    blocked = [door.wire() for _ in range(60)]
    for number, wire in enumerate(blocked):
        key = f"{nodes.tag(number % 3)}queue:{number}"
        wire.send_all(("BLPOP", key, 0))
    until(lambda: sum(int(node.info("clients")["blocked_clients"]) for node in nodes.masters) == 60)
    for number in range(200):
        assert door.call("SET", f"key:{number}", number) == b"OK"
    for number, wire in enumerate(blocked):
        key = f"{nodes.tag(number % 3)}queue:{number}"
        door.call("RPUSH", key, number)
        assert wire.receive() == [key.encode(), str(number).encode()]
        wire.close()


def test_a_client_that_leaves_takes_no_element_with_it(door: Door, nodes: Cluster) -> None:
    key = f"{nodes.tag(0)}queue"
    wires = [door.wire() for _ in range(5)]
    for wire in wires:
        wire.send_all(("BLPOP", key, 0))
    until(lambda: nodes.owner(key).info("clients")["blocked_clients"] == "5")
    for wire in wires:
        wire.close()
    until(lambda: nodes.owner(key).info("clients")["blocked_clients"] == "0")
    door.call("RPUSH", key, "kept")
    assert door.call("LRANGE", key, 0, -1) == [b"kept"]


def test_client_unblock(door: Door, nodes: Cluster) -> None:
    """The node ends the wait, so that no element can be on its way to nobody."""
    key, wire = f"{nodes.tag(0)}queue", door.wire()
    number = wire.call("CLIENT", "ID")
    for words, expected in [
        (("CLIENT", "UNBLOCK", number), None),
        (("CLIENT", "UNBLOCK", number, "ERROR"), "UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ]:
        wire.send_all(("BLPOP", key, 0))
        until(lambda: nodes.owner(key).info("clients")["blocked_clients"] == "1")
        assert b"blocked_clients:1\r\n" in door.call("INFO", "clients")
        assert door.call(*words) == 1
        assert str(wire.receive()).startswith(str(expected))
        assert door.call(*words) == 0
    assert b"blocked_clients:0\r\n" in door.call("INFO", "clients")
    assert door.call("CLIENT", "UNBLOCK", "x") == "ERR value is not an integer or out of range"
    assert "reason" in door.call("CLIENT", "UNBLOCK", number, "NONSENSE")
    door.call("RPUSH", key, "kept")
    assert wire.call("LPOP", key) == b"kept"
    wire.close()


# -- streams --------------------------------------------------------------------------------------------------


def test_streams(door: Door, nodes: Cluster) -> None:
    wire, stream = door.wire(), f"{nodes.tag(1)}stream"
    wire.send_all(("XREAD", "BLOCK", 0, "STREAMS", stream, "$"))
    until(lambda: nodes.owner(stream).info("clients")["blocked_clients"] == "1")
    assert door.call("XADD", stream, "1-1", "f", "v") == b"1-1"
    assert wire.receive() == [[stream.encode(), [[b"1-1", [b"f", b"v"]]]]]
    assert wire.call("XGROUP", "CREATE", stream, "group", 0) == b"OK"
    words = ("XREADGROUP", "GROUP", "group", "me", "COUNT", 1, "BLOCK", 0, "STREAMS", stream, ">")
    assert wire.call(*words) == [[stream.encode(), [[b"1-1", [b"f", b"v"]]]]]
    assert wire.call("XACK", stream, "group", "1-1") == 1
    wire.send_all(words)
    until(lambda: nodes.owner(stream).info("clients")["blocked_clients"] == "1")
    door.call("XADD", stream, "2-1", "f", "w")
    assert wire.receive()[0][1] == [[b"2-1", [b"f", b"w"]]]
    assert wire.call("XREAD", "BLOCK", 20, "STREAMS", stream, "$") is None
    wire.close()


# -- subscriptions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3])
def test_pub_sub(door: Door, nodes: Cluster, protocol: int) -> None:
    wire = door.wire()
    wire.call("HELLO", protocol)
    wire.send_all(("SUBSCRIBE", "news", "more"), ("PSUBSCRIBE", "n*"))
    assert [_words(wire.receive()) for _ in range(3)] == [
        [b"subscribe", b"news", 1],
        [b"subscribe", b"more", 2],
        [b"psubscribe", b"n*", 3],
    ]
    publishers = [door, *nodes.nodes]
    for number, publisher in enumerate(publishers):
        publisher.call("PUBLISH", "news", number)
        payload = str(number).encode()
        got = sorted(_words(wire.receive()) for _ in range(2))
        assert got == [[b"message", b"news", payload], [b"pmessage", b"n*", b"news", payload]]
    wire.send_all(("UNSUBSCRIBE", "news"), ("PUNSUBSCRIBE",))
    assert [_words(wire.receive())[0] for _ in range(2)] == [b"unsubscribe", b"punsubscribe"]
    door.call("PUBLISH", "news", "to nobody")
    door.call("PUBLISH", "more", "last")
    assert _words(wire.receive()) == [b"message", b"more", b"last"]
    wire.close()


def _words(message: Any) -> list[Any]:
    """A message in either protocol."""
    return list(message)


def test_sharded_pub_sub(door: Door, nodes: Cluster) -> None:
    wire = door.wire()
    channels = [f"{nodes.tag(shard)}channel" for shard in range(3)]
    for number, channel in enumerate(channels):
        wire.send_all(("SSUBSCRIBE", channel))
        assert _words(wire.receive()) == [b"ssubscribe", channel.encode(), number + 1]
    for channel in channels:
        door.call("SPUBLISH", channel, "by the door")
        assert _words(wire.receive()) == [b"smessage", channel.encode(), b"by the door"]
        nodes.owner(channel).call("SPUBLISH", channel, "by its node")
        assert _words(wire.receive()) == [b"smessage", channel.encode(), b"by its node"]
    wire.send_all(("SUNSUBSCRIBE", channels[0]))
    assert _words(wire.receive()) == [b"sunsubscribe", channels[0].encode(), 2]
    door.call("SPUBLISH", channels[0], "to nobody")
    door.call("SPUBLISH", channels[1], "x")
    assert _words(wire.receive())[1] == channels[1].encode()
    wire.close()


def test_many_subscribers_get_each_message_once(door: Door, nodes: Cluster) -> None:
    wires = [door.wire() for _ in range(30)]
    for wire in wires:
        wire.call("SUBSCRIBE", "crowd")
    for number in range(50):
        door.call("PUBLISH", "crowd", number)
    for wire in wires:
        assert [wire.receive()[2] for _ in range(50)] == [str(n).encode() for n in range(50)]
        wire.close()


# -- a client's state -----------------------------------------------------------------------------------------


def test_clients_do_not_see_each_other(door: Door, nodes: Cluster) -> None:
    """What a client says of itself stays with it, although connections to nodes are shared."""
    one, other = door.wire(), door.wire()
    assert one.call("CLIENT", "SETNAME", "one") == b"OK"
    one.call("HELLO", 3)
    assert other.call("CLIENT", "GETNAME") in (None, b"")
    assert one.call("CLIENT", "GETNAME") == b"one"
    one.call("HSET", "hash", "f", "v")
    assert one.call("HGETALL", "hash") == {b"f": b"v"}
    assert other.call("HGETALL", "hash") == [b"f", b"v"]
    ids = [wire.call("CLIENT", "ID") for wire in (one, other)]
    assert ids[0] != ids[1]
    assert other.call("CLIENT", "KILL", "ID", ids[0]) == 1
    with pytest.raises((ConnectionError, OSError)):
        one.pipeline([("PING",), ("PING",)])
    other.close()


def test_a_client_of_python_in_threads(door: Door, nodes: Cluster) -> None:
    """redis-py's pool, pipelines and locks, by threads that share a client."""
    client = door.client()
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                with client.pipeline(transaction=False) as pipe:
                    for each in range(10):
                        pipe.set(f"w:{number}:{each}", turn)
                        pipe.get(f"w:{number}:{each}")
                    assert pipe.execute() == [True, str(turn)] * 10
                with client.lock("lock", timeout=60):
                    client.incr("under the lock")
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
    assert client.get("under the lock") == "100"
    with pytest.raises(redis.ResponseError, match="hash to the same slot"):
        client.rename("a", "b")
