"""An interactive session, as the standalone mode uses it (:class:`kedis.cli.client.shell.Shell` is one)."""

from __future__ import annotations

import argparse
from typing import Protocol

from kedis.cli.client.link import Link
from kedis.cli.client.standalone.probe import Probe
from kedis.cli.client.standalone.terminal import Prompt
from kedis.cli.client.target import Target


class OfflineSession(Prompt, Protocol):
    """A session that can leave its server and come back.

    link: None while there is no connection; target is where connect() goes.
    probe: watches for the server's return while standing alone.
    """

    options: argparse.Namespace
    target: Target
    link: Link | None
    probe: Probe | None

    def connect(self) -> None:
        """Connect to the target. Raises LinkLost."""
        ...

    def use(self, link: Link) -> None:
        """Go on with another link. Raises LinkLost."""
        ...

    def announce(self, text: str) -> bool:
        """Print above the prompt, from another thread; False when the session is not at its prompt just now."""
        ...
