"""No process outlives the suite: one that a test started and left behind fails the run, by the name of its test.

A marker in the environment is inherited by all that the tests start, through xdist's workers and whatever is started
by what they start.  When all is over, a process that still carries it is reported, and ended.  A test that fails in the
middle cannot end what it has started; that is ended for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

_MARKER = "TEST_RUN_MARK"
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Leftover:
    """A process, its command line, and the test and phase (setup, call, teardown) that started it."""

    process_id: int
    command: str
    test: str


def pytest_configure(config: pytest.Config) -> None:
    """Mark what is started from now on; in a worker of xdist the run has its mark already."""
    if not hasattr(config, "workerinput"):
        os.environ[_MARKER] = uuid.uuid4().hex


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test has failed."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or (report.failed and call.when == "call")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """End what a failed test has started itself; what its fixtures have started is theirs."""
    result = yield
    if item.stash.get(_FAILED, False):
        for each in leftovers(os.environ[_MARKER]):
            if each.test == f"{item.nodeid} (call)":
                _end(each)
    return result


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look for leftovers, once xdist's workers have ended; processes that are about to end have time to."""
    if hasattr(session.config, "workerinput"):
        return
    left = _await_end(os.environ[_MARKER])
    if not left:
        return
    session.exitstatus = pytest.ExitCode.TESTS_FAILED
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for each in left:
        line = f"LEFT BEHIND by {each.test}: process {each.process_id}, {each.command}"
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line, red=True)
        _end(each)


def _end(process: Leftover) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.process_id, signal.SIGKILL)


def _await_end(mark: str) -> list[Leftover]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (left := leftovers(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def leftovers(mark: str) -> list[Leftover]:
    """The processes that were started with ``mark`` in their environment and have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            variables = (folder / "environ").read_bytes().split(b"\0")
            if f"{_MARKER}={mark}".encode() in variables:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                found.append(Leftover(int(folder.name), command.strip(), _test_of(variables)))
    return [each for each in found if each.process_id != os.getpid()]


def _test_of(variables: list[bytes]) -> str:
    """pytest tells its children which test is running."""
    name = b"PYTEST_CURRENT_TEST="
    told = next((each.removeprefix(name) for each in variables if each.startswith(name)), b"no test")
    return told.decode("utf-8", "replace")
