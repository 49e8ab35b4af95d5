"""A client of the router, as far as it has a connection to a node for itself, or messages of nodes: what waits there.

BLPOP and the like take one while they last, WATCH until its transaction ends. A transaction without WATCH does not:
it goes as one piece by a shared one (:mod:`kedis.router.transaction_wire`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kedis.commands.connection_commands import protocol_of_hello
from kedis.engine.call import call
from kedis.engine.client import Queued
from kedis.engine.denials import refusal_in_exec
from kedis.engine.table import Command
from kedis.errors import client_errors
from kedis.resp.values import OK
from kedis.router import planning
from kedis.router.fleet import NIL, Fleet, Place
from kedis.router.flow import UpstreamRequest
from kedis.router.planning import CROSSSLOT, CrossSlot, Kind, Plan, encode
from kedis.router.transaction_wire import MOST_DIGITS, Kept, Unit, sent_on
from kedis.router.upstream_pipe import Pipe
from kedis.router.upstream_subscriptions import UpstreamSubscriptions
from kedis.router.upstream_url import Address
from kedis.router.waiting_connection import WaitingConnection
from kedis.server.network import Network
from kedis.server.network_server import AnySocket


class OwnConnection(WaitingConnection):
    """A client's connection to the router, with what it has for itself.

    Attributes:
        own: the connection to a node that it has for itself, while it has one.
        is_blocked: whether it waits for the reply to a blocking command.
    """

    __slots__ = (
        "_subscriptions",
        "_watch_broken",
        "_watching",
        "_watching_slot",
        "is_blocked",
        "own",
    )

    def __init__(
        self,
        server: Network,
        fleet: Fleet,
        subscriptions: UpstreamSubscriptions,
        sock: AnySocket,
        address: str,
        local_address: str,
    ) -> None:
        super().__init__(server, fleet, sock, address, local_address)
        self._subscriptions = subscriptions
        self.own: Pipe | None = None
        self.is_blocked = False
        self._watching = self._watch_broken = False
        self._watching_slot = -1

    def own_pipe(self, address: Address) -> Pipe:
        """Its own connection, to the node at ``address`` (:class:`kedis.router.upstream_request.Owner`)."""
        own = self.own
        if own is None or own.closed or own.node.address != address:
            if own is not None:
                self._watch_broken = self._watching
                if self._watching:
                    own.close()
                self.fleet.give_back(own)
            own = self.own = self.fleet.take_own(address, self.client.resp, self.client.database)
        own.patient = self.is_blocked
        own.asked_ns = self.fleet.monotonic()
        return own

    def _release_own(self, *, watches: bool = False) -> None:
        """It is needed no longer; one that still ``watches`` keys is for nobody else."""
        own, self.own = self.own, None
        self._watching = self._watch_broken = False
        self._watching_slot = -1
        if own is not None:
            if watches:
                own.close()
            self.fleet.give_back(own)

    def _by_own(self, request: UpstreamRequest) -> None:
        """Send ``request`` by its own connection, and wait for the reply."""
        request.own = self
        self.fleet.send(request)
        self._await_own()

    def _await_own(self) -> None:
        """Wait for the reply; what blocks is given up when the client leaves, or has ended its side."""
        if self.is_blocked:
            self._await_blocked()
        else:
            self._drain()

    # -- what blocks --------------------------------------------------------------------------------------

    def _blocking(self, plan: Plan, argv: list[bytes]) -> None:
        """BLPOP and the like: a connection of its own while it lasts; that of WATCH where there is one."""
        try:
            slot = max(self.fleet.planner.slot(plan, argv), 0)
        except CrossSlot:
            self._refuse(plan.row, CROSSSLOT)
            return
        self.wants_send()
        blocking = self.server.engine.blocking
        has_one = self.own is not None
        blocking.count += 1
        self.is_blocked = True
        try:
            self._by_own(self._request(plan, argv, slot))
        finally:
            self.is_blocked = False
            blocking.count -= 1
            self.client.last_interaction_ns = self.fleet.monotonic()
            own = self.own
            if own is not None:
                own.patient = False
                if not has_one:
                    self.own = None
                    self.fleet.give_back(own)

    def _unblock(self, plan: Plan, argv: list[bytes]) -> bool:
        """CLIENT UNBLOCK of a client that waits at a node, which alone can end that; False where it is not one."""
        if len(argv) not in (3, 4) or not argv[2].isdigit() or len(argv[2]) > MOST_DIGITS:
            return False
        if argv[3:] and argv[3].lower() not in (b"timeout", b"error"):
            return False
        other = self.server.engine.clients.get(int(argv[2]))
        connection = other.transport if other is not None else None
        if not isinstance(connection, OwnConnection) or not connection.is_blocked:
            return False
        own = connection.own
        if own is None or own.closed or own.id < 0:
            return False
        request = self._request(plan, [*argv[:2], b"%d" % own.id, *argv[3:]], 0)
        # Elsewhere it would be the number of another client.
        request.own = Place(self.fleet, own.node.address, self.number)
        self._bound(self.fleet.send_to(own.node.address, request))
        return True

    # -- transactions -------------------------------------------------------------------------------------

    def _watch(self, plan: Plan, command: Command, argv: list[bytes]) -> None:
        """WATCH: the transaction has a connection of its own from here on."""
        fleet, client = self.fleet, self.client
        if client.queue is not None:
            self._refuse(command, client_errors.WATCH_INSIDE_MULTI)
            return
        try:
            slot = fleet.planner.slot(plan, argv)
        except CrossSlot:
            self._refuse(command, CROSSSLOT)
            return
        if self._watching and self.own is not None and fleet.in_cluster and slot != self._watching_slot:
            self._refuse(command, CROSSSLOT)
            return
        if self._watching and self.own is not None and self.own.closed:
            client.encode(OK)  # EXEC fails in any case
            return
        request = self._request(plan, argv, max(slot, 0))
        self._watching, self._watching_slot = True, slot
        request.own = self  # wherever it is sent: on a shared connection it would end transactions of others
        if self.own is not None:
            self.own.submit(request)
            self._await_own()
        else:
            self._by_own(request)

    def _end_watch(self) -> None:
        """UNWATCH, DISCARD, RESET."""
        own = self.own
        if own is None:
            return
        if self._watching:
            self._tell_own([b"UNWATCH"])
        self._release_own()

    def _tell_own(self, argv: Sequence[bytes]) -> None:
        """Have its own connection obey, or end it; the client gets no reply."""
        own = self.own
        if own is not None and not own.closed:
            kept = Kept(self.lane)
            request = UpstreamRequest(kept, encode(argv), None, 0, False, self.fleet.clock())
            request.silent = True
            request.pinned = True  # on another connection, which others share, it would be a disaster
            self.lane.begin(request)
            own.submit(request)
            self._await_own()
            if kept.reply[:1] in (b"", b"-") or kept.reply in NIL.values():
                own.close()

    def _follow_state(self) -> None:
        """HELLO and SELECT between WATCH and EXEC hold for its own connection, too."""
        own, client = self.own, self.client
        if own is None:
            return
        if own.resp != client.resp:
            self._tell_own([b"HELLO", b"%d" % client.resp])
            own.resp = client.resp
        if own.database != client.database:
            self._tell_own([b"SELECT", b"%d" % client.database])
            own.database = client.database

    def _exec(self, command: Command, argv: list[bytes]) -> None:
        """EXEC: MULTI, what was queued, and EXEC in one piece; or the engine's own EXEC where it does not run."""
        client, fleet, engine = self.client, self.fleet, self.server.engine
        queue = client.queue
        if queue is None or client.multi_failed or (not queue and not self._watching):
            if queue is not None:
                self._end_watch()
            self._locally(command, argv)
            return
        client.end_transaction()
        unit = self._unit(queue)
        for plan, words, _ in unit.queue:
            if plan.kind is Kind.SUBSCRIBE and self._names_one_slot(plan.row, words):
                self._subscribe_at_nodes(plan.row, words)
        slots = {fleet.planner.slot(plan, words) for plan, words, _ in unit.queue} - {-1}
        if self._watching_slot >= 0:
            slots.add(self._watching_slot)
        slot = slots.pop() if slots else fleet.any_slot
        if not self._watching:
            engine.transactions["committed"] += 1
        if not unit.sent and not self._watching:
            unit.take(b"*0\r\n")
            self._answer_unit(unit)
        else:
            self._run_unit(command, unit, slot)

    def _unit(self, queue: Sequence[Queued]) -> Unit:
        """The transaction of ``queue``, without what the user may not run any more."""
        client, fleet = self.client, self.fleet
        user = client.user
        is_free = user is not None and user.may_all
        rows = [
            (fleet.planner.plan(row), words, None if is_free else refusal_in_exec(client, row, words))
            for row, words in queue
        ]
        databases = 0 if fleet.in_cluster else fleet.config.databases
        return Unit(rows, client.resp, client.database, databases, partial(protocol_of_hello, client))

    def _run_unit(self, command: Command, unit: Unit, slot: int) -> None:
        """Have a node run the transaction, and answer it."""
        fleet, engine = self.fleet, self.server.engine
        reads_only = all(plan.reads_only for plan in sent_on([plan for plan, _, _ in unit.queue]))
        kept = Kept(self.lane)
        sink = self.lane if unit.is_whole and not self._watching else kept
        request = UpstreamRequest(sink, unit.wire(), command, slot, reads_only, fleet.clock())
        request.replies = request.expected = unit.sent + 2
        self._begin(request)
        request.silent = request.silent or not unit.is_whole
        own = self.own
        if not self._watching:
            self._hold_next()
            self._bound(fleet.send(request))
        elif (
            own is None
            or own.closed
            or self._watch_broken
            or own.node.address != fleet.topology.masters[slot]
        ):
            sink.deliver(request, NIL[self.client.resp])
        else:
            request.pinned = True
            own.submit(request)
            self._await_own()
        if self._watching:
            self._release_own(watches=not request.pinned)
            if kept.reply:
                is_nil, is_error = kept.reply in NIL.values(), kept.reply[:1] == b"-"
                engine.transactions["aborted" if is_nil else "failed" if is_error else "committed"] += 1
        if not unit.is_whole:
            self._drain()
            if self.closed:
                return
            if unit.take(kept.reply):
                self._answer_unit(unit)
            else:
                self.client.append(kept.reply)

    def _answer_unit(self, unit: Unit) -> None:
        """Answer EXEC: the node's replies, and what is run here, each at its place."""
        client = self.client
        client.append(b"*%d\r\n" % len(unit.queue))
        for position, (plan, argv, refused) in enumerate(unit.queue):
            if client.close_after_reply:
                break
            reply = unit.reply_at(position)
            if reply is not None:
                client.append(reply)
            elif refused is not None:
                self.server.engine.table.error_counts.add(refused.code)
                client.encode(refused)
            elif plan.kind is Kind.SELECT:
                self._select(plan.row, argv)
            elif plan.kind is Kind.SUBSCRIBE and not self._names_one_slot(plan.row, argv):
                self._refuse(plan.row, CROSSSLOT)
            elif plan.kind is Kind.SUBSCRIBE:
                self._answer_subscribe(plan.row, argv)
            else:
                call(client, plan.row, argv, answer=client.encode)

    def _select(self, command: Command, argv: Sequence[bytes]) -> None:
        if self.fleet.in_cluster and argv[1] != b"0":
            self._refuse(command, "ERR SELECT is not allowed in cluster mode")
        else:
            call(self.client, command, argv, answer=self.client.encode)

    # -- subscriptions ------------------------------------------------------------------------------------

    def _subscribe(self, plan: Plan, command: Command, argv: list[bytes]) -> None:
        """SUBSCRIBE and the like: first the nodes, then the engine."""
        if not self._names_one_slot(command, argv):
            self._refuse(command, CROSSSLOT)
            return
        self._subscribe_at_nodes(command, argv)
        if not self.closed:
            self._answer_subscribe(command, argv)

    def _answer_subscribe(self, command: Command, argv: Sequence[bytes]) -> None:
        """Have the engine subscribe where the nodes do."""
        if self._subscriptions.all_there(command.name, argv[1:]):
            call(self.client, command, argv, answer=self.client.encode)
        else:
            self._refuse(command, "ERR the upstream has not confirmed the subscription")

    def _names_one_slot(self, command: Command, argv: Sequence[bytes]) -> bool:
        """Whether the channels of SSUBSCRIBE are in one slot; others are in none."""
        if command.name == "ssubscribe" and self.fleet.in_cluster:
            try:
                planning.slot_of(argv[1:])
            except CrossSlot:
                return False
        return True

    def _subscribe_at_nodes(self, command: Command, argv: Sequence[bytes]) -> None:
        """Wait until nodes send what is subscribed to, for as long as a request may take to reach them."""
        fleet, subscriptions = self.fleet, self._subscriptions
        patience_ms = fleet.config.upstream_retry_ms + fleet.config.upstream_timeout_ms
        until_ns = fleet.monotonic() + patience_ms * 1_000_000
        for name in argv[1:]:
            subscriptions.ensure(command.name, name, self._call, until_ns)
        self.wants_send()
        self._pause(lambda: subscriptions.all_there(command.name, argv[1:]) or fleet.monotonic() > until_ns)
