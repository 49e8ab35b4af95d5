"""Client-side caching: the keys that tracking clients may hold, and invalidation messages when these change.

There are two modes. By default the table remembers, for each key, the clients that have read it; the first change
notifies them and forgets the key. A client in BCAST mode names prefixes instead and is notified of every changed key
below them, whether it has read it or not: those keys are collected and sent at the end of the turn, one message a
prefix.

Clients are remembered by id, keys of all databases by name alone: clients that have disconnected, or no longer track,
are found when an invalidation is sent. Beyond ``tracking-table-max-keys`` the keys read longest ago are dropped (Redis
takes random ones), and their readers get an invalidation.

Invalidations by a client's own changes are sent after the reply to the command, or, inside a transaction, after
all its replies: they wait in :attr:`Caching.deferred` for :meth:`Tracking.settle`.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kedis.engine.pubsub import Message

#: Channel of the invalidations for a RESP2 client that is the target of REDIRECT, if it has any subscription.
CHANNEL = b"__redis__:invalidate"
#: Maximum number of keys dropped by one command when there are too many.
_EFFORT = 100


@dataclass(slots=True)
class Caching:
    """The options of one client, set by CLIENT TRACKING ON.

    Attributes:
        redirect: id of the client that gets the invalidations instead; 0 for the client itself.
        broken: the redirection target has disconnected.
        given: CLIENT CACHING was called, which applies to the next command or transaction.
        prefixes: in BCAST mode.
        deferred: keys, or None for all, to invalidate when the running command has been answered.
    """

    redirect: int = 0
    broadcast: bool = False
    opt_in: bool = False
    opt_out: bool = False
    no_loop: bool = False
    broken: bool = False
    given: bool = False
    prefixes: set[bytes] = field(default_factory=set)
    deferred: list[bytes | None] = field(default_factory=list)

    def wants(self) -> bool:
        """Whether the keys of the running command are to be remembered."""
        if self.broadcast:
            return False
        return self.given if self.opt_in else not (self.opt_out and self.given)


class TrackingClient(Protocol):
    """The part of a client that the table uses."""

    id: int
    resp: int
    subscriptions: int
    caching: Caching | None

    def push(self, wire: bytes) -> None:
        """Take bytes that are no reply."""


class Prefix:
    """The BCAST clients of a prefix, and its keys that changed in this turn."""

    __slots__ = ("changed", "clients")

    def __init__(self) -> None:
        self.clients: dict[TrackingClient, None] = {}
        #: key → last tracking client to change it, or None.
        self.changed: dict[bytes, TrackingClient | None] = {}


class Invalidation:
    """The invalidation message for some keys (None: all), encoded for each protocol when needed."""

    __slots__ = ("_published", "_push")

    def __init__(self, keys: list[bytes] | None) -> None:
        self._push = Message(b"invalidate", keys)
        self._published = Message(b"message", CHANNEL, keys)

    def send(self, client: TrackingClient, redirected: bool) -> None:
        """Send the message to ``client``; a RESP2 client gets it only as a subscribed target of REDIRECT."""
        if client.resp == 3:
            client.push(self._push.wire(3))
        elif redirected and client.subscriptions:
            client.push(self._published.wire(2))


class Tracking:
    """The tracking of one server.

    Attributes:
        clients_by_id: the clients by id.
        clients: the tracking clients.
        current: the client whose command runs, if it tracks.
        most_keys: maximum number of remembered keys; 0 is no limit.
        broadcast_later: called when messages wait for :meth:`broadcast`, once until that has been called.
    """

    def __init__(self) -> None:
        self.clients_by_id: Mapping[int, TrackingClient] = {}
        self.clients: dict[TrackingClient, None] = {}
        self.current: TrackingClient | None = None
        self.most_keys = 0
        self.broadcast_later: Callable[[], None] = lambda: None
        # The ids of a key's readers: a number, or a set of several, which takes 200 bytes more.
        self._readers: OrderedDict[bytes, int | set[int]] = OrderedDict()
        self._prefixes: dict[bytes, Prefix] = {}
        #: How many prefixes there are by length: a key is looked up once for each length.
        self._lengths: Counter[int] = Counter()
        #: The prefixes that have keys to tell of.
        self._to_tell: dict[bytes, Prefix] = {}
        self._waiting = False
        self.items = 0

    # -- figures ------------------------------------------------------------------------------------------

    @property
    def keys(self) -> int:
        """Number of remembered keys."""
        return len(self._readers)

    @property
    def prefixes(self) -> int:
        """Number of different prefixes that clients have named."""
        return len(self._prefixes)

    # -- clients ------------------------------------------------------------------------------------------

    def start(self, client: TrackingClient, caching: Caching) -> None:
        """Enable tracking for ``client``, or change its options; prefixes are added to the existing ones."""
        for prefix in caching.prefixes:
            if prefix not in self._prefixes:
                self._prefixes[prefix] = Prefix()
                self._lengths[len(prefix)] += 1
            self._prefixes[prefix].clients[client] = None
        if client.caching is not None:
            caching.prefixes |= client.caching.prefixes
            caching.given = client.caching.given
            caching.deferred = client.caching.deferred
        client.caching = caching
        self.clients[client] = None

    def stop(self, client: TrackingClient) -> None:
        """Disable tracking for ``client``. Idempotent."""
        caching, client.caching = client.caching, None
        if caching is None:
            return
        del self.clients[client]
        for prefix in caching.prefixes:
            clients = self._prefixes[prefix].clients
            del clients[client]
            if not clients:
                del self._prefixes[prefix]
                self._lengths[len(prefix)] -= 1
                if not self._lengths[len(prefix)]:
                    del self._lengths[len(prefix)]

    # -- keys read by clients -----------------------------------------------------------------------------

    def remember(self, client: TrackingClient, keys: Iterable[bytes]) -> None:
        """Remember that ``client`` has read ``keys``. O(keys)."""
        mine = client.id
        readers = self._readers
        for key in keys:
            known = readers.get(key)
            if known == mine or (isinstance(known, set) and mine in known):
                continue
            self.items += 1
            if known is None:
                readers[key] = mine
            elif isinstance(known, set):
                known.add(mine)
            else:
                readers[key] = {known, mine}
        if self.most_keys and len(readers) > self.most_keys:
            self.limit()

    def limit(self, effort: int = _EFFORT) -> None:
        """Drop up to ``effort`` keys while there are more than ``most_keys``."""
        readers = self._readers
        while self.most_keys and len(readers) > self.most_keys and effort > 0:
            self._tell_readers(next(iter(readers)), changed=False)
            effort -= 1

    # -- changes ------------------------------------------------------------------------------------------

    def changed(self, key: bytes, by: TrackingClient | None) -> None:
        """Handle a change of ``key`` by the tracking client ``by``, or None. O(its readers + lengths of prefixes)."""
        for length in self._lengths:
            prefix = key[:length]
            state = self._prefixes.get(prefix)
            if state is not None:
                state.changed[key] = by
                self._to_tell[prefix] = state
                if not self._waiting:
                    self._waiting = True
                    self.broadcast_later()
        if key in self._readers:
            self._tell_readers(key)

    def _tell_readers(self, key: bytes, changed: bool = True) -> None:
        """Forget ``key``, and have its readers do so. Where it has not ``changed``, NOLOOP does not spare a client."""
        readers = self._readers.pop(key)
        ids = readers if isinstance(readers, set) else (readers,)
        self.items -= len(ids)
        message = Invalidation([key])
        for number in ids:
            client = self.clients_by_id.get(number)
            if client is None or client.caching is None or client.caching.broadcast:
                continue
            if client is not self.current:
                self._send(client, message)
            elif not (changed and client.caching.no_loop):
                client.caching.deferred.append(key)

    def flushed(self) -> None:
        """Handle the removal of all keys of one or all databases. O(tracking clients)."""
        message = Invalidation(None)
        for client in self.clients:
            if client is self.current and client.caching is not None:
                client.caching.deferred.append(None)
            else:
                self._send(client, message)
        self._readers.clear()
        self.items = 0

    def settle(self, client: TrackingClient) -> None:
        """Send ``client``, whose command has been answered, the invalidations by its own changes."""
        caching = client.caching
        if caching is not None and caching.deferred:
            deferred, caching.deferred = caching.deferred, []
            for key in deferred:
                self._send(client, Invalidation(None if key is None else [key]))

    def broadcast(self) -> None:
        """Send the clients in BCAST mode the keys changed since the last call, in order of prefixes and keys."""
        if not self._waiting:
            return
        self._waiting = False
        to_tell, self._to_tell = self._to_tell, {}
        for _, state in sorted(to_tell.items()):
            changed, state.changed = sorted(state.changed.items(), key=_key_of), {}
            message = Invalidation([key for key, _ in changed])
            for client in state.clients:
                if client.caching is not None and client.caching.no_loop:
                    others = [key for key, by in changed if by is not client]
                    if others:
                        self._send(client, Invalidation(others))
                else:
                    self._send(client, message)

    def _send(self, client: TrackingClient, message: Invalidation) -> None:
        caching = client.caching
        assert caching is not None  # only tracking clients get messages
        if not caching.redirect:
            message.send(client, redirected=False)
            return
        target = self.clients_by_id.get(caching.redirect)
        if target is not None:
            message.send(target, redirected=True)
            return
        caching.broken = True
        if client.resp == 3:
            client.push(Message(b"tracking-redir-broken", caching.redirect).wire(3))


def _key_of(item: tuple[bytes, object]) -> bytes:
    return item[0]
