"""The command line of ``kedis-benchmark``: its options, and their checks."""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from kedis.cli import tls_client
from kedis.cli.benchmark.distributions import named
from kedis.cli.benchmark.processes import Run
from kedis.cli.benchmark.server_under_test import Target
from kedis.cli.benchmark.templates import TEMPLATES, Mix, parse_command, parse_mix, parse_ratio
from kedis.cli.benchmark.workload import Workload
from kedis.version import VERSION

PROGRAM = "kedis-benchmark"
CONNECTIONS = (1, 2, 5, 10, 20, 50)
OPERATIONS = 100_000
MIX = "set:50,get:50"
FSYNC_CONNECTIONS = (1, 10, 50)
FSYNC_SECONDS = 3.0

_EXAMPLES = """\
examples:
  kedis-benchmark                                    1 to 50 connections, 100,000 operations, half SET half GET
  kedis-benchmark --seed-table --plot curve.svg      the same beside the published table, and drawn
  kedis-benchmark --against 127.0.0.1:6380           two servers, run by run in turn, with the ratio
  kedis-benchmark -c 50 -P 16 --mix get:80,set:15,zadd:5 --distribution zipf:0.99
  kedis-benchmark -c 50 --rate 20000 --duration 10   open loop: latency counts from when a request was due
  kedis-benchmark --fsync-table                      always, everysec and no, on servers of its own

The exit code is 0 when all went well, 1 when a server failed or answered wrongly, 2 for a command line that means
nothing. The password may also be in the environment, as REDISCLI_AUTH.
"""


@dataclass(frozen=True)
class Options:
    """The parsed command line.

    Args:
        target: the server to measure.
        against: a second one, or None.
        workload: what is sent.
        connections: numbers of connections, a run each.
        operations: of each run; 0: as many as there is time for.
        seconds: of each run; 0: until the operations are done.
        rate: operations a second of an open loop; 0: a closed loop.
        seed_table, fsync_table: which of the two tables with published figures is asked for.
        json, csv, plot: files to write, ``-`` for standard output; empty for none.
    """

    target: Target
    against: Target | None
    workload: Workload
    connections: tuple[int, ...]
    operations: int
    seconds: float
    rate: float
    warm_up: float
    processes: int
    repeats: int
    seed_table: bool
    fsync_table: bool
    folder: str
    markdown: bool
    json: str
    csv: str
    plot: str

    def run(self, target: Target, connections: int) -> Run:
        """One run against ``target``."""
        return Run(
            target,
            self.workload,
            connections,
            self.operations,
            self.seconds,
            self.rate,
            self.warm_up,
            self.processes,
        )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line; the usage, which is long, on request."""
        self.exit(2, f"{PROGRAM}: {message} (see --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="Measures a Redis-compatible server at every concurrency.",
        epilog=f"{_EXAMPLES}\ncommands of a mix: {', '.join(TEMPLATES)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("--help", action="help", help="this text")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")

    server = parser.add_argument_group("the server")
    server.add_argument("-h", "--host", default="127.0.0.1")
    server.add_argument("-p", "--port", type=_port, default=6379)
    server.add_argument("-s", "--socket", default="", metavar="PATH", help="a Unix socket instead")
    server.add_argument("-a", "--password", default=os.environ.get("REDISCLI_AUTH", ""))
    server.add_argument("--user", default="")
    server.add_argument("--db", type=_natural, default=0, help="database (default 0)")
    server.add_argument("--timeout", type=_positive, default=10.0, metavar="SECONDS", help="give up after")
    server.add_argument("--against", metavar="HOST:PORT", help="a second server, measured in turn")
    server.add_argument("--against-password", default="", metavar="PASSWORD")
    tls_client.add_flags(parser.add_argument_group("TLS, for both servers"))

    load = parser.add_argument_group("the load")
    load.add_argument(
        "-c",
        "--connections",
        type=_counts,
        nargs="+",
        metavar="N",
        help="a run each (default 1 2 5 10 20 50)",
    )
    load.add_argument("-n", "--operations", type=_count, help=f"of each run (default {OPERATIONS:,})")
    load.add_argument("--duration", type=_positive, metavar="SECONDS", help="of each run, instead")
    load.add_argument("-P", "--pipeline", type=_count, default=1, help="requests sent at once (default 1)")
    load.add_argument(
        "-r", "--keys", type=_count, default=100_000, help="size of the key space (default 100,000)"
    )
    load.add_argument("-d", "--size", type=_natural, default=32, help="bytes of a value (default 32)")
    load.add_argument(
        "--distribution",
        type=_distribution,
        default="uniform",
        help="uniform, sequential, zipf or zipf:THETA (default uniform)",
    )
    mixes = load.add_mutually_exclusive_group()
    mixes.add_argument("--mix", type=_said_by(parse_mix), help=f"commands and weights (default {MIX})")
    mixes.add_argument(
        "--ratio", type=_said_by(parse_ratio), metavar="SETS:GETS", dest="mix", help="such as 1:10"
    )
    mixes.add_argument(
        "--command",
        type=_said_by(parse_command),
        dest="mix",
        metavar="WORDS",
        help='your own, such as "SETEX {key} 60 {value}"; {number} is a number of the key space',
    )
    load.add_argument("--rate", type=_positive, default=0.0, help="operations a second: an open loop")
    load.add_argument("--warm-up", type=_positive, default=0.0, metavar="SECONDS", help="not counted")
    load.add_argument("--processes", type=_count, default=1, help="that make the load (default 1)")
    load.add_argument("--repeats", type=_count, default=1, help="of each run; the median counts (default 1)")
    load.add_argument("--seed", type=int, default=1, help="of the order of keys (default 1)")
    load.add_argument("--no-fill", action="store_true", help="do not write the keys before they are read")

    tables = parser.add_argument_group("tables with published figures").add_mutually_exclusive_group()
    tables.add_argument(
        "--seed-table", action="store_true", help="the default run beside Kedis-Python's table"
    )
    tables.add_argument(
        "--fsync-table", action="store_true", help="every fsync policy, on servers of its own"
    )
    parser.add_argument(
        "--dir", default="", metavar="FOLDER", help="where --fsync-table makes its temporary folder"
    )

    out = parser.add_argument_group("output")
    out.add_argument("--markdown", action="store_true", help="the table as Markdown, on a terminal too")
    out.add_argument("--json", default="", metavar="FILE", help="everything known; - is standard output")
    out.add_argument("--csv", default="", metavar="FILE", help="a line for each run; - is standard output")
    out.add_argument("--plot", default="", metavar="FILE", help="throughput and p99, as .png or .svg")
    return parser


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Options from the words of the command line.

    Exits with code 2, saying why in one line, when they mean nothing.
    """
    parser = _parser()
    words = parser.parse_args(arguments)
    _refuse_contradictions(parser, words)
    tls = tls_client.tls_of(words)
    timeout = words.timeout
    target = Target(words.host, words.port, words.socket, words.password, words.user, words.db, timeout, tls)
    against = None
    if words.against:
        host, port = _address(parser, words.against)
        against = Target(host, port, "", words.against_password, "", words.db, timeout, tls)
    mix: Mix = words.mix or parse_mix(MIX)
    workload = Workload(
        tuple(mix), words.keys, words.size, words.distribution, words.pipeline, words.seed, not words.no_fill
    )
    usual: tuple[int, ...] = FSYNC_CONNECTIONS if words.fsync_table else CONNECTIONS
    connections = tuple(count for part in words.connections or [usual] for count in part)
    seconds = words.duration or 0.0
    if words.fsync_table and not (words.duration or words.operations):
        seconds = FSYNC_SECONDS
    return Options(
        target=target,
        against=against,
        workload=workload,
        connections=connections,
        operations=words.operations or (0 if seconds else OPERATIONS),
        seconds=seconds,
        rate=words.rate,
        warm_up=words.warm_up,
        processes=words.processes,
        repeats=words.repeats,
        seed_table=words.seed_table,
        fsync_table=words.fsync_table,
        folder=words.dir,
        markdown=words.markdown,
        json=words.json,
        csv=words.csv,
        plot=words.plot,
    )


def _refuse_contradictions(parser: argparse.ArgumentParser, words: argparse.Namespace) -> None:
    if words.seed_table and (words.mix or words.pipeline > 1 or words.rate or words.against):
        parser.error("--seed-table is a load of its own: it goes with no other mix, pipeline, rate or server")
    if words.fsync_table and words.against:
        parser.error("--fsync-table starts its own servers; --against has no place there")
    if words.dir and not words.fsync_table:
        parser.error("--dir is for --fsync-table")
    if words.json == words.csv == "-":
        parser.error("standard output takes one of --json and --csv")
    if words.plot and Path(words.plot).suffix not in (".png", ".svg"):
        parser.error(f"--plot {words.plot}: the name ends in .png or .svg")
    for name in (words.json, words.csv, words.plot):
        folder = Path(name).parent
        if name not in ("", "-") and not folder.is_dir():
            parser.error(f"{name}: there is no folder {folder}")
    if words.dir and not Path(words.dir).is_dir():
        parser.error(f"--dir {words.dir}: there is no such folder")


def _address(parser: argparse.ArgumentParser, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        return (host or "127.0.0.1").strip("[]"), _port(port)
    except argparse.ArgumentTypeError as error:
        parser.error(f"--against {text}: {error}")


def _said_by(parse_text: Callable[[str], Mix]) -> Callable[[str], Mix]:
    """A converter whose ValueError becomes the text that argparse shows."""

    def convert(text: str) -> Mix:
        try:
            return parse_text(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _distribution(text: str) -> str:
    try:
        named(text, 10, random.Random(0))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _whole(text: str, least: int) -> int:
    try:
        number = int(text.replace(",", "").replace("_", ""))
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
    return number


def _count(text: str) -> int:
    return _whole(text, 1)


def _natural(text: str) -> int:
    return _whole(text, 0)


def _port(text: str) -> int:
    number = _whole(text, 1)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return number


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_whole(part, 1) for part in text.split(","))


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number
