"""Runs every command of :data:`PAGES` that installs Kedis, each on a fresh copy of the sources in a fresh environment.

What each has installed must then answer SET and GET, on the path that is meant: the native one where there is a C
compiler.  The commands are read from the pages, so that none can be named there that is not run here: ``pip install
.`` in all its forms, each extra ``kedis[...]``, ``make run``, ``make wheel``.  Beside them stand those of
:data:`OTHERS`: an editable install, one of the wheel that is built from the source distribution, both of which are
checked as packages to be published; one whose compiler fails, one without a compiler.
What needs a C compiler is left out where there is none, and said to be.  Most are compiled without optimization: 24 s
of processor time each instead of 71.

    python .ci/install.py [--list] [PART OF A COMMAND ...]
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120
#: Where users read how to install.
PAGES = ["README.md", "docs/use/install.md"]
_PIP = re.compile(r"((?:[A-Z_]+=\S+ )*)pip install '?(\S+?)'?(?=[`,;\s]|$)", re.MULTILINE)
_EXTRA = re.compile(r"\bkedis\[(\w+)\]")
#: What is tried beside the commands of the pages; a word ``PATH=`` stands for programs without a compiler.
FAILS, MISSING = "CC=/bin/false pip install --verbose .", "PATH= pip install --verbose ."
OTHERS = [
    "pip install --editable .",
    f"python -m build && twine check --strict dist/* && python {ROOT}/.ci/packages.py dist && pip install dist/*.whl",
    FAILS,
    MISSING,
]
#: Those that are compiled as users compile: optimized, three times as long as not.
OPTIMIZED = {"pip install .", OTHERS[1]}
#: What the build and the server say then.
REASONS = {FAILS: "the C compiler (/bin/false) failed", MISSING: "there was no C compiler"}
_MAKE = re.compile(r"(?:^|`)(make (?:run|wheel))\b", re.MULTILINE)


def commands(text: str) -> list[str]:
    """The commands that install, in a form that a shell runs in the sources.

    ``pip install kedis`` stands for the sources, too: no other release is meant.
    """
    found = []
    for variables, what in _PIP.findall(text):
        extra = _EXTRA.fullmatch(what)
        if what not in (".", "kedis") and extra is None:
            raise SystemExit(f"a page names pip install {what}: .ci/install.py does not know what that is")
        found.append(f"{variables}pip install '.[{extra[1]}]'" if extra else f"{variables}pip install .")
    found += [f"pip install '.[{extra}]'" for extra in _EXTRA.findall(text)]
    found += _MAKE.findall(text)
    return list(dict.fromkeys(found))


def compiler() -> str | None:
    """The C compiler of this machine."""
    return shutil.which(os.environ.get("CC", "cc"))


def run(command: str, folder: Path) -> None:
    """One command in ``folder``, which is empty, and SET and GET on what it has installed.

    Raises CalledProcessError, AssertionError.
    """
    reason = REASONS.get(command, "")
    sources, environment = folder / "sources", folder / "environment"
    copy_sources(sources)
    # Nothing of the environment in which this runs must help.
    kept = {"HOME", "LANG", "PATH", "TMPDIR"}
    variables = {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith(("PIP_", "SSL_")) or name.lower().endswith("_proxy")
    }
    if command not in OPTIMIZED:
        variables["CFLAGS"] = "-O0"
    expected = "native" if compiler() and command not in REASONS else "python"
    if command == "make run":
        with started(["make", "run", "PORT=0", f"ARGS={SERVER_FLAGS}"], sources, variables) as port:
            check(port, expected)
        return
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    programs = environment / "bin"
    variables["PATH"] = f"{programs}:{variables['PATH']}"
    if "build" in command:
        subprocess.run(["pip", "install", "--quiet", "build", "twine>=6"], env=variables, check=True)
    if command == "make wheel":
        command += f" PYTHONS={sys.executable}"
    if command == MISSING:
        variables["PATH"], command = str(programs), command.removeprefix("PATH= ")
    said = output(command, sources, variables)
    if command.startswith("make wheel"):
        (wheel,) = (sources / "dist").glob("kedis-*.whl")
        subprocess.run(["pip", "install", "--quiet", wheel], cwd=folder, env=variables, check=True)
    subprocess.run(["pip", "check"], cwd=folder, env=variables, check=True, stdout=subprocess.DEVNULL)
    server = [str(programs / "kedis-server"), "--port", "0", *SERVER_FLAGS.split()]
    with started(server, folder, variables) as port:
        check(port, expected)
        first = (folder / "server.log").read_text().splitlines()[0]
    assert f"({expected} path" in first, first
    if reason:
        assert reason in said and reason in first, f"{first}: nothing of {reason}"


def output(command: str, folder: Path, variables: dict[str, str]) -> str:
    """What a command says, which it is shown to say only where it fails."""
    words: dict[str, Any] = {"shell": True, "cwd": folder, "env": variables, "text": True}
    done = subprocess.run(command, **words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(done.stdout, flush=True)
        done.check_returncode()
    return str(done.stdout)


SERVER_FLAGS = "--appendonly no --metrics-port no"


def copy_sources(target: Path) -> None:
    """What a clone has, and what is new and not ignored."""
    for name in tracked():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


def tracked() -> list[str]:
    """The files of a clone, and those that are new and not ignored."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, check=True, capture_output=True).stdout
    return [name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


@contextmanager
def started(words: list[str], folder: Path, variables: dict[str, str]) -> Iterator[int]:
    """The port of a server, which is ended with all that it has started."""
    log = folder / "server.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            words, cwd=folder, env=variables, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield port_of(process, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the server says it listens on; ``make run`` installs everything before."""
    deadline = time.monotonic() + START_SECONDS * 10
    while time.monotonic() < deadline:
        found = re.search(r"ready to accept connections.* port (\d+)", log.read_text(), re.IGNORECASE)
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"the server does not start:\n{log.read_text()}")


def check(port: int, path: str) -> None:
    """SET and GET, and whether the server serves them by the path that is meant."""
    with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as client:
        replies = client.makefile("rb")
        client.sendall(b"SET user karthik\r\nGET user\r\nINFO server\r\n")
        assert replies.read(18) == b"+OK\r\n$7\r\nkarthik\r\n"
        while not (line := replies.readline()).startswith(b"kedis_path:"):
            assert line, "INFO does not say which path serves"
        assert line.strip() == b"kedis_path:" + path.encode(), line


def attempt(command: str) -> bool:
    """Run a command in a folder of its own, and print how it went; whether it works."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kedis-install-") as folder:
        try:
            run(command, Path(folder))
        except (subprocess.CalledProcessError, AssertionError) as error:
            print(f"FAILED: {command}: {error}", flush=True)
            return False
    print(f"-- {command}: {time.monotonic() - began:.0f} s", flush=True)
    return True


def main(words: list[str]) -> int:
    """Run the commands, all or those that hold one of ``words``; returns the exit code."""
    every = commands("\n".join((ROOT / page).read_text() for page in PAGES)) + OTHERS
    if words == ["--list"]:
        print("\n".join(every))
        return 0
    chosen = [each for each in every if not words or any(word in each for word in words)]
    if compiler() is None and "make wheel" in chosen:
        print("note: no C compiler; not run: make wheel", flush=True)
        chosen.remove("make wheel")
    # Nearly all of their time goes to one process each, the compiler's.
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        failed = [
            command for command, works in zip(chosen, executor.map(attempt, chosen), strict=True) if not works
        ]
    print(f"{len(chosen) - len(failed)} of {len(chosen)} ways to install work", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
