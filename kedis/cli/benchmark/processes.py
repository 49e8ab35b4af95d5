"""One run, from this process or from several.

Each process has its share of the connections, operations and rate, and its own order of keys.  They are forked when
the data is filled, connect and prepare their requests, report that they are ready, and start together when told.
Measurements come back through pipes; the counters of the progress line lie in memory that all share.
"""

from __future__ import annotations

import mmap
import multiprocessing
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any

from kedis.cli.benchmark.driver import Driver, Progress
from kedis.cli.benchmark.measurement import Measurement
from kedis.cli.benchmark.server_under_test import Target, TargetError, facts_of
from kedis.cli.benchmark.workload import Workload, filling, prepare

_COUNTER = struct.Struct("q")


@dataclass(frozen=True)
class Run:
    """What one run is to do; see ``Driver.run`` for the limits."""

    target: Target
    workload: Workload
    connections: int
    operations: int = 100_000
    seconds: float = 0.0
    rate: float = 0.0
    warm_up: float = 0.0
    processes: int = 1


def execute(run: Run, progress: Progress | None = None) -> Measurement:
    """Fill, connect, warm up, measure.

    Raises TargetError when the run could not begin; what ends it later is the measurement's ``failure``.
    """
    with run.target.conversation() as conversation:
        conversation.ask_all(filling(run.workload, run.operations))
    if run.processes > 1 and run.connections > 1:
        return _with_cpu(run, lambda begin: _several(run, begin, progress))
    return _with_cpu(run, lambda begin: _single(run, 0, begin, progress))


def _with_cpu(run: Run, measure: Any) -> Measurement:
    """Add the CPU time that the server has used from the moment ``measure`` calls back to its end."""
    before: list[float | None] = []
    measurement: Measurement = measure(lambda: before.append(facts_of(run.target).cpu_seconds))
    if measurement.failure or before[0] is None:
        return measurement
    after = facts_of(run.target).cpu_seconds
    if after is not None:
        measurement.server_cpu_seconds = after - before[0]
    return measurement


def _single(run: Run, stream: int, begin: Any, progress: Progress | None) -> Measurement:
    """Connect, prepare and warm up; call ``begin``; measure."""
    batches = prepare(run.workload, run.operations, stream)
    links = []
    try:
        links = [run.target.connect() for _ in range(run.connections)]
        driver = Driver(links, batches, run.target.timeout, progress)
        try:
            if run.warm_up:
                warm = driver.run(seconds=run.warm_up, rate=run.rate)
                if warm.failure:
                    warm.failure += " (while warming up)"
                    begin()
                    return Measurement(failure=warm.failure)
            begin()
            return driver.run(run.operations, run.seconds, run.rate)
        finally:
            driver.close()
    finally:
        for link in links:
            link.close()


def shares(whole: int, parts: int) -> list[int]:
    """``whole`` in ``parts`` that differ by at most one."""
    return [whole // parts + (part < whole % parts) for part in range(parts)]


def _several(run: Run, begin: Any, progress: Progress | None) -> Measurement:
    # No process without an operation: 0 operations would mean no limit.
    parts = min(run.processes, run.connections, run.operations or run.processes)
    counters = mmap.mmap(-1, _COUNTER.size * parts)
    context = multiprocessing.get_context("fork")
    pipes: list[Connection] = []
    children = []
    connections, operations = shares(run.connections, parts), shares(run.operations, parts)
    for part in range(parts):
        share = replace(
            run, connections=connections[part], operations=operations[part], rate=run.rate / parts
        )
        ours, theirs = context.Pipe()
        child = context.Process(target=_child, args=(share, part, theirs, counters), daemon=True)
        child.start()
        theirs.close()
        pipes.append(ours)
        children.append(child)
    try:
        for pipe in pipes:
            _expect(pipe, "ready")
        begin()
        for pipe in pipes:
            pipe.send("go")
        return _collect(pipes, counters, progress)
    finally:
        for child in children:
            child.terminate()
            child.join()


def _expect(pipe: Connection, word: str) -> None:
    try:
        message = pipe.recv()
    except EOFError:
        raise TargetError("a process of the load generator has died") from None
    if message != word:
        raise TargetError(str(message))


def _collect(pipes: Sequence[Connection], counters: mmap.mmap, progress: Progress | None) -> Measurement:
    whole = Measurement()
    waiting = list(pipes)
    ticks = 0
    while waiting:
        for pipe in wait(waiting, timeout=0.1):
            assert isinstance(pipe, Connection)
            waiting.remove(pipe)
            try:
                whole.absorb(pipe.recv())
            except EOFError:
                whole.failure = whole.failure or "a process of the load generator has died"
        ticks += 1
        if progress is not None:
            done = sum(count for (count,) in _COUNTER.iter_unpack(counters[:]))
            progress(done, ticks * 100_000_000)
    return whole


def _child(run: Run, part: int, pipe: Connection, counters: mmap.mmap) -> None:
    """In a process of its own: get ready, wait for the word, measure, send the measurement back."""

    def begin() -> None:
        pipe.send("ready")
        pipe.recv()

    def progress(done: int, _: int) -> None:
        _COUNTER.pack_into(counters, part * _COUNTER.size, done)

    try:
        pipe.send(_single(run, part, begin, progress))
    except TargetError as error:
        pipe.send(str(error))
    except (EOFError, KeyboardInterrupt):
        return
