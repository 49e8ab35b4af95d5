"""How much of their subjects the fuzzers' inputs run: ``python -m tests.fuzz.coverage [TARGET ...] [--write PAGE]``.

Each target runs its seeds, the committed corpus, and what ``make fuzz`` has gathered in ``build/fuzz``; counted are the
lines of the functions of its modules, on the Python path. The table says for how long that was. Where less has been
gathered than for the page's table, so that a share would fall, ``--write`` leaves the row and says what to fuzz;
``--lower`` writes it nevertheless: after a change that really lets the inputs reach less.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

if __name__ == "__main__":
    os.environ["KEDIS_PURE"] = "1"

from kedis.commands import load_all
from tests.fuzz.target import Find, Target
from tests.fuzz.targets import TARGETS
from tests.oracle import Oracle

MARK = "coverage"
COMMITTED = Path(__file__).parent / "corpus"
WORK = Path("build/fuzz")
_MOST_INPUTS = 400
Lines = set[tuple[str, int]]


def modules_of(target: type[Target]) -> Iterator[ModuleType]:
    """The modules that a target names, those of packages included."""
    for name, module in sorted(sys.modules.items()):
        if any(name == each or name.startswith(f"{each}.") for each in target.modules) and module.__file__:
            yield module


def lines_of(module: ModuleType) -> Lines:
    """The lines of all functions of a module."""
    assert module.__file__ is not None
    left: list[CodeType] = [compile(Path(module.__file__).read_text(), module.__file__, "exec")]
    found: Lines = set()
    while left:
        code = left.pop()
        left += [each for each in code.co_consts if isinstance(each, CodeType)]
        if code.co_flags & 0x2:  # it has locals of its own: no module, no class
            found |= {
                (module.__file__, line)
                for _, _, line in code.co_lines()
                if line and line > code.co_firstlineno
            }
    return found


def inputs_of(target: Target) -> list[bytes]:
    """All that is there to run."""
    kept = [
        path
        for folder in (COMMITTED / target.name, WORK / target.name / "corpus")
        for path in sorted(folder.glob("*"))
    ]
    return [*target.seeds(), *(path.read_bytes() for path in kept)][:_MOST_INPUTS]


def lines_run(target: Target, inputs: list[bytes], files: set[str]) -> Lines:
    """The lines of ``files`` that the inputs run."""
    found: Lines = set()

    def note(frame: FrameType, event: str, argument: Any) -> Any:
        found.add((frame.f_code.co_filename, frame.f_lineno))
        return note

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return note if frame.f_code.co_filename in files else None

    for data in inputs:
        sys.settrace(enter)
        try:
            with contextlib.suppress(Find):
                target.run(data)
        finally:
            sys.settrace(None)
    return found


def rows(names: list[str]) -> Iterator[str]:
    """The lines of the table."""
    yield "| target | beside Redis | subject | fuzzed, minutes | inputs | lines run |"
    yield "|---|---|---|---|---|---|"
    started: list[Oracle] = []

    def redis(*settings: str) -> Oracle:
        started.append(Oracle(*settings))
        return started[-1]

    for name in names:
        target = TARGETS[name](redis)
        there = set().union(*(lines_of(module) for module in modules_of(TARGETS[name])))
        inputs = inputs_of(target)
        ran = lines_run(target, inputs, {file for file, _ in there}) & there
        subject = ", ".join(f"`{module}`" for module in target.modules)
        share = f"{100 * len(ran) / len(there):.0f} % of {len(there):,}"
        compares = "yes" if target.compares else "no"
        yield f"| {name} | {compares} | {subject} | {_minutes(name)} | {len(inputs):,} | {share} |"
    for oracle in started:
        oracle.close()


def _minutes(name: str) -> str:
    path = WORK / name / "seconds"
    return f"{float(path.read_text()) / 60:.0f}" if path.exists() else "0"


def shares(table: str) -> dict[str, int]:
    """The percentage of lines by target, of a table or of a page with one."""
    found = re.findall(r"^\| (\w+) \|.*\| (\d+) % of [\d,]+ \|$", table, re.MULTILINE)
    return {name: int(percent) for name, percent in found}


def lowered(page: str, table: str) -> dict[str, str]:
    """The rows of ``page``, by target, whose share ``table`` would lower, or which it leaves out."""
    new = shares(table)
    return {
        name: match[0]
        for name, percent in shares(page).items()
        if new.get(name, 0) < percent and (match := re.search(rf"^\| {name} \|.*\|$", page, re.MULTILINE))
    }


def merged(page: str, table: str) -> str:
    """``table`` with the rows of ``page`` that it would lower, in the order of the targets."""
    head, lines = table.splitlines()[:2], table.splitlines()[2:]
    kept = {line.split()[1]: line for line in lines} | lowered(page, table)
    return "".join(f"{line}\n" for line in [*head, *(kept[name] for name in TARGETS if name in kept)])


def main() -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.coverage", description=__doc__.splitlines()[0]
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all by default")
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="put the table into a page, between its marks"
    )
    parser.add_argument("--lower", action="store_true", help="write though a share falls")
    options = parser.parse_args()
    load_all()
    table = "\n".join(rows(options.targets or list(TARGETS))) + "\n"
    print(table, end="")
    if options.write:
        begin, end = f"<!-- {MARK} -->\n", f"<!-- end of {MARK} -->"
        text = options.write.read_text()
        fallen = {} if options.lower else lowered(text, table)
        for name, row in fallen.items():
            print(
                f"{name} stays as it is, which is more: {row}\nmake fuzz TARGETS={name} SECONDS=600 gathers more"
            )
        table = table if options.lower else merged(text, table)
        options.write.write_text(
            re.sub(f"{begin}.*?{end}", lambda _: begin + table + end, text, flags=re.DOTALL)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
