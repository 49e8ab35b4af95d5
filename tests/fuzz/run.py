"""Coverage-guided fuzzing: ``python -m tests.fuzz.run [TARGET ...] [--seconds N]``.

Each target (:mod:`tests.fuzz.targets`) runs for its share of the time in a process of its own. It begins with its
seeds, the committed corpus, and what earlier runs have found interesting (``build/fuzz/TARGET/corpus``). A find does
not end the run: its input is kept in ``build/fuzz/TARGET/finds``, one for each place in the code or kind of message,
with a text beside it, and the program ends with 1. An input that finds something belongs into
``tests/fuzz/corpus/TARGET``, which the tests replay.

Coverage is that of the Python path (``KEDIS_PURE``), which is the reference; the corpus is replayed on both.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import logging
import os
import resource
import shutil
import sys
import time
import traceback
from pathlib import Path

os.environ["KEDIS_PURE"] = "1"

import atheris

with atheris.instrument_imports(include=["kedis"], enable_loader_override=False):
    from kedis.commands import load_all
    from tests.fuzz.target import Find, Target
    from tests.fuzz.targets import TARGETS

from tests.oracle import Oracle

WORK = Path("build/fuzz")
COMMITTED = Path(__file__).parent / "corpus"
#: What one input may take, in seconds of processor time.
LONGEST_SECONDS = 5.0
_LONGEST_INPUT = 4096


class Recorder:
    """Runs inputs, and keeps those that find something.

    Args:
        target: what runs them.
        folder: where they are kept.
    """

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, data: bytes) -> None:
        begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            self._target.run(data)
            took = time.process_time() - begun
            if took > LONGEST_SECONDS:
                raise Find("slow", f"{took:.1f} s")
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            if grown > self._target.most_kb:
                raise Find("large", f"{grown} KB")
        except Exception as fault:
            self._keep(data, fault)

    def _keep(self, data: bytes, fault: Exception) -> None:
        place = _place(fault)
        path = self._folder / hashlib.sha1(place.encode()).hexdigest()[:12]
        if path.exists() and path.stat().st_size <= len(data):
            return
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(
            f"{place}\n{''.join(traceback.format_exception(fault))}", "utf-8", "replace"
        )
        print(f"FIND {self._target.name} {path.name}: {place}", file=sys.stderr, flush=True)


def _place(fault: Exception) -> str:
    """What makes two finds the same: the innermost line of Kedis, or the kind of a find."""
    if isinstance(fault, Find):
        return fault.kind
    frames = [frame for frame in traceback.extract_tb(fault.__traceback__) if "/kedis/" in frame.filename]
    last = frames[-1] if frames else traceback.extract_tb(fault.__traceback__)[-1]
    return f"{type(fault).__name__} in {Path(last.filename).name}:{last.lineno}"


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which ends here."""
    logging.disable()
    load_all()
    folder = WORK / name
    started: list[Oracle] = []

    def redis(*settings: str) -> Oracle:
        started.append(Oracle(*settings))
        return started[-1]

    target = TARGETS[name](redis)
    corpus, seeds = folder / "corpus", folder / "seeds"
    for path in (corpus, seeds):
        path.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / f"{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    arguments = [
        *("fuzz", str(corpus), str(seeds), f"-max_total_time={seconds}", f"-max_len={_LONGEST_INPUT}"),
        *((f"-dict={words}",) if target.words else ()),
        *("-timeout=60", "-rss_limit_mb=3000", "-print_final_stats=1", "-len_control=20", "-verbosity=0"),
        f"-artifact_prefix={folder}/",
    ]
    if (COMMITTED / name).is_dir():
        arguments.insert(3, str(COMMITTED / name))
    atheris.Setup(arguments, Recorder(target, folder / "finds"))
    try:
        atheris.Fuzz()
    finally:
        for oracle in started:
            oracle.close()


def _escaped(word: bytes) -> str:
    return "".join(map("\\x{:02x}".format, word))


def main() -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__.splitlines()[0])
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument("--seconds", type=int, default=60, help="in all (default: %(default)s)")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    status = 0
    for name in names:
        shutil.rmtree(WORK / name / "finds", ignore_errors=True)  # what is there still is found again
        child = os.fork()
        if not child:
            os.setsid()
            fuzz(name, max(options.seconds // len(names), 1))
            os._exit(0)
        begun = time.monotonic()
        _, ended = os.waitpid(child, 0)
        _end_group(child)
        note_time(WORK / name, time.monotonic() - begun)
        found = _finds(name)
        if ended or found:
            status = 1
            print(f"{name}: status {ended}, finds {sorted(found)} in {WORK / name / 'finds'}", flush=True)
    return status


def note_time(folder: Path, seconds: float) -> None:
    """Add to how long a target has been fuzzed with the corpus of ``folder``, which the table of coverage tells."""
    path = folder / "seconds"
    before = float(path.read_text()) if path.exists() else 0.0
    path.write_text(f"{before + seconds:.0f}\n")


def _finds(name: str) -> set[str]:
    return {path.stem for path in (WORK / name / "finds").glob("*.txt")}


def _end_group(group: int) -> None:
    """The servers that a target has started end with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 9)


if __name__ == "__main__":
    sys.exit(main())
