"""Commands under other names (``rename-command``): nothing may go by the name that they were declared with."""

from __future__ import annotations

from kedis.config import Config
from kedis.engine.engine import Engine
from tests.commands.driver import Client, Clock, ErrorReply


def client_with(*renames: tuple[str, str]) -> Client:
    config = Config()
    config.renamed_commands = list(renames)
    return Client(Engine(config, clock=Clock()))


def test_a_refused_exec_ends_the_transaction() -> None:
    client = client_with(("EXEC", "finish"))
    client.call("MULTI")
    client.call("SET", "k", "v")
    reply = client.call("FINISH", "too", "much")
    assert isinstance(reply, ErrorReply) and str(reply).startswith("EXECABORT")
    assert client.call("GET", "k") is None
    assert client.call("FINISH") == ErrorReply("ERR EXEC without MULTI")


def test_a_transaction_runs_under_the_new_names() -> None:
    client = client_with(("MULTI", "begin"), ("EXEC", "finish"), ("DISCARD", "forget"), ("SET", "put"))
    for words in (["BEGIN"], ["PUT", "k", "v"], ["GET", "k"]):
        client.call(*words)
    assert client.call("finish") == [b"OK", b"v"]
    client.call("begin")
    assert client.call("forget") == b"OK"


def test_help_of_every_container() -> None:
    names = ["acl", "client", "cluster", "command", "config", "latency", "memory", "module", "object"]
    names += ["pubsub", "slowlog"]
    client = client_with(*((name, f"my{name}") for name in names))
    plain = client_with()
    for name in names:
        assert client.replies(f"my{name}", "HELP") == plain.replies(name, "HELP")


def test_client_list_names_the_command_that_asks() -> None:
    assert b" cmd=client|list " in client_with(("CLIENT", "people")).call("PEOPLE", "LIST")
    assert b" cmd=client|info " in client_with(("CLIENT", "people")).call("PEOPLE", "INFO")


def test_a_subscriber_may_leave_under_the_new_name() -> None:
    client = client_with(("UNSUBSCRIBE", "leave"), ("GET", "unsubscribe"))
    client.call("SUBSCRIBE", "c")
    assert isinstance(client.call("UNSUBSCRIBE", "c"), ErrorReply)
    assert client.replies("LEAVE") == [[b"unsubscribe", b"c", 0]]
