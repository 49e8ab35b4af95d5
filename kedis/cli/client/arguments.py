"""The command line: one table of flags for parsing, --help and shell completion."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kedis.cli import tls_client
from kedis.cli.client.target import DEFAULT_HOST, DEFAULT_PORT, BadTarget, Target, parse_url, password_from

_DESCRIPTION = "Talks to a Kedis or Redis server. Without a command it opens an interactive session."

_EXAMPLES = """\
examples:
  kedis-cli                                         interactive, on 127.0.0.1:6379
  kedis-cli SET user:1 karthik                      one command; exit code 1 when it fails
  echo "GET user:1" | kedis-cli                     a command a line from standard input
  kedis-cli -x SET photo < photo.jpg                the last argument from standard input
  kedis-cli -r 10 -i 1 INFO memory                  the same command every second
  kedis-cli --json HGETALL user:1                   for a program to read; also --csv
  kedis-cli --scan --pattern 'user:*'               key names, without blocking the server
  kedis-cli --pipe < commands.txt                   mass insertion
  kedis-cli --bigkeys                               what takes the room; also --memkeys, --hotkeys
  kedis-cli -u redis://user:secret@host:6380/2      everything in one address
  kedis-cli --tls --cacert ca.crt -h db.example     by TLS, as does -u rediss://...
  KEDISCLI_AUTH=secret kedis-cli PING               the password, unseen by other users
  kedis-cli --standalone                            go on alone when there is no server

When standard output is no terminal replies are printed raw (as with --raw).
Options come before the command; all words after its name belong to the command.
"""

TYPES = ("string", "list", "set", "zset", "hash", "stream")


class UsageError(Exception):
    """Invalid flags; str() is the line to print."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(f"kedis-cli: {message} (kedis-cli --help shows the options)")


def build_parser() -> argparse.ArgumentParser:
    """The table of flags."""
    parser = _Parser(
        prog="kedis-cli",
        usage="kedis-cli [OPTIONS] [COMMAND [ARGUMENT ...]]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        add_help=False,
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=34, width=100
        ),
    )
    _add_connection(parser.add_argument_group("where to connect"))
    tls_client.add_flags(parser.add_argument_group("TLS"))
    _add_commands(parser.add_argument_group("running commands"))
    _add_output(parser.add_argument_group("output"))
    _add_modes(parser.add_argument_group("modes"))
    _add_standalone(parser.add_argument_group("without a server"))
    _add_others(parser.add_argument_group("others"))
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _add_connection(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-h", "--host", metavar="HOST", help=f"server's host (default {DEFAULT_HOST})")
    group.add_argument("-p", "--port", metavar="PORT", type=_port, help=f"its port (default {DEFAULT_PORT})")
    group.add_argument("-s", "--socket", metavar="FILE", help="Unix socket, instead of host and port")
    group.add_argument("-u", "--url", "--uri", metavar="URL", help="redis://user:password@host:port/database")
    group.add_argument("-n", "--database", metavar="N", type=_count, help="database to select (default 0)")
    group.add_argument("--user", metavar="NAME", help="user to log in as (with a password)")
    group.add_argument(
        "-a",
        "--pass",
        dest="password",
        metavar="SECRET",
        help="password; safer: the environment variable KEDISCLI_AUTH or REDISCLI_AUTH",
    )
    group.add_argument("--pass-from-env", metavar="VARIABLE", help="take the password from this variable")
    group.add_argument("--askpass", action="store_true", help="ask for the password on the terminal")
    group.add_argument("--no-auth-warning", action="store_true", help="no warning about -a")
    group.add_argument(
        "-2", dest="protocol", action="store_const", const=2, help="speak RESP2 (default, except with --json)"
    )
    group.add_argument("-3", dest="protocol", action="store_const", const=3, help="speak RESP3")
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_patience,
        help="give the server up when a reply takes longer (0, the default: wait for ever)",
    )


def _add_commands(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-r", "--repeat", metavar="N", type=int, help="run the command N times; -1: for ever")
    group.add_argument(
        "-i",
        "--interval",
        metavar="SECONDS",
        type=_seconds,
        help="wait between repetitions (0.1 will do); also paces --scan, --stat, --bigkeys",
    )
    group.add_argument("-x", dest="last_from_stdin", action="store_true", help="last argument from stdin")
    group.add_argument("-X", "--tag", metavar="TAG", help="the argument that reads TAG from stdin")
    group.add_argument("--quoted-input", action="store_true", help='arguments are quoted: "a\\x00b"')
    group.add_argument(
        "-e", dest="stop_on_error", action="store_true", help="errors to stderr, stop at the first"
    )
    group.add_argument(
        "--eval", metavar="FILE", help="run the Lua script of FILE; the words are its keys , its arguments"
    )
    for name in ("ldb", "ldb-sync-mode"):  # redis-cli's debugger
        group.add_argument(f"--{name}", dest="debugger", action="store_true", help=argparse.SUPPRESS)


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--raw", dest="form", action="store_const", const="raw", help="replies as they are")
    group.add_argument(
        "--no-raw", dest="form", action="store_const", const="human", help="numbered and quoted"
    )
    group.add_argument("--csv", dest="form", action="store_const", const="csv", help="CSV")
    group.add_argument("--json", dest="form", action="store_const", const="json", help="JSON (over RESP3)")
    group.add_argument(
        "--quoted-json", dest="form", action="store_const", const="quoted-json", help="JSON in ASCII"
    )
    group.add_argument(
        "-d", "--delimiter", metavar="TEXT", default="\n", help="between the elements of a raw reply (\\n)"
    )
    group.add_argument(
        "-D", "--reply-delimiter", metavar="TEXT", default="\n", help="after each raw reply (\\n)"
    )


def _add_modes(group: argparse._ArgumentGroup) -> None:
    for name, text in (
        ("pipe", "mass insertion: protocol or a command a line from stdin, counted replies"),
        ("scan", "print the key names (see --pattern, --count, --type)"),
        ("bigkeys", "the keys with the most elements of each type"),
        ("memkeys", "the keys that take the most memory"),
        ("hotkeys", "the keys accessed most (needs an LFU maxmemory-policy)"),
        ("stat", "a line of figures every second (-i)"),
        ("latency", "round-trip times; one line and out when stdout is no terminal"),
        ("latency-history", "round-trip times, a line for each 15 seconds (-i)"),
        ("latency-dist", "how round-trip times are spread, a row every second (-i)"),
        ("replica", "print the changes as a replica gets them, a command a line"),
    ):
        group.add_argument(f"--{name}", dest="mode", action="store_const", const=name, help=text)
    group.add_argument(
        "--intrinsic-latency",
        metavar="SECONDS",
        type=_seconds,
        help="how long the system makes a process wait, measured for so long, without a server",
    )
    group.add_argument("--slave", dest="mode", action="store_const", const="replica", help=argparse.SUPPRESS)
    group.add_argument("--rdb", metavar="FILE", help="save a snapshot of the server's data; -: to stdout")
    group.add_argument(
        "--functions-rdb", metavar="FILE", help="save the server's functions as a snapshot; -: to stdout"
    )
    group.add_argument(
        "--pipe-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=30.0,
        help="give up when the replies stop (30; 0: never)",
    )
    group.add_argument(
        "--pattern", metavar="GLOB", help="only keys that match (--scan, --bigkeys, --memkeys, --hotkeys)"
    )
    group.add_argument("--quoted-pattern", metavar="GLOB", help='the same, quoted: "\\x00*"')
    group.add_argument("--count", metavar="N", type=_positive, help="keys looked at per SCAN")
    group.add_argument("--type", dest="key_type", choices=TYPES, metavar="TYPE", help=", ".join(TYPES))
    group.add_argument(
        "--memkeys-samples", metavar="N", type=_count, help="--memkeys, looking at N elements of each key"
    )


def _add_standalone(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--standalone", action="store_true", help="go on alone, without asking, when there is no server"
    )
    group.add_argument("--standalone-dir", metavar="FOLDER", help="where the data of standalone mode is kept")
    group.add_argument(
        "--standalone-from",
        choices=("empty", "snapshot"),
        metavar="WHAT",
        help="begin standalone mode with no data (empty) or the newest snapshot, without asking",
    )
    group.add_argument(
        "--keep-snapshot", action="store_true", help="on connecting, save a copy of the server's data"
    )


def _add_others(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--no-history", action="store_true", help="do not keep a history of this session")
    group.add_argument(
        "--show-pushes",
        "--show-push",
        choices=("yes", "no"),
        help="print RESP3's push messages (default: yes on a terminal)",
    )
    group.add_argument(
        "--verbose", action="store_true", help="connections, commands and their times on standard error"
    )
    group.add_argument("--no-color", action="store_true", help="no colours (also: the variable NO_COLOR)")
    group.add_argument(
        "--completion", choices=("bash", "zsh", "fish"), metavar="SHELL", help="print a completion script"
    )
    group.add_argument("-v", "--version", action="store_true", help="print the version")
    group.add_argument("--help", action="store_true", help="this text")


def parse(argv: Sequence[str], parser: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    """Parse the command line. From the first word that is no option on, all words are the command, unchanged.

    Raises UsageError.
    """
    parser = parser or build_parser()
    flags, texts, words = _split(argv, parser)
    options = parser.parse_args(flags)
    for name, value in texts.items():
        setattr(options, name, value)
    options.words = words
    return options


def _split(
    argv: Sequence[str], parser: argparse.ArgumentParser
) -> tuple[list[str], dict[str, str], list[str]]:
    """Flags, the free texts among their values, and the command.

    A value is glued to its flag, as it may begin with a dash itself; argparse drops a text of two dashes
    even so, hence texts are kept apart.
    """
    flags: list[str] = []
    texts: dict[str, str] = {}
    table = parser._option_string_actions
    position = 0
    while position < len(argv) and argv[position].startswith("-") and argv[position] != "-":
        flag = argv[position]
        position += 1
        action = table.get(flag)
        if action is None or action.nargs == 0:
            flags.append(flag)
            continue
        if position == len(argv):
            raise UsageError(f"kedis-cli: {flag} needs a value (kedis-cli --help shows the options)")
        long_name = next(name for name in action.option_strings if name.startswith("--"))
        flags.append(f"{long_name}={argv[position]}")
        if action.type is None and action.choices is None:
            texts[action.dest] = argv[position]
        position += 1
    return flags, texts, list(argv[position:])


def target_of(options: argparse.Namespace, environment: Mapping[str, str]) -> Target:
    """The target by flags and environment; a flag wins over the URL, the URL over the environment.

    Raises BadTarget, also for certificates that cannot be used.
    """
    target = parse_url(options.url) if options.url else Target()
    options.tls = options.tls or target.tls is not None
    tls = tls_client.tls_of(options)
    if tls is not None:
        try:
            tls.context()  # what cannot be used is said before anything is tried
        except tls_client.BadTls as error:
            raise BadTarget(str(error)) from None
    given = {
        "host": options.host,
        "port": options.port,
        "socket_path": options.socket,
        "user": options.user,
        "database": options.database,
    }
    target = replace(target, **{name: value for name, value in given.items() if value is not None})
    return replace(target, password=_password(options, environment, target.password), tls=tls)


def _password(options: argparse.Namespace, environment: Mapping[str, str], of_url: str | None) -> str | None:
    if options.pass_from_env:
        if options.pass_from_env not in environment:
            raise BadTarget(f"--pass-from-env: the variable {options.pass_from_env} is not set")
        return environment[options.pass_from_env]
    return options.password or of_url or password_from(environment)


def _port(text: str) -> int:
    port = _count(text)
    if not 0 < port < 65_536:
        raise argparse.ArgumentTypeError(f"{text} is not a port (1 to 65535)")
    return port


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _positive(text: str) -> int:
    number = _count(text)
    if number == 0:
        raise argparse.ArgumentTypeError("0 is too small")
    return number


def _patience(text: str) -> float | None:
    """Seconds, of which 0 is for ever: None."""
    return _seconds(text) or None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
