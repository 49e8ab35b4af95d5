"""Consumer groups of a stream: how far each has read, and what was delivered to whom without being acknowledged.

An entry that a group has delivered is *pending* until it is acknowledged.  One object says to whom, when last and how
often it was delivered; the group and the consumer each find it by its id, in the order of the ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

from kedis.structures.footprint import bytes_footprint
from kedis.structures.id_map import EMPTY, ENTRY, IdMap
from kedis.structures.stepwise import pop_in_steps

#: Bytes of main memory of a group and of a consumer beside name and map, and of a pending entry with its places in two
#: maps.
_GROUP, _CONSUMER, _PENDING = 360, 220, 96 + 2 * ENTRY
_COUNT_MIN, _COUNT_MAX = -(1 << 63), (1 << 63) - 1


class Account:
    """Bytes of main memory of a stream's parts, kept by those who change them."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = 0


class Pending:
    """A delivered entry: to whom, when last (ms since 1970), how often."""

    __slots__ = ("consumer", "count", "delivered_ms")

    def __init__(self, consumer: Consumer, delivered_ms: int, count: int = 1) -> None:
        self.consumer = consumer
        self.delivered_ms = delivered_ms
        self.count = count

    def deliver_again(self) -> None:
        """Count a delivery, in 64 bits with a sign."""
        self.count = _COUNT_MIN if self.count == _COUNT_MAX else self.count + 1


class Consumer:
    """A member of a group; `seen_ms` is when it last asked for something, in ms since 1970."""

    __slots__ = ("name", "pending", "seen_ms")

    def __init__(self, name: bytes, seen_ms: int) -> None:
        self.name = name
        self.seen_ms = seen_ms
        self.pending: IdMap = IdMap()


class Group:
    """A consumer group.

    Attributes:
        last_id: the last id that was delivered.
        entries_read: how many entries the stream had got when `last_id` was the last; None where that is not known.
    """

    __slots__ = ("_account", "_consumers", "entries_read", "last_id", "pending")

    def __init__(self, account: Account, last_id: int, entries_read: int | None) -> None:
        self._account = account
        self._consumers: dict[bytes, Consumer] = {}
        self.last_id = last_id
        self.entries_read = entries_read
        self.pending: IdMap = IdMap()

    # -- consumers ----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """The number of consumers."""
        return len(self._consumers)

    def consumer(self, name: bytes) -> Consumer | None:
        """The consumer `name`, or None. O(1)."""
        return self._consumers.get(name)

    def consumers(self) -> Iterator[Consumer]:
        """The consumers by name, as Redis lists them. O(N log N)."""
        return (self._consumers[name] for name in sorted(self._consumers))

    def add_consumer(self, name: bytes, seen_ms: int) -> Consumer:
        """Make the consumer `name`, which must not be there. O(1)."""
        consumer = self._consumers[name] = Consumer(name, seen_ms)
        self._account.held += _consumer_size(name)
        return consumer

    def remove_consumer(self, name: bytes) -> int:
        """Remove the consumer `name`, which is there, and what is pending for it; how much was. O(pending log N)."""
        consumer = self._consumers.pop(name)
        for stream_id in consumer.pending.keys():  # noqa: SIM118 - it is no dict
            self.pending.pop(stream_id)
        count = len(consumer.pending)
        self._account.held -= _consumer_size(name) + _PENDING * count
        return count

    # -- pending entries ----------------------------------------------------------------------------------

    def deliver(self, stream_id: int, consumer: Consumer, now_ms: int) -> None:
        """Note the first delivery of `stream_id`; from whoever had it, if anyone. O(1), O(log N) out of order."""
        pending = self.pending.get(stream_id)
        if pending is None:
            self.add_pending(stream_id, consumer, now_ms, 1)
        else:
            self.assign(stream_id, pending, consumer)
            pending.delivered_ms = now_ms
            pending.count = 1

    def deliver_all(self, stream_ids: list[int], consumer: Consumer, now_ms: int) -> None:
        """Note the first delivery of `stream_ids`, which rise. O(ids), as :meth:`deliver` where they are not new."""
        last = self.pending.last()
        if last is not None and stream_ids[0] <= last:
            for stream_id in stream_ids:
                self.deliver(stream_id, consumer, now_ms)
            return
        delivered = list(map(Pending, repeat(consumer), repeat(now_ms, len(stream_ids))))
        self.pending.extend(stream_ids, delivered)
        consumer.pending.extend(stream_ids, delivered)
        self._account.held += _PENDING * len(delivered)

    def add_pending(self, stream_id: int, consumer: Consumer, delivered_ms: int, count: int) -> Pending:
        """Make `stream_id`, which is not pending, pending for `consumer`. O(1), O(log N) out of order."""
        pending = Pending(consumer, delivered_ms, count)
        self.pending[stream_id] = pending
        consumer.pending[stream_id] = pending
        self._account.held += _PENDING
        return pending

    def assign(self, stream_id: int, pending: Pending, consumer: Consumer) -> None:
        """Give `stream_id`, which is pending, to `consumer`. O(log N)."""
        if pending.consumer is not consumer:
            pending.consumer.pending.pop(stream_id)
            pending.consumer = consumer
            consumer.pending[stream_id] = pending

    def acknowledge(self, stream_id: int) -> bool:
        """Forget the pending entry `stream_id`; False when it is not pending. O(log N)."""
        return self.acknowledge_all((stream_id,)) == 1

    def acknowledge_all(self, stream_ids: Iterable[int]) -> int:
        """As :meth:`acknowledge`, for several; how many were pending. O(log N) each."""
        count, all_pending = 0, self.pending
        for stream_id in stream_ids:
            pending: Pending | None = all_pending.pop(stream_id)
            if pending is not None:
                pending.consumer.pending.pop(stream_id)
                count += 1
        self._account.held -= _PENDING * count
        return count

    # -- the whole ----------------------------------------------------------------------------------------

    def copy(self, account: Account) -> Group:
        """An independent copy, whose bytes are counted already. O(N)."""
        twin = Group(account, self.last_id, self.entries_read)
        twin._consumers = {name: Consumer(name, each.seen_ms) for name, each in self._consumers.items()}
        for stream_id, pending in self.pending.items():
            consumer = twin._consumers[pending.consumer.name]
            copied = Pending(consumer, pending.delivered_ms, pending.count)
            twin.pending[stream_id] = consumer.pending[stream_id] = copied
        return twin

    def free_in_steps(self, piece: int) -> Iterator[None]:
        """Let go of all that is pending; yields after every `piece` of it. The account is not kept. O(N)."""
        for consumer in self._consumers.values():
            yield from pop_in_steps(consumer.pending.pop_last, consumer.pending, piece)
        yield from pop_in_steps(self.pending.pop_last, self.pending, piece)

    def contents(self) -> tuple[Any, ...]:
        """What the group has delivered to whom, as plain Python. O(N)."""
        pending = [(stream_id, each.consumer.name, each.count) for stream_id, each in self.pending.items()]
        return self.last_id, self.entries_read, sorted(self._consumers), pending

    def footprint(self) -> int:
        """Bytes of main memory, counted anew. O(consumers)."""
        consumers = sum(map(_consumer_size, self._consumers))
        return _GROUP + EMPTY + consumers + _PENDING * len(self.pending)

    def _check(self) -> None:
        self.pending._check()
        found: dict[int, Pending] = {}
        for name, consumer in self._consumers.items():
            assert consumer.name == name
            consumer.pending._check()
            for stream_id, pending in consumer.pending.items():
                assert pending.consumer is consumer
                assert stream_id not in found
                found[stream_id] = pending
        assert found == dict(self.pending.items())


def _consumer_size(name: bytes) -> int:
    return _CONSUMER + EMPTY + bytes_footprint(name)
