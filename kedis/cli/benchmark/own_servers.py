"""Servers that the benchmark starts itself, each in a temporary folder, for the table of fsync policies.

With two cores or more a server has the first to itself and the load the others, so that they do not compete for
one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from kedis.cli.benchmark.machine import usable_cores
from kedis.cli.benchmark.server_under_test import Target, TargetError

POLICIES = ("always", "everysec", "no")
_START_SECONDS = 20.0


def programs() -> dict[str, list[str]]:
    """The servers that can be started, by name, with the words that start them: Kedis, and Redis where it is."""
    found = {"Kedis": [sys.executable, "-m", "kedis", "--metrics-port", "no"]}
    redis = shutil.which("redis-server")
    if redis:
        found["Redis"] = [redis, "--save", ""]
    return found


@contextlib.contextmanager
def started(program: Sequence[str], policy: str, folder: str = "") -> Iterator[Target]:
    """A server that syncs by ``policy``, ready to be asked; it ends, and its data goes, with the context.

    Args:
        program: from :func:`programs`.
        policy: one of POLICIES.
        folder: where its temporary folder is made; empty for the system's place.

    Raises TargetError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="kedis-benchmark-", dir=folder or None) as data:
        port = free_port()
        words = [*program, "--port", str(port), "--dir", data, "--appendonly", "yes", "--appendfsync", policy]
        with _on_first_core():
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=data,
            )
        try:
            target = Target(port=port)
            wait_until_ready(process, target)
            yield target
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def load_off_the_first_core() -> Iterator[None]:
    """Keep this process off the core that the servers have, where there is another."""
    cores = usable_cores()
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def _on_first_core() -> Iterator[None]:
    """Processes started in this context run on the first usable core."""
    mine = usable_cores()
    try:
        os.sched_setaffinity(0, {min(_all_cores)})
        yield
    finally:
        os.sched_setaffinity(0, mine)


_all_cores = usable_cores()


def free_port() -> int:
    """A free TCP port of the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(process: subprocess.Popen[bytes], target: Target) -> None:
    """Return when the server that ``process`` is answers.  Raises TargetError when it ends or takes 20 seconds."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            target.connect().close()
            return
        except TargetError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise TargetError(
                    f"the server that was started on port {target.port} does not answer"
                ) from None
        time.sleep(0.02)
