"""The arguments of ``kedis.connect`` and ``kedis.Server``: each works, or is one clear error at once."""

from __future__ import annotations

import os
import pickle
import socket
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig
from redis.driver_info import DriverInfo

import kedis
from kedis.config import ConfigError


@pytest.mark.parametrize(
    "options",
    [
        {"socket_keepalive": True, "socket_keepalive_options": {1: 2}, "socket_type": 0},
        {"ssl": False, "ssl_cert_reqs": "required", "ssl_ca_certs": "/none"},
        {"single_connection_client": True},
        {"cache_config": CacheConfig(), "protocol": 3},
        {"retry_on_timeout": True, "health_check_interval": 1, "max_connections": 3, "client_name": "me"},
        {"settings": {"maxmemory": 100_000_000, "maxmemory_policy": "allkeys-lru", "activerehashing": True}},
        {"maxmemory": "100mb", "databases": 20, "db": 19},
        {"requirepass": "secret"},
        {"settings": {"requirepass": "secret"}, "password": "secret"},
    ],
    ids=lambda options: " ".join(options),
)
def test_options_that_work(options: dict[str, Any]) -> None:
    with kedis.connect(**options) as store:
        assert store.set("a", 1)
        assert store.get("a") == b"1"
        with store.client() as one:
            assert one.incr("a") == 2
        assert store.get("a") == b"2"


def test_settings_of_every_spelling() -> None:
    with kedis.connect(
        maxmemory=10_000_000, settings={"maxmemory-policy": "allkeys-lfu", "lazyfree_lazy_user_del": True}
    ) as store:
        names = ("maxmemory", "maxmemory-policy", "lazyfree-lazy-user-del")
        assert store.config_get(*names) == {names[0]: "10000000", names[1]: "allkeys-lfu", names[2]: "yes"}


@pytest.mark.parametrize("protocol", [2, 3])
def test_what_redis_py_caches_is_invalidated(protocol: int) -> None:
    if protocol == 2:
        with pytest.raises(redis.RedisError, match="RESP version 3"):
            kedis.connect(cache_config=CacheConfig(), protocol=2)
        return
    with kedis.connect(cache_config=CacheConfig(), protocol=3) as store, kedis.connect(store=store) as other:
        other.set("a", 1)
        calls = lambda: other.info("commandstats")["cmdstat_get"]["calls"]  # noqa: E731
        assert store.get("a") == b"1"
        before = calls()
        assert [store.get("a") for _ in range(10)] == [b"1"] * 10
        assert calls() == before
        other.set("a", 2)
        assert store.get("a") == b"2"


@pytest.mark.parametrize(
    "options",
    [
        {"host": "example.org"},
        {"port": 6379},
        {"unix_socket_path": "/tmp/x"},
        {"ssl": True},
        {"connection_pool": None},
    ],
    ids=lambda options: " ".join(options),
)
def test_what_names_a_server(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"connects to no server, so it takes no .*kedis\.Server"):
        kedis.connect(**options)


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://a:1/2", "unix:///tmp/x", "valkey://h"])
def test_an_address_is_no_folder(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="takes a folder"):
        kedis.connect(url)
    assert not os.listdir(tmp_path)


def test_folders_of_every_type(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", str(tmp_path / "a"), os.fsencode(tmp_path / "a")):
        with kedis.connect(folder) as store:
            store.incr("n")
    with kedis.connect(tmp_path / "a") as store:
        assert store.get("n") == b"3"


def test_options_that_do_not_exist() -> None:
    with pytest.raises(TypeError, match="no option 'decode_response'; did you mean decode_responses"):
        kedis.connect(decode_response=True)
    with pytest.raises(TypeError, match="no option 'maxmemry'; did you mean maxmemory"):
        kedis.connect(maxmemry=1)
    with pytest.raises(ConfigError, match="did you mean maxmemory"):
        kedis.connect(settings={"maxmemry": 1})
    with pytest.raises(ConfigError, match="not NoneType"):
        kedis.connect(maxmemory=None)
    with pytest.raises(ConfigError, match="did you mean maxmemory"):
        kedis.Server(maxmemry=1)
    with pytest.raises(ConfigError, match="not list"):
        kedis.Server(save=["900 1"])


def test_clients_that_share_a_store() -> None:
    with kedis.connect() as store:
        with kedis.connect(store=store, decode_responses=True, db=1) as other:
            other.set("a", "x")
            with kedis.connect(store=other, db=1) as third:
                assert third.get("a") == b"x"
            assert other.get("a") == "x"
        assert not store.exists("a")
        with pytest.raises(TypeError, match="no settings"):
            kedis.connect(store=store, maxmemory=1)
    with pytest.raises(TypeError, match="a client that"):
        kedis.connect(store=redis.Redis())  # type: ignore[arg-type]


def test_repr_says_what_it_is(tmp_path: Path) -> None:
    with kedis.connect(tmp_path / "a") as store:
        assert repr(store) == f"<Kedis store in {str(tmp_path / 'a')!r}, database 0>"
    assert "closed" in repr(store)
    server = kedis.Server(requirepass="secret")
    assert repr(server) == "<kedis.Server 127.0.0.1:free port, not running>"
    with server:
        assert repr(server) == f"<kedis.Server 127.0.0.1:{server.port}, running>"
    assert repr(server) == f"<kedis.Server 127.0.0.1:{server.port}, not running>"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "0.0.0.0", "*", "::", "127.0.0.1 ::1"])
@pytest.mark.parametrize("password", ["", "s@:/ %é?#"])
def test_the_url_of_a_server_is_one(host: str, password: str) -> None:
    with kedis.Server(host=host, requirepass=password) as server:
        for client in (
            redis.from_url(server.url),
            server.client(),
            redis.Redis(connection_pool=redis.ConnectionPool.from_url(server.url)),
        ):
            with client:
                assert client.ping()


def test_a_server_on_a_free_port_has_no_address_before_the_start() -> None:
    server = kedis.Server()
    for use in (lambda: server.url, server.client, server.aclient):
        with pytest.raises(RuntimeError, match="before it is started"):
            use()
    with server:
        url = server.url
    assert server.url == url
    assert kedis.Server(7777).url == "redis://127.0.0.1:7777"


def test_the_credentials_of_a_client_are_its_own() -> None:
    with kedis.Server(requirepass="secret") as server:
        with server.client(username="default", password="secret") as own:
            assert own.ping()
        with server.client(password="wrong") as wrong, pytest.raises(redis.AuthenticationError):
            wrong.ping()


def test_neither_can_be_pickled() -> None:
    for each in (kedis.Server(), kedis.connect()):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(each)


def test_a_fork_of_a_store() -> None:
    with kedis.connect(decode_responses=True, databases=20, maxmemory="100mb", db=19) as store:
        store.set("a", 1, ex=1000)
        store.rpush("list", *range(1000))
        store.xadd("stream", {"a": 1})
        with store.fork() as copy:
            assert copy.get("a") == "1"
            assert 0 < copy.ttl("a") <= 1000
            assert copy.lrange("list", 0, -1) == store.lrange("list", 0, -1)
            assert copy.xrange("stream") == store.xrange("stream")
            assert copy.config_get("maxmemory") == store.config_get("maxmemory")
            copy.flushall()
            assert store.dbsize() == 3


def test_nobody_asks_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError(arguments)

    for name in ("getaddrinfo", "gethostbyname", "create_connection", "socket"):
        monkeypatch.setattr(socket, name, refuse)
    with kedis.connect(protocol=3) as store, store.client() as other:
        assert store.ping()
        assert other.ping()


@pytest.mark.parametrize("open_store", [kedis.connect, kedis.aconnect])
def test_a_store_in_the_process_follows_no_master(open_store: Any) -> None:
    """Accepted, it would be a master with a setting that does nothing."""
    with pytest.raises(ValueError, match=r"kedis.Server\(replicaof=...\)"):
        open_store(replicaof="127.0.0.1 6379")
    with kedis.Server(replicaof="127.0.0.1 1") as server:
        assert server.client().info("replication")["role"] == "slave"


def test_a_client_names_its_library_without_a_command() -> None:
    with kedis.connect() as store, kedis.Server() as server, server.client() as client:
        (ours,), (theirs,) = store.client_list(), client.client_list()
        assert [ours[name] for name in ("lib-name", "lib-ver")] == [
            theirs[name] for name in ("lib-name", "lib-ver")
        ]
        assert ours["lib-name"] == "redis-py"
        assert "cmdstat_client|setinfo" not in store.info("commandstats")
    named = DriverInfo(name="mine", lib_version="1")
    with kedis.connect(driver_info=named) as store:
        assert [store.client_list()[0][name] for name in ("lib-name", "lib-ver")] == ["mine", "1"]
