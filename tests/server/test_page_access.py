"""Who may see what of the live page: names of hosts, the password, strangers."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator

import pytest

import kedis
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.server.http_requests import Request
from kedis.server.page_access import PageAccess
from tests.ports import free_port
from tests.server.live_site import Site


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    port = free_port()
    with kedis.Server(port=0, metrics_port=port):
        yield Site(port)


@pytest.fixture(scope="module")
def locked() -> Iterator[Site]:
    """The page of a server with a password."""
    port = free_port()
    with kedis.Server(
        port=0, metrics_port=port, requirepass="open sesame", slowlog_log_slower_than=0
    ) as running:
        running.client().set("secret:key", 1)
        site = Site(port)
        site.server = running
        yield site


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:9121", True),
        ("[::1]:9121", True),
        ("10.1.2.3", True),
        ("localhost:9121", True),
        ("LOCALHOST.", True),
        ("kedis", True),
        ("a.localhost", True),
        ("kedis.example.com:9121", True),
        ("KEDIS.example.com", True),
        ("evil.example.com", False),
        ("127.0.0.1.evil.com", False),
        ("evil.com:9121", False),
        ("localhost:9121.evil.com", False),
        ("[::1].evil.com", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_names_of_the_server(host: str, known: bool) -> None:
    access = PageAccess(Engine(Config({"metrics-hosts": "kedis.example.com"})))
    assert access.knows_host(Request("GET", "/", 1, True, {"host": host})) is known


def test_a_foreign_name_is_told_nothing_but_metrics(site: Site) -> None:
    for path in ("/", "/page.js", "/events", "/login"):
        answer = site.get(path, Host="evil.example.com")
        assert answer.status == 421
    assert site.get("/metrics", Host="evil.example.com").status == 200


def test_with_a_password_the_slow_log_is_for_those_who_know_it(locked: Site) -> None:
    assert locked.history()["locked"] == "password"
    right = basic("default", "open sesame")
    for header in ({}, {"Authorization": basic("default", "wrong")}, {"Authorization": "Basic ???"}):
        with contextlib.closing(locked.events(**header)) as events:
            seen = [next(events) for _ in range(3)]
        assert "private" not in [name for name, _ in seen]
        assert "secret:key" not in json.dumps(seen)
    for authorization in (right, basic("", "open sesame")):
        assert locked.history(Authorization=authorization)["locked"] == ""
        calls = locked.fresh("private", Authorization=authorization)["slowlog"]
        assert "SET secret:key 1" in [call["command"] for call in calls]


def test_login_asks_for_the_password_and_leads_back(locked: Site, site: Site) -> None:
    locked.server.client().acl_log_reset()
    asked = locked.get("/login")
    assert asked.status == 401
    assert (asked.getheader("WWW-Authenticate") or "").startswith("Basic ")
    assert locked.get("/login", Authorization=basic("default", "wrong")).status == 401
    locked.history(Authorization=basic("default", "also wrong"))
    assert locked.get("/login", Authorization=basic("nobody", "wrong")).status == 401
    passed = locked.get("/login", Authorization=basic("default", "open sesame"))
    assert (passed.status, passed.getheader("Location")) == (303, "/")
    assert site.get("/login").status == 303  # there is nothing to ask for
    entries = locked.server.client(decode_responses=True).acl_log()
    tried = sorted((entry["reason"], entry["object"], entry["username"], entry["count"]) for entry in entries)
    assert tried == [("auth", "login", "default", 2), ("auth", "login", "nobody", 1)]


@pytest.mark.parametrize(
    ("words", "peer", "may"),
    [
        ([], "127.0.0.1", True),
        ([], "::1", True),
        ([], "::ffff:127.0.0.1", True),
        ([], "10.0.0.1", False),
        ([], "fe80::1%eth0", False),
        (["--protected-mode", "no"], "10.0.0.1", True),
        (["--requirepass", "x"], "127.0.0.1", False),
        (["--rename-command", "SLOWLOG", ""], "127.0.0.1", False),
    ],
)
def test_strangers_see_no_slow_log(words: list[str], peer: str, may: bool) -> None:
    access = PageAccess(Engine(Config.from_command_line(words)))
    assert access.may_see_private(Request("GET", "/events", 1, True, {}, peer)) is may
