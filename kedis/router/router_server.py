"""The network server of a router: its clients' requests go to nodes."""

from __future__ import annotations

from kedis.engine.engine import Engine
from kedis.router.cluster_scan import ScanMemory
from kedis.router.fleet import Fleet
from kedis.router.routed_connection import RoutedConnection
from kedis.router.upstream_subscriptions import UpstreamSubscriptions
from kedis.server.network_server import AnySocket, NetworkServer


class RouterServer(NetworkServer):
    """Accepts clients as any Kedis; ``fleet`` and ``subscriptions``, which are set before :meth:`start`, serve them."""

    fleet: Fleet
    subscriptions: UpstreamSubscriptions

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        engine.set_loading(False)
        self._scans = ScanMemory(engine.monotonic)

    def choose_path(self) -> None:
        """The native path runs commands here, which a router does not."""

    def make_connection(self, sock: AnySocket, address: str, local_address: str) -> RoutedConnection:
        """A client has connected."""
        return RoutedConnection(
            self, self.fleet, self.subscriptions, self._scans, sock, address, local_address
        )
