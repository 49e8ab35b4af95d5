"""Keyspace events for clients: notifications, client-side caching and blocked commands behind one interface."""

from __future__ import annotations

from collections.abc import Iterable

from kedis.engine.notifications import Notifications
from kedis.engine.pubsub import PubSub
from kedis.engine.tracking import Tracking
from kedis.engine.waiting import Place, Waiting


class ClientEvents:
    """Passes the events of a keyspace on to the clients (:class:`kedis.store.events.KeyspaceEvents`)."""

    def __init__(self) -> None:
        self.pubsub = PubSub()
        self.notifications = Notifications(self.pubsub)
        self.waiting = Waiting()
        self.tracking = Tracking()

    def wanted(self) -> bool:
        return self.notifications.active or bool(self.tracking.clients) or bool(self.waiting.queues)

    def key_modified(self, database: int, key: bytes, event: str) -> None:
        tracking = self.tracking
        if tracking.clients:
            tracking.changed(key, tracking.current)
        if event and self.notifications.active:
            self.notifications.publish(database, key, event)

    def key_annotated(self, database: int, key: bytes, event: str) -> None:
        if self.notifications.active:
            self.notifications.publish(database, key, event)

    def key_created(self, database: int, kind: type, key: bytes) -> None:
        self.key_ready(database, kind, key)
        if self.notifications.active:
            self.notifications.publish(database, key, "new")

    def key_ready(self, database: int, kind: type, key: bytes) -> None:
        if self.waiting.queues:
            self.waiting.signal_key_ready(database, kind, key)

    def key_missed(self, database: int, key: bytes) -> None:
        if self.notifications.active:
            self.notifications.publish(database, key, "keymiss")

    def key_removed(self, database: int, key: bytes, event: str) -> None:
        if self.notifications.active:
            self.notifications.publish(database, key, event)
        if self.tracking.clients:  # as in Redis after the event, not before it as for other changes
            self.tracking.changed(key, None)

    def awaited(self) -> Iterable[Place]:
        return list(self.waiting.queues)
