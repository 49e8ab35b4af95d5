"""Programs run on real Redis and on Kedis, one after another, for the targets that compare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import kedis
from tests.oracle import Oracle

Program = TypeVar("Program")


def on_both(programs: Mapping[str, Program | None], differs: Callable[[str, Program, int, int], bool]) -> int:
    """Runs each program that is installed.

    Args:
        programs: by name; None where it is not installed.
        differs: is given name, program, Redis's port and Kedis's; says what it has seen, and returns whether Kedis is
            at fault.

    Returns:
        the exit code: 0 if Kedis never is, and one program could be run.
    """
    bad = ran = 0
    redis = Oracle()
    try:
        with kedis.Server(port=0) as server:
            for name, program in programs.items():
                if program is None:
                    print(f"{name}: not installed")
                    continue
                ran += 1
                bad += differs(name, program, redis.port, server.port)
    finally:
        redis.close()
    return 1 if bad or not ran else 0
