"""Users of a whole server: the file of users, the configuration file, scripts, and connections that are closed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import kedis
from kedis.config import ConfigError
from tests.commands.driver import Client
from tests.oracle import Oracle

_TEXT = """user bob on nopass +@all ~b* (%R~* +get)

\tuser carl  off >pw (+get ~x )  \r
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.acl"
    path.write_text(_TEXT)
    return path


@pytest.fixture
def server(file: Path) -> Iterator[kedis.Server]:
    with kedis.Server(aclfile=file.name, dir=str(file.parent)) as running:
        yield running


def test_the_file_of_users(server: kedis.Server, file: Path) -> None:
    bob = server.client(username="bob", password="any")
    assert bob.set("b1", "v")
    with pytest.raises(redis.exceptions.NoPermissionError):
        bob.set("a1", "v")
    admin = server.client()
    admin.acl_setuser("dora", enabled=True, passwords=["+secret"], commands=["+get"], keys=["d*"])
    admin.acl_save()
    assert list(file.parent.iterdir()) == [file]
    names = [line.split()[1] for line in file.read_text().splitlines()]
    assert names == ["bob", "carl", "default", "dora"]
    assert "secret" not in file.read_text()
    before = admin.acl_list()
    admin.acl_load()
    assert admin.acl_list() == before
    assert {client["user"] for client in admin.client_list()} == {"default"}
    assert server.client(username="dora", password="secret").get("d1") is None


@pytest.mark.parametrize(
    "text",
    [
        "# comment\n",
        "User x\n",
        "user\n",
        "user a on\nuser a on\nuser a off\n",
        "user z +nosuch +nope\nuser y on\nuser z foo\n",
        "user a on\nuser b ~* ~x\nfoo bar\n",
        "user b\tc on\n",
        "user a on &* &x\n",
    ],
)
def test_a_file_with_faults_changes_nothing(server: kedis.Server, file: Path, text: str) -> None:
    oracle = Oracle("--aclfile", str(file))
    try:
        client = server.client()
        before = client.acl_list()
        file.write_text(text)
        with pytest.raises(redis.ResponseError) as refused:
            client.acl_load()
        assert f"ERR {refused.value}".replace("ERR ERR", "ERR") == str(oracle.call("ACL", "LOAD"))
        assert client.acl_list() == before
    finally:
        oracle.close()
    with pytest.raises(ConfigError, match="no change to the previously active"):
        kedis.Server(aclfile=str(file)).start()


def test_a_selector_without_its_end_is_a_fault_like_others(server: kedis.Server, file: Path) -> None:
    """Redis 7.0.15 crashes."""
    file.write_text("user a (+get ~x\n")
    with pytest.raises(redis.ResponseError, match="Unmatched parenthesis in selector definition"):
        server.client().acl_load()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        kedis.Server(aclfile=str(tmp_path / "nosuch")).start()


def test_requirepass_holds_where_the_file_has_no_default_user(file: Path) -> None:
    """In Redis 7.0.15 the default user needs no password then."""
    with kedis.Server(aclfile=str(file), requirepass="secret") as server:
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).get("k")
        admin = server.client()
        admin.acl_load()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).get("k")
        assert admin.ping()


def test_a_new_file_is_for_its_owner_alone(server: kedis.Server, file: Path) -> None:
    file.unlink()
    server.client().acl_save()
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_scripts_have_the_permissions_of_their_caller(server: kedis.Server) -> None:
    """By EVALSHA, which the native path runs, too."""
    server.client().acl_setuser(
        "eve", enabled=True, nopass=True, commands=["+get", "+evalsha", "+script|load"], keys=["a*"]
    )
    eve = server.client(username="eve", password="")
    for body, allowed in (
        ("return redis.call('get', KEYS[1])", True),
        ("return redis.call('set', KEYS[1], 1)", False),
        ("return redis.call('get', 'b')", False),
    ):
        digest = eve.script_load(body)
        for _ in range(3):
            if allowed:
                assert eve.evalsha(digest, 1, "a") is None
            else:
                with pytest.raises(redis.ResponseError, match="The user executing the script"):
                    eve.evalsha(digest, 1, "a")


def test_a_store_in_the_program(file: Path) -> None:
    store = kedis.connect(aclfile=str(file))
    store.acl_setuser("default", enabled=True, commands=["-flushall"])
    for call in (
        store.flushall,
        lambda: store.execute_command("FLUSHALL"),
        store.pipeline().flushall().execute,
    ):
        with pytest.raises(redis.ResponseError, match="no permissions to run the 'flushall'"):
            call()
    assert store.set("k", "v")
    bob = kedis.connect(store=store, username="bob", password="x")
    assert bob.set("b1", "v")
    with pytest.raises(redis.exceptions.NoPermissionError):
        bob.set("a1", "v")
    store.acl_save()
    assert "user default" in file.read_text()


def test_a_copy_of_a_store_has_its_users() -> None:
    store = kedis.connect()
    store.acl_setuser("bob", enabled=True, nopass=True, commands=["+get"])
    store.acl_setuser("default", enabled=True, commands=["-flushall"])
    copied = kedis.connect(store=store)
    copied.replace_store(store.embedded.copy())
    assert copied.acl_list() == store.acl_list()
    with pytest.raises(redis.exceptions.NoPermissionError):
        copied.flushall()


def test_replayed_commands_are_not_checked(tmp_path: Path) -> None:
    """What is in the append-only file was allowed when it was acknowledged."""
    settings = {"appendonly": "yes", "dir": str(tmp_path)}
    with kedis.Server(**settings) as server:
        pipe = server.client().pipeline()
        pipe.set("k", "v").incr("n").execute()
    file = tmp_path / "users.acl"
    file.write_text("user default on >secret -@all +auth +get ~*\n")
    with kedis.Server(aclfile=str(file), **settings) as server:
        client = redis.Redis(port=server.port, password="secret")
        assert client.get("k") == b"v"


def test_trusted_clients_may_all() -> None:
    client = Client()
    client.call("ACL", "SETUSER", "default", "resetkeys", "-@all")
    trusted = Client(client.engine, trusted=True)
    assert trusted.call("SET", "k", "v") == b"OK"
