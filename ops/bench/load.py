"""``make load``: a Locust scenario under a shape, headless, with reports; on a Kedis of its own unless told another.

    python ops/bench/load.py mixed steps
    python ops/bench/load.py transactions spike --host redis://10.0.0.7:6379 --objective-p99-ms 20

What is not known here goes to Locust.  In build/load/SCENARIO-SHAPE/ are then Locust's own report (locust.html) and CSV
files, percentiles in microseconds (locust_microseconds.csv), and, where the server's metrics could be had, report.html
with the client's view and the server's side by side.  The exit code is not 0 when a request failed, an answer was wrong
or an objective was missed.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import report

from kedis.cli.benchmark.own_servers import free_port, wait_until_ready
from kedis.cli.benchmark.report import markdown
from kedis.cli.benchmark.server_under_test import Target, TargetError

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "locustfiles"


def names(kind: str) -> list[str]:
    """The scenarios or the shapes that there are."""
    return sorted(file.stem.partition("_")[2] for file in FOLDER.glob(f"{kind}_*.py"))


@contextlib.contextmanager
def own_kedis() -> Iterator[tuple[str, str]]:
    """A Kedis in a temporary folder, with the default durability; its address and that of its metrics."""
    port, metrics = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="kedis-load-") as folder:
        words = [
            sys.executable,
            "-m",
            "kedis",
            "--port",
            str(port),
            "--metrics-port",
            str(metrics),
            "--dir",
            folder,
        ]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, cwd=ROOT)
        try:
            wait_until_ready(process, Target(port=port))
            yield f"redis://127.0.0.1:{port}", f"http://127.0.0.1:{metrics}/metrics"
        finally:
            process.terminate()
            process.wait()


def locust(arguments: argparse.Namespace, host: str, metrics: str, results: Path, rest: list[str]) -> int:
    """Run it; returns its exit code."""
    words = [
        sys.executable,
        "-m",
        "locust",
        "--headless",
        "--only-summary",
        "--host",
        host,
        "--stop-timeout",
        "10",
    ]
    words += ["-f", f"locustfiles/scenario_{arguments.scenario}.py,locustfiles/shape_{arguments.shape}.py"]
    words += ["--csv", str(results / "locust"), "--html", str(results / "locust.html")]
    words += ["--json-file", str(results / "locust")]
    if metrics:
        words += ["--server-metrics", metrics, "--server-metrics-folder", str(results)]
    return subprocess.run([*words, *rest], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode


def summarize(file: Path) -> None:
    """Print the table of percentiles, where there is one."""
    with contextlib.suppress(FileNotFoundError), file.open(newline="") as lines:
        head, *rows = csv.reader(lines)
        print(f"\n{markdown(head, rows)}\n")


def main() -> int:
    """Run and report; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n\n")[0] if __doc__ else None, allow_abbrev=False
    )
    parser.add_argument("scenario", choices=names("scenario"))
    parser.add_argument("shape", choices=names("shape"))
    parser.add_argument(
        "--host", default="", help="redis://[user:password@]host:port[/db] instead of a Kedis of its own"
    )
    parser.add_argument(
        "--metrics", default="", metavar="URL", help="of that server, such as http://host:9121/metrics"
    )
    parser.add_argument(
        "--results", type=Path, default=ROOT / "build" / "load", help="folder (default build/load)"
    )
    arguments, rest = parser.parse_known_args()
    results = arguments.results.resolve() / f"{arguments.scenario}-{arguments.shape}"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    # A socket for each user, in both processes.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 10_000)), hard))
    with contextlib.ExitStack() as stack:
        host, metrics = arguments.host, arguments.metrics
        try:
            if not host:
                host, metrics = stack.enter_context(own_kedis())
        except TargetError as error:
            print(f"load: {error}", file=sys.stderr)
            return 1
        code = locust(arguments, host, metrics, results, rest)
    if metrics:
        try:
            print(report.write(results))
        except report.ReportError as error:
            print(f"no report of both sides: {error}", file=sys.stderr)
            code = code or 1
    summarize(results / "locust_microseconds.csv")
    print(f"{results}: exit code {code}")
    return code


if __name__ == "__main__":
    sys.exit(main())
