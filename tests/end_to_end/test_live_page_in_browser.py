"""The live page in headless Chromium: true numbers, nothing of clients as markup, keyboard, screen reader, phone, dark.

CI installs the browser (``make tools``); elsewhere the tests are skipped where there is none.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

import kedis
from tests import browser as chromium
from tests.browser import Browser, Page
from tests.ports import free_port

pytestmark = pytest.mark.skipif(
    not chromium.PROGRAM and not os.environ.get("CI"), reason="no Chromium: apt-get install chromium"
)

ATTACK = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.running() as running:
        yield running


@pytest.fixture(scope="module")
def address() -> str:
    return f"http://127.0.0.1:{free_port()}/"


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Any]:
    """A client of the server whose page is at ``address``, after a known load."""
    port = int(address.rstrip("/").rpartition(":")[2])
    settings = {"metrics_port": port, "slowlog_log_slower_than": 0, "latency_monitor_threshold": 1}
    with kedis.Server(port=0, **settings) as server:
        client = server.client(decode_responses=True)
        client.client_setname("tester")
        for number in range(1000):
            client.set(f"key:{number}", "x" * 100, ex=1000 if number < 300 else None)
        for number in range(750):
            client.get(f"key:{number + 500}")
        client.lpush("list", "<b>bold</b>", ATTACK)
        client.eval("local t = 0 for i = 1, 300000 do t = t + i end return t", 0)
        client.config_set("slowlog-log-slower-than", -1)
        yield client


@pytest.fixture
def page(browser: Browser, client: Any, address: str) -> Iterator[Page]:
    opened = browser.open(address)
    opened.wait(lambda: rows(opened), "the commands are shown")
    yield opened
    assert not opened.faults()
    opened.close()


def rows(page: Page, place: str = "#command-table") -> list[list[str]]:
    """The cells of a table's body."""
    lines = f"document.querySelectorAll({json.dumps(place + ' tbody tr')})"
    script = f"[...{lines}].map(row => [...row.cells].map(cell => cell.textContent))"
    return list(page.evaluate(script))


def facts(page: Page) -> dict[str, str]:
    """The facts of all panels."""
    script = "[...document.querySelectorAll('dl')].map(l => [...l.children].map(c => c.textContent))"
    return {
        pair[0]: pair[1]
        for items in page.evaluate(script)
        for pair in zip(items[::2], items[1::2], strict=False)
    }


def test_numbers_are_those_of_info(page: Page, client: Any) -> None:
    info = client.info("everything")
    table = {row[0]: row for row in rows(page)}
    for name in ("set", "get", "lpush", "eval"):
        assert table[name][6] == f"{info[f'cmdstat_{name}']['calls']:,}"
    shown = facts(page)
    assert shown["hits since the start"] == f"{info['keyspace_hits']:,}" == "500"
    assert shown["misses since the start"] == f"{info['keyspace_misses']:,}" == "250"
    assert shown["Keys"] == f"{info['db0']['keys']:,}" == "1,001"
    assert shown["db0: keys · expiring · TTL"].startswith("1,001 · 300 · ")
    assert shown["Clients"] == str(info["connected_clients"])
    assert shown["limit (maxmemory)"] == "none"
    page.evaluate("document.querySelector('input[value=all]').click()")
    (p50, p99, p999) = {row[0]: row for row in rows(page)}["get"][2:5]
    told = info["latency_percentiles_usec_get"]
    assert [microseconds(text) for text in (p50, p99, p999)] == pytest.approx(list(told.values()), rel=0.01)


def microseconds(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"µs": 1, "ms": 1e3, "s": 1e6}[unit]


def test_the_page_goes_on_by_itself_and_can_be_paused(page: Page, client: Any) -> None:
    assert page.text("#state") == "live"
    before = client.info("commandstats")["cmdstat_get"]["calls"]
    client.get("key:1")

    def calls() -> str:
        return {row[0]: row for row in rows(page)}["get"][6]

    page.wait(lambda: calls() == f"{before + 1:,}", "the call is shown")
    page.evaluate("document.querySelector('#pause').click()")
    assert page.text("#state") == "paused"
    client.get("key:1")
    time.sleep(2.2)
    assert calls() == f"{before + 1:,}"
    page.evaluate("document.querySelector('#pause').click()")
    page.wait(lambda: calls() == f"{before + 2:,}", "it goes on")


def test_what_clients_send_is_text(page: Page) -> None:
    page.wait(lambda: rows(page, "#slowlog"), "the slow log is shown")
    words = [row[2] for row in rows(page, "#slowlog")]
    assert f"LPUSH list <b>bold</b> {ATTACK}" in words
    assert page.evaluate("document.querySelectorAll('#slowlog :is(img, b, script)').length") == 0
    assert page.evaluate("document.title").startswith("Kedis on port ")
    assert any("tester" in row[3] for row in rows(page, "#slowlog"))


def test_keyboard(page: Page) -> None:
    def focused(what: str = "textContent") -> str:
        return str(page.evaluate(f"document.activeElement.{what}"))

    page.press("Tab")
    assert focused() == "Skip to the commands"
    page.press("Enter")
    assert focused("id") == "commands"
    page.press("Tab")
    assert focused("value") == "recent"
    page.press("Tab")
    page.press("Tab")  # past the frame that scrolls
    assert focused() == "command"
    page.press("Enter")
    names = [row[0] for row in rows(page)]
    assert names == sorted(names)
    page.press("Enter")
    assert [row[0] for row in rows(page)] == names[::-1]
    assert (
        page.evaluate("document.querySelector('#command-table th').getAttribute('aria-sort')") == "descending"
    )

    page.evaluate("document.querySelector('svg.chart').focus()")
    page.press("Home")
    assert " at " in page.text(".legend")
    assert page.text("#spoken").startswith("Operations per second: commands ")
    page.press("Escape")
    assert " at " not in page.text(".legend")


def test_screen_reader(page: Page) -> None:
    nodes = [node for node in page.call("Accessibility.getFullAXTree")["nodes"] if not node.get("ignored")]
    named = {
        "button",
        "link",
        "image",
        "table",
        "region",
        "radio",
        "heading",
        "columnheader",
        "rowheader",
        "main",
    }
    roles: dict[str, list[str]] = {}
    for node in nodes:
        roles.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in named - {"main"}:
        assert roles[role], role
        assert all(roles[role]), role
    assert len(roles["main"]) == 1
    assert [name for name in roles["heading"] if name.startswith("Kedis on port")]
    assert any(name.startswith("Operations per second: commands ") for name in roles["image"])
    assert "status" in roles
    assert page.evaluate("document.documentElement.lang") == "en"


def contrast(page: Page, selector: str, ground: str) -> float:
    """The ratio of contrast of the text of one element on the ground of another."""
    script = f"""[getComputedStyle(document.querySelector({json.dumps(selector)})).color,
        getComputedStyle(document.querySelector({json.dumps(ground)})).backgroundColor]
        .map(c => c.match(/\\d+/g).slice(0, 3).map(Number))"""
    light, dark = sorted(map(luminance, page.evaluate(script)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: list[int]) -> float:
    parts = [value / 255 for value in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_phone_and_dark(page: Page, dark: bool) -> None:
    page.view(360, 740, dark=dark, mobile=True)
    page.wait(lambda: page.evaluate("innerWidth") == 360, "the width is set")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert (
        luminance(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"))
        < 0.1
        or not dark
    )
    for text in (".tile dt", ".tile dd", ".facts dt", "caption", "th button", ".legend"):
        assert contrast(page, text, ".tile") >= 4.5, text
    assert contrast(page, "#subtitle", "body") >= 4.5


def test_the_password_is_asked_for_once(browser: Browser) -> None:
    port = free_port()
    with kedis.Server(port=0, metrics_port=port, requirepass="sesame", slowlog_log_slower_than=0) as server:
        server.client().set("secret", 1)
        page = browser.open(f"http://127.0.0.1:{port}/")
        page.wait(lambda: "password" in page.text("#slowlog"), "the slow log is locked")
        assert "secret" not in page.evaluate("document.body.textContent")
        page.call("Fetch.enable", handleAuthRequests=True, patterns=[{"urlPattern": "*/login"}])
        page.evaluate("document.querySelector('#slowlog a').click()")
        page.wait(lambda: page.answer_challenge("default", "sesame"), "a challenge")
        page.call("Fetch.disable")
        page.wait(lambda: "SET secret 1" in page.text("#slowlog"), "the slow log is shown")
        page.close()


def test_a_page_finds_its_server_again(browser: Browser) -> None:
    port = free_port()
    server = kedis.Server(port=0, metrics_port=port)
    server.start()
    page = browser.open(f"http://127.0.0.1:{port}/")
    page.wait(lambda: page.text("#state") == "live")
    server.stop()
    page.wait(lambda: "lost" in page.text("#state"), "the loss is said")
    with kedis.Server(port=0, metrics_port=port):
        page.wait(lambda: page.text("#state") == "live", "it is back")
    page.close()
