"""The fleet: all nodes of the upstream, the connections to them, and what becomes of requests that cannot be answered.

A request goes to the node that serves its slot by the newest topology. What a node answers by MOVED or ASK is sent on
at once; what it answers by TRYAGAIN, CLUSTERDOWN and the like, and what could not be sent, is kept in one queue, in
order, and sent again a little later, until ``upstream-retry-ms`` are over. A request that may have been executed before
the connection was lost is sent again only if it reads only; otherwise its client is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from gevent.ssl import SSLContext

from kedis.router.dialing import Dialer
from kedis.router.flow import Form, UpstreamRequest
from kedis.router.hash_slots import SLOTS
from kedis.router.plain_forms import forms_of
from kedis.router.planning import Planner
from kedis.router.redirection import ASK, MOVED, parse_redirect
from kedis.router.topology import Topology
from kedis.router.upstream_pipe import Node, Pipe
from kedis.router.upstream_request import Carrier
from kedis.router.upstream_url import Address, Upstream, shown_address
from kedis.server.network import Network

log = logging.getLogger("kedis.router")

_NS_PER_MS = 1_000_000
#: How long a request that a node would not take waits before it is sent again.
_PAUSE_SECONDS = 0.02
_NO_ROUTES: list[Pipe | None] = [None] * SLOTS
#: Idle connections of one kind to a node that are kept for whoever needs one alone.
_MOST_IDLE = 16
_SUSPICIOUS_NS = 1_000_000_000
#: What a node keeps for so long has blocked there: it was where it belonged.
_BLOCKED_NS = 1_000_000_000
#: Between two warnings that the same node, which was down already, cannot be reached.
_WARN_NS = 1_000_000_000
#: Between two attempts to reach a master that is asked nothing.
_REACH_NS = 1_000_000_000
#: EXEC's reply where a watched key may have changed, by protocol.
NIL = {2: b"*-1\r\n", 3: b"_\r\n"}
_CLUSTER_DOWN = b"-CLUSTERDOWN Hash slot not served\r\n"


def _nothing() -> None:
    """Stand in for a callback."""


class Place:
    """The shared connection to one node: ``own`` of a request that no other may answer, whoever serves its slot."""

    def __init__(self, fleet: Fleet, address: Address, number: int) -> None:
        self._fleet = fleet
        self._address = address
        self._number = number

    def own_pipe(self, _address: Address) -> Pipe:
        """That to this node (:class:`kedis.router.upstream_request.Owner`)."""
        return self._fleet.shared(self._fleet.node(self._address), 2, 0, self._number)


class Fleet:
    """The nodes of ``upstream``.

    Attributes:
        mode: ``cluster``, ``single`` or ``sentinel``.
        topology: who serves what; the first one is without any shard.
        planner: the plans of commands; forms: those of plain requests.
        epoch: changes whenever a later request might pass an earlier one: with the routes, and with each request that
            has to wait. A client with requests under way waits for their replies before it sends more.
        at_end: what is called at the end of the turn.
    """

    def __init__(self, network: Network, upstream: Upstream, tls_context: SSLContext | None) -> None:
        self.network = network
        self.engine = network.engine
        self.config = network.engine.config
        self.hub = network.hub
        self.upstream = upstream
        self.monotonic = network.engine.monotonic
        self.clock = network.engine.clock
        self.at_end = network.cycle.at_end
        self.nodes: dict[Address, Node] = {}
        self.mode = "single"
        self.topology = Topology([])
        self.topology_changes = 0
        self.epoch = 0
        self.planner = Planner(self.engine.table, in_cluster=False)
        self.forms: dict[bytes, Form] = {}
        self.dialer = Dialer(tls_context)
        #: Has the topology asked for soon.
        self.hurry: Callable[[], None] = _nothing
        self._routes: dict[tuple[int, int, int], list[Pipe | None]] = {}
        self._later: list[UpstreamRequest] = []
        # A timer without a period that is started a second time is due at once.
        self._later_timer = self.hub.loop.timer(_PAUSE_SECONDS, _PAUSE_SECONDS)
        self._turns = 0  # of replicas

    # -- beginning and end --------------------------------------------------------------------------------

    def stop(self) -> None:
        """Close all connections."""
        self._later_timer.stop()
        for node in list(self.nodes.values()):
            for pipe in node.all_pipes():
                pipe.close()

    @property
    def in_cluster(self) -> bool:
        """Whether keys are in slots of several nodes."""
        return self.planner.in_cluster

    @property
    def reads_replicas(self) -> bool:
        """Whether requests that read go to replicas."""
        return self.config.upstream_read_from != "master"

    @property
    def timeout_seconds(self) -> float:
        """upstream-timeout-ms."""
        return self.config.upstream_timeout_ms / 1000

    def take_mode(self, mode: str) -> None:
        """The upstream is of this ``mode``."""
        self.mode = mode
        self.planner = Planner(self.engine.table, mode == "cluster")
        self.forms = forms_of(self.engine.table, self.planner)

    def take_topology(self, topology: Topology) -> None:
        """Use ``topology`` from now on; those to nodes that are not in it are closed later."""
        if topology == self.topology:
            return
        before = self.topology.shards
        if before and [(each.master, each.ranges) for each in before] != [
            (each.master, each.ranges) for each in topology.shards
        ]:  # and not replicas alone
            self.topology_changes += 1
            log.info(
                "the topology has changed: masters %s", ", ".join(map(shown_address, topology.addresses))
            )
        self.topology = topology
        self.forget_routes()
        for shard in topology.shards:
            self.node(shard.master)

    def _forget_nodes(self) -> None:
        """Close the connections to nodes that serve nothing any longer, once they are idle."""
        known = self._known()
        for address in [address for address in self.nodes if address not in known]:
            if not self.nodes[address].in_flight:
                for pipe in self.nodes.pop(address).all_pipes():
                    pipe.close()

    def _known(self) -> set[Address]:
        """The nodes of the topology."""
        shards = self.topology.shards
        return {shard.master for shard in shards} | {each for shard in shards for each in shard.replicas}

    # -- figures (kedis.engine.ports.Routing) -------------------------------------------------------------

    def shards(self) -> list[Node]:
        """The masters."""
        return [self.node(address) for address in self.topology.addresses]

    def all_nodes(self) -> list[Node]:
        """All nodes that requests were sent to, and the masters."""
        return list(self.nodes.values())

    def databases(self) -> dict[int, tuple[int, int, float]]:
        """The databases of all masters, as these last said. O(nodes * databases)."""
        found: dict[int, tuple[int, int, float]] = {}
        for node in self.shards():
            for number, (keys, expires, ttl) in node.databases.items():
                before = found.get(number, (0, 0, 0.0))
                together = before[1] + expires
                average = (before[1] * before[2] + expires * ttl) / together if together else 0.0
                found[number] = before[0] + keys, together, average
        return found

    def info(self) -> Iterator[tuple[str, Any]]:
        """The fields of INFO router. O(nodes)."""
        topology = self.topology
        yield "router_upstream", self.upstream.shown
        yield "router_mode", self.mode
        yield "router_shards", len(topology.shards)
        yield "router_topology_changes", self.topology_changes
        for number, shard in enumerate(topology.shards):
            node = self.node(shard.master)
            slots = sum(last + 1 - first for first, last in shard.ranges)
            yield (
                f"shard{number}",
                f"master={node.shown},up={int(node.up)},replicas={len(shard.replicas)},slots={slots},"
                f"in_flight={node.in_flight},shared={node.connections('shared')},own={node.connections('own')}",
            )

    # -- routes -------------------------------------------------------------------------------------------

    def node(self, address: Address) -> Node:
        """The node at ``address``, known or not. O(1)."""
        node = self.nodes.get(address)
        if node is None:
            node = self.nodes[address] = Node(address)
        return node

    def routes(self, resp: int, database: int, number: int) -> list[Pipe | None]:
        """The table from slots to shared connections to masters, filled by :meth:`open_route`."""
        key = resp, database, number
        table = self._routes.get(key)
        if table is None:
            table = self._routes[key] = list(_NO_ROUTES)
        return table

    def open_route(self, resp: int, database: int, number: int, slot: int) -> Pipe | None:
        """The shared connection to the master of ``slot``, in the table from now on; None where there is no master."""
        address = self.topology.masters[slot]
        if address is None:
            return None
        pipe = self.shared(self.node(address), resp, database, number)
        self.routes(resp, database, number)[slot] = pipe
        return pipe

    def forget_routes(self) -> None:
        """Connections or the topology have changed."""
        self.epoch += 1
        for table in self._routes.values():
            table[:] = _NO_ROUTES

    def shared(self, node: Node, resp: int, database: int, number: int, replica: bool = False) -> Pipe:
        """A connection to ``node`` that many share."""
        numbered = node.shared.setdefault((resp, database, replica), {})
        pipe = numbered.get(number)
        if pipe is None:
            pipe = numbered[number] = Pipe(self, node, resp, database, replica)
        return pipe

    def take_own(self, address: Address, resp: int, database: int) -> Pipe:
        """A connection for one client alone, until :meth:`give_back`."""
        node = self.node(address)
        idle = node.idle.get((resp, database, False))
        pipe = idle.pop() if idle else Pipe(self, node, resp, database, alone=True)
        node.taken.add(pipe)
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """The pipe is needed no longer; where it is not at rest it is closed."""
        node = pipe.node
        node.taken.discard(pipe)
        idle = node.idle.setdefault((pipe.resp, pipe.database, False), [])
        if pipe.closed or pipe.flying or not pipe.opened or len(idle) >= _MOST_IDLE:
            pipe.close()
        else:
            idle.append(pipe)

    @property
    def any_slot(self) -> int:
        """A slot in place of that of keys, for what has none: always the same shard's."""
        shards = self.topology.shards
        return shards[0].first_slot if shards else 0

    # -- requests -----------------------------------------------------------------------------------------

    def send(self, request: UpstreamRequest) -> Carrier | None:
        """Send ``request`` to where it belongs now; the pipe, or None where it has to wait. O(1)."""
        address = self.topology.masters[request.slot]
        if address is None:
            self.again(request, "clusterdown", _CLUSTER_DOWN)
            return None
        return self.send_to(address, request)

    def send_to(self, address: Address, request: UpstreamRequest) -> Carrier:
        """Send ``request`` to the node at ``address``."""
        pipe = self.pipe_to(address, request)
        pipe.submit(request)
        return pipe

    def pipe_to(self, address: Address, request: UpstreamRequest) -> Carrier:
        """The connection to the node at ``address`` that ``request`` takes."""
        if request.own is not None:
            own: Carrier = request.own.own_pipe(address)
            return own
        return self.shared(self.node(address), request.resp, request.database, request.number)

    def send_to_replica(self, request: UpstreamRequest) -> Pipe | None:
        """Send a request that reads to a replica of its slot's master; None where there is none that is up.

        With upstream-read-from replica it goes to a replica even where none is known to be up.
        """
        master = self.topology.masters[request.slot]
        shard = self.topology.of_master(master) if master is not None else None
        replicas = shard.replicas if shard is not None else []
        if self.config.upstream_read_from == "prefer-replica":
            replicas = [
                address for address in replicas if address not in self.nodes or self.nodes[address].up
            ]
        if not replicas:
            return None
        self._turns += 1
        node = self.node(replicas[self._turns % len(replicas)])
        pipe = self.shared(node, request.resp, request.database, request.number, replica=self.in_cluster)
        pipe.submit(request)
        return pipe

    # -- replies ------------------------------------------------------------------------------------------

    def redirected(self, pipe: Pipe, request: UpstreamRequest, reply: bytes) -> bool:
        """Send ``request`` again where its error reply asks for that; False where it is the client's. Raises nothing.

        Whatever goes wrong here the request must be answered: nobody else knows of it any more.
        """
        try:
            return self._is_redirected(pipe, request, reply)
        except Exception as error:
            self.report("a redirect", error)
            return False

    def _is_redirected(self, pipe: Pipe, request: UpstreamRequest, reply: bytes) -> bool:
        refusal = request.refusal or reply
        redirect = parse_redirect(refusal, pipe.node.address)
        if redirect is None and request.refusal is not None:
            redirect, refusal = parse_redirect(reply, pipe.node.address), reply
        if redirect is None:
            return False
        request.refusal = None
        if request.pinned:
            request.sink.deliver(request, NIL[request.resp])
            return True
        kind = redirect.kind
        if pipe.patient and self.monotonic() - pipe.asked_ns > _BLOCKED_NS:
            request.deadline_ns = 0  # what it has waited there is not what the router has tried
        # Nodes that point to themselves, or to one another, do so until they agree: they are not asked without a pause.
        in_circle = redirect.address == pipe.node.address or (kind == MOVED and bool(request.deadline_ns))
        if kind == "readonly" and (not self.in_cluster and not self.upstream.master):
            return False
        node = pipe.node
        if kind in (MOVED, ASK, "tryagain", "clusterdown"):
            node.redirects[kind] = node.redirects.get(kind, 0) + 1
        # A script may answer what it likes: its word leads nowhere but to nodes that are known, and moves no slot.
        is_script = request.row is not None and request.row.stated_flags is not None
        if is_script and not self.in_cluster and kind in (MOVED, ASK, "tryagain", "clusterdown"):
            return False
        if is_script and redirect.address is not None and redirect.address not in self._known():
            self.hurry()
            return self.again(request, "tryagain", reply, node)
        if kind == MOVED and redirect.address is not None:
            if (
                self.topology.masters[redirect.slot] != redirect.address
                and not pipe.replica
                and not is_script
            ):
                self.topology.move(redirect.slot, redirect.address)
                self.forget_routes()
            self.hurry()
            if in_circle:
                return self.again(request, "tryagain", reply, node)
            if self._has_time(request):
                request.expected = request.replies
                self.send_to(redirect.address, request)
                return True
            return False
        if kind == ASK and redirect.address is not None and request.replies == 1 and not in_circle:
            if self._has_time(request):
                self.pipe_to(redirect.address, request).submit_asking(request)
                return True
            return False
        if kind != "tryagain":
            self.hurry()
        return self.again(request, "tryagain" if kind == ASK else kind, reply, node)

    def _has_time(self, request: UpstreamRequest) -> bool:
        now = self.monotonic()
        if not request.deadline_ns:
            request.deadline_ns = now + self.config.upstream_retry_ms * _NS_PER_MS
        return now < request.deadline_ns

    def again(self, request: UpstreamRequest, why: str, reply: bytes, node: Node | None = None) -> bool:
        """Send ``request`` again a little later; when its time is up its client gets ``reply``. Returns True."""
        if request.sink.gone:
            return True
        if not self._has_time(request):
            request.sink.deliver(request, reply)
            return True
        if node is not None:
            node.retries[why] = node.retries.get(why, 0) + 1
        request.expected = request.replies
        request.refusal = None
        self.epoch += 1
        if not self._later:
            self._later_timer.again(self._send_later)
        self._later.append(request)
        return True

    def _send_later(self) -> None:
        """The pause is over. Raises nothing."""
        self._later_timer.stop()
        self.begin_turn()
        later, self._later = self._later, []
        for request in later:
            try:
                if not request.sink.gone:
                    self.send(request)
            except Exception as error:
                self.report("sending a request again", error)

    def lost(self, pipe: Pipe, why: str, requests: Sequence[tuple[UpstreamRequest, bool]]) -> None:
        """``pipe`` is closed, with the requests that have no reply, and whether each may have been executed."""
        node = pipe.node
        for numbered in node.shared.values():
            for number in [number for number, each in numbered.items() if each is pipe]:
                del numbered[number]
                self.forget_routes()
        for idle in node.idle.values():
            if pipe in idle:
                idle.remove(pipe)
        node.taken.discard(pipe)
        if (
            why != "closed"
        ):  # by the router itself: a client has left while it was blocked, or the node is not needed
            was_up = node.up
            node.is_up(any(each.opened for each in node.all_pipes()))
            now = self.monotonic()
            if was_up or (requests and now >= node.warn_ns):
                node.warn_ns = now + _WARN_NS
                log.warning("%s: %s", node.shown, why)
            self.hurry()
        unsure = b"-ERR upstream %b: %b; the command may have been executed\r\n"
        never = b"-ERR upstream %b: %b\r\n"
        for request, executed in requests:
            if request.pinned and (request.reads_only or not executed):
                request.sink.deliver(request, NIL[request.resp])
            elif executed and not request.reads_only:
                request.sink.deliver(request, unsure % (node.shown.encode(), why.encode()))
            else:
                self.again(
                    request,
                    "lost" if executed else "unsent",
                    never % (node.shown.encode(), why.encode()),
                    node,
                )

    # -- periodic -----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Close connections whose node has not answered for upstream-timeout-ms. Called some times a second."""
        self._forget_nodes()
        masters = set(self.topology.addresses)
        self._reach(masters)
        for address, node in list(self.nodes.items()):
            for numbered in list(node.shared.values()):
                for pipe in list(numbered.values()):
                    self._check_pipe(pipe, pipe.replica or address in masters)
            if address in masters:
                for pipe in [pipe for pipe in node.taken if pipe.flying and not pipe.patient]:
                    self._check_pipe(pipe, serves=True)
            else:
                for pipe in [pipe for pipe in node.taken if pipe.flying]:
                    pipe.fail("is a master no longer")

    def _reach(self, masters: Iterable[Address]) -> None:
        """Connect to the masters that nothing was sent to, so that it is known whether they are up.

        And to replicas that have been lost: with prefer-replica nothing is sent to those that are not up.
        """
        now = self.monotonic()
        for address in masters:
            self._reach_node(self.node(address), False, now)
        for shard in self.topology.shards if self.reads_replicas else ():
            for address in shard.replicas:
                if address in self.nodes:
                    self._reach_node(self.nodes[address], self.in_cluster, now)

    def _reach_node(self, node: Node, replica: bool, now: int) -> None:
        if not node.up and now >= node.reach_ns and not node.connections("shared"):
            node.reach_ns = now + _REACH_NS
            self.shared(node, 2, 0, 0, replica)

    def _check_pipe(self, pipe: Pipe, serves: bool) -> None:
        """Close a connection that is silent for too long; at once where its node does not serve any longer."""
        if not pipe.flying:
            return
        silence = self.monotonic() - pipe.progress_ns
        if pipe.opened and silence > self.config.upstream_timeout_ms * _NS_PER_MS:
            pipe.fail("no reply within upstream-timeout-ms")
        elif silence > _SUSPICIOUS_NS:
            if not serves:
                pipe.fail("is a master no longer")
            self.hurry()

    def begin_turn(self) -> None:
        """A callback of the loop begins to work for clients: the time of the turn starts."""
        cycle = self.network.cycle
        if not cycle.figures.began_ns:
            cycle.figures.began_ns = self.clock()
            cycle.moment_ns = self.monotonic()

    def report(self, place: str, error: Exception) -> None:
        """Count and log an internal error."""
        self.network.report(place, error)
