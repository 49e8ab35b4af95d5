"""Kedis as a router, as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Sequence
from typing import Any

import redis
from prometheus_client.parser import text_string_to_metric_families
from redis.backoff import NoBackoff
from redis.retry import Retry

from kedis.resp.replies import encode_command
from tests.commands.driver import to_bytes
from tests.ports import free_port
from tests.replication.masters import Raw
from tests.wire.kedis_process import PING, KedisProcess


class Wire(Raw):
    """A connection whose errors are text, for requests that are sent together."""

    def send_all(self, *commands: Sequence[Any]) -> None:
        self._socket.sendall(
            b"".join(encode_command([to_bytes(word) for word in words]) for words in commands)
        )

    def pipeline(self, commands: Iterable[Sequence[Any]]) -> list[Any]:
        """The replies to commands that are sent in one piece, which must not be large."""
        sent = list(commands)
        self.send_all(*sent)
        return [self.receive() for _ in sent]

    def settimeout(self, seconds: float) -> None:
        self._socket.settimeout(seconds)


def complaint(upstream: str, *flags: str) -> str:
    """What a router says of an upstream that it cannot use, when it begins to wait for it; it is stopped then."""
    words = [sys.executable, "-m", "kedis", "--port", str(free_port()), "--metrics-port", "no"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*words, "--upstream", upstream, *flags],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            said = next((line for line in process.stdout if "waiting for the upstream" in line), "")
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, rest
    assert "Traceback" not in rest and "cannot reach" not in rest, rest
    return said


class Door(KedisProcess):
    """``python -m kedis --upstream URL`` with metrics.  End it with :meth:`close`."""

    def __init__(self, upstream: str, *flags: str, metrics: bool = True, path: str = "native") -> None:
        self.metrics_port = free_port()
        words = ["--upstream", upstream]
        if metrics:
            words += ["--metrics-port", str(self.metrics_port)]
        prefix = ["env", "KEDIS_PURE=1"] if path == "python" else []
        super().__init__(*words, *flags, prefix=prefix, untouched=True)

    def ping(self, timeout: float = 60) -> float:
        """As that of any server, of which one that asks for a password is up, too."""
        with self.connect(timeout) as client:
            client.sendall(PING)
            if client.recv(100).startswith(b"-NOAUTH"):
                return 0.0
        return super().ping(timeout)

    @property
    def port(self) -> int:
        return self.address[1]

    def client(self, **options: Any) -> redis.Redis:
        """A redis-py client that knows nothing of clusters and tries nothing again; replies are text."""
        once = Retry(NoBackoff(), 0)
        given = {"decode_responses": True, "retry": once, "socket_timeout": 60, **options}
        return redis.Redis(port=self.port, **given)

    def wire(self) -> Wire:
        """A connection whose errors are text."""
        return Wire(self.port)

    def call(self, *words: Any) -> Any:
        """The reply to one command, on a connection of its own."""
        connection = self.wire()
        try:
            return connection.call(*words)
        finally:
            connection.close()

    def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Samples of all metrics by name: labels and value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=60) as reply:
            text = reply.read().decode()
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        return found

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels, among others."""
        samples = self.metrics().get(name, [])
        return sum(value for found, value in samples if labels.items() <= found.items())
