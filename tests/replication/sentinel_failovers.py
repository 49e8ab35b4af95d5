"""Failovers by Redis's Sentinel under load: ``python -m tests.replication.sentinel_failovers [ROUNDS]``.

Three Sentinels watch a master and two replicas, two of Kedis and one of Redis, while an application writes all the
time. In each round the master is killed with SIGKILL, and starts again; then a failover is asked for. What the
application had confirmed by both replicas (WAIT 2) must be on the new master. ``make test-sentinel`` runs it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.replication.sentinels import Watch, Writer, watched

_KINDS = ("kedis", "kedis", "redis")


def main() -> int:
    """The exit code: 0 if nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="sentinel-") as folder, watched(Path(folder), _KINDS) as watch:
        print("| failover | from | to | pause of the application, s | writes confirmed | lost |")
        print("|---|---|---|---|---|---|")
        lost = sum(_fail_over(watch, kill) for _ in range(rounds) for kill in (True, False))
    return 1 if lost else 0


def _fail_over(watch: Watch, kill: bool) -> int:
    """One failover, and a line about it; how many confirmed writes are lost."""
    former = watch.master
    former.call("DEL", "written")
    with Writer(watch, 2) as writer:
        writer.goes_on(200)
        if kill:
            former.kill()
        else:
            watch.fail_over()
        master = watch.another_master(former)
        if kill:
            former.start()
        watch.settle()
        writer.goes_on(200)
    lost = len(writer.lost(master))
    print(
        f"| {'kill -9' if kill else 'asked for'} | {former.kind} | {master.kind} "
        f"| {writer.longest_pause_seconds:.2f} | {len(writer.confirmed)} | {lost} |",
        flush=True,
    )
    return lost


if __name__ == "__main__":
    sys.exit(main())
