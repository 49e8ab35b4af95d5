"""SCAN over a cluster: a key that is there the whole time is given at least once, whatever moves meanwhile.

First the masters are scanned, one after the other, as they were when the scan began, by their own cursors. Then the
masters are asked what they hold now. Slots that stayed are done: their keys were where the scan looked. All keys of the
others are read, slot by slot, from the slot's master and, where it is under way, from the node that takes it in: in
this order, as keys go in this direction. What moves after that was read before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kedis.commands.parsing.scan_options import ScanOptions, parse_scan
from kedis.errors import CommandError
from kedis.resp.reply_framing import split_elements
from kedis.router.fleet import Fleet
from kedis.router.hash_slots import SLOTS, key_slot
from kedis.router.planning import Argv, encode
from kedis.router.scan_cursor import BEGIN, ScanCursor, parse_cursor
from kedis.router.scan_notes import ScanNotes
from kedis.router.shard_views import Held, ShardView, mark_of, moved, owners, parse_view, targets
from kedis.router.upstream_url import Address

#: A slot to name a master where the request goes elsewhere, an address or None for the slot's master, and the words.
Asked = tuple[int, Address | None, Argv]
_ALL = tuple(range(SLOTS))
#: Slots that are asked for at once, and in one call.
_MOST_AT_ONCE = 256
_MOST_SLOTS = 2048
_EVERY_KEY = b"%d" % (2**31 - 1)


class NodeError(Exception):
    """A node has answered with an error, ``reply``."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


class ScanMemory:
    """What cursors rely on: what masters held when scans began, and slots that are read at their ends."""

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self.held: ScanNotes[tuple[Held, ...]] = ScanNotes(monotonic)
        self.slots: ScanNotes[tuple[int, ...]] = ScanNotes(monotonic)


class ClusterScan:
    """One call of SCAN.

    Args:
        ask: sends requests to nodes, and waits for all replies; none where the client has left.
    """

    def __init__(
        self, fleet: Fleet, memory: ScanMemory, ask: Callable[[Sequence[Asked]], list[bytes]]
    ) -> None:
        self._fleet = fleet
        self._memory = memory
        self._asks = ask

    def reply(self, argv: Argv) -> bytes:
        """The reply to a call. Raises nothing that a node or the client may bring about."""
        try:
            cursor = parse_cursor(argv[1])
            step = self._by_slots if cursor.by_slots else self._by_nodes
            after, keys = step(cursor, argv)
            word = b"%d" % after.number
        except NodeError as error:
            return error.reply
        except CommandError as error:
            return b"-%b\r\n" % str(error).encode()
        except IndexError:
            return b"-ERR a node has answered SCAN in an unexpected form\r\n"
        except ValueError as error:
            return b"-ERR %b\r\n" % str(error).encode()
        return b"*2\r\n$%d\r\n%b\r\n" % (len(word), word) + keys

    def _ask(self, asked: Sequence[Asked]) -> list[bytes]:
        replies = self._asks(asked)
        for reply in replies:
            if reply.startswith(b"-"):
                raise NodeError(reply)
        if len(replies) != len(asked):
            raise ValueError("the client has left")
        return replies

    # -- nodes --------------------------------------------------------------------------------------------

    def _by_nodes(self, cursor: ScanCursor, argv: Argv) -> tuple[ScanCursor, bytes]:
        held = self._held_at_begin(cursor)
        if held is None:
            return ScanCursor(by_slots=True), b"*0\r\n"
        mark = mark_of(held)
        node = next((each for each in held if each.first_slot >= cursor.slot), None)
        own, keys = 0, b"*0\r\n"
        if node is not None and node.address in self._fleet.topology.addresses:
            words = [b"SCAN", b"%d" % cursor.own, *argv[2:]]
            (reply,) = self._ask([(node.first_slot, node.address, words)])
            word, keys = split_elements(reply)
            own = int(word.split(b"\r\n")[1])
        if node is not None and own:
            return ScanCursor(node.first_slot, mark=mark, own=own), keys
        later = [each for each in held if node is not None and each.first_slot > node.first_slot]
        if later:
            return ScanCursor(later[0].first_slot, mark=mark), keys
        return self._after_nodes(held), keys

    def _held_at_begin(self, cursor: ScanCursor) -> tuple[Held, ...] | None:
        """What masters held when the scan began; None where that is not known.

        Another router, or this one before it was started anew, may have begun it: then what is held now has its mark.
        """
        known = self._memory.held.find(cursor.mark) if cursor != BEGIN else None
        if known is None:
            now = [view.held for view in self._views()]
            known = tuple(sorted((each for each in now if each.ranges), key=lambda each: each.first_slot))
            mark = self._memory.held.note(known)
            is_sure = self._memory.held.find(mark) is not None and cursor.mark == mark
            if cursor != BEGIN and not is_sure:
                return None
        return known

    def _after_nodes(self, held: tuple[Held, ...]) -> ScanCursor:
        """How the scan goes on once all nodes are done: with the slots that may have moved, if any."""
        slots = tuple(moved(held, self._views()))
        if not slots:
            return BEGIN
        mark = self._memory.slots.note(slots) if len(slots) < SLOTS else 0
        return ScanCursor(slots[0], by_slots=True, mark=mark)

    def _views(self) -> list[ShardView]:
        """What all masters say of themselves, those included of which only others know yet."""
        found: dict[str, ShardView] = {}
        addresses = list(self._fleet.topology.addresses)
        tried = set(addresses)
        while addresses:
            asked: list[Asked] = []
            for address in addresses:
                shard = self._fleet.topology.of_master(address)
                slot = shard.first_slot if shard is not None else self._fleet.any_slot
                asked += [(slot, address, [b"CLUSTER", b"NODES"]), (slot, address, [b"INFO", b"server"])]
            replies = self._ask(asked)
            for number, address in enumerate(addresses):
                view = parse_view(address, *replies[2 * number : 2 * number + 2])
                found[view.id] = view
            told = {view.peers[each] for view in found.values() for each in view.masters - found.keys()}
            addresses = sorted(told - tried)
            tried |= told
        return list(found.values())

    # -- slots --------------------------------------------------------------------------------------------

    def _by_slots(self, cursor: ScanCursor, argv: Argv) -> tuple[ScanCursor, bytes]:
        options = parse_scan(argv, 2, allow_type=True)
        known = self._memory.slots.find(cursor.mark) if cursor.mark else None
        slots = [slot for slot in (known if known is not None else _ALL) if slot >= cursor.slot]
        views = self._views()
        masters = [each.address if each is not None else None for each in owners(view.held for view in views)]
        others = targets(views)
        keys: list[bytes] = []
        done, at_once = 0, 1
        while done < min(len(slots), _MOST_SLOTS) and len(keys) < options.count:
            some = slots[done : done + at_once]
            found = self._keys_of((slot, masters[slot]) for slot in some)
            found += self._keys_of((slot, place) for slot in some for place in sorted(others.get(slot, ())))
            keys += dict.fromkeys(found)
            done += len(some)
            at_once = min(2 * at_once, _MOST_AT_ONCE)
        mark = cursor.mark if known is not None else 0
        after = ScanCursor(slots[done], by_slots=True, mark=mark) if done < len(slots) else BEGIN
        return after, encode(self._wanted(keys, options)) if keys else b"*0\r\n"

    def _keys_of(self, places: Iterable[tuple[int, Address | None]]) -> list[bytes]:
        """All keys of slots, as the nodes at these addresses have them."""
        asked: list[Asked] = [
            (slot, address, [b"CLUSTER", b"GETKEYSINSLOT", b"%d" % slot, _EVERY_KEY])
            for slot, address in places
        ]
        replies = self._ask(asked) if asked else []
        return [_bulk(element) for reply in replies for element in split_elements(reply)]

    def _wanted(self, keys: list[bytes], options: ScanOptions) -> list[bytes]:
        """Those of ``keys`` that the options ask for."""
        if options.match is not None:
            keys = [key for key in keys if options.match(key)]
        if options.type is None or not keys:
            return keys
        types = self._ask([(key_slot(key), None, [b"TYPE", key]) for key in keys])
        return [key for key, kind in zip(keys, types, strict=True) if kind[1:-2].lower() == options.type]


def _bulk(reply: bytes) -> bytes:
    """The bytes of a bulk string."""
    return reply[reply.index(b"\r\n") + 2 : -2]
