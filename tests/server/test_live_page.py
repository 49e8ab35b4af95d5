"""The live page over HTTP: its files and its stream."""

from __future__ import annotations

import contextlib
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kedis
from kedis.server import live_page
from tests.ports import free_port
from tests.server.live_site import Site

PAGE = Path(live_page.__file__).parent / "page"


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(free_port())


@pytest.fixture(scope="module", autouse=True)
def server(site: Site) -> Iterator[kedis.Server]:
    with kedis.Server(port=0, metrics_port=site.port) as running:
        yield running


# -- files ------------------------------------------------------------------------------------------------


def test_every_file_with_its_type_and_the_policy(site: Site) -> None:
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for file in PAGE.iterdir():
        answer = site.get(f"/{file.name}")
        assert answer.status == 200
        assert (answer.getheader("Content-Type") or "").startswith(types[file.suffix])
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        policy = answer.getheader("Content-Security-Policy") or ""
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.getheader("Set-Cookie") is None
    assert site.get("/").status == 200
    assert site.get("/../live_page.py").status == 404
    assert site.get("/page").status == 404


def test_nothing_is_inline_and_nothing_is_foreign() -> None:
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\bstyle=|\son\w+=|javascript:", page)
    assert all(re.search(r'\bsrc="/', tag) for tag in re.findall("<script.*?>", page))
    for file in PAGE.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"https?://|url\(|innerHTML|insertAdjacentHTML|document\.write|\beval\(", text
        ), file


def test_every_colour_is_there_in_the_dark_too() -> None:
    style = (PAGE / "page.css").read_text()
    light, dark = style.split("prefers-color-scheme: dark", 1)
    names = re.findall(r"(--[\w-]+):", light)
    assert set(names) == set(re.findall(r"(--[\w-]+):", dark))
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) <= set(names)


def test_a_wheel_has_the_page(tmp_path: Path) -> None:
    root = PAGE.parent.parent.parent
    if not (root / "setup.py").is_file():
        pytest.skip("a wheel is tested, and there are no sources")
    words = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(words, cwd=root, check=True, capture_output=True)
    built = {path.name for path in (tmp_path / "kedis/server/page").iterdir()}
    assert built == {path.name for path in PAGE.iterdir()}


# -- the stream -------------------------------------------------------------------------------------------


def test_figures_are_those_of_info(server: kedis.Server, site: Site) -> None:
    client = server.client(decode_responses=True)
    client.config_resetstat()
    client.flushall()
    for number in range(200):
        client.set(f"key:{number}", "x" * 100, ex=1000 if number % 2 else None)
        client.get(f"key:{number}")
    client.get("missing")
    figures = site.fresh("figures")
    info = client.info("everything")
    rows = {row["name"]: row for row in figures["commands"]}
    for name in ("set", "get"):
        assert rows[name]["calls"] == info[f"cmdstat_{name}"]["calls"]
        percentiles = info[f"latency_percentiles_usec_{name}"]
        assert [1e6 * each for each in rows[name]["all"]] == pytest.approx(
            [percentiles["p50"], percentiles["p99"], percentiles["p99.9"]]
        )
    assert figures["keys"]["hits"] == info["keyspace_hits"] == 200
    assert figures["keys"]["misses"] == info["keyspace_misses"] == 1
    (database,) = figures["keys"]["databases"]
    assert (
        (database["keys"], database["expiring"])
        == (info["db0"]["keys"], info["db0"]["expires"])
        == (200, 100)
    )
    assert figures["clients"]["connected"] == info["connected_clients"]
    assert figures["clients"]["limit"] == info["maxclients"]
    assert figures["memory"]["limit"] == info["maxmemory"]
    assert figures["server"]["port"] == info["tcp_port"]


def test_the_start_is_no_snapshot() -> None:
    port = free_port()
    with kedis.Server(port=0, metrics_port=port) as server, server.client() as client:
        assert Site(port).fresh("figures")["disk"]["saved_at"] is None
        client.save()
        assert (
            Site(port).fresh("figures")["disk"]["saved_at"]
            == client.info("persistence")["rdb_last_save_time"]
        )


def test_a_stream_goes_on_and_begins_with_the_history(site: Site) -> None:
    with contextlib.closing(site.events()) as events:
        name, history = next(events)
        assert name == "history"
        assert history["locked"] == ""
        times: list[float] = []
        while len(times) < 3:
            name, data = next(events)
            if name == "figures" and data["sample"]:
                times.append(data["sample"]["at_ms"])
        assert times[0] < times[1] < times[2]


def test_the_slow_log_on_a_server_without_a_password(server: kedis.Server, site: Site) -> None:
    client = server.client()
    client.config_set("slowlog-log-slower-than", 0)
    client.set("<script>alert(1)</script>", b"\xff\0")
    client.config_set("slowlog-log-slower-than", -1)
    calls = site.fresh("private")["slowlog"]
    assert "SET <script>alert(1)</script> \\xff\\x00" in [call["command"] for call in calls]


def test_streams_are_limited_and_end_with_their_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_page, "MOST_STREAMS", 2)
    first, second = site.opened(), site.opened()
    assert site.get("/events").status == 503
    first.close()
    site.opened().close()
    second.close()


def test_open_pages_do_not_keep_the_server_from_ending() -> None:
    port = free_port()
    server = kedis.Server(port=0, metrics_port=port)
    server.start()
    events = Site(port).events()
    next(events)
    server.stop()
    assert not [name for name, _ in events if name not in ("figures", "private")]


def test_a_fault_of_the_figures_is_logged_once_and_passes(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = True
    real = live_page.LiveFigures.public

    def public(figures: live_page.LiveFigures) -> dict[str, Any]:
        if broken:
            raise RuntimeError("broken")
        return real(figures)

    monkeypatch.setattr(live_page.LiveFigures, "public", public)
    with caplog.at_level(logging.ERROR), contextlib.closing(site.events()) as events:
        next(events)
        time.sleep(2.5)  # some seconds fail
        broken = False
        assert next(events)[0] == "figures"
    assert len([line for line in caplog.records if "not updated" in line.message]) == 1


def test_a_fault_of_the_history_does_not_end_the_periodic_work(
    server: kedis.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def sample(_history: object) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(live_page.LiveHistory, "sample", sample)
    client = server.client()
    client.flushall()
    with caplog.at_level(logging.ERROR):
        for number in range(100):
            client.set(f"short:{number}", 1, px=1)
        deadline = time.monotonic() + 60
        while client.dbsize():  # the active expiry cycle removes them
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert not [line for line in caplog.records if "periodic work" in line.message]
