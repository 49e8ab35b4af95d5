"""`kedis-cli`: from the command line to a session, a command or a mode, and to the exit code.

0: all went well. 1: an error reply, a server that cannot be reached or has gone, or flags that make no
sense. 130: Ctrl-C. Whatever fails is said in one line on standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from kedis.cli import standard_streams
from kedis.cli.client import arguments, lua_files, oneshot, pipe
from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import Link, LinkLost, Refused, ServerLink
from kedis.cli.client.modes import (
    as_replica,
    biggest,
    hot_keys,
    intrinsic_latency,
    latency_spectrum,
    ping_latency,
    scan,
    stat,
)
from kedis.cli.client.output import Output, complain
from kedis.cli.client.render import Form
from kedis.cli.client.target import BadTarget, Target
from kedis.errors import ProtocolError
from kedis.process.process_list import hide_arguments
from kedis.resp.requests import split_inline
from kedis.version import VERSION

_WARNING = (
    "Warning: a password given with -a or -u can be seen by other users; "
    "KEDISCLI_AUTH or --askpass keeps it (--no-auth-warning: do not say this)"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run kedis-cli; returns the exit code."""
    return standard_streams.run("kedis-cli", partial(_main, sys.argv[1:] if argv is None else argv))


def _main(argv: Sequence[str]) -> int:
    try:
        return _run(argv)
    except (arguments.UsageError, BadTarget, LinkLost, ServerSays) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _run(argv: Sequence[str]) -> int:
    parser = arguments.build_parser()
    options = arguments.parse(argv, parser)
    if options.help:
        sys.stdout.write(parser.format_help())
        return 0
    if options.version:
        sys.stdout.write(f"kedis-cli {VERSION}\n")
        return 0
    if options.completion:
        from kedis.cli.client.scripts import script

        sys.stdout.write(script(options.completion, parser))
        return 0
    target = arguments.target_of(options, os.environ)
    parts = urlsplit(options.url or "")
    in_url = parts.password or parts.username  # a single word before the @ is the password
    hide_arguments(filter(None, (options.password, in_url)))
    if options.askpass:
        target = replace(target, password=_asked_password())
    elif (options.password or (options.url and "@" in options.url)) and not options.no_auth_warning:
        sys.stderr.write(f"{_WARNING}\n")
    if options.debugger:
        raise arguments.UsageError(
            "kedis-cli: the Lua debugger (--ldb) is not supported; --eval runs a script"
        )
    if options.intrinsic_latency is not None:
        return intrinsic_latency.run(options.intrinsic_latency)
    if options.mode:
        return _mode(options, target)
    if options.rdb:
        with contextlib.closing(connect(options, target)) as link:
            return as_replica.save_snapshot(_server(link, "--rdb"), options.rdb)
    if options.functions_rdb:
        with contextlib.closing(connect(options, target)) as link:
            return lua_files.save_functions(link, options.functions_rdb)
    if (
        options.eval
        or options.words
        or not (sys.stdin.isatty() and sys.stdout.isatty())
        or options.last_from_stdin
        or options.tag
    ):
        return _commands(options, target)
    return _interactive(options, target)


def _asked_password() -> str:
    """The password typed unseen; from a pipe it is the first line, without a question."""
    if sys.stdin.isatty():
        return getpass.getpass("Please input password: ")
    return os.fsdecode(sys.stdin.buffer.readline().rstrip(b"\r\n"))


def _interactive(options: argparse.Namespace, target: Target) -> int:
    try:
        from kedis.cli.client.shell import Shell
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "prompt_toolkit":
            raise
        line = "kedis-cli: an interactive session needs prompt_toolkit: pip install 'kedis[cli]'"
        raise arguments.UsageError(line) from None
    return Shell(target, options).run()


def _commands(options: argparse.Namespace, target: Target) -> int:
    output = output_of(options)
    words = command_words(options)
    link = connect(options, target)
    with contextlib.closing(link):
        if words:
            well = oneshot.repeat(
                link, words, output, 1 if options.repeat is None else options.repeat, options.interval or 0.0
            )
        else:
            well = oneshot.run_lines(link, sys.stdin.buffer, output)
    return 0 if well else 1


def _mode(options: argparse.Namespace, target: Target) -> int:
    """Run the mode that a flag asks for; returns the exit code. Raises LinkLost, ServerSays."""
    mode, pattern = options.mode, _pattern(options)
    output = output_of(options)
    link = connect(options, target)
    with contextlib.closing(link):
        if mode == "pipe":
            if not isinstance(link, ServerLink):
                raise Refused("--pipe needs a server: give the commands a line each, without --pipe")
            return pipe.main(link, options.pipe_timeout)
        if mode == "replica":
            return as_replica.show_stream(_server(link, "--replica"), output)
        if mode == "scan":
            return scan.run(link, output, pattern, options.count, options.key_type, options.interval or 0.0)
        if mode in ("bigkeys", "memkeys"):
            samples = options.memkeys_samples if options.memkeys_samples is not None else -1
            samples_or_none = samples if mode == "memkeys" else None
            return biggest.run(link, samples_or_none, pattern, options.count, options.interval or 0.0)
        if mode == "hotkeys":
            return hot_keys.run(link, pattern, options.count, options.interval or 0.0)
        if mode == "latency-dist":
            color = not (options.no_color or os.environ.get("NO_COLOR"))
            return latency_spectrum.run(link, options.interval, color)
        if mode == "stat":
            return stat.run(link, options.interval or 1.0, options.repeat)
        return ping_latency.run(link, output.form, options.interval, mode == "latency-history")


def _server(link: Link, flag: str) -> ServerLink:
    """The link itself, if a server is at its other end. Raises Refused."""
    if not isinstance(link, ServerLink):
        raise Refused(f"{flag} needs a server")
    return link


def _pattern(options: argparse.Namespace) -> bytes | None:
    if options.quoted_pattern is not None:
        return _unquoted(os.fsencode(options.quoted_pattern))
    return os.fsencode(options.pattern) if options.pattern is not None else None


def connect(options: argparse.Namespace, target: Target) -> Link:
    """Connect for commands that are not typed: what the server minds is printed. Raises LinkLost.

    Where no server can be reached and --standalone asks for it, the standalone mode gives the link.
    """
    wants_maps = options.form in ("json", "quoted-json")
    protocol = options.protocol or (3 if wants_maps else 2)
    try:
        link = ServerLink(target, protocol, options.timeout)
    except LinkLost as error:
        if not options.standalone or isinstance(error, Refused):
            raise
        from kedis.cli.client.standalone import fallback

        return fallback.unattended(options, target, protocol, error)
    for warning in link.warnings:
        complain(warning)
    if options.verbose:
        link.tell = complain
        complain(f"connected to {link.description}, database {link.database}, RESP{link.protocol}")
    if link.database != target.database:
        link.close()
        raise Refused("no command was run")
    return link


def output_of(options: argparse.Namespace) -> Output:
    """How the flags and the terminal want replies printed."""
    at_terminal = sys.stdout.isatty()
    form = Form(options.form) if options.form else (Form.HUMAN if at_terminal else Form.RAW)
    return Output(
        form,
        os.fsencode(options.delimiter),
        os.fsencode(options.reply_delimiter),
        options.stop_on_error,
        on_terminal=at_terminal and form is not Form.RAW,
        shows_pushes=options.show_pushes == "yes" or (options.show_pushes is None and at_terminal),
    )


def command_words(options: argparse.Namespace) -> list[bytes]:
    """The command of the command line, with what stdin adds to it. Raises UsageError."""
    words = [os.fsencode(word) for word in options.words]
    if options.quoted_input:
        words = [_unquoted(word) for word in words]
    if options.eval:
        return lua_files.eval_words(options.eval, words)
    if options.last_from_stdin:
        return [*words, sys.stdin.buffer.read()]
    if options.tag is not None:
        tag = os.fsencode(options.tag)
        if tag not in words:
            raise arguments.UsageError(f"kedis-cli: -X: the command has no argument {options.tag}")
        data = sys.stdin.buffer.read()
        return [data if word == tag else word for word in words]
    return words


def _unquoted(word: bytes) -> bytes:
    try:
        parts = split_inline(word)
    except ProtocolError:
        parts = []
    if len(parts) > 1 or (not parts and word):
        raise arguments.UsageError(f"kedis-cli: invalid quotes in {os.fsdecode(word)}")
    return parts[0] if parts else b""


if __name__ == "__main__":
    sys.exit(main())
