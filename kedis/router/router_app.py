"""The application of a router: everything of a server but the data, and the fleet in their place."""

from __future__ import annotations

import logging

from kedis.config import Config
from kedis.router.discovery import Discovery
from kedis.router.fleet import Fleet
from kedis.router.router_server import RouterServer
from kedis.router.router_settings import keep_nothing, refuse_unusable, upstream_of
from kedis.router.upstream_keyspace import UpstreamKeyspace
from kedis.router.upstream_subscriptions import UpstreamSubscriptions
from kedis.router.upstream_tls import upstream_context
from kedis.server.app import App

log = logging.getLogger("kedis.router")


class RouterApp(App):
    """A router made from a configuration with ``upstream``.

    Raises ConfigError for settings that have no meaning for a router, StartError for an upstream that is no URL, or TLS
    settings that cannot be used.
    """

    network: RouterServer

    def __init__(self, config: Config) -> None:
        refuse_unusable(config)
        keep_nothing(config)
        upstream = upstream_of(config)
        super().__init__(config)
        context = upstream_context(config) if upstream.tls else None
        self.fleet = self.network.fleet = Fleet(self.network, upstream, context)
        self.discovery = Discovery(self.fleet)
        self.engine.routing = self.fleet
        self.network.subscriptions = UpstreamSubscriptions(self.fleet)
        keyspace = UpstreamKeyspace(self.fleet)
        self.network.cron.each_round += [self.fleet.check, self.network.subscriptions.check, keyspace.check]

    def make_network(self) -> RouterServer:
        """The network side."""
        return RouterServer(self.engine)

    def start(self) -> None:
        """Reach the upstream, then accept clients, unless a stop was requested meanwhile. Raises StartError."""
        if self.discovery.start(self.ended.is_set):
            super().start()

    def load_data(self) -> None:
        """There are none."""

    def save_and_stop(self, options: frozenset[str]) -> bool:
        """Stop; what SHUTDOWN SAVE would write is nothing, over the file of whoever had data here before."""
        return super().save_and_stop(options - {"save"} | {"nosave"})

    def stop(self) -> None:
        """Stop serving, then close the connections to the nodes."""
        super().stop()
        self.discovery.stop()
        self.fleet.stop()
