"""The standalone mode's own lines: :snapshot :status :reconnect :discard :standalone.

Only what these are called is here: the engine and all that the lines need are loaded when one is run, as most sessions
never stand alone (it takes 0.15 s).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.standalone import fallback
from kedis.cli.client.standalone.home import StandaloneError

if TYPE_CHECKING:
    from kedis.cli.client.shell import Shell

_LINES = {
    "snapshot": "save a copy of the server's data here",
    "standalone": "go on alone, without the server",
    "status": "how long alone, and what was changed",
    "reconnect": "compare with the server, resolve, and connect",
    "discard": "forget what was changed alone",
}


def commands() -> dict[str, Callable[[Shell, list[str]], None]]:
    """The handlers by name, without the colon."""
    return {name: _handler(name, text) for name, text in _LINES.items()}


def _handler(name: str, text: str) -> Callable[[Shell, list[str]], None]:
    """A folder that cannot be used, or a server that refuses, costs a line and not the link."""

    def run(shell: Shell, words: list[str]) -> None:
        try:
            getattr(_actions(), name)(shell, words)
        except (StandaloneError, ServerSays) as error:
            shell.say(str(error))

    run.__doc__ = text
    return run


def _actions() -> Any:
    return importlib.import_module("kedis.cli.client.standalone.actions")


def connected(shell: Shell) -> None:
    """What the standalone mode does once the session has connected: tell of what is kept, take a snapshot."""
    fallback.stop_watching(shell)
    home = fallback.home_of(shell.options, shell.target)
    if home.alone_folder.exists():
        shell.say(
            f"What was changed alone, without {shell.target.description}, is kept: "
            ":status shows it, :reconnect resolves what is open, :discard forgets it."
        )
    if shell.options.keep_snapshot and _actions().take_snapshot(shell):
        shell.options.keep_snapshot = False  # one in each run is enough
