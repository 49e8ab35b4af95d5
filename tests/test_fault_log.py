"""Internal errors in the log: once a minute for each place, and nothing forgotten."""

from __future__ import annotations

import logging

import pytest

from kedis.errors.fault_log import FaultLog


def test_once_a_minute_for_each_place(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    faults = FaultLog(logging.getLogger("kedis.test"), clock=lambda: now)
    for _ in range(1000):
        faults.report("here", KeyError("x"))
        faults.report("there", MemoryError())
        faults.announce("something is done about it")
    assert [record.getMessage() for record in caplog.records] == [
        "internal error in here",
        "not enough memory for there",
        "something is done about it",
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, False]
    caplog.clear()
    now += 60
    assert faults.report("here", KeyError("x"))
    assert caplog.records[0].getMessage() == "internal error in here (999 more since it was last logged)"
