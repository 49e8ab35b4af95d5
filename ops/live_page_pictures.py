"""The pictures of the live page in ``docs/images``: a server under an ordinary load, watched for five minutes.

    python -m ops.live_page_pictures [SECONDS]

needs Chromium.  Wide and narrow, light and dark; what is seen first, and the narrow one whole.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from ops.dashboards.visitors import visited
from tests.browser import Page, running
from tests.ports import free_port

IMAGES = Path(__file__).parent.parent / "docs" / "images"
#: Name, width, height and whether it is dark; the height is that of the first screen.
PICTURES = (
    ("live-page", 1280, 1130, False),
    ("live-page-dark", 1280, 1130, True),
    ("live-page-phone", 390, 1500, False),
    ("live-page-phone-dark", 390, 1500, True),
)


@contextmanager
def server() -> Iterator[tuple[int, int]]:
    """A server's port, and that of its page."""
    port, page = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "--port",
            port,
            "--metrics-port",
            page,
            "--maxmemory",
            "32mb",
            "--maxmemory-policy",
            "allkeys-lru",
        ]
        words += ["--slowlog-log-slower-than", 4000, "--latency-monitor-threshold", 4, "--dir", folder]
        command = [sys.executable, "-m", "kedis", *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while redis_is_away(port):
                time.sleep(0.1)
            yield port, page
        finally:
            process.terminate()
            process.wait()


def redis_is_away(port: int) -> bool:
    try:
        return not redis.Redis(port=port).ping()
    except redis.ConnectionError:
        return True


def take(page: Page) -> None:
    """All pictures of the page that is open."""
    page.wait(lambda: page.text("#state") == "live")
    for name, width, height, dark in PICTURES:
        page.view(width, height, dark=dark, mobile=width < 500)
        time.sleep(2)
        page.screenshot(IMAGES / f"{name}.png")


def main(seconds: float) -> None:
    with server() as (port, page_port), visited(port):
        time.sleep(seconds)
        with running() as browser:
            take(browser.open(f"http://127.0.0.1:{page_port}/"))


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 310)
