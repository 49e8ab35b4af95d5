"""A client of the router: what it asks is read, admitted, and sent to where its command's plan says.

What waits is in :mod:`kedis.router.waiting_connection` and :mod:`kedis.router.own_connection`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kedis import errors
from kedis.engine.admission import Deferred, admit, refuse
from kedis.engine.call import take_back, unadmitted
from kedis.engine.client import Queued
from kedis.engine.table import Command
from kedis.errors import CommandError
from kedis.router import planning
from kedis.router.cluster_scan import Asked, ClusterScan, ScanMemory
from kedis.router.fleet import Fleet, Place
from kedis.router.flow import UpstreamRequest
from kedis.router.own_connection import OwnConnection
from kedis.router.parts import Gathered, Parts
from kedis.router.planning import CROSSSLOT, CrossSlot, Kind, Plan, encode
from kedis.router.transaction_wire import has_no_place
from kedis.router.upstream_pipe import Pipe
from kedis.router.upstream_request import Carrier
from kedis.router.upstream_subscriptions import UpstreamSubscriptions
from kedis.router.upstream_url import Address
from kedis.router.waiting_connection import UNREAD_BYTES
from kedis.server.network import READ_SIZE, Network
from kedis.server.network_server import AnySocket

log = logging.getLogger("kedis.router")

#: The longest beginning of a request that waits for the lane: a longer one is for the parser, which looks at it once.
_MOST_CUT = 4096
_BY_KEYS = frozenset([Kind.KEYS, Kind.SPLIT, Kind.STREAMS, Kind.BLOCKING, Kind.ANY])


class RoutedConnection(OwnConnection):
    """A client's connection to the router."""

    __slots__ = ("_beginning", "_queue", "_queue_size", "_queue_slots", "_scans", "_table", "_table_of")

    def __init__(
        self,
        server: Network,
        fleet: Fleet,
        subscriptions: UpstreamSubscriptions,
        scans: ScanMemory,
        sock: AnySocket,
        address: str,
        local_address: str,
    ) -> None:
        super().__init__(server, fleet, subscriptions, sock, address, local_address)
        self._scans = scans
        #: The beginning of a request that the lane will take.
        self._beginning = b""
        self._table: list[Pipe | None] = []
        self._table_of = (0, 0)
        #: The transaction that was looked at last, how much of it, and the slots of that.
        self._queue: list[Queued] = []
        self._queue_size = 0
        self._queue_slots: set[int] = set()

    # -- reading ------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Read and route until the client leaves or is closed. Runs in the client's own greenlet."""
        server, client, parser, lane = self.server, self.client, self.parser, self.lane
        engine, cycle, figures = server.engine, server.cycle, server.cycle.figures
        wait, receive = self._hub.switch, server.receive_buffer.receive
        engine.connect(client)
        self._read_watcher.start(self._greenlet.switch)
        if self.tls is not None and self.tls.has_ahead:
            server.next_turn(self._read_ahead)
        try:
            while not self.closed:
                wait()
                if self.closed:
                    break
                if not figures.began_ns:
                    self.fleet.begin_turn()
                try:
                    data = receive(self.sock, READ_SIZE)
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    break
                if not data:
                    self._drain()
                    if self.sealed or client.out:
                        self._wait_for_last_replies()
                    break
                server.bytes_received += len(data)
                client.last_interaction_ns = cycle.moment_ns
                if lane.forwards and (rest := self._forward(data)) is not data:
                    figures.waits.add(engine.clock() - figures.began_ns)
                    if not rest:
                        continue
                    data = rest
                parser.authenticated = client.user is not None
                self._take_in_portions(data)
                while self._read_ahead_data and not self.closed:
                    data, self._read_ahead_data = bytes(self._read_ahead_data), bytearray()
                    self.ahead = 0
                    self._take_in_portions(data)
        finally:
            self._let_go()
            self._release()

    def _forward(self, data: bytes) -> bytes:
        """Have the lane take the plain requests of a plain client; returns what is left, ``data`` itself if all is."""
        client, fleet, lane = self.client, self.fleet, self.lane
        if self._beginning:
            data = self._beginning + data
            self._beginning = b""
        if (
            client.needs_checks
            or client.user is None
            or self.own is not None
            or fleet.reads_replicas
            or self.unsent_bytes >= UNREAD_BYTES
            or self.server.engine.restrictions.needs_checks
            or not self.parser.is_empty
        ):
            return data
        if self._epoch != fleet.epoch:
            self._keep_order()
        key = client.resp, client.database
        if key != self._table_of:
            self._use(key)
        taken = lane.forward(data, fleet.forms, self._table, fleet.in_cluster)
        if taken:
            client.last_command = lane.last_row
        if lane.cut and len(data) - taken <= _MOST_CUT:
            self._beginning = data[taken:]
            return b""
        return data[taken:] if taken else data

    def _use(self, key: tuple[int, int]) -> None:
        """Take the routes of a protocol and a database from now on."""
        lane = self.lane
        self._table_of = key
        lane.resp, lane.database = key
        lane.number = self.number
        self._table = self.fleet.routes(*key, lane.number)

    def input_bytes(self) -> int:
        """Bytes received that do not make a whole command yet."""
        return super().input_bytes() + len(self._beginning)

    def _run(self, commands: list[list[bytes]]) -> None:
        """Route ``commands``, in order."""
        client = self.client
        for argv in commands:
            if self.closed or client.close_after_reply:
                break
            try:
                self._route(argv)
            except Exception as error:
                self.server.report("routing a request", error)
                self._drain()
                client.encode(CommandError(errors.INTERNAL))
        self.wants_send()

    def _let_go(self) -> None:
        """The client has left: nobody waits for replies, and its own connection is free."""
        self.closed = True
        self.lane.close()
        if self.own is not None:
            self._release_own(watches=self._watching)

    # -- routing ------------------------------------------------------------------------------------------

    def _route(self, argv: list[bytes]) -> None:
        """Route one request."""
        if self._epoch != self.fleet.epoch:
            self._keep_order()
        client, engine = self.client, self.server.engine
        command = engine.table.lookup(argv[0])
        if (
            command is None
            or not command.least <= len(argv) <= command.most
            or client.needs_checks
            or engine.restrictions.needs_checks
        ):
            command = self._admitted(argv)
            if command is None:
                return
        plan = self.fleet.planner.plan(command)
        client.last_command = command
        if plan.kind is Kind.KEYS and self.own is None and not plan.channel_at:
            self._by_keys(plan, argv)
        else:
            self._specially(plan, command, argv)

    def _admitted(self, argv: list[bytes]) -> Command | None:
        """The row of a request that is not plain, once it is admitted; None where it has been answered."""
        client, engine = self.client, self.server.engine
        if not engine.restrictions.needs_checks and (not client.needs_checks or client.limited):
            try:
                command = engine.table.resolve(argv)
                if not client.limited or client.user.denial(command, argv) is None:  # type: ignore[union-attr]
                    return command
            except CommandError:
                pass
        self._drain()
        while not self.closed:
            mark = len(client.out)
            try:
                if client.queue is not None and not self._may_queue(argv):
                    return None
                admitted = admit(client, argv)
                if admitted is None and argv[0].lower() == b"exec" and not self.closed:
                    self._end_watch()  # one that is refused, too
                return admitted
            except Deferred:
                self.wants_send()
                self._wait_for_unpause()
            except Exception as error:
                take_back(client, mark)
                refuse(client, argv, unadmitted(client, argv, error))
                return None
        return None

    def _may_queue(self, argv: list[bytes]) -> bool:
        """Whether a request may be queued for EXEC: its keys are in the slot of the others. Else it was refused."""
        client, fleet = self.client, self.fleet
        try:
            command = self.server.engine.table.resolve(argv)
        except CommandError:
            return True  # the engine says what is wrong
        plan = fleet.planner.plan(command)
        if plan.kind is Kind.REFUSED:
            refuse(client, argv, CommandError(_refusal(plan)))
            return False
        if has_no_place(plan):
            name = plan.row.name.replace("|", " ").upper()
            refuse(
                client, argv, CommandError(f"ERR {name} is for all shards, and cannot be in a transaction")
            )
            return False
        if not fleet.in_cluster or client.queue is None:
            return True
        try:
            slots = {*self._slots_of(client.queue), fleet.planner.slot(plan, argv), self._watching_slot}
            crosses = len(slots - {-1}) > 1
        except CrossSlot:
            crosses = True
        if crosses:
            refuse(client, argv, CommandError(CROSSSLOT))
        return not crosses

    def _slots_of(self, queue: list[Queued]) -> set[int]:
        """The slots of the keys of a transaction, to which commands are added one by one. O(what is new in it)."""
        planner = self.fleet.planner
        if self._queue is not queue:
            self._queue, self._queue_size, self._queue_slots = queue, 0, set()
        for row, words in queue[self._queue_size :]:
            self._queue_slots.add(planner.slot(planner.plan(row), words))
        self._queue_size = len(queue)
        return self._queue_slots

    def _by_keys(self, plan: Plan, argv: list[bytes]) -> None:
        """Send a request to the shard of its keys."""
        fleet, client = self.fleet, self.client
        try:
            slot = fleet.planner.slot(plan, argv)
        except CrossSlot:
            self._refuse_in_order(plan, CROSSSLOT)
            return
        if slot < 0:
            slot = fleet.any_slot
        request = UpstreamRequest(self.lane, encode(argv), plan.row, slot, plan.reads_only, fleet.clock())
        self._begin(request)
        if plan.reads_only and fleet.reads_replicas:
            pipe = fleet.send_to_replica(request) or fleet.send(request)
        else:
            key = client.resp, client.database
            if key != self._table_of:
                self._use(key)
            found = self._table[slot] or fleet.open_route(*key, self.number, slot)
            if found is None:
                pipe = fleet.send(request)
            else:
                found.submit(request)
                pipe = found
        if fleet.in_cluster and not plan.key_at:
            self._hold_next()
        self._bound(pipe)

    # -- everything else ----------------------------------------------------------------------------------

    def _specially(self, plan: Plan, command: Command, argv: list[bytes]) -> None:
        """Do what the plan says, where that is not just to send the request on."""
        kind = plan.kind
        if self.own is not None and kind in _BY_KEYS:
            self._while_watching(plan, argv)
        elif kind is Kind.KEYS or (kind is Kind.STREAMS and not planning.blocks(argv)):
            self._by_keys(plan, argv) if not plan.channel_at else self._to_slot(plan, argv)
        elif kind is Kind.ANY:
            self._part_of(plan, argv, self.fleet.any_slot)
        elif kind is Kind.SPLIT:
            self._split(plan, argv)
        elif kind is Kind.EVERY:
            self._to_every(plan, argv)
        elif kind is Kind.SCAN:
            self._scan(plan, argv)
        else:
            self._drain()
            if not self.closed:
                self._alone(plan, command, argv)

    def _alone(self, plan: Plan, command: Command, argv: list[bytes]) -> None:
        """Do what runs while nothing else is pending."""
        kind = plan.kind
        if kind is Kind.LOCAL:
            if command.name == "reset":
                self._end_watch()
            if command.name != "client|unblock" or not self._unblock(plan, argv):
                self._locally(command, argv)
                self._follow_state()
        elif kind is Kind.REFUSED:
            self._refuse(command, _refusal(plan))
        elif kind is Kind.SELECT:
            self._select(command, argv)
            self._follow_state()
        elif kind is Kind.SUBSCRIBE:
            self._subscribe(plan, command, argv)
        elif kind is Kind.EXEC:
            self._exec(command, argv)
        elif kind is Kind.WATCH:
            self._watch(plan, command, argv)
        elif kind is Kind.UNWATCH or kind is Kind.DISCARD:
            if (
                kind is Kind.UNWATCH or self.client.queue is not None
            ):  # DISCARD alone is an error that ends nothing
                self._end_watch()
            self._locally(command, argv)
        else:
            self._blocking(plan, argv)
        if self.client.queue is None:
            self._queue = []  # a transaction has ended, if any

    def _while_watching(self, plan: Plan, argv: list[bytes]) -> None:
        """A request between WATCH and EXEC: behind WATCH by the same connection where it is for the same slot."""
        self._drain()
        own = self.own
        try:
            slot = self.fleet.planner.slot(plan, argv)
        except CrossSlot:
            slot = -1
        if own is None or self.closed:
            self._specially(plan, plan.row, argv)
        elif own.closed or (slot >= 0 and self.fleet.in_cluster and slot != self._watching_slot):
            # Of another node, or of one that is lost: EXEC will tell.
            self._without_own(plan, argv)
        elif slot < 0 and self.fleet.in_cluster:
            self._without_own(plan, argv)
        elif plan.kind is Kind.BLOCKING or (plan.kind is Kind.STREAMS and planning.blocks(argv)):
            self._blocking(plan, argv)
        else:
            request = self._request(plan, argv, max(slot, 0))
            own.submit(request)
            self._await_own()

    def _without_own(self, plan: Plan, argv: list[bytes]) -> None:
        own, self.own = self.own, None
        try:
            self._specially(plan, plan.row, argv)
            self._drain()
        finally:
            self.own = own

    # -- several nodes ------------------------------------------------------------------------------------

    def _to_slot(self, plan: Plan, argv: list[bytes]) -> None:
        slot = (
            planning.slot_of(argv[at] for at in planning.positions(plan, argv))
            if self.fleet.in_cluster
            else 0
        )
        self._part_of(plan, argv, slot)

    def _part_of(self, plan: Plan, argv: list[bytes], slot: int) -> None:
        """Send a request to the master of ``slot``."""
        if self.fleet.in_cluster:
            self._hold_next()
        self._bound(self.fleet.send(self._request(plan, argv, slot)))

    def _parted(
        self,
        whole: UpstreamRequest,
        parts: Sequence[tuple[int, bytes]],
        sink: Parts,
        masters: Sequence[Address] = (),
    ) -> None:
        """Send the parts of ``whole``, each to the master of its slot, or first to that of ``masters``."""
        fleet = self.fleet
        made = []
        for slot, wire in parts:
            part = UpstreamRequest(sink, wire, None, slot, whole.reads_only, whole.began_ns)
            part.resp, part.database, part.number = whole.resp, whole.database, whole.number
            sink.add(part)
            made.append(part)
        pipes: list[Carrier | None]
        if masters:
            pipes = [fleet.send_to(address, part) for address, part in zip(masters, made, strict=True)]
        else:
            pipes = [fleet.send(part) for part in made]
        self._hold_next()
        for pipe in dict.fromkeys(pipes):
            self._bound(pipe)

    def _split(self, plan: Plan, argv: list[bytes]) -> None:
        assert plan.join is not None
        if (len(argv) - 1) % plan.step:
            self._refuse_in_order(plan, errors.wrong_arity(plan.row.name))
            return
        parts = planning.split(plan, argv)
        if len(parts) == 1:
            self._part_of(plan, argv, parts[0][0])
            return
        whole = self._request(plan, argv, 0)
        sink = Parts(whole, plan.join, [places for _, places in parts])
        wires = [(slot, encode(planning.part_words(plan, argv, places))) for slot, places in parts]
        self._parted(whole, wires, sink)

    def _to_every(self, plan: Plan, argv: list[bytes]) -> None:
        assert plan.join is not None
        whole = self._request(plan, argv, 0)
        slots = [shard.first_slot for shard in self.fleet.topology.shards]
        masters = self.fleet.topology.addresses  # not by the slots, which MOVED may have sent to another
        self._parted(whole, [(slot, whole.wire) for slot in slots], Parts(whole, plan.join, []), masters)

    def _scan(self, plan: Plan, argv: list[bytes]) -> None:
        """SCAN: its greenlet asks the nodes, one step after the other."""
        whole = self._request(plan, argv, 0)

        def ask(asked: Sequence[Asked]) -> list[bytes]:
            return self._ask_nodes(whole, asked)

        try:
            reply = ClusterScan(self.fleet, self._scans, ask).reply(argv)
        except Exception as error:  # whatever it is: what waits in the lane must be answered
            self.server.report("scanning nodes", error)
            reply = b"-%b\r\n" % errors.INTERNAL.encode()
        self.lane.deliver(whole, reply)

    def _ask_nodes(self, whole: UpstreamRequest, asked: Sequence[Asked]) -> list[bytes]:
        """The replies of nodes to what must be known to answer ``whole``; none where the client has left."""
        fleet, sink = self.fleet, Gathered(whole, self._call)
        parts = []
        for slot, address, words in asked:
            part = UpstreamRequest(sink, encode(words), None, slot, True, fleet.clock())
            part.number = self.number
            if address is not None and address != fleet.topology.masters[slot]:
                part.own = Place(fleet, address, self.number)
            sink.add(part)
            parts.append((address, part))
        for address, part in parts:
            if address is None:
                fleet.send(part)
            else:
                fleet.send_to(address, part)
        self._pause(lambda: not sink.missing)
        return [] if self.closed else sink.replies


def _refusal(plan: Plan) -> str:
    if plan.reason.endswith("cluster mode"):
        return f"ERR {plan.reason}"
    return f"ERR {plan.row.name.replace('|', ' ').upper()} is not possible through --upstream: {plan.reason}"
