"""What the masters say of their databases: INFO keyspace, asked for once a second, for INFO and the metrics.

Nobody waits for it: a node that does not answer keeps its last figures, and INFO is there while a shard is not.
"""

from __future__ import annotations

import re

from kedis.router.fleet import Fleet
from kedis.router.flow import UpstreamRequest
from kedis.router.planning import encode
from kedis.router.upstream_pipe import Node

_PERIOD_NS = 1_000_000_000
_REQUEST = encode([b"INFO", b"keyspace"])
_LINE = re.compile(rb"^db(\d+):keys=(\d+),expires=(\d+),avg_ttl=(\d+)", re.MULTILINE)


def parse_keyspace(text: bytes) -> dict[int, tuple[int, int, float]]:
    """The databases in a reply to INFO keyspace: keys, those with a time to live, and its average in ms."""
    return {
        int(number): (int(keys), int(expires), float(ttl))
        for number, keys, expires, ttl in _LINE.findall(text)
    }


class _Figures:
    """The sink of one request: takes the reply for its node. A request that cannot be answered is not sent again."""

    __slots__ = ("_node",)

    gone = True

    def __init__(self, node: Node) -> None:
        self._node = node

    def deliver(self, request: UpstreamRequest, reply: bytes) -> None:
        """Take the reply; an error leaves the figures as they are."""
        if not reply.startswith(b"-"):
            self._node.databases = parse_keyspace(reply)


class UpstreamKeyspace:
    """Asks the masters of ``fleet``."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._next_ns = 0

    def check(self) -> None:
        """Ask, once a second, the masters that are up. Called some times a second. O(nodes)."""
        fleet = self._fleet
        now = fleet.monotonic()
        if now < self._next_ns:
            return
        self._next_ns = now + _PERIOD_NS
        for address in fleet.topology.addresses:
            node = fleet.node(address)
            if node.up:
                request = UpstreamRequest(_Figures(node), _REQUEST, None, 0, True, fleet.clock())
                fleet.send_to(address, request)
