"""Cost of the sorted set's operations by size, in nanoseconds of CPU time per call (loop overhead taken off).

python ops/bench/sorted_set.py --sizes 1000 100000 1000000
"""

from __future__ import annotations

import argparse
import gc
import math
import random
from collections.abc import Callable, Sequence
from time import process_time_ns

from kedis.structures.sorted_set import SortedSet

Case = tuple[str, Callable[..., object], Sequence[tuple[object, ...]]]


def members_of(size: int) -> list[bytes]:
    """`size` distinct members as they look in a leaderboard."""
    return [b"member:%012d" % number for number in range(size)]


def best_ns(call: Callable[..., object], arguments: Sequence[tuple[object, ...]], repeats: int) -> float:
    """Mean time of one call, the best of `repeats` equal parts of the arguments."""
    step = max(1, len(arguments) // repeats)
    return min(
        mean_ns(call, arguments[i : i + step]) for i in range(0, len(arguments) - step + 1, step)
    ) - mean_ns(lambda *_: None, arguments[:step])


def mean_ns(call: Callable[..., object], arguments: Sequence[tuple[object, ...]]) -> float:
    """Mean time of one call over all the arguments."""
    begin = process_time_ns()
    for argument in arguments:
        call(*argument)
    return (process_time_ns() - begin) / len(arguments)


def cases_of(size: int, operations: int, equal: bool, rng: random.Random) -> tuple[SortedSet, list[Case]]:
    """A set of `size` members and the calls to measure on it, in the order in which they must run."""
    members = members_of(size)
    rng.shuffle(members)
    scores = {member: 0.0 if equal else rng.random() for member in members}
    subject = SortedSet.from_scores(scores)
    chosen = [rng.choice(members) for _ in range(operations)]
    some = [(member,) for member in chosen]
    starts = [rng.randrange(size) for _ in range(operations)]
    new = [(b"new:%d" % number, 0.0 if equal else rng.random()) for number in range(min(operations, size))]
    rng.shuffle(new)
    cases: list[Case] = [
        ("rank", subject.rank, some),
        ("range start by rank", subject.slice, [(start, start + 1) for start in starts]),
        ("range of 100 by rank", subject.slice, [(start, start + 100) for start in starts[:2000]]),
    ]
    if equal:
        bounds = [(member, False, None, False) for member in chosen]
        cases.append(("range by lex", subject.rank_range_by_lex, bounds))
    else:
        limits = [(rng.random(), False, math.inf, False) for _ in range(operations)]
        cases.append(("range by score", subject.rank_range_by_score, limits))
        cases.append(("update", subject.add, [(member, rng.random()) for member in chosen]))
    cases.append(("add", subject.add, new))
    cases.append(("remove", subject.remove, [(member,) for member, _ in new]))
    cases.append(("pop_min", subject.pop_min, [() for _ in range(min(operations, size) // 2)]))
    return subject, cases


def main() -> None:
    """Parse the options, measure, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000], metavar="N")
    parser.add_argument("--operations", type=int, default=30_000, metavar="N", help="calls per figure")
    parser.add_argument("--repeats", type=int, default=6, metavar="N", help="take the best of so many parts")
    parser.add_argument("--equal", action="store_true", help="give all members the score 0 (lexicographic)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows: dict[str, list[float]] = {}
    for size in options.sizes:
        _, cases = cases_of(size, options.operations, options.equal, random.Random(options.seed))
        gc.collect()
        gc.freeze()
        for name, call, arguments in cases:
            rows.setdefault(name, []).append(best_ns(call, arguments, options.repeats))
    print(f"{'ns per call':<22}" + "".join(f"{size:>12,}" for size in options.sizes))
    for name, figures in rows.items():
        print(f"{name:<22}" + "".join(f"{figure:>12,.0f}" for figure in figures))


if __name__ == "__main__":
    main()
