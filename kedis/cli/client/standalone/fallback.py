"""Falling back to the standalone mode when the server is unavailable."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from kedis.cli.client.link import Link, LinkLost, NotRedis, Refused
from kedis.cli.client.standalone.home import (
    Home,
    Snapshot,
    StandaloneError,
    default_home,
    server_folder,
)
from kedis.cli.client.standalone.offline_session import OfflineSession
from kedis.cli.client.standalone.probe import Probe
from kedis.cli.client.standalone.terminal import Console, PromptTerminal, Terminal
from kedis.cli.client.standalone.timefmt import moment, now_ms
from kedis.cli.client.target import Target

if TYPE_CHECKING:
    from kedis.cli.client.standalone.standalone_link import StandaloneLink

MEANING = """\
kedis-cli can go on alone, with an engine and data of its own on this computer:
  - nothing you write reaches the server, and nothing others write there reaches you:
    the two states may diverge;
  - every write is kept in a journal, across runs, until you discard it;
  - reconnecting is yours to decide: when the server is back you are told, and
    :reconnect compares both sides key by key and lets you choose."""


def home_of(options: argparse.Namespace, target: Target) -> Home:
    """The folder of a server, by the command line."""
    home = options.standalone_dir or default_home(os.environ)
    return Home(server_folder(home, target.description))


def offer(session: OfflineSession, error: LinkLost) -> Link | None:
    """Ask whether to go on alone (`--standalone` has answered that); None when not.

    A server that refuses (a wrong password), a port where something else answers, and a failure of the standalone
    mode itself are no reason to.
    """
    if isinstance(error, Refused | NotRedis | StandaloneError):
        return None
    terminal = PromptTerminal(session)
    terminal.say(f"{session.target.description} is unavailable.\n{MEANING}")
    if not session.options.standalone:
        answer = terminal.ask("Go on alone?", {"y": "yes, stand alone", "n": "no, only try to connect again"})
        if answer != "y":
            return None
    return stand_alone(session)


def stand_alone(session: OfflineSession) -> Link | None:
    """Begin to stand alone, and watch for the server; None on failure, which is printed."""
    terminal = PromptTerminal(session)
    try:
        link = begin(session.options, session.target, terminal, session.options.protocol or 3)
    except StandaloneError as error:
        terminal.say(str(error))
        return None
    watch(session)
    return link


def watch(session: OfflineSession) -> None:
    """Announce the server's return at the prompt, once."""
    stop_watching(session)
    text = f"{session.target.description} is back. You are still standing alone; :reconnect compares and connects."
    session.probe = Probe(session.target, lambda: session.announce(text))
    session.probe.start()


def stop_watching(session: OfflineSession) -> None:
    """Stop watching for the server."""
    if session.probe is not None:
        session.probe.stop()
        session.probe = None


def unattended(options: argparse.Namespace, target: Target, protocol: int, error: LinkLost) -> Link:
    """The link of a client that is not interactive and was given `--standalone`. Raises LinkLost."""
    if isinstance(error, Refused | NotRedis):
        raise error
    console = Console()
    console.say(str(error))
    return begin(options, target, console, protocol)


def begin(options: argparse.Namespace, target: Target, terminal: Terminal, protocol: int) -> StandaloneLink:
    """Resume the data of standing alone, or begin: empty or with the newest snapshot. Raises StandaloneError."""
    from kedis.cli.client.standalone.standalone_link import StandaloneLink  # the engine: only now

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
    # Not asked, or not answered: begin with the data.
    return None if answer == "e" else snapshot
