"""Everything at once, for long: ``python -m tests.soak.run [--minutes M]``.

A Kedis with an append-only file, snapshots, a limit of memory and a replica serves connections that come and go,
counters, keys that expire and are evicted, transactions and scripts, blocking commands, a stream and its group, and
channels, while its files are written anew and the link to the replica breaks. At the end everything is what the clients
counted; the replica, the append-only file and the snapshot have the same digest; and memory, greenlets, threads and
descriptors are what they were after the first quarter.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.persistence.server import Kedis
from tests.soak import workers as w

_PATIENCE_SECONDS = 120
#: How much bigger the process may be than after the first quarter, once the load has ended.
GROWTH_BYTES = 40 << 20
#: What may be more by chance: a thread of the pool, a descriptor of a file that is closed in the background.
SLACK = {"greenlets": 3, "threads": 2, "descriptors": 3, "cycles": 50}
#: Greenlets that are kept for clients to come, beside those that are always there.
_KEPT_GREENLETS = 64 + 3
#: What the data may take, beside what an empty server does.
_DATA_BYTES = 24 << 20
_FLAGS = ("--enable-debug-command", "yes", "--maxmemory-policy", "volatile-lru")


def soak(folder: Path, seconds: float, tell: Callable[[str], None]) -> None:
    """Run for so long. Raises AssertionError where anything is wrong."""
    counts = folder / "counts"
    master = Kedis(
        folder / "master",
        *(*_FLAGS, "--save", "5 1000", "--auto-aof-rewrite-min-size", "8mb"),
        program=("-m", "tests.soak.counted_kedis"),
        environment={"KEDIS_COUNTS": str(counts)},
    )
    replica = Kedis(
        folder / "replica",
        *("--replicaof", f"127.0.0.1 {master.port}", "--enable-debug-command", "yes"),
        wait=False,
    )
    try:
        _until(lambda: _info(replica, "master_link_status") == "up")
        master.call("CONFIG", "SET", "maxmemory", int(_info(master, "used_memory")) + _DATA_BYTES)
        crew = _crew(master.port)
        begun = time.monotonic()
        for worker in crew:
            worker.start()
        _watch(crew, begun + seconds / 4)
        before = _counted(master, counts)
        _watch(crew, begun + seconds)
        _stop(crew)
        tell(f"{sum(worker.rounds for worker in crew)} rounds in {time.monotonic() - begun:.0f} s")
        _check(crew, master)
        digest = _digests(master, replica)
        _no_growth(before, master, counts, tell)
        tell(f"master and replica: {digest.decode()}")
        assert _info(master, "evicted_keys") != "0", "nothing was evicted"
        assert _info(master, "expired_keys") != "0", "nothing has expired"
        _same_from_disk(master, folder, digest, tell)
    finally:
        for kedis in (replica, master):
            kedis.kill()


def _crew(port: int) -> list[w.Worker]:
    listeners = [w.Listener(port, number) for number in range(2)]
    return [
        *(
            kind(port, number)
            for kind in (w.Counters, w.Volatile, w.Transfers, w.Visitor)
            for number in range(2)
        ),
        *(w.Giver(port, 0), w.Taker(port, 0), w.Taker(port, 1), w.Producer(port, 0), w.Consumer(port, 0)),
        *(w.Consumer(port, 1), w.Keeper(port, 0), *listeners),
        *(w.Speaker(port, listener) for listener in listeners),
    ]


def _watch(crew: Sequence[w.Worker], until: float) -> None:
    while time.monotonic() < until:
        problems = [worker.problem for worker in crew if worker.problem]
        assert not problems, problems
        time.sleep(0.1)


def _stop(crew: Sequence[w.Worker]) -> None:
    """End all; who hears is told by who speaks."""
    for worker in crew:
        if not isinstance(worker, (w.Listener, w.Taker, w.Consumer)):
            worker.stops.set()
    for worker in crew:
        if not isinstance(worker, (w.Taker, w.Consumer)):
            worker.join(_PATIENCE_SECONDS)
    for worker in crew:
        worker.stops.set()
    for worker in crew:
        worker.join(_PATIENCE_SECONDS)
        assert not worker.is_alive(), f"{worker.name} does not end"
    problems = [worker.problem for worker in crew if worker.problem]
    assert not problems, problems


def _check(crew: Sequence[w.Worker], master: Kedis) -> None:
    wire = master.connect(_PATIENCE_SECONDS)
    for worker in crew:
        worker.check(wire)
    given = sum(worker.given for worker in crew if isinstance(worker, w.Giver))
    taken = sum(worker.taken for worker in crew if isinstance(worker, w.Taker))
    assert given == taken + w.ask(wire, "LLEN", "jobs"), "jobs are lost"
    added = sum(worker.added for worker in crew if isinstance(worker, w.Producer))
    done = sum(worker.acknowledged for worker in crew if isinstance(worker, w.Consumer))
    assert added == done == _entries_added(wire), "entries are lost"
    cursor = b"0"
    while True:  # what expires meanwhile would differ by chance
        cursor, keys = w.ask(wire, "SCAN", cursor, "MATCH", "v:*", "COUNT", 5000)
        if keys:
            w.ask(wire, "UNLINK", *keys)
        if cursor == b"0":
            break
    wire.close()


def _entries_added(wire: w.Wire) -> int:
    told = w.ask(wire, "XINFO", "STREAM", "stream")
    return int(told[told.index(b"entries-added") + 1])


def _digests(master: Kedis, replica: Kedis) -> bytes:
    """The digest of both."""
    _until(lambda: _info(replica, "master_link_status") == "up")
    _until(lambda: _info(replica, "slave_repl_offset") == _info(master, "master_repl_offset"))
    digest = master.call("DEBUG", "DIGEST")
    _until(lambda: replica.call("DEBUG", "DIGEST") == digest)
    assert isinstance(digest, bytes)
    return digest


def _no_growth(before: dict[str, int], master: Kedis, counts: Path, tell: Callable[[str], None]) -> None:
    """The counts come back, whenever that is."""
    most = {name: before[name] + slack for name, slack in SLACK.items()}
    most["greenlets"] = max(before["greenlets"], _KEPT_GREENLETS) + SLACK["greenlets"]
    most["resident"] = before["resident"] + GROWTH_BYTES
    after = before

    def is_back() -> bool:
        nonlocal after
        after = _counted(master, counts)
        return all(after[name] <= limit for name, limit in most.items())

    try:
        _until(is_back, 30)
    except AssertionError:
        raise AssertionError(f"grown: {after}, and {before} after the first quarter") from None
    tell(f"after the first quarter {before}, at the end {after}")


def _same_from_disk(master: Kedis, folder: Path, digest: bytes, tell: Callable[[str], None]) -> None:
    """The snapshot and the append-only file make the same data."""
    _until(lambda: _info(master, "rdb_bgsave_in_progress") == "0")
    assert master.call("SAVE") == b"OK"
    assert master.terminate() == 0, master.log()[-2000:]
    for kind, flags in {"append-only file": (), "snapshot": ("--appendonly", "no")}.items():
        again = Kedis(folder / "master", *_FLAGS, "--save", "", *flags)
        try:
            found = again.call("DEBUG", "DIGEST")
        finally:
            again.kill()
        assert found == digest, f"the {kind} makes {found!r}"
        tell(f"{kind}: {found.decode()}")


def _counted(master: Kedis, counts: Path) -> dict[str, int]:
    """What the server counts now."""
    counts.unlink(missing_ok=True)
    master.process.send_signal(signal.SIGUSR2)
    _until(counts.exists)
    found: dict[str, int] = json.loads(counts.read_text())
    return found


def _info(kedis: Kedis, name: str) -> str:
    try:
        return kedis.info().get(name, "")
    except (OSError, AssertionError):  # it loads
        return ""


def _until(condition: Callable[[], bool], seconds: float = _PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.1)


def main() -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.run", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60, help="how long (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        try:
            soak(Path(folder), options.minutes * 60, lambda line: print(line, flush=True))
        except AssertionError as problem:
            print(problem)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
