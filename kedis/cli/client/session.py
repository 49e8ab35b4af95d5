"""The interactive session, as the client's own commands use it (:class:`kedis.cli.client.shell.Shell` is one)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from kedis.cli.client.catalogue import Catalogue
from kedis.cli.client.display import Display
from kedis.cli.client.link import Link
from kedis.cli.client.target import Target

if TYPE_CHECKING:
    from prompt_toolkit.history import History


class Session(Protocol):
    """What `meta_commands` and `builtins` show and change.

    link: None while there is no connection; target is where connect() goes.
    timing: whether the time of each command is printed.
    """

    display: Display
    history: History
    target: Target
    timing: bool

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def link(self) -> Link | None: ...

    @property
    def help_lines(self) -> Mapping[str, str]:
        """What :help says of the meta-commands that are not in `manual`, by name."""
        ...

    def say(self, text: str) -> None:
        """Print a line of the client's own."""
        ...

    def connect(self, target: Target | None = None) -> None:
        """Connect to a target, or again to the present one. Raises LinkLost."""
        ...


MetaCommand = Callable[[Session, list[str]], None]
