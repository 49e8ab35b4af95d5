"""What a request goes by and where its reply goes, as Protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kedis.router.flow import UpstreamRequest
from kedis.router.upstream_url import Address


class Carrier(Protocol):
    """A connection to a node, as those who send requests see it (:class:`kedis.router.upstream_pipe.Pipe`)."""

    closed: bool
    waiting: list[Callable[[], None]]

    @property
    def full(self) -> bool:
        """Whether clients are to wait before they ask for more."""

    def submit(self, request: UpstreamRequest) -> None:
        """Send ``request`` at the end of this turn."""

    def submit_asking(self, request: UpstreamRequest) -> None:
        """The same, behind ASKING."""


class Owner(Protocol):
    """What decides itself by which connection a request goes.

    A client that may have one for itself (:class:`kedis.router.own_connection.OwnConnection`), or one node
    (:class:`kedis.router.fleet.Place`).
    """

    def own_pipe(self, address: Address) -> Carrier:
        """Its own connection, to the node at ``address``, or whatever it takes instead."""


class Sink(Protocol):
    """Where replies go: a client, or what joins the replies of several nodes."""

    @property
    def gone(self) -> bool:
        """Whether nobody waits any longer."""

    def deliver(self, request: UpstreamRequest, reply: bytes) -> None:
        """Take the reply to ``request``."""
