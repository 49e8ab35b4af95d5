"""A server under a mixed load, watched by a real Prometheus: for tests of the dashboards, and to draw them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import redis
import yaml

import kedis

ROOT = Path(__file__).parent.parent.parent


class ServerProcess:
    """A server in a process of its own, as a context manager: nothing but Kedis is in its figures.

    Args:
        settings: as those of :class:`kedis.Server`.
    """

    def __init__(self, **settings: object) -> None:
        words = [sys.executable, "-m", "kedis", "--port", "0"]
        for name, value in settings.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        self._process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.port = self._port()
        self.url = f"redis://127.0.0.1:{self.port}"

    def _port(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"Ready to accept connections on port (\d+)", line):
                threading.Thread(target=self._process.stdout.read, daemon=True).start()
                return int(found[1])
        raise RuntimeError("the server did not start")

    def client(self) -> redis.Redis:
        """A new client."""
        return redis.Redis(port=self.port)

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait()


class Prometheus:
    """A Prometheus with the shipped configuration, but for addresses and intervals.

    Args:
        folder: for its configuration and data.
        target: address of the metrics.
        port: of its API.
        patient: let alerts wait as long as they shall before they fire; else they fire at once.
        locust: address of Locust's metrics, where there are any.
        replica: address of the metrics of a replica, where there is one.
    """

    def __init__(
        self,
        folder: Path,
        target: str,
        port: int,
        *,
        patient: bool = True,
        locust: str = "",
        replica: str = "",
    ) -> None:
        self.port = port
        config = yaml.safe_load((ROOT / "ops" / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
        for name in config["rule_files"]:
            rules = yaml.safe_load((ROOT / "ops" / "prometheus" / name).read_text())
            for group in rules["groups"]:
                group["interval"] = "500ms"
                for rule in group["rules"]:
                    if not patient:
                        rule.pop("for", None)
            (folder / "rules").mkdir(exist_ok=True)
            (folder / name).write_text(yaml.safe_dump(rules))
        places = {"kedis": [target], "prometheus": [f"127.0.0.1:{port}"]}
        if replica:
            places["kedis"].append(replica)
        if locust:
            places["locust"] = [locust]
        config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in places]
        for job in config["scrape_configs"]:
            job["static_configs"] = [{"targets": places[job["job_name"]]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        words = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        words += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"]
        self.process = subprocess.Popen(["prometheus", *words], stderr=subprocess.DEVNULL)

    def ask(self, path: str, **words: str) -> Any:
        """What its API answers.

        Raises:
            ValueError: with its words, when it does not understand.
            OSError: it is not up, or it is and still loads (status 503).
        """
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            raise ValueError(f"{words}: {error.read().decode()}") from None

    def samples(self, expr: str) -> list[Any]:
        """The series of an expression, now."""
        result: list[Any] = self.ask("query", query=expr)["result"]
        return result

    def courses(self, expr: str, begin: float, end: float, step: float) -> list[Any]:
        """The series of an expression, from ``begin`` to ``end``."""
        words = {"start": str(begin), "end": str(end), "step": str(step)}
        result: list[Any] = self.ask("query_range", query=expr, **words)["result"]
        return result

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def locust_load(url: str, metrics_port: int, users: int) -> Iterator[None]:
    """Locust with the users of all scenarios, on the server at ``url``; its metrics are at ``metrics_port``."""
    words = [sys.executable, "-m", "locust", "--locustfile", "locustfiles/scenario_mixed.py", "--headless"]
    words += ["--users", str(users), "--spawn-rate", str(users / 4), "--host", url, "--only-summary"]
    words += ["--think-ms", "20", "--loglevel", "ERROR"]
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, "LOCUST_METRICS_PORT": str(metrics_port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def mixed_load(server: kedis.Server | ServerProcess, stop: threading.Event) -> None:
    """A bit of everything that moves a number, bad things among it."""
    client = server.client()
    blocked = server.client()
    listening = server.client().pubsub()
    listening.subscribe("news")
    threading.Thread(target=_wait_for_nothing, args=(blocked,), daemon=True).start()
    turn = 0
    while not stop.is_set():
        turn += 1
        with client.pipeline(transaction=turn % 2 == 0) as pipe:
            for number in range(20):
                pipe.set(f"key:{turn}:{number}", "x" * 100, px=50 + number)
                pipe.get(f"key:{turn}:{number}")
            pipe.get("missing")
            pipe.lpush("list", turn)
            pipe.zadd("scores", {str(turn): turn})
            pipe.publish("news", turn)
            pipe.execute()
        client.set(f"kept:{turn}", "y" * 2000)
        for wrong in (("GET", "list"), ("GET",), ("NOSUCH",)):
            with contextlib.suppress(redis.ResponseError):
                client.execute_command(*wrong)
        with contextlib.suppress(redis.WatchError), client.pipeline() as pipe:
            pipe.watch("watched")
            client.incr("watched")
            pipe.multi()
            pipe.get("watched")
            pipe.execute()
        with server.client() as brief:
            brief.ping()
        if turn % 20 == 0:
            with contextlib.suppress(redis.ResponseError):  # the last one is not over
                client.bgrewriteaof()
        time.sleep(0.01)
    blocked.close()
    listening.close()
    client.close()


def _wait_for_nothing(client: redis.Redis) -> None:
    with contextlib.suppress(redis.RedisError, OSError, ValueError):  # its end is that somebody closes it
        while True:
            client.blpop(["nothing"], 1)
