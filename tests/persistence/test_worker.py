"""The worker: jobs in order, in a thread of its own, with their outcomes brought back to the owner's."""

import contextlib
import errno
import os
import select
import threading
from typing import Any

import pytest

from kedis.persistence.worker import InlineWorker, Worker

_SECONDS = 10.0


def collect(worker: Worker, count: int, outcomes: list[Any]) -> None:
    """Collect until ``count`` outcomes are there."""
    while len(outcomes) < count:
        assert select.select([worker.notice_fd], [], [], _SECONDS)[0], "no notice"
        worker.collect()


def test_jobs_run_in_order_in_another_thread_and_end_in_the_owners() -> None:
    worker = Worker()
    ran: list[tuple[int, int]] = []
    ended: list[tuple[int, int]] = []

    def job(number: int) -> int:
        ran.append((number, threading.get_ident()))
        return number

    for number in range(100):
        worker.submit(
            lambda number=number: job(number),  # type: ignore[misc]
            lambda result, error: ended.append((result, threading.get_ident())),
        )
    assert worker.pending == 100
    collect(worker, 100, ended)
    assert worker.pending == 0
    assert [number for number, _ in ran] == [number for number, _ in ended] == list(range(100))
    assert {thread for _, thread in ended} == {threading.get_ident()}
    assert len({thread for _, thread in ran} - {threading.get_ident()}) == 1
    worker.close()


def test_an_error_of_the_system_is_an_outcome_and_the_next_job_runs() -> None:
    worker = Worker()
    outcomes: list[tuple[Any, OSError | None]] = []

    def fail() -> None:
        raise OSError(errno.EIO, "broken")

    worker.submit(fail, lambda *outcome: outcomes.append(outcome))
    worker.submit(lambda: "whole", lambda *outcome: outcomes.append(outcome))
    collect(worker, 2, outcomes)
    worker.close()
    (nothing, error), whole = outcomes
    assert nothing is None
    assert error is not None and error.errno == errno.EIO
    assert whole == ("whole", None)


def test_any_exception_is_an_outcome_and_the_next_job_runs() -> None:
    worker = Worker()
    outcomes: list[tuple[Any, Exception | None]] = []
    errors = [MemoryError(), ValueError("odd"), RuntimeError()]

    def fail(error: Exception) -> None:
        raise error

    for error in errors:
        worker.submit(lambda error=error: fail(error), lambda *outcome: outcomes.append(outcome))  # type: ignore[misc]
        InlineWorker().submit(lambda error=error: fail(error), lambda *outcome: outcomes.append(outcome))  # type: ignore[misc]
    worker.submit(lambda: "whole", lambda *outcome: outcomes.append(outcome))
    collect(worker, 7, outcomes)
    worker.close()
    assert outcomes == [(None, error) for error in errors * 2] + [("whole", None)]


def test_what_an_owner_raises_keeps_no_other_outcome_back() -> None:
    worker = Worker()
    outcomes: list[Any] = []

    def raising(*_: object) -> None:
        raise MemoryError

    worker.submit(lambda: 1, raising)
    worker.submit(lambda: 2, lambda result, _: outcomes.append(result))
    while not outcomes:
        select.select([worker.notice_fd], [], [], _SECONDS)
        with contextlib.suppress(MemoryError):
            worker.collect()
    assert worker.pending == 0
    worker.close()


def test_the_notice_is_there_only_while_there_is_something_to_collect() -> None:
    worker = Worker()
    outcomes: list[Any] = []
    assert select.select([worker.notice_fd], [], [], 0)[0] == []
    worker.submit(lambda: None, lambda *outcome: outcomes.append(outcome))
    collect(worker, 1, outcomes)
    worker.collect()  # without notice: harmless
    assert select.select([worker.notice_fd], [], [], 0)[0] == []
    worker.close()


def test_closing_finishes_every_job_and_gives_the_descriptors_back() -> None:
    before = set(os.listdir("/dev/fd"))
    worker = Worker()
    gate = threading.Event()
    outcomes: list[Any] = []
    worker.submit(lambda: gate.wait(_SECONDS), lambda *outcome: outcomes.append(outcome))
    worker.submit(lambda: 2, lambda *outcome: outcomes.append(outcome))
    gate.set()
    worker.close()
    assert outcomes == [(True, None), (2, None)]
    assert set(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("error", [None, OSError(errno.ENOSPC, "full")])
def test_the_inline_worker_is_done_at_once(error: OSError | None) -> None:
    outcomes: list[Any] = []

    def job() -> str:
        if error is not None:
            raise error
        return "done"

    InlineWorker().submit(job, lambda *outcome: outcomes.append(outcome))
    assert outcomes == [("done", None) if error is None else (None, error)]
