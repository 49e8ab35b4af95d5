"""What becomes of a client's own connection when nodes answer what is rare; and whom a router believes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hiredis
import pytest

from kedis.router.discovery import Discovery
from kedis.router.upstream_url import parse_upstream
from tests.replication.masters import until
from tests.router.doors import Door
from tests.router.told_nodes import END, ToldNode

QUICK = ("--upstream-timeout-ms", "300", "--upstream-retry-ms", "300")


def door_before(node: ToldNode, *flags: str) -> Door:
    return Door(f"redis://127.0.0.1:{node.port}", *flags, metrics=False)


# -- the connection of WATCH ----------------------------------------------------------------------------------


def test_a_second_watch_that_is_redirected_takes_no_shared_connection() -> None:
    """Watched keys would end the transactions of all who share it."""
    with ToldNode() as node, ToldNode() as other, door_before(node) as door:
        moved = [b"-MOVED 1 127.0.0.1:%d\r\n" % other.port]

        def answer(_: int, words: list[bytes]) -> bytes:
            return moved.pop() if words == [b"WATCH", b"b"] and moved else b"+OK\r\n"

        node.answer = answer
        wire = door.wire()
        assert wire.call("WATCH", "a") == b"OK"
        assert wire.call("WATCH", "b") == b"OK"
        (number,) = other.connections_with(b"WATCH")
        assert number in other.connections_with(b"CLIENT")  # which is asked of connections for one client
        assert wire.pipeline([("MULTI",), ("SET", "a", 1), ("EXEC",)])[-1] is None
        wire.close()


@pytest.mark.parametrize("refusal", [b"-LOADING it loads\r\n", b"-ERR DB index is out of range\r\n"])
def test_select_behind_watch_that_is_refused(refusal: bytes) -> None:
    """It is sent to nobody else, whose database it would change; and nothing is read from the wrong one."""

    def answer(number: int, words: list[bytes]) -> bytes:
        return refusal if words[0] == b"SELECT" and number in node.connections_with(b"WATCH") else b"+OK\r\n"

    with ToldNode() as node, door_before(node, *QUICK) as door:
        node.answer = answer
        assert door.call("SET", "x", 1) == b"OK"
        (shared,) = node.connections_with(b"SET")
        wire = door.wire()
        assert wire.call("WATCH", "k") == b"OK"
        (own,) = node.connections_with(b"WATCH")
        assert wire.call("SELECT", 3) == b"OK"
        assert wire.call("GET", "k") == b"OK"
        assert [b"SELECT", b"3"] not in node.asked[shared]
        assert [b"GET", b"k"] not in node.asked[own]
        assert wire.pipeline([("MULTI",), ("SET", "k", 1), ("EXEC",)])[-1] is None
        wire.close()


def test_a_transaction_that_reads_is_not_run_without_what_it_watched() -> None:
    def answer(number: int, words: list[bytes]) -> bytes:
        if words[0] == b"EXEC":
            return END if number in node.connections_with(b"WATCH") else b"*1\r\n+later\r\n"
        return b"+OK\r\n"

    with ToldNode() as node, door_before(node) as door:
        node.answer = answer
        wire = door.wire()
        assert wire.call("WATCH", "k") == b"OK"
        assert wire.pipeline([("MULTI",), ("GET", "k"), ("EXEC",)])[-1] is None
        wire.close()


def test_a_silent_node_behind_watch() -> None:
    """What blocks may take as long as it likes; anything else on a connection of one's own may not."""

    def answer(_: int, words: list[bytes]) -> bytes | None:
        return None if words[0] in (b"GET", b"BLPOP") else b"+OK\r\n"

    with ToldNode() as node, door_before(node, *QUICK) as door:
        node.answer = answer
        blocked, wire = door.wire(), door.wire()
        blocked.send_all(("BLPOP", "queue", 0))
        until(lambda: node.connections_with(b"BLPOP"))
        for _ in range(2):
            assert wire.call("WATCH", "k") == b"OK"
            wire.settimeout(20)
            assert "no reply within" in str(wire.call("GET", "k"))
            assert wire.pipeline([("MULTI",), ("SET", "k", 1), ("EXEC",)])[-1] is None
        node.send(node.connections_with(b"BLPOP")[0], b"+served\r\n")
        assert blocked.receive() in ("served", b"served")
        wire.close()
        blocked.close()


# -- whom a router believes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("in_cluster", [False, True])
def test_a_script_leads_nowhere(in_cluster: bool) -> None:
    """Whoever may run scripts could have the router send its password, and keys of others, to any address."""
    with ToldNode(in_cluster=in_cluster) as node, ToldNode() as other, door_before(node, *QUICK) as door:
        moved = b"-MOVED 12182 127.0.0.1:%d\r\n" % other.port
        node.answer = lambda _, words: moved if words[0] == b"EVAL" else b"+OK\r\n"
        assert str(door.call("EVAL", "return redis.error_reply('…')", 1, "foo")).startswith("MOVED 12182")
        assert door.call("GET", "foo") == b"OK"
        assert not other.asked
        if not in_cluster:
            assert node.count(b"EVAL") == 1


def test_a_replica_does_not_take_the_place_of_a_single_server() -> None:
    """When the server is away for a while, its replica speaks for itself alone."""
    with ToldNode() as node, ToldNode(role=b"slave") as replica:
        node.replicas = [replica.port]
        with door_before(node) as door:
            until(lambda: b"replicas=1," in door.call("INFO", "router"))
            node.is_away = True
            before = node.count(b"ROLE")
            until(lambda: node.count(b"ROLE") >= before + 3)
            node.is_away = False
            until(lambda: door.call("SET", "k", 1) == b"OK")
            assert not replica.asked
            assert node.count(b"SET") > 0


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(b"cluster", None), (b"standalone", [("10.0.0.1", 6379)])],
    ids=["cluster", "single"],
)
def test_a_user_who_may_not_ask_for_slots(mode: bytes, expected: Any) -> None:
    """NOPERM names the command, and says nothing about whether there is a cluster."""
    fleet: Any = SimpleNamespace(upstream=parse_upstream("redis://user:pass@10.0.0.1"), dialer=None)
    discovery: Any = Discovery(fleet)
    refusal = "NOPERM this user has no permissions to run the 'cluster|slots' command"
    replies = {
        b"CLUSTER": hiredis.ReplyError(refusal),
        b"HELLO": [b"server", b"redis", b"mode", mode],
        b"ROLE": [b"master", 0, []],
    }
    discovery._ask = lambda _, *words: replies[words[0]]
    found = discovery._first()
    assert (found.addresses if found is not None else None) == expected
    assert expected is not None or "NOPERM" in discovery._problem


# -- ends -----------------------------------------------------------------------------------------------------


def test_a_client_that_waits_is_not_idle() -> None:
    """``timeout`` is for those who ask nothing."""
    with ToldNode() as node, door_before(node, "--timeout", "1", "--hz", "100") as door:
        node.answer = lambda _, words: None if words[0] == b"BLPOP" else b"+OK\r\n"
        idle, blocked = door.wire(), door.wire()
        blocked.send_all(("BLPOP", "queue", 0))
        until(lambda: node.connections_with(b"BLPOP"))
        idle.call("PING")
        idle.await_end()  # it has asked later
        node.send(node.connections_with(b"BLPOP")[0], b"+served\r\n")
        assert blocked.receive() in ("served", b"served")
        assert blocked.call("SET", "k", 1) == b"OK"
        blocked.close()


def test_shutdown_save_writes_nothing(tmp_path: Path) -> None:
    """The router may run where a Kedis has kept its data, before these were moved."""
    (tmp_path / "dump.rdb").write_bytes(b"theirs")
    with ToldNode() as node, door_before(node, "--dir", str(tmp_path)) as door:
        wire = door.wire()
        wire.send_all(("SHUTDOWN", "SAVE"))
        wire.await_end()
        assert door.process.wait(60) == 0
    assert (tmp_path / "dump.rdb").read_bytes() == b"theirs"
