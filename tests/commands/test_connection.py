"""PING, ECHO, SELECT, AUTH, HELLO, RESET, QUIT, as scripts of commands and answers."""

from __future__ import annotations

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from tests.commands.driver import Client, Clock, ErrorReply
from tests.oracle import Oracle


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def locked() -> Client:
    """A client of a server with a password."""
    return Client(Engine(Config({"requirepass": "sesame"}), clock=Clock()))


def test_ping_and_echo(client: Client) -> None:
    assert client.call("PING") == b"PONG"
    assert client.call("ping", "hello") == b"hello"
    assert client.call("PiNg") == b"PONG"
    assert client.call("ECHO", b"\x00\xff") == b"\x00\xff"
    assert client.call("PING", "a", "b") == ErrorReply("ERR wrong number of arguments for 'ping' command")


def test_select_keeps_databases_apart(client: Client) -> None:
    client.call("SET", "k", "zero")
    assert client.call("SELECT", 3) == b"OK"
    assert client.call("GET", "k") is None
    assert client.call("SELECT", 16) == ErrorReply("ERR DB index is out of range")
    assert client.call("SELECT", -1) == ErrorReply("ERR DB index is out of range")
    assert client.call("SELECT", "x") == ErrorReply("ERR value is not an integer or out of range")
    assert client.call("SELECT", 0) == b"OK"
    assert client.call("GET", "k") == b"zero"


def test_hello_describes_the_server_in_the_chosen_protocol(client: Client) -> None:
    assert isinstance(client.call("HELLO"), list)
    described = client.call("HELLO", 3, "SETNAME", "worker")
    assert described[b"proto"] == 3
    assert described[b"version"] == b"7.0.15"
    assert described[b"id"] == client.state.id
    assert client.call("CLIENT", "GETNAME") == b"worker"
    assert client.call("HELLO", 2)[:2] == [b"server", b"redis"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((4,), "NOPROTO unsupported protocol version"),
        (("x",), "ERR Protocol version is not an integer or out of range"),
        ((3, "foo"), "ERR Syntax error in HELLO option 'foo'"),
        ((3, "auth", "a"), "ERR Syntax error in HELLO option 'auth'"),
        ((3, "setname", "a b"), "ERR Client names cannot contain spaces, newlines or special characters."),
    ],
)
def test_hello_refuses(client: Client, words: tuple[object, ...], error: str) -> None:
    assert client.call("HELLO", *words) == ErrorReply(error)
    assert client.state.resp == 2


def test_nothing_but_authentication_before_the_password(locked: Client) -> None:
    assert locked.call("GET", "k") == ErrorReply("NOAUTH Authentication required.")
    assert locked.call("nosuch") == ErrorReply("ERR unknown command 'nosuch', with args beginning with: ")
    wrong = ErrorReply("WRONGPASS invalid username-password pair or user is disabled.")
    assert locked.call("AUTH", "sesam") == wrong
    assert locked.call("AUTH", "default", "") == wrong
    assert locked.call("AUTH", "somebody", "sesame") == wrong
    assert str(locked.call("HELLO", 3)).startswith("NOAUTH HELLO must be called")
    assert locked.call("HELLO", 3, "AUTH", "default", "sesame")[b"proto"] == 3
    assert locked.call("GET", "k") is None


def test_auth_by_password_alone(locked: Client) -> None:
    assert locked.call("AUTH", "sesame") == b"OK"
    assert locked.call("PING") == b"PONG"


def test_auth_without_a_password_configured(client: Client) -> None:
    assert str(client.call("AUTH", "x")).startswith(
        "ERR AUTH <password> called without any password configured"
    )
    assert client.call("AUTH", "default", "whatever") == b"OK"
    assert client.call("AUTH", "a", "b", "c") == ErrorReply("ERR syntax error")


def test_reset_ends_everything_but_the_connection(locked: Client) -> None:
    locked.call("AUTH", "sesame")
    locked.call("HELLO", 3, "SETNAME", "n")
    locked.call("SELECT", 5)
    locked.call("WATCH", "k")
    locked.call("MULTI")
    assert locked.call("RESET") == b"RESET"
    session = locked.state
    assert (session.resp, session.database, session.name, session.queue) == (2, 0, b"", None)
    assert not session.watched
    assert locked.call("GET", "k") == ErrorReply("NOAUTH Authentication required.")


def test_quit_answers_and_runs_nothing_after_it(client: Client) -> None:
    engine = client.engine
    done = engine.run(client.state, [[b"QUIT"], [b"SET", b"k", b"v"]])
    assert done == 1
    assert b"".join(client.state.out) == b"+OK\r\n"
    assert client.state.close_after_reply


def test_unknown_commands_repeat_a_little_of_what_was_sent(client: Client, oracle: Oracle) -> None:
    for words in (
        ("nosuch",),
        ("nosuch", "a", "b c"),
        ("x" * 200, "y" * 200),
        ("a\r\nb", "c\nd"),
        ("nosuch", *["arg"] * 50),
        ("config", "nosuch"),
        ("config",),
        ("get",),
        ("config", "get"),
    ):
        assert client.call(*words) == oracle.call(*words), words
