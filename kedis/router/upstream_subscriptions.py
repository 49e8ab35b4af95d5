"""Subscriptions of the clients, at the nodes.

Who has subscribed to what is kept by the engine (:mod:`kedis.engine.pubsub`), as in any Kedis. Here each name is
subscribed to at a node once, however many clients want it, by connections for that alone: one for channels and
patterns, which a cluster sends everywhere, and one to each shard with sharded channels. A client is told that it has
subscribed after the node has said so. Names of keyspace events (``__key…``) are asked for at every master.

Where such a connection is lost messages may have been missed: the clients that have subscribed to them are
disconnected, as the node itself would have done, and subscribe again. The same where a node has nothing to do with a
name any longer. A node that says nothing is asked whether it is there, since a connection that was cut like a cable
would be silent for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
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
_NS_PER_MS = 1_000_000
#: How long a name without a subscriber is kept, and what was not confirmed is waited for.
_PATIENCE_NS = _NS_PER_SECOND
#: A connection that has been silent for so long is asked for a sign.
_QUIET_NS = _NS_PER_SECOND
_PING = encode([b"PING"])
#: A command and a name.
Wanted = tuple[str, bytes]
#: What is called for a client that waits, and until when it does.
Waiter = tuple[Callable[[], None], int]


class UpstreamSubscriptions:
    """The names that are subscribed to at nodes of ``fleet``."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._pipes: dict[Address, Pipe] = {}
        #: Since when each name is wanted.
        self._wanted: dict[Wanted, int] = {}
        #: Where each name was asked for, and when; and where that was confirmed.
        self._asked: dict[Wanted, dict[Address, int]] = {}
        self._confirmed: dict[Wanted, set[Address]] = {}
        self._waiting: dict[Wanted, list[Waiter]] = {}
        #: When a silent node was asked for a sign.
        self._pinged: dict[Address, int] = {}
        #: The node of channels and patterns: any will do, but two would send every message twice.
        self._home: Address | None = None

    def ensure(self, command: str, name: bytes, call: Callable[[], None], until_ns: int) -> None:
        """Subscribe to ``name`` where that has not been done; ``call`` is called when it is, or the time is up."""
        wanted = command, name
        self._wanted[wanted] = self._fleet.monotonic()
        for address in self._places(command, name):
            self._ask(wanted, address)
        if not self.all_there(command, [name]):
            self._waiting.setdefault(wanted, []).append((call, until_ns))

    def all_there(self, command: str, names: Sequence[bytes]) -> bool:
        """Whether the nodes send the messages of all ``names``."""
        return all(
            address in self._confirmed.get((command, name), ())
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

    def _ask(self, wanted: Wanted, address: Address) -> None:
        asked = self._asked.setdefault(wanted, {})
        if address not in asked:
            asked[address] = self._fleet.monotonic()
            self._pipe(address).send_only(encode([wanted[0].encode(), wanted[1]]))

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
        if value == b"PONG":  # of a connection without a subscription
            return
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
            wanted = kind.decode(), value[1]
            if address in self._asked.get(wanted, ()):
                self._confirmed.setdefault(wanted, set()).add(address)
                self._tell(wanted)
        elif kind == b"sunsubscribe":
            self._ended_by_node(("ssubscribe", value[1]), address)

    def _tell(self, wanted: Wanted) -> None:
        """Tell those who wait for ``wanted`` that it is there, once it is everywhere."""
        if wanted in self._waiting and self.all_there(wanted[0], [wanted[1]]):
            for call, _ in self._waiting.pop(wanted):
                call()

    def _deliver(self, registry: Subscriptions, name: bytes, values: Sequence[bytes]) -> None:
        clients = registry.by_name.get(name)
        if clients:
            self._fleet.engine.pubsub.deliver(Message(*values), clients)

    def _forget(self, wanted: Wanted, address: Address) -> None:
        for places in (self._asked, self._confirmed):
            found: Any = places.get(wanted)
            if found is not None:
                found.pop(address, None) if isinstance(found, dict) else found.discard(address)
                if not found:
                    del places[wanted]

    def _ended_by_node(self, wanted: Wanted, address: Address) -> None:
        """The slot has moved, unless this is the answer to what was asked: who has subscribed may miss messages."""
        was_there = address in self._confirmed.get(wanted, ())
        self._forget(wanted, address)
        if was_there:
            self._disconnect(self._registry(wanted[0]).by_name.get(wanted[1], ()))

    def _registry(self, command: str) -> Subscriptions:
        pubsub = self._fleet.engine.pubsub
        return {"subscribe": pubsub.channels, "psubscribe": pubsub.patterns, "ssubscribe": pubsub.shards}[
            command
        ]

    # -- periodic -----------------------------------------------------------------------------------------

    def check(self) -> None:
        """End what nobody wants, ask again where it was not confirmed. Called some times a second. O(names)."""
        now = self._fleet.monotonic()
        topology = self._fleet.topology
        masters = topology.addresses
        for address, pipe in list(self._pipes.items()):
            if address in masters or address in topology.masters:
                self._look_after(address, pipe, now)
            else:
                pipe.close()
        for wanted, since in list(self._wanted.items()):
            command, name = wanted
            if wanted in self._waiting:
                self._review_waiting(wanted, now)
            elif now - since > _PATIENCE_NS and name not in self._registry(command).by_name:
                self._end(wanted)
                continue
            for address in self._places(command, name):
                asked = self._asked.get(wanted, {}).get(address)
                if (
                    asked is not None
                    and now - asked > _PATIENCE_NS
                    and address not in self._confirmed.get(wanted, ())
                ):
                    self._forget(wanted, address)
                self._ask(wanted, address)

    def _look_after(self, address: Address, pipe: Pipe, now: int) -> None:
        """Ask a node that is silent for a sign; without one the connection is closed after upstream-timeout-ms."""
        if not pipe.opened:
            return
        pinged = self._pinged.get(address, 0)
        if pinged > pipe.progress_ns:
            if now - pinged > self._fleet.config.upstream_timeout_ms * _NS_PER_MS:
                pipe.fail("no reply within upstream-timeout-ms")
        elif now - pipe.progress_ns > _QUIET_NS:
            self._pinged[address] = now
            pipe.send_only(_PING)

    def _review_waiting(self, wanted: Wanted, now: int) -> None:
        """Those who wait for ``wanted``: it may be there by another topology, or their time may be up."""
        self._tell(wanted)
        waiting = self._waiting.get(wanted, [])
        for call, until_ns in waiting:
            if now > until_ns:
                call()
        if waiting:
            waiting[:] = [each for each in waiting if now <= each[1]]
            if not waiting:
                del self._waiting[wanted]

    def _end(self, wanted: Wanted) -> None:
        """Nobody wants ``wanted`` any more."""
        del self._wanted[wanted]
        verb = wanted[0].replace("subscribe", "unsubscribe").encode()
        self._confirmed.pop(wanted, None)
        for address in self._asked.pop(wanted, ()):
            if address in self._pipes:
                self._pipes[address].send_only(encode([verb, wanted[1]]))

    # -- the end ------------------------------------------------------------------------------------------

    def _lost(self, pipe: Pipe) -> None:
        """A connection is lost: its subscribers are disconnected."""
        address = pipe.node.address
        if self._pipes.get(address) is not pipe:
            return
        del self._pipes[address]
        self._pinged.pop(address, None)
        clients: dict[Any, None] = {}
        for wanted, places in list(self._asked.items()):
            if address in places:
                if address in self._confirmed.get(wanted, ()):
                    clients |= dict.fromkeys(self._registry(wanted[0]).by_name.get(wanted[1], ()))
                self._forget(wanted, address)
        self._disconnect(clients)

    def _disconnect(self, clients: Iterable[Any]) -> None:
        for client in list(clients):
            client.transport.close()
