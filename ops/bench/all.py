"""``make bench``: every comparison in turn, written to ops/bench/results/ with machine, versions and commit.

    python ops/bench/all.py             everything, in less than an hour, of which forty minutes are the churn's
    python ops/bench/all.py --quick     a look at whether it works; the figures are rough
    python ops/bench/all.py --only curve fsync

Each part is a program of its own and prints Markdown; this one runs them, one after the other so that none disturbs
another, and puts what they print under one head.  A part that fails or does not end in its time is named in the
report, and the exit code is 1; the others are kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from against_redis import LOAD_CORE, SERVER_CORE, Running, all_servers, server

from kedis.cli.benchmark.machine import describe

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIMIT_SECONDS = 60 * 60
#: Kedis has no lock: at 50 connections it keeps so much of its best.
AIM_AT_50 = 0.9
NOTHING_ON_DISK = ("--appendonly", "no")


class Failed(Exception):
    """A part ended badly; the text is one line for people."""


@dataclass
class Bench:
    """What the parts share: where results go, how large they are, and when all has to be over."""

    results: Path
    quick: bool
    deadline: float

    def program(self, *words: str) -> str:
        """Run a program to its end, showing what it prints; returns that.  Raises Failed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Failed("not begun: the time was up")
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        printed = []
        with _ending(process, left):
            for line in process.stdout:
                print(line, end="", flush=True)
                printed.append(line)
        if process.returncode:
            reason = (
                "cut off, the time was up" if process.returncode < 0 else f"exit code {process.returncode}"
            )
            raise Failed(f"{Path(words[1]).name if len(words) > 1 else words[0]}: {reason}")
        return "".join(printed)

    def script(self, name: str, *words: str) -> str:
        """One of the programs of this folder."""
        return self.program(sys.executable, str(HERE / name), *words, *["--quick"] * self.quick)

    def benchmark(self, *words: str) -> str:
        """kedis-benchmark, on the load's core."""
        program = ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "kedis.cli.benchmark.main", "--markdown"]
        return self.program(*program, *words)


@contextlib.contextmanager
def _ending(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """Wait for the process, which is stopped when its time is up or something goes wrong here."""
    timer = threading.Timer(seconds, process.terminate)
    timer.start()
    try:
        yield
        process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            process.terminate()
            process.wait()


def seed_table(bench: Bench) -> str:
    file = bench.results / "seed-table.json"
    with server("kedis", NOTHING_ON_DISK) as kedis:
        words = ["--seed-table", *where(kedis), "--json", str(file), "--plot", str(file.with_suffix(".svg"))]
        text = bench.benchmark(*words, *(["-n", "10000"] if bench.quick else ["--repeats", "3"]))
    rates = {row["connections"]: row["throughput"] for row in json.loads(file.read_text())["rows"]}
    share = rates[50] / max(rates.values())
    return (
        f"`kedis-benchmark --seed-table`, beside what Kedis-Python published.\n\n{text}\n"
        f"At 50 connections Kedis keeps {share:.2f} of its best (aim: at least {AIM_AT_50}).\n\n"
        f"![throughput and p99 against connections](seed-table.svg)\n"
    )


def curve(bench: Bench) -> str:
    texts = []
    curves = [
        ("kedis", "curve", ["-c", "1,2,5,10,20,50,100,200,500"]),
        ("kedis", "curve-pipeline", ["-c", "1,10,50", "-P", "16"]),
        ("python", "curve-python", ["-c", "1,10,50"]),
        ("python", "curve-python-pipeline", ["-c", "1,10,50", "-P", "16"]),
    ]
    with all_servers(*NOTHING_ON_DISK) as servers:
        running = {each.name: each for each in servers}
        size = ["-n", "5000"] if bench.quick else ["-n", "20000", "--repeats", "3"]
        for build, name, words in curves:
            if build not in running:
                continue
            files = [
                "--json",
                str(bench.results / f"{name}.json"),
                "--plot",
                str(bench.results / f"{name}.svg"),
            ]
            text = bench.benchmark(
                *where(running[build]),
                "--against",
                f"127.0.0.1:{running['redis'].port}",
                *size,
                *words,
                *files,
            )
            texts.append(f"{text}\n![throughput and p99 against connections]({name}.svg)\n")
    return "`kedis-benchmark --against` real Redis, run by run in turn.\n\n" + "\n".join(texts)


def fsync(bench: Bench) -> str:
    words = ["--fsync-table", "--json", str(bench.results / "fsync-table.json"), "--markdown"]
    program = [sys.executable, "-m", "kedis.cli.benchmark.main"]
    text = bench.program(*program, *words, "--duration", "0.3" if bench.quick else "2")
    return f"`kedis-benchmark --fsync-table`.\n\n{text}"


def commands(bench: Bench) -> str:
    """The native path and the Python path; without the conditions and the harder load, which take as long again."""
    parts = ("unpipelined", "pipelined", "always", "publish")
    both = bench.script("native_path.py", "--python", "--repeats", "3", "--only", *parts)
    return both + bench.script("against_redis.py", "--only", "memory")


def memory(bench: Bench) -> str:
    """A fifth of it, always: the whole takes as long as everything else together, and its ratios are the same."""
    words = [sys.executable, str(HERE / "memory.py"), "--quick"]
    return f"`ops/bench/memory.py --quick`.\n\n{bench.program(*words)}"


def churn(bench: Bench) -> str:
    """Twenty minutes of each server; a minute in a rough run."""
    return bench.program(sys.executable, str(HERE / "churn.py"), "--seconds", "60" if bench.quick else "1200")


def stalls(bench: Bench) -> str:
    """With less data even in a full run: the whole takes ten minutes."""
    return bench.program(sys.executable, str(HERE / "stalls.py"), "--quick")


def streams(bench: Bench) -> str:
    """A fifth of both, always: their ratios are the same."""
    parts = [
        f"`ops/bench/{name} --quick`.\n\n{bench.program(sys.executable, str(HERE / name), '--quick')}"
        for name in ("streams.py", "stream_readers.py")
    ]
    return "\n".join(parts)


def where(running: Running) -> list[str]:
    return ["-p", str(running.port)]


PARTS: dict[str, tuple[str, Callable[[Bench], str]]] = {
    "seed": ("Kedis by connections", seed_table),
    "curve": ("Kedis and Redis by connections", curve),
    "fsync": ("What syncing costs", fsync),
    "generator": ("The load generator", lambda bench: bench.script("load_generator.py")),
    "commands": ("Commands on both paths, memory of a key", commands),
    "aof": ("The append-only file", lambda bench: bench.script("aof.py")),
    "clients": ("Many clients", lambda bench: bench.script("many_clients.py")),
    "memory": ("Memory and eviction", memory),
    "streams": ("Streams, and readers that wait for them", streams),
    "stalls": ("Waiting for one large command", stalls),
    "upkeep": ("Waiting for the server's housework", lambda bench: bench.script("upkeep.py")),
    "replication": ("Replicas", lambda bench: bench.script("replication.py")),
    "router": ("The router beside a direct client", lambda bench: bench.script("router.py")),
    "churn": ("Resident memory under churn", churn),
}


def commit() -> str:
    """The commit that is measured, and whether the files are as it has them."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "kedis")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + (" and changes not committed" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def redis_version() -> str:
    """The Redis that is compared with."""
    if shutil.which("redis-server") is None:
        return "no Redis"
    text = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return f"Redis {text.split('v=')[1].split()[0]}"


def head(bench: Bench, parts: Sequence[str]) -> str:
    """Title and the facts without which the figures say nothing."""
    facts = describe()
    rows = {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        + (", quickly: the figures are rough" if bench.quick else ""),
        "by": "`make bench`" + ("" if set(parts) == set(PARTS) else f", parts {', '.join(parts)}"),
        "commit": commit(),
        "processor": f"{facts['cpu']}, {facts['cores']} cores; server on {SERVER_CORE}, load on {LOAD_CORE}",
        "load before the start": f"{os.getloadavg()[0]:.2f}",
        "kernel": facts["kernel"],
        "versions": f"Kedis {facts['kedis']}, {facts['python']}, {redis_version()}",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "# Benchmarks\n\n|  |  |\n|---|---|\n" + "\n".join(lines) + "\n"


def main() -> int:
    """Run the parts and write the report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small runs, to see that all works")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder to write to")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    bench = Bench(options.results.resolve(), options.quick, began + LIMIT_SECONDS)
    chosen = options.only or list(PARTS)
    sections = [head(bench, chosen)]
    failures = []
    for name in chosen:
        title, measure = PARTS[name]
        print(f"\n## {title}\n", flush=True)
        since = time.monotonic()
        try:
            text = measure(bench)
        except (Failed, OSError, subprocess.SubprocessError, SystemExit) as error:
            failures.append(f"{name}: {error}")
            text = f"Not measured. {error}"
        sections.append(f"## {title}\n\n{text.strip()}\n\nTook {time.monotonic() - since:.0f} s.\n")
        # After every part, so that what is cut off leaves the finished parts.
        (bench.results / "latest.md").write_text("\n".join(sections))
    print(f"\n{bench.results / 'latest.md'}, after {time.monotonic() - began:.0f} s", flush=True)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
