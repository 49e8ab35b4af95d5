"""MONITOR without sockets: its lines, what it hides, and how it ends."""

from __future__ import annotations

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from tests.commands.driver import START_NS, Client, Clock, ErrorReply


@pytest.fixture
def watcher() -> Client:
    client = Client()
    assert client.call("MONITOR") == b"OK"
    return client


def lines(watcher: Client) -> list[bytes]:
    """What came since the last look, without the time and the address, which are always the same."""
    head = b"%d.000000 [" % (START_NS // 1_000_000_000)
    found = watcher.pushed()
    assert all(line.startswith(head) for line in found)
    return [line[len(head) :].replace(b" 127.0.0.1:50000]", b"]") for line in found]


def test_a_line(watcher: Client) -> None:
    other = watcher.another()
    assert isinstance(watcher.engine.clock, Clock)
    watcher.engine.clock.now_ns += 1_234_567
    other.call("set", "k", "v")
    assert watcher.pushed() == [b'1700000000.001234 [0 127.0.0.1:50000] "set" "k" "v"']


def test_quoting(watcher: Client) -> None:
    watcher.another().call("SET", bytes(range(256)), '"\\')
    (line,) = lines(watcher)
    assert line.startswith(b'0] "SET" "\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\a\\b\\t\\n\\x0b\\x0c\\r\\x0e')
    assert b' !\\"#$' in line and b"[\\\\]" in line and b"~\\x7f\\x80" in line
    assert line.endswith(b'\\xfe\\xff" "\\"\\\\"')


def test_passwords_are_hidden(watcher: Client) -> None:
    other = watcher.another()
    other.call("AUTH", "secret")
    other.call("AUTH", "user", "secret")
    other.call("HELLO", "2", "AUTH", "default", "secret", "SETNAME", "me")
    other.call("HELLO", "2", "SETNAME", "auth", "AUTH", "default", "secret")
    other.call("CONFIG", "SET", "requirepass", "")
    assert lines(watcher) == [
        b'0] "AUTH" "(redacted)"',
        b'0] "AUTH" "(redacted)" "(redacted)"',
        b'0] "HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "me"',
        b'0] "HELLO" "2" "SETNAME" "auth" "AUTH" "(redacted)" "(redacted)"',
    ]


def test_what_is_not_run_or_administers_is_not_shown(watcher: Client) -> None:
    other = watcher.another()
    for words in (["GET"], ["NOSUCH"], ["CONFIG", "GET", "port"], ["CLIENT", "LIST"], ["MONITOR"]):
        other.call(*words)
    assert lines(watcher) == []


def test_a_transaction_is_shown_as_it_runs(watcher: Client) -> None:
    other = watcher.another()
    for words in (["MULTI"], ["SELECT", "2"], ["SET", "k", "v"]):
        other.call(*words)
    assert lines(watcher) == [b'0] "MULTI"']
    other.call("EXEC")
    assert lines(watcher) == [b'2] "SELECT" "2"', b'2] "SET" "k" "v"', b'2] "EXEC"']


def test_a_monitor_sees_itself_after_the_reply_and_may_not_touch_keys(watcher: Client) -> None:
    reply, line = watcher.replies("PING")
    assert reply == b"PONG" and line.endswith(b'"PING"')
    refused = ErrorReply("ERR Replica can't interact with the keyspace")
    assert watcher.replies("GET", "k") == [refused]
    assert watcher.replies("PUBLISH", "c", "m") == [refused]
    assert watcher.replies("MONITOR") == []


def test_in_a_transaction_it_is_refused() -> None:
    client = Client()
    client.call("MULTI")
    client.call("MONITOR")
    assert client.call("EXEC") == [ErrorReply("ERR MONITOR isn't allowed for DENY BLOCKING client")]
    assert not client.engine.monitors


@pytest.mark.parametrize("ending", ["RESET", "disconnect"])
def test_the_end(watcher: Client, ending: str) -> None:
    other = watcher.another()
    assert b" flags=O " in other.call("CLIENT", "LIST")
    if ending == "RESET":
        assert watcher.replies("RESET")[0] == b"RESET"
    else:
        watcher.engine.disconnect(watcher.state)
    other.call("SET", "k", "v")
    assert watcher.pushed() == []
    assert not watcher.engine.restrictions.needs_checks


def test_the_address_of_a_unix_socket() -> None:
    engine = Engine(Config({"unixsocket": "/run/kedis.sock"}), clock=Clock())
    watcher, other = Client(engine), Client(engine, kind="unix")
    watcher.call("MONITOR")
    other.call("PING")
    assert watcher.pushed()[0].endswith(b'[0 unix:/run/kedis.sock] "PING"')


def test_what_is_journalled_stays_the_same(watcher: Client) -> None:
    other = watcher.another()
    other.call("INCRBYFLOAT", "k", "1.5")
    other.call("SET", "k", "v")
    assert watcher.journal() == ["0 SET k 1.5 KEEPTTL", "0 SET k v"]
