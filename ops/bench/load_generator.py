"""Is the load generator what is measured?  kedis-benchmark beside redis-benchmark, on the same real Redis.

Redis is pinned to one core and each of the two, in turn, to the other, with 50 connections and the same requests.

    python ops/bench/load_generator.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

from against_redis import LOAD_CORE, Load, Running, describe_machine, run_load, server

REPEATS = 3
AIM = 0.9


def kedis_benchmark(running: Running, command: str, load: Load) -> float:
    """Requests per second, as kedis-benchmark measures them."""
    words = ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "kedis.cli.benchmark.main"]
    words += ["-p", str(running.port), "-c", "50", "-n", str(load.requests), "-P", str(load.pipeline)]
    words += ["--mix", command, "--size", "32", "--json", "-"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    (row,) = json.loads(done.stdout)["rows"]
    return float(row["throughput"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the requests, and two runs each")
    scale, repeats = (0.2, 2) if parser.parse_args().quick else (1.0, REPEATS)
    print(describe_machine())
    print("\n### The load generators on real Redis, 50 connections, one core each\n")
    print("| load | redis-benchmark, requests/s | kedis-benchmark, requests/s | ratio | aim |")
    print("|---|---|---|---|---|")
    with server("redis", ("--appendonly", "no")) as redis:
        for pipeline, requests in ((1, 150_000), (16, 1_000_000)):
            for command in ("set", "get", "incr"):
                arguments = ["-r", "100000", "-d", "32", "-t", command]
                load = Load(
                    f"{command.upper()}, pipeline {pipeline}", arguments, int(requests * scale), pipeline
                )
                theirs, ours = [], []
                for _ in range(repeats):
                    theirs.append(run_load(redis, load))
                    ours.append(kedis_benchmark(redis, command, load))
                medians = statistics.median(theirs), statistics.median(ours)
                print(
                    f"| {load.title} | {medians[0]:,.0f} | {medians[1]:,.0f} "
                    f"| {medians[1] / medians[0]:.2f} | {AIM} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
