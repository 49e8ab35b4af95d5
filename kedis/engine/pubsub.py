"""Pub/sub: the registry of subscriptions, and the delivery of messages; no sockets.

There are three kinds of subscription, each with a message of its own: channels, patterns, and shard channels, which
on a stand-alone server are channels of another namespace. A message is encoded once for each protocol that its
subscribers speak, however many they are, and the same bytes are appended to the output of each subscriber. They
are sent at the end of the turn, so a publisher does not wait for a subscriber, and a slow one is closed by its own
output limit.

A message is not a reply: clients that have turned replies off receive it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from kedis.resp.replies import encode2, encode3
from kedis.resp.values import Push
from kedis.structures.glob import Matcher, compile_glob


class Subscriber(Protocol):
    """The part of a client that the registry uses."""

    resp: int
    #: Names that the client has subscribed to, in order, by kind (``channel``, ``pattern``, ``shard``).
    subscribed: dict[str, dict[bytes, None]]
    #: Number of names of all kinds together.
    subscriptions: int

    def push(self, wire: bytes) -> None:
        """Take bytes that are no reply."""


class Message:
    """One message for many clients, encoded for the first client of each protocol and then shared."""

    __slots__ = ("_values", "_wire2", "_wire3")

    def __init__(self, *values: bytes | int | list[bytes] | None) -> None:
        self._values = Push(values)
        self._wire2 = b""
        self._wire3 = b""

    def wire(self, protocol: int) -> bytes:
        """The bytes in RESP ``protocol``."""
        if protocol == 3:
            if not self._wire3:
                self._wire3 = self._encoded(encode3)
            return self._wire3
        if not self._wire2:
            self._wire2 = self._encoded(encode2)
        return self._wire2

    def _encoded(self, encode: Callable[[Push, Callable[[bytes], object]], None]) -> bytes:
        chunks: list[bytes] = []
        encode(self._values, chunks.append)
        return b"".join(chunks)


def deliver(message: Message, clients: Iterable[Subscriber]) -> None:
    """Deliver ``message`` to every one of ``clients``.  O(clients)."""
    for client in clients:
        client.push(message.wire(client.resp))


class Subscriptions:
    """The subscribers of one kind by name.

    Args:
        kind: the key of these names in :attr:`Subscriber.subscribed`.
        prefix: prefix of the names of confirmations: ``b""``, ``b"p"`` or ``b"s"``.
    """

    def __init__(self, kind: str, prefix: bytes) -> None:
        self.kind = kind
        self.prefix = prefix
        self.by_name: dict[bytes, dict[Subscriber, None]] = {}

    def __len__(self) -> int:
        return len(self.by_name)

    def add(self, client: Subscriber, name: bytes) -> None:
        """Subscribe; does nothing when the client has subscribed already. O(1)."""
        names = client.subscribed[self.kind]
        if name not in names:
            names[name] = None
            client.subscriptions += 1
            if name not in self.by_name:
                self.begun(name)
            self.by_name.setdefault(name, {})[client] = None

    def remove(self, client: Subscriber, name: bytes) -> None:
        """Unsubscribe; does nothing when there is no such subscription. O(1)."""
        names = client.subscribed[self.kind]
        if name in names:
            del names[name]
            client.subscriptions -= 1
            clients = self.by_name[name]
            del clients[client]
            if not clients:
                del self.by_name[name]
                self.ended(name)

    def begun(self, name: bytes) -> None:
        """Handle the first subscriber of ``name``."""

    def ended(self, name: bytes) -> None:
        """Handle the loss of the last subscriber of ``name``."""

    def names(self, matches: Matcher) -> list[bytes]:
        """Names with subscribers that ``matches`` accepts.  O(names)."""
        return [name for name in self.by_name if matches(name)]

    def count(self, name: bytes) -> int:
        """Number of subscribers of ``name``."""
        return len(self.by_name.get(name, ()))


class Patterns(Subscriptions):
    """Subscriptions to every matching channel; a pattern is compiled once for all its subscribers."""

    def __init__(self) -> None:
        super().__init__("pattern", b"p")
        self.matchers: dict[bytes, Matcher] = {}

    def begun(self, name: bytes) -> None:
        self.matchers[name] = compile_glob(name)

    def ended(self, name: bytes) -> None:
        del self.matchers[name]


class PubSub:
    """All subscriptions of one server.

    Attributes:
        deliver: delivers a message to clients; the native path puts its own here.
    """

    def __init__(self) -> None:
        self.deliver: Callable[[Message, Iterable[Subscriber]], None] = deliver
        self.channels = Subscriptions("channel", b"")
        self.patterns = Patterns()
        self.shards = Subscriptions("shard", b"s")

    def publish(self, channel: bytes, payload: bytes) -> int:
        """Deliver ``payload`` to the subscribers of ``channel``, then to those of patterns that match it.

        Returns the number of deliveries; a client with several matching subscriptions gets several.
        O(subscribers + patterns).
        """
        delivered = 0
        clients = self.channels.by_name.get(channel)
        if clients:
            self.deliver(Message(b"message", channel, payload), clients)
            delivered = len(clients)
        if self.patterns.by_name:
            for pattern, matches in self.patterns.matchers.items():
                if matches(channel):
                    clients = self.patterns.by_name[pattern]
                    self.deliver(Message(b"pmessage", pattern, channel, payload), clients)
                    delivered += len(clients)
        return delivered

    def publish_shard(self, channel: bytes, payload: bytes) -> int:
        """Deliver ``payload`` to the subscribers of the shard channel; returns their number."""
        clients = self.shards.by_name.get(channel, {})
        self.deliver(Message(b"smessage", channel, payload), clients)
        return len(clients)

    def leave(self, client: Subscriber) -> None:
        """Remove all subscriptions of ``client``, without a confirmation. O(its subscriptions)."""
        for kind in (self.channels, self.patterns, self.shards):
            for name in list(client.subscribed[kind.kind]):
                kind.remove(client, name)
