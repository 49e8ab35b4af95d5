"""Client-side caching without sockets: who is told of which change, when, and in which form."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.commands.driver import Client
from tests.oracle import Oracle


@pytest.fixture
def writer() -> Client:
    return Client()


@pytest.fixture
def reader(writer: Client) -> Client:
    client = writer.another(3)
    assert client.call("CLIENT", "TRACKING", "ON") == b"OK"
    return client


def told(client: Client) -> list[Any]:
    """The keys of the invalidations since the last look, None where all are gone."""
    client.engine.tracking.broadcast()
    messages = client.pushed()
    assert all(message[0] == b"invalidate" for message in messages)
    return [message[1] for message in messages]


def test_a_key_that_was_read_is_told_once(writer: Client, reader: Client) -> None:
    reader.call("GET", "k")
    writer.call("SET", "k", "v")
    writer.call("SET", "k", "w")
    assert told(reader) == [[b"k"]]
    writer.call("SET", "other", "v")
    assert told(reader) == []


def test_every_key_of_a_command_is_remembered(writer: Client, reader: Client) -> None:
    reader.call("MGET", "a", "b", "a")
    assert writer.engine.tracking.keys == writer.engine.tracking.items == 2
    writer.call("MSET", "a", "1", "b", "2")
    assert told(reader) == [[b"a"], [b"b"]]
    assert writer.engine.tracking.keys == writer.engine.tracking.items == 0


def test_what_is_written_is_not_remembered(writer: Client, reader: Client) -> None:
    reader.call("SET", "k", "v")
    reader.call("GETSET", "k", "v")
    writer.call("SET", "k", "w")
    assert told(reader) == []


def test_own_changes_are_told_after_the_reply(reader: Client) -> None:
    reader.call("GET", "k")
    assert reader.replies("SET", "k", "v") == [b"OK", [b"invalidate", [b"k"]]]


def test_own_changes_are_told_after_the_reply_of_a_command_that_waited(
    writer: Client, reader: Client
) -> None:
    writer.call("RPUSH", "list", "a")
    reader.call("LRANGE", "list", 0, -1)
    assert reader.replies("BLMOVE", "awaited", "list", "LEFT", "LEFT", 0) == []
    watcher = writer.another()
    watcher.call("MONITOR")
    writer.call("RPUSH", "awaited", "b")
    assert reader.pushed() == [b"b", [b"invalidate", [b"list"]]]
    assert [line.split(b"] ")[1] for line in watcher.pushed()] == [b'"RPUSH" "awaited" "b"'], (
        "not shown again"
    )


def test_in_a_transaction_after_all_replies(reader: Client) -> None:
    reader.call("GET", "k")
    for words in (["MULTI"], ["SET", "k", "v"], ["GET", "j"], ["INCR", "j"]):
        reader.call(*words)
    assert reader.replies("EXEC") == [[b"OK", None, 1], [b"invalidate", [b"k"]], [b"invalidate", [b"j"]]]


def test_tracking_begun_inside_the_transaction(writer: Client) -> None:
    client = writer.another(3)
    for words in (["MULTI"], ["CLIENT", "TRACKING", "ON"], ["GET", "k"], ["SET", "k", "v"]):
        client.call(*words)
    assert client.replies("EXEC") == [[b"OK", None, b"OK"], [b"invalidate", [b"k"]]]


def test_noloop(writer: Client, reader: Client) -> None:
    reader.call("CLIENT", "TRACKING", "ON", "NOLOOP")
    reader.call("GET", "k")
    assert reader.replies("SET", "k", "v") == [b"OK"]
    reader.call("GET", "k")
    writer.call("SET", "k", "v")
    assert told(reader) == [[b"k"]]


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB"])
def test_a_flush_is_told_to_all(writer: Client, reader: Client, command: str) -> None:
    reader.call("GET", "k")
    writer.call(command)
    assert told(reader) == [None]
    assert writer.engine.tracking.keys == 0
    assert reader.replies(command) == [b"OK", [b"invalidate", None]]


def test_expiry_is_told(writer: Client, reader: Client) -> None:
    writer.call("SET", "k", "v", "PX", "10")
    reader.call("GET", "k")
    writer.now_ms += 11
    assert writer.call("GET", "k") is None
    assert told(reader) == [[b"k"]]


def test_optin_and_optout(writer: Client, reader: Client) -> None:
    reader.call("CLIENT", "TRACKING", "ON", "OPTIN")
    reader.call("GET", "a")
    reader.call("CLIENT", "CACHING", "YES")
    reader.call("GET", "b")
    reader.call("GET", "c")
    writer.call("MSET", "a", "1", "b", "1", "c", "1")
    assert told(reader) == [[b"b"]]
    reader.call("CLIENT", "TRACKING", "OFF")
    reader.call("CLIENT", "TRACKING", "ON", "OPTOUT")
    reader.call("GET", "a")
    reader.call("CLIENT", "CACHING", "NO")
    reader.call("GET", "b")
    writer.call("MSET", "a", "1", "b", "1")
    assert told(reader) == [[b"a"]]


def test_broadcast_gathers_the_keys_of_a_turn(writer: Client) -> None:
    reader = writer.another(3)
    reader.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "user:", "PREFIX", "job:")
    for key in ("user:2", "user:1", "other", "job:1", "user:2"):
        writer.call("SET", key, "v")
    assert told(reader) == [[b"job:1"], [b"user:1", b"user:2"]]
    assert told(reader) == []
    assert writer.engine.tracking.prefixes == 2
    reader.call("CLIENT", "TRACKING", "OFF")
    assert writer.engine.tracking.prefixes == 0


def test_broadcast_without_own_changes(writer: Client) -> None:
    reader = writer.another(3)
    reader.call("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
    reader.call("SET", "mine", "v")
    assert told(reader) == []
    reader.call("SET", "mine", "v")
    writer.call("SET", "yours", "v")
    assert told(reader) == [[b"yours"]]


def test_a_resp2_client_is_told_through_another(writer: Client) -> None:
    listener, reader = writer.another(), writer.another()
    listener.replies("SUBSCRIBE", "__redis__:invalidate")
    reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", listener.call("PING") and listener.state.id)
    assert reader.call("CLIENT", "GETREDIR") == listener.state.id
    reader.call("GET", "k")
    writer.call("SET", "k", "v")
    assert listener.pushed() == [[b"message", b"__redis__:invalidate", [b"k"]]]
    writer.call("FLUSHALL")
    assert listener.pushed() == [[b"message", b"__redis__:invalidate", None]]
    listener.replies("UNSUBSCRIBE")
    reader.call("GET", "k")
    writer.call("SET", "k", "v")
    assert listener.pushed() == reader.pushed() == []


def test_a_broken_redirection(writer: Client) -> None:
    listener, reader = writer.another(3), writer.another(3)
    number = listener.state.id
    reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", number)
    writer.engine.disconnect(listener.state)
    reader.call("GET", "k")
    writer.call("SET", "k", "v")
    assert reader.pushed() == [[b"tracking-redir-broken", number]]
    assert reader.call("CLIENT", "TRACKINGINFO")[b"flags"] in (
        [b"on", b"broken_redirect"],
        {b"on", b"broken_redirect"},
    )
    assert b" flags=tR " in reader.call("CLIENT", "INFO")


def test_the_table_is_limited(writer: Client, reader: Client) -> None:
    writer.call("CONFIG", "SET", "tracking-table-max-keys", "3")
    reader.call("MGET", "a", "b", "c")
    assert told(reader) == []
    assert reader.replies("MGET", "d", "e") == [
        [None, None],
        [b"invalidate", [b"a"]],
        [b"invalidate", [b"b"]],
    ]
    writer.call("CONFIG", "SET", "tracking-table-max-keys", "1")  # which does not wait for the next key
    assert told(reader) == [[b"c"], [b"d"]]
    info = writer.call("INFO", "stats")
    assert b"tracking_total_keys:1\r\ntracking_total_items:1\r\ntracking_total_prefixes:0\r\n" in info


def test_keys_beyond_the_limit_are_told_to_clients_that_do_not_ask_for_their_own_changes(
    writer: Client, reader: Client
) -> None:
    """Nobody has changed them, and nobody will be told when somebody does."""
    reader.call("CLIENT", "TRACKING", "OFF")
    reader.call("CLIENT", "TRACKING", "ON", "NOLOOP")
    reader.call("MGET", "a", "b")
    assert reader.replies("CONFIG", "SET", "tracking-table-max-keys", "1") == [b"OK", [b"invalidate", [b"a"]]]
    assert reader.replies("GET", "c") == [None, [b"invalidate", [b"b"]]]


def test_who_has_left_is_told_nothing_and_holds_nothing(writer: Client, reader: Client) -> None:
    reader.call("GET", "k")
    assert b"tracking_clients:1\r\n" in writer.call("INFO", "clients")
    writer.engine.disconnect(reader.state)
    assert b"tracking_clients:0\r\n" in writer.call("INFO", "clients")
    writer.call("SET", "k", "v")
    assert reader.pushed() == []
    assert not writer.engine.keyspace.observed


def test_several_readers_of_a_key(writer: Client) -> None:
    readers = [writer.another(3) for _ in range(3)]
    for reader in readers:
        reader.call("CLIENT", "TRACKING", "ON")
        reader.call("GET", "k")
        reader.call("GET", "k")
    assert (writer.engine.tracking.keys, writer.engine.tracking.items) == (1, 3)
    writer.call("DEL", "k")
    writer.call("SET", "k", "v")
    assert [told(reader) for reader in readers] == [[[b"k"]]] * 3


def test_nobody_pays_who_does_not_track(writer: Client, reader: Client) -> None:
    """Another client's commands take the ordinary way, and once nobody tracks, changes are not told."""
    assert not writer.state.needs_checks and not writer.engine.restrictions.needs_checks
    assert reader.state.needs_checks and writer.engine.keyspace.observed
    reader.call("CLIENT", "TRACKING", "OFF")
    assert not reader.state.needs_checks and not writer.engine.keyspace.observed


def test_reset_ends_it(writer: Client, reader: Client) -> None:
    reader.call("GET", "k")
    reader.replies("RESET")
    writer.call("SET", "k", "v")
    assert reader.pushed() == []
    assert reader.call("CLIENT", "GETREDIR") == -1


def test_errors_are_counted_and_answered_once(reader: Client) -> None:
    reader.call("LPUSH", "l", "a")
    command = reader.engine.table.rows[b"get"]
    assert str(reader.call("GET", "l")).startswith("WRONGTYPE")
    assert (command.counters.failed, command.counters.calls) == (1, 1)


@pytest.mark.parametrize("call", ["EVAL", "EVAL_RO", "EVALSHA"])
def test_of_a_script_that_reads_the_keys_it_was_given_are_remembered(
    writer: Client, reader: Client, call: str
) -> None:
    for script, expected in [("redis.call('ping')", []), ("redis.call('get', 'other')", [b"a", b"b"])]:
        word = writer.call("SCRIPT", "LOAD", script) if call == "EVALSHA" else script
        for _ in range(2):
            reader.call(call, word, 2, "a", "b")
            told(reader)
            writer.call("MSET", "a", 1, "b", 1)
            writer.call("SET", "other", 1)
            assert sorted(key for keys in told(reader) for key in keys) == expected


@pytest.mark.parametrize(
    "prefixes",
    [
        ["a", "b", "ab"],
        ["b", "a", "a"],
        ["abc", "x", "ab", "abd"],
        ["old:1", "new"],
        ["new", "n", "old"],
        ["x", "old:10", "ol", "x"],
        ["", "a"],
    ],
)
def test_overlapping_prefixes_are_told_as_by_redis(prefixes: list[str]) -> None:
    words = [word for prefix in prefixes for word in ("PREFIX", prefix)]
    oracle, client = Oracle(), Client()
    try:
        for call in (
            ("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "old:1", "PREFIX", "old:2"),
            ("CLIENT", "TRACKING", "ON", "BCAST", *words),
        ):
            mine, theirs = client.call(*call), oracle.call(*call)
            assert str(mine) == str(theirs)
    finally:
        oracle.close()


def test_very_many_prefixes_are_compared_in_order_and_not_each_with_each() -> None:
    """100,000 of them: 5 billion pairs."""
    client = Client()
    words = [word for number in range(100_000) for word in ("PREFIX", f"{number:06}:")]
    assert client.call("CLIENT", "TRACKING", "ON", "BCAST", *words) == b"OK"
    assert "overlaps" in str(client.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "099999:7"))


def test_a_change_costs_the_same_however_many_prefixes_there_are() -> None:
    """Other clients pay for them."""

    def seconds(prefixes: int) -> float:
        client = Client()
        words = [word for number in range(prefixes) for word in ("PREFIX", f"{number:06}:")]
        assert client.call("CLIENT", "TRACKING", "ON", "BCAST", *words) == b"OK"
        begun = time.process_time()
        for number in range(200):
            client.engine.tracking.changed(b"000005:%d" % number, None)
            client.engine.tracking.broadcast()
        assert len(client.engine.tracking._lengths) == 1
        spent = time.process_time() - begun
        client.call("CLIENT", "TRACKING", "OFF")
        assert not client.engine.tracking._lengths
        return spent

    few = min(seconds(10) for _ in range(3))
    assert min(seconds(20_000) for _ in range(3)) < 30 * few
