"""What Kedis costs the program or the test suite that it is in: start, first reply, each test, waiting tasks. Markdown.

python ops/bench/in_a_program.py               a minute
python ops/bench/in_a_program.py --json

Times are processor time of a process of its own; each figure is the median of ``--rounds``. What a fixture costs each
test is what `MORE` tests add to a run of pytest that has some already, less what they add without the fixture.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kedis.cli.benchmark.machine import describe

SOME, MORE = 50, 600
#: With bytecode kept as Python keeps it by default: without it each start compiles all modules of Kedis, 100 ms.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

#: What is measured, in milliseconds, and what is asked of it; None: nothing.
PROGRAMS: dict[str, tuple[str, float | None]] = {
    "import kedis": ("import kedis", 60.0),
    "connect() to the first reply, redis-py included": ("import kedis; kedis.connect().ping()", None),
    "the same, redis-py imported before": (
        "import redis, time; began = cpu(); import kedis; kedis.connect().ping()",
        120.0,
    ),
    "aconnect() to the first reply, redis-py imported before": (
        "import redis.asyncio, asyncio; began = cpu(); import kedis\n"
        "async def main():\n    return await (await kedis.aconnect()).ping()\n"
        "asyncio.run(main())",
        120.0,
    ),
    "1,000 tasks that wait in BLPOP, and are all served": (
        "import asyncio, kedis, redis.asyncio\n"
        "async def main():\n"
        "    global began\n"
        "    store = await kedis.aconnect()\n"
        "    await store.ping()\n"
        "    began = cpu()\n"
        "    tasks = [asyncio.create_task(store.blpop(f'list:{n}')) for n in range(1000)]\n"
        "    await asyncio.sleep(0.1)\n"
        "    for n in range(1000):\n"
        "        await store.rpush(f'list:{n}', n)\n"
        "    assert len(await asyncio.gather(*tasks)) == 1000\n"
        "asyncio.run(main())",
        None,
    ),
}
FIXTURES: dict[str, tuple[str, str, float]] = {
    "an empty store, each test": ("kedis_store", "assert kedis_store.dbsize() == 0", 1.0),
    "an empty server, each test": ("kedis_server", "assert kedis_server.port", 5.0),
    "an empty server with a client and its first command": (
        "kedis_client",
        "assert kedis_client.dbsize() == 0",
        5.0,
    ),
}


def run_program(source: str) -> float:
    """Milliseconds of processor time from ``began`` on, which is the start of the interpreter's work on ``source``."""
    text = f"import time; cpu = time.process_time; began = cpu()\n{source}\nprint((cpu() - began) * 1000)"
    done = subprocess.run(
        [sys.executable, "-c", text], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def run_tests(fixture: str, line: str, count: int, folder: Path) -> float:
    """Milliseconds of processor time of a run of pytest with ``count`` tests; without a fixture where that is empty."""
    module = folder / "test_each.py"
    module.write_text(
        f"import pytest\n@pytest.mark.parametrize('number', range({count}))\n"
        f"def test_each(number{', ' + fixture if fixture else ''}):\n    {line or 'pass'}\n"
    )
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(module)],
        cwd=folder,
        env=ENVIRONMENT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = os.times()
    own = after.children_user - before.children_user, after.children_system - before.children_system
    return sum(own) * 1000


def cost_of_each(fixture: str, line: str, folder: Path) -> float:
    """Milliseconds that the fixture adds to each test."""
    with_it, without = (
        run_tests(*asked, SOME + MORE, folder) - run_tests(*asked, SOME, folder)
        for asked in ((fixture, line), ("", ""))
    )
    return (with_it - without) / MORE


def measure(rounds: int) -> Iterator[tuple[str, float, float | None]]:
    """Yields the title of each figure, its median in milliseconds, and what is asked."""
    for title, (source, asked) in PROGRAMS.items():
        run_program(source)
        yield title, statistics.median(run_program(source) for _ in range(rounds)), asked
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, (fixture, line, asked) in FIXTURES.items():
            costs = [cost_of_each(fixture, line, folder) for _ in range(rounds)]
            yield title, statistics.median(costs), asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is taken")
    parser.add_argument("--json", action="store_true", help="the figures alone")
    arguments = parser.parse_args()
    found = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps({title: round(ms, 2) for title, ms, _ in found}, indent=1))
        return
    print("; ".join(f"{name} {value}" for name, value in describe().items()))
    print("\n| in a program | ms of processor time | asked |\n|---|---|---|")
    for title, ms, asked in found:
        print(f"| {title} | {ms:.1f} | {'' if asked is None else f'≤ {asked:g}'} |", flush=True)


if __name__ == "__main__":
    main()
