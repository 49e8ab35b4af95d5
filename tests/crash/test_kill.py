"""kill -9 under load, and the power cut that may follow: what was acknowledged, and what was read, must be there.

Rounds: 12 of each kind unless ``KEDIS_CRASH_ROUNDS`` says otherwise (200 take some five minutes).
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from kedis.persistence.folder import AofError
from tests.persistence.folders import load, strings
from tests.persistence.server import Kedis

ROUNDS = int(os.environ.get("KEDIS_CRASH_ROUNDS", "12"))
REPOSITORY = str(Path(__file__).parent.parent.parent)
WRITERS = 6


class Load:
    """Clients that count up keys of their own, some in transactions, and readers that look at them."""

    def __init__(self, kedis: Kedis) -> None:
        self.kedis = kedis
        #: Key -> (latest acknowledged value, when); and what a reader saw last.
        self.acknowledged: dict[str, list[tuple[float, int]]] = {f"n{i}": [] for i in range(WRITERS)}
        self.read: dict[str, int] = {}
        self.threads = [threading.Thread(target=self._write, args=(f"n{i}", i % 3)) for i in range(WRITERS)]
        self.threads += [threading.Thread(target=self._read) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def _write(self, key: str, kind: int) -> None:
        try:
            wire = self.kedis.connect()
            acknowledged = self.acknowledged[key]
            while True:
                if kind == 0:
                    value = wire.call("INCR", key)
                elif kind == 1:
                    value = wire.pipeline([("INCR", key)] * 16)[-1]
                else:
                    commands = [("MULTI",), ("INCR", key), ("INCR", key + "twin"), ("EXEC",)]
                    value = wire.pipeline(commands)[-1][0]
                acknowledged.append((time.monotonic(), value))
        except OSError:
            pass

    def _read(self) -> None:
        keys = list(self.acknowledged)
        try:
            wire = self.kedis.connect()
            while True:
                for key, value in zip(keys, wire.call("MGET", *keys), strict=True):
                    if value is not None:
                        self.read[key] = max(int(value), self.read.get(key, 0))
        except OSError:
            pass

    def end(self) -> None:
        for thread in self.threads:
            thread.join()

    def check(self, found: dict[str, int], *, until: float = float("inf"), reads: bool) -> int:
        """Compare with what was recovered; returns how many acknowledgements that covers."""
        covered = 0
        for key, acknowledged in self.acknowledged.items():
            due = [value for moment, value in acknowledged if moment <= until]
            covered += len(due)
            if due:
                assert found.get(key, 0) >= due[-1], key
            if reads:
                assert found.get(key, 0) >= self.read.get(key, 0), f"{key} was read and is lost"
            if key + "twin" in found:
                assert found[key + "twin"] == found[key], "half a transaction"
        return covered


def numbers(directory: Path) -> dict[str, int]:
    """What is in the folder, once the child of a rewrite, which dies with the server, has let go of its lock."""
    deadline = time.monotonic() + 30
    while True:
        try:
            engine, _ = load(directory)
            break
        except AofError as error:
            if not error.is_in_use or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    return {key.decode(): int(value) for key, value in strings(engine).items()}


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_kill_under_load(tmp_path: Path, policy: str) -> None:
    directory = tmp_path / "data"
    rng = random.Random(policy)
    covered = 0
    small = ["--auto-aof-rewrite-min-size", "100kb", "--auto-aof-rewrite-percentage", "50"]
    for round_ in range(ROUNDS):
        kedis = Kedis(directory, "--appendfsync", policy, *(small if round_ % 2 else []))
        work = Load(kedis)
        time.sleep(rng.uniform(0.02, 0.5))
        kedis.kill()
        work.end()
        covered += work.check(numbers(directory), reads=True)
    print(f"{ROUNDS} kills under {policy}: {covered} acknowledgements, none lost")
    assert covered > ROUNDS * 20


def cut_power(directory: Path, notes: Path, rng: random.Random) -> None:
    """Leave of each file what was synced and a torn piece of the rest."""
    synced: dict[int, int] = {}
    for line in notes.read_text().splitlines():
        inode, size = map(int, line.split())
        synced[inode] = max(size, synced.get(inode, 0))
    for path in (directory / "appendonlydir").iterdir():
        state = path.stat()
        durable = min(synced.get(state.st_ino, 0), state.st_size)
        os.truncate(path, rng.randint(durable, state.st_size))


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_power_cut(tmp_path: Path, policy: str) -> None:
    """always: nothing is lost; everysec: two seconds at most."""
    rng = random.Random(7)
    covered = 0
    rounds = max(ROUNDS // 4, 2) if policy == "everysec" else ROUNDS
    for round_ in range(rounds):
        directory = tmp_path / f"data{round_}"
        notes = tmp_path / f"notes{round_}"
        kedis = Kedis(
            directory,
            "--appendfsync",
            policy,
            "--auto-aof-rewrite-min-size",
            rng.choice(["50kb", "64mb"]),
            program=("-m", "tests.crash.recorded_kedis"),
            environment={"KEDIS_SYNC_LOG": str(notes), "PYTHONPATH": REPOSITORY},
        )
        work = Load(kedis)
        time.sleep(rng.uniform(2.5, 3.5) if policy == "everysec" else rng.uniform(0.05, 0.5))
        kedis.kill()
        killed = time.monotonic()
        work.end()
        cut_power(directory, notes, rng)
        until = killed - 2 if policy == "everysec" else killed
        covered += work.check(numbers(directory), until=until, reads=policy == "always")
    print(f"{rounds} power cuts under {policy}: {covered} acknowledgements, none lost")
    assert covered > rounds * 20
