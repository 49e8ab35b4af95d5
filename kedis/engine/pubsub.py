"""Who has subscribed to what, and the delivery of messages; no sockets.

Three kinds of subscription, each with a message of its own: channels, patterns, and shard channels, which on a
stand-alone server are channels of another namespace.  A message is encoded once for each protocol that its
subscribers speak, however many they are, and the same bytes are put behind what each of them is still to get.  They
are sent at the end of the turn, so a publisher waits for nobody, and who does not read is cut off by its own limit.

A message is not a reply: it is delivered to clients that have turned replies off, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from kedis.resp.replies import encode2, encode3
from kedis.resp.values import Push
from kedis.structures.glob import Matcher, compile_glob


class Subscriber(Protocol):
    """What the registry needs of a client."""

    resp: int
    #: Names that the client has subscribed to, in order, by kind (``channel``, ``pattern``, ``shard``).
    subscribed: dict[str, dict[bytes, None]]
    #: How many names of all kinds together.
    subscriptions: int

    def push(self, wire: bytes) -> None:
        """Take bytes that are no reply."""


class Message:
    """Something for many clients: encoded when the first of a protocol gets it, and then shared."""

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

    def send(self, clients: Iterable[Subscriber]) -> None:
        """Deliver to every one of ``clients``.  O(clients)."""
        for client in clients:
            client.push(self._wire3 or self.wire(3) if client.resp == 3 else self._wire2 or self.wire(2))


class Subscriptions:
    """The subscribers of one kind by name.

    Args:
        kind: the key of these names in :attr:`Subscriber.subscribed`.
        prefix: what the confirmations begin with: ``b""``, ``b"p"`` or ``b"s"``.
    """

    def __init__(self, kind: str, prefix: bytes) -> None:
        self.kind = kind
        self.prefix = prefix
        self.by_name: dict[bytes, dict[Subscriber, None]] = {}

    def __len__(self) -> int:
        return len(self.by_name)

    def add(self, client: Subscriber, name: bytes) -> None:
        """Subscribe; nothing happens when the client has already.  O(1)."""
        names = client.subscribed[self.kind]
        if name not in names:
            names[name] = None
            client.subscriptions += 1
            if name not in self.by_name:
                self.begun(name)
            self.by_name.setdefault(name, {})[client] = None

    def remove(self, client: Subscriber, name: bytes) -> None:
        """Take a subscription back; nothing happens when there is none.  O(1)."""
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
        """``name`` has its first subscriber."""

    def ended(self, name: bytes) -> None:
        """``name`` has lost its last subscriber."""

    def names(self, matches: Matcher) -> list[bytes]:
        """Names with subscribers that ``matches`` accepts.  O(names)."""
        return [name for name in self.by_name if matches(name)]

    def count(self, name: bytes) -> int:
        """How many clients have subscribed to ``name``."""
        return len(self.by_name.get(name, ()))


class Patterns(Subscriptions):
    """Subscriptions to every channel that matches; a pattern is compiled once, however many use it."""

    def __init__(self) -> None:
        super().__init__("pattern", b"p")
        self.matchers: dict[bytes, Matcher] = {}

    def begun(self, name: bytes) -> None:
        self.matchers[name] = compile_glob(name)

    def ended(self, name: bytes) -> None:
        del self.matchers[name]


class PubSub:
    """All subscriptions of one server."""

    def __init__(self) -> None:
        self.channels = Subscriptions("channel", b"")
        self.patterns = Patterns()
        self.shards = Subscriptions("shard", b"s")

    def publish(self, channel: bytes, payload: bytes) -> int:
        """Deliver ``payload`` to the subscribers of ``channel``, then to those of patterns that match it.

        Returns the number of deliveries; a client with several subscriptions that fit gets several.
        O(subscribers + patterns).
        """
        delivered = 0
        clients = self.channels.by_name.get(channel)
        if clients:
            Message(b"message", channel, payload).send(clients)
            delivered = len(clients)
        if self.patterns.by_name:
            for pattern, matches in self.patterns.matchers.items():
                if matches(channel):
                    clients = self.patterns.by_name[pattern]
                    Message(b"pmessage", pattern, channel, payload).send(clients)
                    delivered += len(clients)
        return delivered

    def publish_shard(self, channel: bytes, payload: bytes) -> int:
        """Deliver ``payload`` to the subscribers of the shard channel; returns how many they are."""
        clients = self.shards.by_name.get(channel, {})
        Message(b"smessage", channel, payload).send(clients)
        return len(clients)

    def leave(self, client: Subscriber) -> None:
        """Take back all subscriptions of ``client``, without a word to it.  O(its subscriptions)."""
        for kind in (self.channels, self.patterns, self.shards):
            for name in list(client.subscribed[kind.kind]):
                kind.remove(client, name)
