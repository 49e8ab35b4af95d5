"""``kedis-benchmark``: from the words of the command line to the table and the exit code."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from kedis.cli import standard_streams
from kedis.cli.benchmark import plot
from kedis.cli.benchmark.command_line import PROGRAM, Options, parse
from kedis.cli.benchmark.machine import file_system
from kedis.cli.benchmark.own_servers import POLICIES, load_off_the_first_core, programs, started
from kedis.cli.benchmark.progress_line import ProgressLine
from kedis.cli.benchmark.published import BY_CONNECTIONS, BY_POLICY
from kedis.cli.benchmark.report import Report, curves, show, title, to_csv, to_json
from kedis.cli.benchmark.runs import Interrupted, Row, run_all
from kedis.cli.benchmark.server_under_test import Target, TargetError, facts_of
from kedis.cli.terminal_text import one_line
from kedis.process.process_list import hide_arguments

#: Often a file system in memory, where syncing costs nothing.
_IN_MEMORY = ("tmpfs", "ramfs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; returns the exit code: 0 for good, 1 for a failure, 2 for invalid arguments."""
    return standard_streams.run(PROGRAM, partial(_run, arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = parse(arguments)
    others = [options.against.password] if options.against is not None else []
    hide_arguments([options.target.password, *others])
    if options.plot and not plot.available():
        return _complain(plot.MISSING, 2)
    line = ProgressLine(sys.stderr)
    try:
        report = _fsync_table(options, line) if options.fsync_table else _curve(options, line)
    except TargetError as error:
        line.clear()
        return _complain(str(error))
    except KeyboardInterrupt:  # before the first run, or between two servers
        line.clear()
        return _complain("interrupted")
    line.clear()
    if report.rows:
        _publish(report, options)
    if report.error:
        return _complain(report.error)
    return 1 if any(row.wrong for row in report.rows) else 0


def _complain(text: str, code: int = 1) -> int:
    print(f"{PROGRAM}: {one_line(text)}", file=sys.stderr)
    return code


def _curve(options: Options, line: ProgressLine) -> Report:
    """Every number of connections, against one server or two in turn."""
    targets = [options.target, *([options.against] if options.against else [])]
    names = _names(targets)
    rows = [
        Row(name, options.run(target, count))
        for count in options.connections
        for name, target in zip(names, targets, strict=True)
    ]
    measured, error = _measure(rows, options, line)
    published: list[float | None] = []
    if options.seed_table:
        published = [BY_CONNECTIONS.get(row.run.connections) for row in measured]
    return Report(measured, published, error)


def _names(targets: Sequence[Target]) -> list[str]:
    """The names of the servers in the table, with the address where they are equal.  Raises TargetError."""
    facts = [facts_of(target) for target in targets]
    names = [f"{each.name} {each.version}" for each in facts]
    if len(set(names)) < len(names):
        return [f"{name} {target.address}" for name, target in zip(names, targets, strict=True)]
    return names


def _fsync_table(options: Options, line: ProgressLine) -> Report:
    """Every policy, on servers of its own that run at the same time and are measured in turn."""
    measured: list[Row] = []
    error = ""
    for policy in POLICIES:
        with contextlib.ExitStack() as stack:
            targets = [
                stack.enter_context(started(program, policy, options.folder))
                for program in programs().values()
            ]
            stack.enter_context(load_off_the_first_core())
            names = _names(targets)
            rows = [
                Row(name, options.run(target, count), note=policy)
                for count in options.connections
                for name, target in zip(names, targets, strict=True)
            ]
            found, error = _measure(rows, options, line)
        measured += found
        if error:
            break
    published = [
        float(BY_POLICY[row.note])
        if row.run.connections == 1 and row.note in BY_POLICY and row.server.startswith("Kedis")
        else None
        for row in measured
    ]
    return Report(measured, published, error)


def _measure(rows: Sequence[Row], options: Options, line: ProgressLine) -> tuple[list[Row], str]:
    """The rows with figures, and the error that kept others from being measured, if any."""
    try:
        return run_all(rows, options.repeats, line.watch, line.clear), ""
    except Interrupted as interrupted:
        return interrupted.rows, str(interrupted)


def _publish(report: Report, options: Options) -> None:
    """The table, and the files that were asked for."""
    table = sys.stderr if "-" in (options.json, options.csv) else sys.stdout
    show(report, table, plain=options.markdown)
    if options.fsync_table:
        kind = file_system(options.folder or tempfile.gettempdir())
        hint = ": syncing costs nothing there, choose another folder with --dir" * (kind in _IN_MEMORY)
        print(f"\nThe data was on {kind or 'an unknown file system'}{hint}.", file=table)
    for name, text in ((options.json, to_json), (options.csv, to_csv)):
        if name == "-":
            sys.stdout.write(text(report))
        elif name:
            Path(name).write_text(text(report))
    if options.plot:
        plot.draw(curves(report), options.plot, title(report))


if __name__ == "__main__":
    sys.exit(main())
