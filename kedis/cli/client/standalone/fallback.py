"""The server is unavailable: what that means, and whether to go on alone."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from kedis.cli.client.link import Link, LinkLost, Refused, Stranger
from kedis.cli.client.standalone.home import (
    Home,
    Snapshot,
    StandaloneError,
    default_home,
    server_folder,
)
from kedis.cli.client.standalone.moments import moment, now_ms
from kedis.cli.client.standalone.probe import Probe
from kedis.cli.client.standalone.terminal import Console, ShellTerminal, Terminal
from kedis.cli.client.target import Target

if TYPE_CHECKING:
    from kedis.cli.client.shell import Shell
    from kedis.cli.client.standalone.link import StandaloneLink

MEANING = """\
kedis-cli can go on alone, with an engine and data of its own on this computer:
  - nothing you write reaches the server, and nothing others write there reaches you:
    the two states may diverge;
  - every write is kept in a journal, across runs, until you discard it;
  - reconnecting is yours to decide: when the server is back you are told, and
    :reconnect compares both sides key by key and lets you choose."""


def home_of(options: argparse.Namespace, target: Target) -> Home:
    """The folder of a server, where the command line wants it."""
    home = options.standalone_dir or default_home(os.environ)
    return Home(server_folder(home, target.description))


def offer(shell: Shell, error: LinkLost) -> Link | None:
    """Ask whether to go on alone (`--standalone` has answered that); None when not.

    A server that refuses (a wrong password), a port where something else answers, and a failure of the standalone
    mode itself are no reason to.
    """
    if isinstance(error, Refused | Stranger | StandaloneError):
        return None
    terminal = ShellTerminal(shell)
    terminal.say(f"{shell.target.description} is unavailable.\n{MEANING}")
    if not shell.options.standalone:
        answer = terminal.ask("Go on alone?", {"y": "yes, stand alone", "n": "no, only try to connect again"})
        if answer != "y":
            return None
    return stand_alone(shell)


def stand_alone(shell: Shell) -> Link | None:
    """Stand alone from now on, and watch for the server; None when it cannot be, which was said then."""
    terminal = ShellTerminal(shell)
    try:
        link = begin(shell.options, shell.target, terminal, shell.options.protocol or 3)
    except StandaloneError as error:
        terminal.say(str(error))
        return None
    watch(shell)
    return link


def watch(shell: Shell) -> None:
    """Announce the server's return at the prompt, once."""
    stop_watching(shell)
    text = (
        f"{shell.target.description} is back. You are still standing alone; :reconnect compares and connects."
    )
    shell.probe = Probe(shell.target, lambda: shell.announce(text))
    shell.probe.start()


def stop_watching(shell: Shell) -> None:
    """Watch for the server no longer."""
    if shell.probe is not None:
        shell.probe.stop()
        shell.probe = None


def unattended(options: argparse.Namespace, target: Target, protocol: int, error: LinkLost) -> Link:
    """The link of a client that is not interactive and was given `--standalone`. Raises LinkLost."""
    if isinstance(error, Refused | Stranger):
        raise error
    console = Console()
    console.say(str(error))
    return begin(options, target, console, protocol)


def begin(options: argparse.Namespace, target: Target, terminal: Terminal, protocol: int) -> StandaloneLink:
    """Go on with what was begun alone, or begin: empty or with the newest snapshot. Raises StandaloneError."""
    from kedis.cli.client.standalone.link import StandaloneLink  # the engine: only now

    home = home_of(options, target)
    home.lock()
    try:
        begun = home.alone()
        if begun is None:
            snapshot = _starting_point(home, options.standalone_from, terminal)
            begun = home.begin(target.description, snapshot, now_ms())
            with_what = "no data" if snapshot is None else f"the snapshot of {moment(snapshot.taken_at_ms)}"
            terminal.say(f"Standing alone from now on, beginning with {with_what}.")
        else:
            terminal.say(f"Going on with what was begun alone {moment(begun.since_ms)} (:status shows it).")
            if options.standalone_from:
                terminal.say("--standalone-from counts for a new beginning only, which :discard allows.")
        link = StandaloneLink(home, target.description, protocol)
    except BaseException:
        home.unlock()
        raise
    if target.database:
        link.send([b"SELECT", b"%d" % target.database])
    return link


def _starting_point(home: Home, wanted: str | None, terminal: Terminal) -> Snapshot | None:
    if wanted == "empty":
        return None
    snapshot = home.newest_snapshot()
    if snapshot is None:
        if wanted == "snapshot":
            raise StandaloneError(f"there is no snapshot in {home.snapshots_folder} to begin with")
        return None
    if wanted == "snapshot":
        return snapshot
    answer = terminal.ask(
        "Begin with which data?",
        {
            "s": f"the snapshot of {moment(snapshot.taken_at_ms)} ({snapshot.keys} keys)",
            "e": "none",
        },
    )
    # Not asked, or not answered: the data are what people miss when a server is gone.
    return None if answer == "e" else snapshot
