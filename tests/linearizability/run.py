"""Long histories: ``python -m tests.linearizability.run [--operations N] [--kills N] [--seed N]``.

Twenty clients work on ten pairs of keys, at first without and then with kill -9 and restart under ``appendfsync
always``; each history is checked as a whole.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.linearizability.checker import NotLinearizable, check
from tests.linearizability.clients import Clients
from tests.linearizability.model import UNKNOWN, Operation
from tests.persistence.server import Kedis
from tests.ports import free_port

_PATIENCE_SECONDS = 120


def history(
    directory: Path,
    operations: int,
    kills: int,
    *,
    flags: Sequence[str] = ("--appendfsync", "always"),
    program: Sequence[str] = ("-m", "kedis"),
    clients: int = 20,
    seed: int = 1,
) -> list[Operation]:
    """The history of so many operations, with so many kills spread over them."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    words = ("--port", str(port), *flags)
    kedis = Kedis(directory, *words, program=tuple(program), wait=False)
    kedis.port = port
    kedis.wait_until_ready()
    try:
        work = Clients(port, clients=clients, operations=operations, seed=seed)
        for number in range(kills):
            _wait_for(work, (number + 1) * operations // (kills + 2))
            kedis.kill()
            kedis = Kedis(directory, *words, program=tuple(program), wait=False)
            kedis.port = port
            kedis.wait_until_ready()
        return work.finish()
    finally:
        kedis.kill()


def _wait_for(work: Clients, count: int) -> None:
    """Wait until so many operations are done, or nothing is done any more."""
    done, changed = work.done, time.monotonic()
    while (now := work.done) < count:
        if now != done:
            done, changed = now, time.monotonic()
        if time.monotonic() - changed > _PATIENCE_SECONDS:
            raise AssertionError(f"nothing is done after {done} operations")
        time.sleep(0.005)


def main() -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.linearizability.run", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--operations", type=int, default=100_000, help="of each history (default: %(default)s)"
    )
    parser.add_argument("--kills", type=int, default=50, help="in the second history (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for kills in (0, options.kills):
        with tempfile.TemporaryDirectory(prefix="history-") as folder:
            begun = time.monotonic()
            found = history(Path(folder) / "data", options.operations, kills, seed=options.seed)
            made, begun = time.monotonic() - begun, time.monotonic()
            try:
                count = check(found)
            except NotLinearizable as problem:
                print(problem)
                return 1
            unknown = sum(operation.result is UNKNOWN for operation in found)
            print(
                f"{count} operations, {kills} kills, {unknown} without an answer: linearizable "
                f"({made:.0f} s, checked in {time.monotonic() - begun:.0f} s)",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
