"""Publish and subscribe without sockets: who gets what, in which form, and what a subscriber may still do."""

from __future__ import annotations

from typing import Any

import pytest

from kedis.engine import pubsub
from tests.commands.driver import Client, ErrorReply

ALLOWED = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"


@pytest.fixture
def client() -> Client:
    return Client()


def test_subscribe_confirms_every_channel(client: Client) -> None:
    assert client.replies("SUBSCRIBE", "a", "b", "a") == [
        [b"subscribe", b"a", 1],
        [b"subscribe", b"b", 2],
        [b"subscribe", b"a", 2],
    ]


def test_messages_reach_channels_then_patterns(client: Client) -> None:
    other = client.another()
    client.replies("SUBSCRIBE", "news")
    client.replies("PSUBSCRIBE", "n*", "x*")
    assert other.call("PUBLISH", "news", "m") == 2
    assert client.pushed() == [[b"message", b"news", b"m"], [b"pmessage", b"n*", b"news", b"m"]]
    assert other.call("PUBLISH", "other", "m") == 0
    assert client.pushed() == []


def test_shard_channels_are_a_world_of_their_own(client: Client) -> None:
    other = client.another()
    assert client.replies("SSUBSCRIBE", "news") == [[b"ssubscribe", b"news", 1]]
    assert client.replies("SUBSCRIBE", "a") == [[b"subscribe", b"a", 1]]
    assert other.call("PUBLISH", "news", "m") == 0
    assert other.call("SPUBLISH", "news", "m") == 1
    assert client.pushed() == [[b"smessage", b"news", b"m"]]
    assert other.call("PUBSUB", "SHARDCHANNELS") == [b"news"]
    assert other.call("PUBSUB", "SHARDNUMSUB", "news", "a") == [b"news", 1, b"a", 0]
    assert client.replies("SUNSUBSCRIBE") == [[b"sunsubscribe", b"news", 0]]


def test_unsubscribe_counts_channels_and_patterns_together(client: Client) -> None:
    client.replies("SUBSCRIBE", "a", "b")
    client.replies("PSUBSCRIBE", "p")
    assert client.replies("UNSUBSCRIBE") == [[b"unsubscribe", b"a", 2], [b"unsubscribe", b"b", 1]]
    assert client.replies("UNSUBSCRIBE") == [[b"unsubscribe", None, 1]]
    assert client.replies("UNSUBSCRIBE", "zz") == [[b"unsubscribe", b"zz", 1]]
    assert client.replies("PUNSUBSCRIBE", "p") == [[b"punsubscribe", b"p", 0]]


@pytest.mark.parametrize("kind", ["", "P", "S"])
def test_a_subscribed_resp2_client_may_not_run_ordinary_commands(client: Client, kind: str) -> None:
    client.replies(kind + "SUBSCRIBE", "a")
    assert client.call("GET", "k") == ErrorReply(f"ERR Can't execute 'get': {ALLOWED}")
    assert client.call("PING") == [b"pong", b""]
    assert client.call("PING", "hi") == [b"pong", b"hi"]
    client.replies(kind + "UNSUBSCRIBE")
    assert client.call("GET", "k") is None
    assert client.call("PING") == b"PONG"


def test_a_subscribed_resp3_client_goes_on_working() -> None:
    client = Client(resp=3)
    client.replies("SUBSCRIBE", "a")
    assert client.call("SET", "k", "v") == b"OK"
    assert client.replies("PUBLISH", "a", "m") == [[b"message", b"a", b"m"], 1]
    assert type(client.replies("SUBSCRIBE", "b")[0]).__name__ == "PushNotification"


def test_resp2_again_is_restricted_again() -> None:
    client = Client(resp=3)
    client.replies("SUBSCRIBE", "a")
    client.replies("HELLO", "2")
    assert str(client.call("GET", "k")).startswith("ERR Can't execute 'get'")


def test_reset_and_quit_leave_every_channel(client: Client) -> None:
    other = client.another()
    client.replies("SUBSCRIBE", "a")
    client.replies("PSUBSCRIBE", "a*")
    client.replies("SSUBSCRIBE", "a")
    assert client.replies("RESET") == [b"RESET"]
    assert client.call("GET", "k") is None
    assert other.call("PUBLISH", "a", "m") == 0
    client.replies("SUBSCRIBE", "a")
    assert client.replies("QUIT") == [b"OK"]
    client.engine.disconnect(client.state)
    assert other.call("PUBLISH", "a", "m") == 0
    assert other.call("PUBSUB", "CHANNELS") == []
    assert other.call("PUBSUB", "NUMPAT") == 0


def test_messages_come_although_replies_are_off(client: Client) -> None:
    other = client.another()
    assert client.replies("CLIENT", "REPLY", "OFF") == []
    assert client.replies("SUBSCRIBE", "a") == [[b"subscribe", b"a", 1]]
    other.call("PUBLISH", "a", "m")
    assert client.pushed() == [[b"message", b"a", b"m"]]


def test_in_a_transaction(client: Client) -> None:
    other = client.another(3)
    client.replies("SUBSCRIBE", "a")
    other.call("MULTI")
    other.call("PUBLISH", "a", "1")
    other.call("SET", "k", "v")
    other.call("PUBLISH", "a", "2")
    assert client.pushed() == []
    assert other.call("EXEC") == [1, b"OK", 1]
    assert client.pushed() == [[b"message", b"a", b"1"], [b"message", b"a", b"2"]]
    assert client.journal() == ["0 SET k v"]


def test_pubsub_figures(client: Client) -> None:
    second, other = client.another(), client.another()
    client.replies("SUBSCRIBE", "a", "b")
    second.replies("SUBSCRIBE", "b")
    second.replies("PSUBSCRIBE", "p1", "p2")
    client.replies("PSUBSCRIBE", "p1")
    assert sorted(other.call("PUBSUB", "CHANNELS")) == [b"a", b"b"]
    assert other.call("PUBSUB", "CHANNELS", "[b-z]") == [b"b"]
    assert other.call("PUBSUB", "NUMSUB", "b", "a", "c") == [b"b", 2, b"a", 1, b"c", 0]
    assert other.call("PUBSUB", "NUMPAT") == 2
    info = other.call("INFO", "stats")
    assert b"pubsub_channels:2\r\npubsub_patterns:2\r\npubsubshard_channels:0\r\n" in info
    line = other.call("CLIENT", "LIST", "TYPE", "pubsub").split(b"\n")[0]
    assert b" flags=P " in line and b" sub=2 psub=1 ssub=0 " in line
    assert other.call("CLIENT", "KILL", "TYPE", "pubsub") == 2


class CountingSubscriber:
    """A subscriber that keeps what it gets."""

    def __init__(self, resp: int) -> None:
        self.resp = resp
        self.subscribed: dict[str, dict[bytes, None]] = {"channel": {}, "pattern": {}, "shard": {}}
        self.subscriptions = 0
        self.got: list[bytes] = []

    def push(self, wire: bytes) -> None:
        self.got.append(wire)


def test_one_publish_is_encoded_once_for_each_protocol() -> None:
    hub = pubsub.PubSub()
    clients = [CountingSubscriber(2 + number % 2) for number in range(1000)]
    for client in clients:
        hub.channels.add(client, b"c")
    assert hub.publish(b"c", b"payload") == 1000
    wires: list[Any] = [client.got[0] for client in clients]
    assert len({id(wire) for wire in wires}) == 2
    assert wires[0] == b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$7\r\npayload\r\n"
    assert wires[1] == b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$7\r\npayload\r\n"


def test_a_pattern_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[bytes] = []
    compile_glob = pubsub.compile_glob
    monkeypatch.setattr(pubsub, "compile_glob", lambda p: compiled.append(p) or compile_glob(p))
    hub = pubsub.PubSub()
    clients = [CountingSubscriber(2) for _ in range(10)]
    for client in clients:
        hub.patterns.add(client, b"c*")
    for _ in range(5):
        hub.publish(b"cc", b"m")
    assert compiled == [b"c*"]
    for client in clients:
        hub.leave(client)
    assert not hub.patterns.matchers and not hub.patterns.by_name
