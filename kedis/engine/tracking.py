"""Client-side caching: which client may hold which keys, and whom to tell when one changes.

Two ways of knowing.  By default the table remembers, for each key, the clients that have read it; the first change
tells them and forgets.  A client in BCAST mode names prefixes instead and is told of every key below them, whether it
has read it or not: those are collected and told at the end of the turn, one message a prefix.

Clients are remembered by id, as keys of all databases are by name alone: who has left, or tracks no longer, is found
out when something is to be told.  Beyond ``tracking-table-max-keys`` the keys read longest ago are given up (Redis
takes random ones), and whoever may hold them is told so.

What a client changes itself is told after the reply to the command that changed it, or, inside a transaction, after
all replies of that: :meth:`Tracking.defer` until :meth:`Tracking.settle`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kedis.engine.pubsub import Message

#: Where a RESP2 client that is redirected to gets its invalidations, if it has subscribed to anything.
CHANNEL = b"__redis__:invalidate"
#: How many keys one command gives up at most when there are too many.
_EFFORT = 100


@dataclass(slots=True)
class Caching:
    """What one client has chosen with CLIENT TRACKING ON.

    Attributes:
        redirect: id of the client that gets the invalidations instead; 0 for the client itself.
        broken: that client has gone.
        given: CLIENT CACHING was called, which concerns the next command or transaction.
        prefixes: in BCAST mode.
        deferred: keys, or None for all, to be told when the running command has been answered.
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
    """What the table needs of a client."""

    id: int
    resp: int
    subscriptions: int
    caching: Caching | None

    def push(self, wire: bytes) -> None:
        """Take bytes that are no reply."""


class Prefix:
    """The clients that want to know of keys below a prefix, and those keys that changed in this turn."""

    __slots__ = ("changed", "clients")

    def __init__(self) -> None:
        self.clients: dict[TrackingClient, None] = {}
        #: key → last tracking client to change it, or None.
        self.changed: dict[bytes, TrackingClient | None] = {}


class Invalidation:
    """The message that some keys (or all: None) are no longer what they were, in each form when it is needed."""

    __slots__ = ("_published", "_push")

    def __init__(self, keys: list[bytes] | None) -> None:
        self._push = Message(b"invalidate", keys)
        self._published = Message(b"message", CHANNEL, keys)

    def send(self, client: TrackingClient, redirected: bool) -> None:
        """Tell ``client``, as far as its protocol lets it hear."""
        if client.resp == 3:
            client.push(self._push.wire(3))
        elif redirected and client.subscriptions:
            client.push(self._published.wire(2))


class Tracking:
    """The tracking of one server.

    Attributes:
        clients_by_id: the clients by id.
        clients: those that track.
        current: the client whose command runs, if it tracks.
        most_keys: keys remembered at most; 0 is no limit.
        broadcast_later: called when something waits for :meth:`broadcast`, once until that has been called.
    """

    def __init__(self) -> None:
        self.clients_by_id: Mapping[int, TrackingClient] = {}
        self.clients: dict[TrackingClient, None] = {}
        self.current: TrackingClient | None = None
        self.most_keys = 0
        self.broadcast_later: Callable[[], None] = lambda: None
        # A key's readers by id: a number, or a set of several, which takes 200 bytes more.
        self._readers: OrderedDict[bytes, int | set[int]] = OrderedDict()
        self._prefixes: dict[bytes, Prefix] = {}
        self._waiting = False
        self.items = 0

    # -- figures ------------------------------------------------------------------------------------------

    @property
    def keys(self) -> int:
        """Keys that are remembered."""
        return len(self._readers)

    @property
    def prefixes(self) -> int:
        """Different prefixes that clients have named."""
        return len(self._prefixes)

    # -- clients ------------------------------------------------------------------------------------------

    def start(self, client: TrackingClient, caching: Caching) -> None:
        """Track for ``client``, or go on with other options; prefixes are added to those it has."""
        if client.caching is not None:
            caching.prefixes |= client.caching.prefixes
            caching.given = client.caching.given
            caching.deferred = client.caching.deferred
        client.caching = caching
        self.clients[client] = None
        for prefix in caching.prefixes:
            self._prefixes.setdefault(prefix, Prefix()).clients[client] = None

    def stop(self, client: TrackingClient) -> None:
        """Track for ``client`` no longer.  Idempotent."""
        caching, client.caching = client.caching, None
        if caching is None:
            return
        del self.clients[client]
        for prefix in caching.prefixes:
            clients = self._prefixes[prefix].clients
            del clients[client]
            if not clients:
                del self._prefixes[prefix]

    # -- what clients have read ---------------------------------------------------------------------------

    def remember(self, client: TrackingClient, keys: Iterable[bytes]) -> None:
        """``client`` has read ``keys``.  O(keys)."""
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
            self.limit(_EFFORT)

    def limit(self, effort: int) -> None:
        """Give up to ``effort`` keys up while there are more than ``most_keys``."""
        readers = self._readers
        while self.most_keys and len(readers) > self.most_keys and effort > 0:
            self._tell_readers(next(iter(readers)))
            effort -= 1

    # -- changes ------------------------------------------------------------------------------------------

    def changed(self, key: bytes, by: TrackingClient | None) -> None:
        """``key`` was changed by ``by``, or by nobody in particular.  O(readers of the key + prefixes)."""
        for prefix, state in self._prefixes.items():
            if key.startswith(prefix):
                state.changed[key] = by
                if not self._waiting:
                    self._waiting = True
                    self.broadcast_later()
        if key in self._readers:
            self._tell_readers(key)

    def _tell_readers(self, key: bytes) -> None:
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
            elif not client.caching.no_loop:
                client.caching.deferred.append(key)

    def flushed(self) -> None:
        """All keys of a database, or of all, are gone.  O(clients that track)."""
        message = Invalidation(None)
        for client in self.clients:
            if client is self.current and client.caching is not None:
                client.caching.deferred.append(None)
            else:
                self._send(client, message)
        self._readers.clear()
        self.items = 0

    def settle(self, client: TrackingClient) -> None:
        """The command of ``client`` has been answered: tell it what it has changed itself."""
        caching = client.caching
        if caching is not None and caching.deferred:
            deferred, caching.deferred = caching.deferred, []
            for key in deferred:
                self._send(client, Invalidation(None if key is None else [key]))

    def broadcast(self) -> None:
        """Tell the clients in BCAST mode what has changed since the last time, in order of prefixes and keys."""
        if not self._waiting:
            return
        self._waiting = False
        for prefix in sorted(prefix for prefix, state in self._prefixes.items() if state.changed):
            state = self._prefixes[prefix]
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
        assert caching is not None  # only who tracks is told
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
