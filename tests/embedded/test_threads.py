"""Real threads and latches, in programs that are patched and in those that are not."""

from __future__ import annotations

import threading
import time

import pytest

from kedis.process.threads import Latch, is_alone, start_thread
from tests.embedded.programs import PATIENCE_SECONDS, run_program


def test_a_latch_wakes_all_who_wait_and_whoever_comes_later() -> None:
    latch = Latch()
    woken: list[bool] = []
    threads = [
        threading.Thread(target=lambda: woken.append(latch.wait(PATIENCE_SECONDS)), daemon=True)
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    latch.set()
    latch.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert woken == [True, True, True] and latch.wait() and latch.wait(0)


def test_a_latch_that_nobody_sets() -> None:
    latch = Latch()
    began = time.monotonic()
    assert not latch.wait(0.1) and not latch.wait(0) and not latch.wait(-1)
    assert time.monotonic() - began >= 0.1
    assert latch._wakers == []


def test_an_error_in_a_thread_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    start_thread(lambda: 1 / 0, "kedis-test").join()
    assert seen == [ZeroDivisionError]


def test_threads_of_kedis_are_none_of_the_program() -> None:
    begun, end = Latch(), Latch()

    def live() -> None:
        begun.set()
        end.wait(PATIENCE_SECONDS)

    alone_before = is_alone()
    thread = start_thread(live, "kedis-test")
    begun.wait()
    assert is_alone() == alone_before
    other = threading.Thread(target=end.wait, daemon=True)
    other.start()
    assert not is_alone()
    end.set()
    thread.join()


PATCHED = """
    import _thread
    real_ident = _thread.get_ident
    from gevent import monkey
    monkey.patch_all()
    import gevent, time
    from kedis.process.threads import Latch, start_thread
    here = real_ident()
    idents, latches = [], [Latch() for _ in range(100)]
    def live():
        idents.append(real_ident())
        for latch in latches:
            latch.set()
    turns = []
    def turn():
        while True:
            turns.append(1)
            gevent.sleep(0)
    gevent.spawn(turn)
    waits = [gevent.spawn(latch.wait) for latch in latches]
    gevent.sleep(0)
    thread = start_thread(live, "kedis-test")
    thread.join()
    gevent.joinall(waits)
    print(all(wait.value for wait in waits), idents[0] != here)
    before = len(turns)
    print(Latch().wait(0.1), len(turns) > before)
    with gevent.Timeout(0.1, False):
        Latch().wait()
    print("a limit of the program's own")
"""


def test_under_the_monkey_patch() -> None:
    assert run_program(PATCHED) == ["True True", "False True", "a limit of the program's own"]
