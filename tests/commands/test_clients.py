"""CLIENT and its subcommands."""

from __future__ import annotations

import pytest

from tests.commands.driver import Client, ErrorReply
from tests.oracle import Oracle


@pytest.fixture
def client() -> Client:
    return Client()


def fields(line: bytes) -> dict[str, str]:
    return dict(part.split("=", 1) for part in line.decode().split())


def test_client_list_has_redis_fields(client: Client, oracle: Oracle) -> None:
    ours = fields(client.call("CLIENT", "INFO"))
    theirs = fields(oracle.call("CLIENT", "INFO"))
    assert list(ours) == list(theirs)
    assert ours["cmd"] == theirs["cmd"] == "client|info"
    for name in ("flags", "db", "sub", "psub", "multi", "events", "user", "redir", "resp", "name"):
        assert ours[name] == theirs[name], name


def test_list_by_type_and_by_id(client: Client) -> None:
    other = client.another()
    assert len(client.call("CLIENT", "LIST").splitlines()) == 2
    assert len(client.call("CLIENT", "LIST", "TYPE", "normal").splitlines()) == 2
    assert client.call("CLIENT", "LIST", "TYPE", "pubsub") == b""
    found = client.call("CLIENT", "LIST", "ID", other.state.id, 999)
    assert [fields(line)["id"] for line in found.splitlines()] == [str(other.state.id)]


def test_names(client: Client) -> None:
    assert client.call("CLIENT", "GETNAME") is None
    assert client.call("CLIENT", "SETNAME", "web-1") == b"OK"
    assert client.call("CLIENT", "GETNAME") == b"web-1"
    assert client.call("CLIENT", "SETNAME", "") == b"OK"
    assert client.call("CLIENT", "GETNAME") is None


def test_setinfo_shows_in_the_list(client: Client) -> None:
    assert client.call("CLIENT", "SETINFO", "LIB-NAME", "redis-py") == b"OK"
    assert client.call("CLIENT", "SETINFO", "lib-ver", "8.1.0") == b"OK"
    shown = fields(client.call("CLIENT", "INFO"))
    assert list(shown)[-2:] == ["lib-name", "lib-ver"], "behind those that Redis 7.0 has"
    assert (shown["lib-name"], shown["lib-ver"]) == ("redis-py", "8.1.0")
    assert client.call("CLIENT", "SETINFO", "color", "red") == ErrorReply("ERR Unrecognized option 'color'")
    assert client.call("CLIENT", "SETINFO", "lib-name", "a b") == ErrorReply(
        "ERR lib-name cannot contain spaces, newlines or special characters."
    )


def test_kill_by_each_filter(client: Client) -> None:
    first, second = client.another(), client.another()
    second.state.address = "127.0.0.1:60000"
    assert client.call("CLIENT", "KILL", "ID", first.state.id) == 1
    assert first.state.transport.closed and not second.state.transport.closed
    assert client.call("CLIENT", "KILL", "127.0.0.1:60000") == b"OK"
    assert second.state.transport.closed
    assert client.call("CLIENT", "KILL", "127.0.0.1:1") == ErrorReply("ERR No such client")
    assert client.call("CLIENT", "KILL", "TYPE", "pubsub") == 0
    assert client.call("CLIENT", "KILL", "LADDR", "127.0.0.1:6379", "USER", "default") == 2
    assert not client.state.close_after_reply, "SKIPME is the default"
    assert client.call("CLIENT", "KILL", "ADDR", client.state.address, "SKIPME", "no") == 2
    assert client.state.close_after_reply, "the one that kills itself is answered first"


def test_reply_off_and_skip(client: Client) -> None:
    assert client.replies("CLIENT", "REPLY", "SKIP") == []
    assert client.replies("PING") == []
    assert client.replies("PING") == [b"PONG"]
    assert client.replies("CLIENT", "REPLY", "OFF") == []
    assert client.replies("PING") == []
    assert client.replies("CLIENT", "REPLY", "SKIP") == []
    assert client.replies("PING") == []
    assert client.replies("PING") == []
    assert client.replies("CLIENT", "REPLY", "ON") == [b"OK"]
    assert client.replies("PING") == [b"PONG"]


def test_pause_all_holds_everything_back_until_its_time(client: Client) -> None:
    assert client.call("CLIENT", "PAUSE", 100) == b"OK"
    other = client.another()
    assert other.engine.run(other.state, [[b"PING"]]) == 0
    client.now_ms += 100
    assert other.call("PING") == b"PONG"


def test_pause_write_lets_reads_through(client: Client) -> None:
    assert client.call("CLIENT", "PAUSE", 1000, "WRITE") == b"OK"
    other = client.another()
    assert other.call("GET", "k") is None
    assert other.engine.run(other.state, [[b"SET", b"k", b"v"]]) == 0
    _queue_and_run(client, other, ["SET", "k", "v"], b"OK")


def _queue_and_run(client: Client, other: Client, words: list[str], reply: object) -> None:
    """As in Redis: a pause of writes holds back what is to be queued, and EXEC if it was queued before."""
    assert other.call("MULTI") == b"OK"
    assert other.call("GET", "none") == b"QUEUED"
    assert other.engine.run(other.state, [[word.encode() for word in words]]) == 0
    assert client.call("CLIENT", "UNPAUSE") == b"OK"
    assert other.call(*words) == b"QUEUED"
    assert client.call("CLIENT", "PAUSE", 1000, "WRITE") == b"OK"
    assert other.engine.run(other.state, [[b"EXEC"]]) == 0
    assert client.call("CLIENT", "UNPAUSE") == b"OK"
    assert other.call("EXEC") == [None, reply]


@pytest.mark.parametrize("words", [["PUBLISH", "c", "m"], ["SPUBLISH", "c", "m"], ["PFCOUNT", "k"]])
def test_pause_write_holds_back_what_may_be_replicated(client: Client, words: list[str]) -> None:
    """As Redis does, in a transaction too."""
    assert client.call("CLIENT", "PAUSE", 1000, "WRITE") == b"OK"
    other = client.another()
    assert other.engine.run(other.state, [[word.encode() for word in words]]) == 0
    _queue_and_run(client, other, words, 0)


@pytest.mark.parametrize(
    "words",
    [
        ("KILL", "1"),
        ("KILL", "addr", "1"),
        ("KILL", "foo", "bar"),
        ("KILL", "id", "abc"),
        ("KILL", "id", "0"),
        ("KILL", "type", "foo"),
        ("KILL", "user", "nosuch"),
        ("KILL", "skipme", "foo"),
        ("KILL", "id", "1", "skipme"),
        ("LIST", "type", "foo"),
        ("LIST", "id", "abc"),
        ("LIST", "foo"),
        ("LIST", "type", "normal", "x"),
        ("PAUSE", "abc"),
        ("PAUSE", "-1"),
        ("PAUSE", "1", "foo"),
        ("UNBLOCK", "abc"),
        ("UNBLOCK", "1", "foo"),
        ("UNBLOCK", "1"),
        ("NO-EVICT", "foo"),
        ("REPLY", "foo"),
        ("SETNAME", "a b"),
        ("SETNAME", "a\nb"),
        ("GETNAME", "x"),
        ("NOSUCH",),
    ],
)
def test_bad_words_are_answered_as_redis_answers(
    client: Client, oracle: Oracle, words: tuple[str, ...]
) -> None:
    assert client.call("CLIENT", *words) == oracle.call("CLIENT", *words)


def test_the_running_request_counts_as_received(client: Client, oracle: Oracle) -> None:
    for words in (("CLIENT", "INFO"), ("CLIENT", "LIST", "TYPE", "normal")):
        assert fields(client.call(*words))["qbuf"] == fields(oracle.call(*words).splitlines()[-1])["qbuf"]
    other = client.another()
    lines = [fields(line) for line in client.call("CLIENT", "LIST").splitlines()]
    assert [line["qbuf"] for line in lines] == ["26", "0"] and lines[1]["id"] == str(other.state.id)


def test_more_picks_than_the_output_limit_lets_pass_are_not_made(client: Client) -> None:
    """The reply is over the limit, which ends the connection."""
    client.state.transport.kind = "tcp"
    client.call("HSET", "h", "", "")
    client.call("SADD", "s", "")
    client.call("ZADD", "z", 1, "")
    for words in (("HRANDFIELD", "h"), ("SRANDMEMBER", "s"), ("ZRANDMEMBER", "z")):
        assert isinstance(client.call(*words, -999_999_999), ErrorReply)
        client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 60000 0 0")
        assert 6 * len(client.call(*words, -999_999_999)) > 60_000
        client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
