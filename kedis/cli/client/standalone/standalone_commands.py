"""The table of the standalone mode's meta-commands: :snapshot :status :reconnect :discard :standalone.

Their functions are in `actions`, which is imported when one is run: it loads the engine (0.15 s), and most sessions
never stand alone.
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
    """The handler of a meta-command: a folder or server error is printed, and the link is kept."""

    def run(session: OfflineSession, words: list[str]) -> None:
        try:
            getattr(_actions(), name)(session, words)
        except (StandaloneError, ServerSays) as error:
            session.say(str(error))

    return run


def _actions() -> Any:
    return importlib.import_module("kedis.cli.client.standalone.actions")


def connected(session: OfflineSession) -> None:
    """After the session has connected: announce kept changes, take a snapshot."""
    fallback.stop_watching(session)
    home = fallback.home_of(session.options, session.target)
    if home.alone_folder.exists():
        session.say(
            f"What was changed alone, without {session.target.description}, is kept: "
            ":status shows it, :reconnect resolves what is open, :discard forgets it."
        )
    if session.options.keep_snapshot and _actions().take_snapshot(session):
        session.options.keep_snapshot = False  # one in each run is enough
