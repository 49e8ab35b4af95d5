"""Time for the programs that a suite starts: a wait of 2 s for a server would make a busy machine look like a fault."""

from __future__ import annotations

import process_tests

_SECONDS = 60
_wait_for_strings = process_tests.wait_for_strings


def _wait(read, seconds, *strings):  # type: ignore[no-untyped-def]
    """Wait for ``strings``, for a minute at least."""
    return _wait_for_strings(read, max(seconds, _SECONDS), *strings)


process_tests.wait_for_strings = _wait
