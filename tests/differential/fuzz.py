"""Differential fuzzing until stopped: ``python -m tests.differential.fuzz [--seed N] [--minutes M] [--keep-going]``.

Each seed gives one script.  Where Kedis and Redis part, the script is reduced to the fewest commands that still
show it and printed with both answers, and the program ends with 1 (or goes on to the next with --keep-going).
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from tests.differential import grammar
from tests.differential.scripts import Comparison, Divergence, Script, draw_script, minimise
from tests.differential.servers import RedisServer
from tests.oracle import Oracle

_PROGRESS_SECONDS = 10


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: by the clock)")
    parser.add_argument("--minutes", type=float, default=None, help="stop after so long (default: never)")
    parser.add_argument("--keep-going", action="store_true", help="print a divergence and go on")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else int(time.time()) * 1000
    oracle = Oracle()
    redis = RedisServer(oracle.port)
    try:
        return fuzz(redis, seed, options.minutes, options.keep_going)
    except KeyboardInterrupt:
        return 0
    finally:
        redis.close()
        oracle.close()


def fuzz(redis: RedisServer, first_seed: int, minutes: float | None, keep_going: bool) -> int:
    """Seeds from ``first_seed`` on; 1 when a script failed, else 0."""
    names = grammar.known_names()
    begun = told = time.monotonic()
    seed, commands, failures = first_seed, 0, 0
    while minutes is None or time.monotonic() - begun < minutes * 60:
        script = draw_script(Random(seed), names)
        commands += len(script)
        message = problem(script, redis)
        if message is not None:
            failures += 1
            print(f"seed {seed}:\n{reduced(script, redis, message)}\n", flush=True)
            if not keep_going:
                return 1
        seed += 1
        if time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            rate = commands / (told - begun)
            print(
                f"{seed - first_seed} scripts, {commands} commands, {rate:.0f}/s, next seed {seed}",
                flush=True,
            )
    print(f"{seed - first_seed} scripts, {commands} commands, {failures} failures", flush=True)
    return int(failures > 0)


def problem(script: Script, redis: RedisServer) -> str | None:
    """What goes wrong with ``script``, or None."""
    try:
        Comparison(redis).run(script)
    except Divergence as found:
        return str(found)
    except AssertionError as broken:
        return f"{broken!r}"
    return None


def reduced(script: Script, redis: RedisServer, message: str) -> str:
    """The problem of the smallest part of ``script`` that has one; ``message`` where it does not come again."""
    smallest = minimise(script, lambda part: problem(part, redis) is not None)
    return problem(smallest, redis) or f"(not repeatable)\n{message}"


if __name__ == "__main__":
    sys.exit(main())
