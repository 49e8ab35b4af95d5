"""Keyspace notifications: events of keys, published on channels (``notify-keyspace-events``).

The setting selects the channels: ``__keyspace@<db>__:<key>`` carries the event (K), ``__keyevent@<db>__:<event>``
the key (E). The letter of the setting that an event belongs to follows from its name.
Events are published at once, in the order in which they happen, also in the middle of a transaction.
"""

from __future__ import annotations

from kedis.engine.pubsub import PubSub

_EVENTS = {
    "g": "del expire persist rename_from rename_to move_from move_to copy_to restore",
    "$": "set append setrange incrby incrbyfloat setbit pfadd",
    "l": "lpush rpush lpop rpop lset linsert lrem ltrim sortstore",
    "s": "sadd srem spop sinterstore sunionstore sdiffstore",
    "h": "hset hdel hincrby hincrbyfloat",
    "z": "zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin zpopmax zrangestore"
    " zinterstore zunionstore zdiffstore geosearchstore georadiusstore",
    "t": "xadd xdel xtrim xsetid xgroup-create xgroup-createconsumer xgroup-delconsumer xgroup-destroy xgroup-setid",
    "x": "expired",
    "e": "evicted",
    "m": "keymiss",
    "n": "new",
}
#: The class of every event, as a letter of ``notify-keyspace-events``.
CLASS_OF: dict[str, str] = {event: letter for letter, events in _EVENTS.items() for event in events.split()}


class Notifications:
    """Publishes the events of the selected classes.

    Attributes:
        active: whether any event is published.
    """

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self.choose("")

    def choose(self, letters: str) -> None:
        """Publish the classes ``letters``, on the channels of ``K`` and ``E`` where these are included."""
        self._of_keys = "K" in letters
        self._of_events = "E" in letters
        self._events = frozenset(event for event, letter in CLASS_OF.items() if letter in letters)
        self.active = bool(self._events) and (self._of_keys or self._of_events)

    def publish(self, database: int, key: bytes, event: str) -> None:
        """Publish ``event``, if its class is selected. O(subscribers + patterns)."""
        if event not in self._events:
            return
        name = event.encode()
        if self._of_keys:
            self._pubsub.publish(b"__keyspace@%d__:%b" % (database, key), name)
        if self._of_events:
            self._pubsub.publish(b"__keyevent@%d__:%b" % (database, name), key)
