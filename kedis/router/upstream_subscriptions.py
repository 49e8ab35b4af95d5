"""Subscriptions of the clients, at the nodes.

Who has subscribed to what is kept by the engine (:mod:`kedis.engine.pubsub`), as in any Kedis. Here each name is
subscribed to at a node once, however many clients want it, by connections for that alone: one for channels and
patterns, which a cluster sends everywhere, and one to each shard with sharded channels. A client is told that it has
subscribed after the node has said so. Names of keyspace events (``__key…``) are asked for at every master.

Where such a connection is lost messages may have been missed: the clients that have subscribed to them are
disconnected, as the node itself would have done, and subscribe again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import hiredis

from kedis.engine.pubsub import Message, Subscriptions
from kedis.router.fleet import Fleet
from kedis.router.hash_slots import key_slot
from kedis.router.planning import encode
from kedis.router.upstream_pipe import Pipe
from kedis.router.upstream_url import Address

log = logging.getLogger("kedis.router")

_NS_PER_SECOND = 1_000_000_000
#: How long a name without a subscriber is kept, and what was not confirmed is waited for.
_PATIENCE_NS = _NS_PER_SECOND
_PREFIXES = {"subscribe": b"", "psubscribe": b"p", "ssubscribe": b"s"}
#: A command and a name.
Wanted = tuple[str, bytes]


class UpstreamSubscriptions:
    """The names that are subscribed to at nodes of ``fleet``."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._pipes: dict[Address, Pipe] = {}
        #: Since when each name is wanted.
        self._wanted: dict[Wanted, int] = {}
        #: Where it was asked for, and when; and where that was confirmed.
        self._asked: dict[tuple[str, bytes, Address], int] = {}
        self._confirmed: set[tuple[str, bytes, Address]] = set()
        self._waiting: list[Callable[[], None]] = []
        #: The node of channels and patterns: any will do, but two would send every message twice.
        self._home: Address | None = None

    def ensure(self, command: str, name: bytes, call: Callable[[], None]) -> None:
        """Subscribe to ``name`` where that has not been done; ``call`` is called when something was confirmed."""
        self._wanted[command, name] = self._fleet.monotonic()
        for address in self._places(command, name):
            self._ask(command, name, address)
        if not self.all_there(command, [name]):
            self._waiting.append(call)

    def all_there(self, command: str, names: Sequence[bytes]) -> bool:
        """Whether the nodes send the messages of all ``names``."""
        return all(
            (command, name, address) in self._confirmed
            for name in names
            for address in self._places(command, name)
        )

    def _places(self, command: str, name: bytes) -> list[Address]:
        """The nodes that must know of the subscription."""
        fleet = self._fleet
        if command == "ssubscribe" and fleet.in_cluster:
            slot = key_slot(name)
        elif name.startswith(b"__key") and fleet.in_cluster:
            return fleet.topology.addresses
        else:
            return self._place_of_channels()
        address = fleet.topology.masters[slot]
        return [address] if address is not None else []

    def _place_of_channels(self) -> list[Address]:
        """The home, which stays as long as it is a master; a connection to another is closed then."""
        masters = self._fleet.topology.addresses
        if self._home not in masters:
            old = self._pipes.get(self._home) if self._home is not None else None
            self._home = masters[0] if masters else None
            if old is not None:
                old.close()
        return [self._home] if self._home is not None else []

    def _ask(self, command: str, name: bytes, address: Address) -> None:
        place = command, name, address
        if place not in self._asked:
            self._asked[place] = self._fleet.monotonic()
            self._pipe(address).send_only(encode([command.encode(), name]))

    def _pipe(self, address: Address) -> Pipe:
        pipe = self._pipes.get(address)
        if pipe is None:
            fleet = self._fleet
            pipe = self._pipes[address] = Pipe(fleet, fleet.node(address), 2, 0)
            pipe.node.taken.add(pipe)
            pipe.on_push = partial(self._take, address)
            pipe.on_lost = partial(self._lost, pipe)
        return pipe

    def _take(self, address: Address, frame: bytes) -> None:
        """A message, a confirmation or an error has come."""
        reader = hiredis.Reader()
        reader.feed(frame)
        value: Any = reader.gets()
        if not isinstance(value, list) or not value:
            log.warning("subscribing at %s: %s", self._fleet.node(address).shown, value)
            self._fleet.hurry()
            return
        pubsub = self._fleet.engine.pubsub
        kind = value[0]
        if kind == b"message":
            self._deliver(pubsub.channels, value[1], value)
        elif kind == b"pmessage":
            self._deliver(pubsub.patterns, value[1], value)
        elif kind == b"smessage":
            self._deliver(pubsub.shards, value[1], value)
        elif kind in (b"subscribe", b"psubscribe", b"ssubscribe"):
            self._confirmed.add((kind.decode(), value[1], address))
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()
            self._waiting += waiting if not self._settled() else []
        elif kind == b"sunsubscribe":
            self._forget("ssubscribe", value[1], address)

    def _settled(self) -> bool:
        return len(self._confirmed) >= len(self._asked)

    def _deliver(self, registry: Subscriptions, name: bytes, values: Sequence[bytes]) -> None:
        clients = registry.by_name.get(name)
        if clients:
            self._fleet.engine.pubsub.deliver(Message(*values), clients)

    def _forget(self, command: str, name: bytes, address: Address) -> None:
        self._asked.pop((command, name, address), None)
        self._confirmed.discard((command, name, address))

    def _registry(self, command: str) -> Subscriptions:
        pubsub = self._fleet.engine.pubsub
        return {"subscribe": pubsub.channels, "psubscribe": pubsub.patterns, "ssubscribe": pubsub.shards}[
            command
        ]

    def check(self) -> None:
        """End what nobody wants, ask again where it was not confirmed. Called some times a second. O(names)."""
        if not self._wanted:
            return
        now = self._fleet.monotonic()
        for (command, name), since in list(self._wanted.items()):
            if name not in self._registry(command).by_name and now - since > _PATIENCE_NS:
                del self._wanted[command, name]
                for place in [place for place in self._asked if place[:2] == (command, name)]:
                    self._forget(*place)
                    if place[2] in self._pipes:
                        verb = command.replace("subscribe", "unsubscribe").encode()
                        self._pipes[place[2]].send_only(encode([verb, name]))
                continue
            for address in self._places(command, name):
                place = command, name, address
                asked = self._asked.get(place)
                if asked is not None and place not in self._confirmed and now - asked > _PATIENCE_NS:
                    del self._asked[place]
                self._ask(command, name, address)

    def _lost(self, pipe: Pipe) -> None:
        """A connection is lost: its subscribers are disconnected."""
        address = pipe.node.address
        if self._pipes.get(address) is not pipe:
            return
        del self._pipes[address]
        clients: dict[Any, None] = {}
        for place in [place for place in self._asked if place[2] == address]:
            command, name, _ = place
            if place in self._confirmed:
                clients |= dict.fromkeys(self._registry(command).by_name.get(name, ()))
            self._forget(*place)
        for client in clients:
            client.transport.close()
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()
        self._waiting += waiting
