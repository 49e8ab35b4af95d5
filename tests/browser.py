"""A headless Chromium that tests drive by the DevTools protocol, over a pipe: no driver, no port, no package.

Messages are JSON, each ended by a zero byte: the browser reads them from descriptor 3 and writes to descriptor 4.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT = 60
#: Becomes a program whose descriptors 3 and 4 are those that are named.
_ON_3_AND_4 = (
    "import fcntl, os, sys; _, reading, writing, *words = sys.argv; "
    "high = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in (reading, writing)]; "
    "os.dup2(high[0], 3); os.dup2(high[1], 4); [os.close(each) for each in high]; os.execv(words[0], words)"
)


class Browser:
    """A browser with a profile of its own."""

    def __init__(self, process: subprocess.Popen[bytes], reading: int, writing: int) -> None:
        self._process = process
        self._reading, self._writing = reading, writing
        self._buffer = bytearray()
        self._next_id = 0
        self._noticed: list[dict[str, Any]] = []

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """The result of a method.  Raises AssertionError."""
        self._next_id += 1
        message: dict[str, Any] = {"id": self._next_id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._next_id:
            self._noticed.append(answer)
        assert "error" not in answer, f"{method}: {answer}"
        return dict(answer["result"])

    def _receive(self) -> dict[str, Any]:
        while (end := self._buffer.find(b"\0")) < 0:
            data = os.read(self._reading, 1 << 16)
            assert data, f"the browser has ended: {self._process.wait(TIMEOUT)}"
            self._buffer += data
        message = json.loads(self._buffer[:end])
        del self._buffer[: end + 1]
        return dict(message)

    def open(self, url: str = "about:blank") -> Page:
        """A page of its own, at ``url``."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.go(url)
        return page

    def noticed(self, session: str, method: str) -> list[dict[str, Any]]:
        """The parameters of the events of a page so far."""
        return [
            event["params"]
            for event in self._noticed
            if event.get("method") == method and event.get("sessionId") == session
        ]

    def taken(self, session: str, method: str) -> list[dict[str, Any]]:
        """The same, and they are forgotten."""
        found = self.noticed(session, method)
        self._noticed = [event for event in self._noticed if event.get("method") != method]
        return found


class Page:
    """A page of a :class:`Browser`."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def go(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def text(self, selector: str) -> str:
        """The text of the first element that is found; empty where there is none."""
        found = self.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")
        return str(found)

    def wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        """The first value of ``condition`` that is true.  Raises AssertionError."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.05)
        raise AssertionError(f"never: {what or condition}")

    def press(self, key: str) -> None:
        """A key, by its DOM name."""
        codes = {
            "Tab": 9,
            "Enter": 13,
            "Escape": 27,
            "End": 35,
            "Home": 36,
            "ArrowLeft": 37,
            "ArrowRight": 39,
            " ": 32,
        }
        text = {"Enter": "\r", " ": " "}.get(key, "")
        common = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": codes[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def answer_challenge(self, name: str, password: str) -> bool:
        """Let requests go on that ``Fetch.enable`` has held back; whether one asked for a password."""
        asked = False
        self._browser.call("Browser.getVersion")  # reads what has happened meanwhile
        for event in self._browser.taken(self._session, "Fetch.requestPaused"):
            self.call("Fetch.continueRequest", requestId=event["requestId"])
        for event in self._browser.taken(self._session, "Fetch.authRequired"):
            answer = {"response": "ProvideCredentials", "username": name, "password": password}
            self.call("Fetch.continueWithAuth", requestId=event["requestId"], authChallengeResponse=answer)
            asked = True
        return asked

    def faults(self) -> list[str]:
        """Exceptions, and errors that the console shows: those of the Content-Security-Policy, too."""
        thrown = [
            event["exceptionDetails"]["text"]
            + event["exceptionDetails"].get("exception", {}).get("description", "")
            for event in self._browser.noticed(self._session, "Runtime.exceptionThrown")
        ]
        entries = [event["entry"] for event in self._browser.noticed(self._session, "Log.entryAdded")]
        return thrown + [
            f"{entry['text']} {entry.get('url', '')}" for entry in entries if entry["level"] == "error"
        ]

    def view(
        self, width: int, height: int, *, dark: bool = False, mobile: bool = False, scale: float = 1
    ) -> None:
        """Set the size in CSS pixels, and the colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=mobile,
        )
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))


@contextmanager
def running() -> Iterator[Browser]:
    """A browser; it has ended afterwards."""
    assert PROGRAM, "no Chromium: apt-get install chromium"
    to_browser, writing = os.pipe()
    reading, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [
            PROGRAM,
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "--no-sandbox",  # for root, in a container
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-extensions",
            "--no-first-run",
            "--host-resolver-rules=MAP * 127.0.0.1",
        ]
        process = subprocess.Popen(
            [sys.executable, "-c", _ON_3_AND_4, str(to_browser), str(from_browser), *words],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        browser = Browser(process, reading, writing)
        try:
            yield browser
            browser.call("Browser.close")
        finally:
            os.close(writing)
            os.close(reading)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
