"""The standalone mode's own lines: :snapshot :status :reconnect :discard :standalone.

Only what these are called is here: the engine and all that the lines need are loaded when one is run, as most sessions
never stand alone (it takes 0.15 s).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.standalone import fallback
from kedis.cli.client.standalone.home import StandaloneError
from kedis.cli.client.standalone.offline_session import OfflineSession

#: The meta-commands of the standalone mode, and what :help says of them.
SUMMARIES = {
    "snapshot": "save a copy of the server's data here",
    "standalone": "go on alone, without the server",
    "status": "how long alone, and what was changed",
    "reconnect": "compare with the server, resolve, and connect",
    "discard": "forget what was changed alone",
}


def commands() -> dict[str, Callable[[OfflineSession, list[str]], None]]:
    """The handlers by name, without the colon."""
    return {name: _handler(name) for name in SUMMARIES}


def _handler(name: str) -> Callable[[OfflineSession, list[str]], None]:
    """A folder that cannot be used, or a server that refuses, costs a line and not the link."""

    def run(session: OfflineSession, words: list[str]) -> None:
        try:
            getattr(_actions(), name)(session, words)
        except (StandaloneError, ServerSays) as error:
            session.say(str(error))

    return run


def _actions() -> Any:
    return importlib.import_module("kedis.cli.client.standalone.actions")


def connected(session: OfflineSession) -> None:
    """What the standalone mode does once the session has connected: tell of what is kept, take a snapshot."""
    fallback.stop_watching(session)
    home = fallback.home_of(session.options, session.target)
    if home.alone_folder.exists():
        session.say(
            f"What was changed alone, without {session.target.description}, is kept: "
            ":status shows it, :reconnect resolves what is open, :discard forgets it."
        )
    if session.options.keep_snapshot and _actions().take_snapshot(session):
        session.options.keep_snapshot = False  # one in each run is enough
