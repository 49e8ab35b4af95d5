"""Runs dashboards and exporters on Redis and on Kedis, and compares what they show: ``make test-dashboards``.

rq-dashboard, flower and celery-prometheus-exporter (PyPI), redis-commander (npm), over jobs of rq and tasks of celery.
What each answers must be alike: the same status, the same words, numbers in the same places. What is not installed is
named, and not run. prometheus-redis-exporter has a test in every run (``tests/observability/test_exporter.py``).
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.applications.on_both import on_both
from tests.ports import free_port

_SECONDS = 120
_NUMBER = re.compile(r"\d[\d.,:+-]*(e[+-]?\d+)?")
#: Words of INFO that name the executable, its compiler, and jemalloc with its figures.
_OF_THE_PROGRAM = {
    *("Allocator", "Atomicvar", "Gcc", "Rss", "allocated", "builtin", "c", "frag"),
    *("jemalloc-", "redis-server", "resident", "usr"),
}
#: Jobs of rq: one that has ended well, one that has failed, one that waits; and tasks of celery that wait.
_FILL = """
import sys
from redis import Redis
from rq import Queue, SimpleWorker
from celery import Celery
port = sys.argv[1]
connection = Redis(port=int(port))
connection.flushall()
queue = Queue("default", connection=connection)
queue.enqueue("math.sqrt", 4, job_id="good")
queue.enqueue("math.sqrt", -1, job_id="bad")
SimpleWorker([queue], connection=connection, name="worker").work(burst=True, logging_level="CRITICAL")
queue.enqueue("math.sqrt", 9, job_id="waiting")
app = Celery(broker=f"redis://127.0.0.1:{port}/0", backend=f"redis://127.0.0.1:{port}/0")
for number in range(3):
    app.send_task("tasks.add", args=[number, 1])
connection.xadd("stream", {"field": "value"})
connection.zadd("scores", {"one": 1})
"""


@dataclass(frozen=True)
class Dashboard:
    """A program: its command for a server's port and its own, and the paths that are asked for.

    ``ready`` is in what it shows once it has asked the server, where it does so in the background.
    """

    name: str
    command: tuple[str, ...]
    paths: tuple[str, ...]
    ready: str = ""

    def words(self, redis_port: int, port: int) -> list[str]:
        return [word.format(redis=redis_port, port=port) for word in self.command]


def dashboards(folder: Path) -> dict[str, Dashboard | None]:
    """Every program by its name; None where it is not installed."""
    programs = folder / "env" / "bin"
    commander = folder / "node_modules" / "redis-commander" / "bin" / "redis-commander.js"
    url = "redis://127.0.0.1:{redis}/0"
    redis = "R:127.0.0.1:{redis}:0"
    known = [
        Dashboard(
            "rq-dashboard",
            (str(programs / "rq-dashboard"), "-b", "127.0.0.1", "-p", "{port}", "-u", url),
            (
                "/0/data/queues.json",
                "/0/data/workers.json",
                *(
                    f"/0/data/jobs/default/{registry}/10/asc/1.json"
                    for registry in ("queued", "failed", "finished")
                ),
                "/0/data/job/bad.json",
            ),
        ),
        Dashboard(
            "flower",
            (str(programs / "celery"), "-b", url, "flower", "--address=127.0.0.1", "--port={port}"),
            ("/api/queues/length", "/api/workers", "/broker", "/metrics"),
        ),
        Dashboard(
            "celery-prometheus-exporter",
            (
                *(str(programs / "celery-prometheus-exporter"), "--broker", url),
                *("--addr", "127.0.0.1:{port}", "--queue-list", "celery"),
            ),
            ("/metrics",),
            ready="celery_queue_length{",
        ),
        Dashboard(
            "redis-commander",
            (
                *(
                    str(shutil.which("node")),
                    str(commander),
                    "--redis-host",
                    "127.0.0.1",
                    "--redis-port",
                    "{redis}",
                ),
                *("--address", "127.0.0.1", "--port", "{port}", "--no-save"),
            ),
            (
                "/apiv2/connection",
                "/apiv2/server/info",
                f"/apiv2/keystree/{redis}/",
                *(
                    f"/apiv2/key/{redis}/{key}"
                    for key in ("celery", "stream", "scores", "rq:job:bad", "rq:queues")
                ),
            ),
        ),
    ]
    there = {one.name: all(Path(word).exists() for word in one.command[:2] if "/" in word) for one in known}
    return {one.name: one if there[one.name] else None for one in known}


@contextlib.contextmanager
def running(words: Sequence[str], log: Path) -> Iterator[None]:
    """The program, as long as it is needed; what it says is in ``log``."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            words,
            stdout=output,
            stderr=output,
            env={"PATH": "/usr/bin:/bin", "FLOWER_UNAUTHENTICATED_API": "true", "HOME": str(log.parent)},
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def fetch(url: str, seconds: float) -> tuple[int, str]:
    """Status and text; 0 and the reason where nobody has answered in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")
        except OSError as error:
            if time.monotonic() > deadline:
                return 0, str(error)
            time.sleep(0.2)


def words_of(text: str) -> list[str]:
    """The words of an answer in alphabetical order, without numbers and what is drawn at random."""
    plain = re.sub(r"\b[0-9a-f]{12,64}\b|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    return sorted(set(re.findall(r"[A-Za-z_][\w.-]*", _NUMBER.sub(" ", plain))) - _OF_THE_PROGRAM)


def shown(dashboard: Dashboard, redis_port: int, folder: Path) -> dict[str, tuple[int, list[str]]]:
    """Status and words of each path, of a server that has just been filled."""
    words = [str(folder / "env" / "bin" / "python"), "-c", _FILL, str(redis_port)]
    subprocess.run(words, check=True, capture_output=True, timeout=_SECONDS)
    port = free_port()
    answers = {}
    with running(dashboard.words(redis_port, port), folder / f"{dashboard.name}.log"):
        for path in dashboard.paths:
            url = f"http://127.0.0.1:{port}{path.format(redis=redis_port)}"
            status, text = fetch(url, _SECONDS)
            deadline = time.monotonic() + _SECONDS
            while dashboard.ready not in text and time.monotonic() < deadline:
                time.sleep(0.2)
                status, text = fetch(url, _SECONDS)
            answers[path] = status, words_of(text)
    return answers


def main(folder: Path) -> int:
    """The exit code: 0 if every program shows the same on both, and one could be run."""

    def differs(name: str, dashboard: Dashboard, redis_port: int, kedis_port: int) -> bool:
        ours, theirs = (shown(dashboard, port, folder) for port in (kedis_port, redis_port))
        same = [path for path in dashboard.paths if ours[path] == theirs[path] and ours[path][0] == 200]
        print(f"{name}: {len(same)} of {len(dashboard.paths)} pages alike", flush=True)
        for path in dashboard.paths:
            if path not in same:
                words = set(ours[path][1]) ^ set(theirs[path][1])
                print(f"  {path}: {ours[path][0]}, on Redis {theirs[path][0]}: {sorted(words)[:20]}")
        return len(same) < len(dashboard.paths)

    return on_both(dashboards(folder), differs)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
