"""Discovery: what the upstream is, and who serves what, at the start and from then on.

A greenlet asks again every two seconds, and soon when something suggests a change: MOVED, a lost connection, a node
that is silent. Any node that knows is believed: what it says wrongly, other nodes' MOVED set right.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import gevent
import hiredis
from gevent.event import Event

from kedis.resp.reply_framing import FramingError
from kedis.router.dialing import UpstreamError, greeting
from kedis.router.fleet import Fleet
from kedis.router.topology import Topology, parse_slots, single
from kedis.router.upstream_url import Address, shown_address
from kedis.server.start_error import StartError
from kedis.server.tls_context import reason

log = logging.getLogger("kedis.router")

_PERIOD_SECONDS = 2.0
_REPLICAS_SECONDS = 1.0
#: Between two times that are asked for.
_LEAST_SECONDS = 0.1
_ANSWER_SECONDS = 1.0
_START_SECONDS = 5.0
_PAUSE_AT_START = 0.2


class Discovery:
    """Asks the upstream of ``fleet``.

    Attributes:
        mode: ``cluster``, ``single`` or ``sentinel``.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._upstream = upstream = fleet.upstream
        self._dialer = fleet.dialer
        fleet.hurry = self.hurry
        self._wanted = Event()
        self._greenlet: gevent.Greenlet | None = None
        self._problem = ""
        self.mode = "sentinel" if upstream.master else "single"

    def start(self, is_ended: Callable[[], bool] = lambda: False) -> bool:
        """Ask until somebody answers, for some seconds; False where ``is_ended`` meanwhile. Raises StartError."""
        monotonic = self._fleet.monotonic
        deadline = monotonic() + int(_START_SECONDS * 1e9)
        told = False
        while (topology := self._first()) is None:
            if is_ended():
                return False
            if monotonic() > deadline:
                raise StartError(f"cannot reach the upstream {self._upstream.shown}: {self._problem}")
            if not told:
                log.warning("waiting for the upstream %s: %s", self._upstream.shown, self._problem)
                told = True
            gevent.sleep(_PAUSE_AT_START)
        self._fleet.take_mode(self.mode)
        self._fleet.take_topology(topology)
        shown = ", ".join(map(shown_address, topology.addresses))
        log.info(
            "upstream %s: %s, %d shards: %s", self._upstream.shown, self.mode, len(topology.shards), shown
        )
        self._greenlet = gevent.spawn(self._run)
        return True

    def stop(self) -> None:
        """Ask no more. Idempotent."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def hurry(self) -> None:
        """Something has changed: ask soon."""
        self._wanted.set()

    def _run(self) -> None:
        while True:
            # Nothing tells of new replicas, where a master that has moved gives itself away.
            self._wanted.wait(_REPLICAS_SECONDS if self._fleet.reads_replicas else _PERIOD_SECONDS)
            self._wanted.clear()
            try:
                topology = self._ask_all(self._known())
                if topology is not None:
                    self._fleet.take_topology(topology)
            except Exception as error:
                self._fleet.report("asking for the topology", error)
            gevent.sleep(_LEAST_SECONDS)

    def _known(self) -> list[Address]:
        """Whom to ask: the masters, the replicas, those that were given; of a single server nobody but itself.

        Others would speak of themselves: who serves in its place is not for its replica to say.
        """
        if self._upstream.master:
            return list(self._upstream.addresses)
        shards = self._fleet.topology.shards
        if self.mode == "single":
            return [shard.master for shard in shards]
        up = [shard.master for shard in shards if self._fleet.node(shard.master).up]
        rest = [shard.master for shard in shards] + [each for shard in shards for each in shard.replicas]
        return list(dict.fromkeys([*up, *rest, *self._upstream.addresses]))

    def _first(self) -> Topology | None:
        """The topology at the start, when it is not known whether the upstream is a cluster."""
        if self.mode == "sentinel":
            return self._ask_all(self._upstream.addresses)
        for address in self._upstream.addresses:
            reply = self._ask(address, b"CLUSTER", b"SLOTS")
            if reply is None:
                continue
            if not isinstance(reply, hiredis.ReplyError):
                self.mode = "cluster"
                return self._parsed(reply, address)
            self._problem = f"{shown_address(address)}: {reply}"
            if self._is_single(address, str(reply).lower()):
                self.mode = "single"
                return self._of_single(address)
        return None

    def _is_single(self, address: Address, refusal: str) -> bool:
        """Whether a node that has refused CLUSTER SLOTS is in no cluster."""
        if not refusal.startswith("noperm"):
            return "cluster" in refusal or "unknown command" in refusal
        said = self._ask(address, b"HELLO")  # which every user may
        return isinstance(said, list) and b"mode" in said and b"cluster" not in said

    def _ask_all(self, addresses: Iterable[Address]) -> Topology | None:
        """The topology as the first of ``addresses`` says that knows it; None where nobody does."""
        for address in addresses:
            topology: Topology | None
            if self.mode == "sentinel":
                topology = self._of_sentinel(address)
            elif self.mode == "single":
                topology = self._of_single(address)
            else:
                topology = self._parsed(self._ask(address, b"CLUSTER", b"SLOTS"), address)
            if topology is not None:
                return topology
        return None

    def _parsed(self, reply: Any, address: Address) -> Topology | None:
        if reply is None:
            return None
        try:
            return parse_slots(reply, address)
        except ValueError as error:
            self._problem = f"{shown_address(address)}: {error}"
            return None

    def _of_single(self, address: Address) -> Topology | None:
        """The topology of one server, with its replicas where these are read from."""
        role = self._ask(address, b"ROLE")
        if role is None:
            return None
        replicas: list[Address] = []
        if isinstance(role, list) and role and role[0] == b"master":
            replicas = [(host.decode(), int(port)) for host, port, *_ in role[2]]
        return single(address, replicas)

    def _of_sentinel(self, address: Address) -> Topology | None:
        """The master that a Sentinel names, once it says itself that it is one, with its replicas."""
        name = self._upstream.master.encode()
        found = self._ask(address, b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", name, sentinel=True)
        if not isinstance(found, list):
            if found is not None:
                self._problem = f"{shown_address(address)}: {found}"
            elif not self._problem:
                self._problem = f"{shown_address(address)} knows no master {self._upstream.master}"
            return None
        master = (found[0].decode(), int(found[1]))
        role = self._ask(master, b"ROLE")
        if not isinstance(role, list) or not role or role[0] != b"master":
            self._problem = f"{shown_address(master)} is not the master"
            return None
        return single(master, [(host.decode(), int(port)) for host, port, *_ in role[2]])

    def _ask(self, address: Address, *words: bytes, sentinel: bool = False) -> Any:
        """The parsed reply of a node; None where it gives none."""
        hello = [] if sentinel else greeting(self._upstream, 2, 0, False)
        try:
            reply = self._dialer.converse(address, hello, words, _ANSWER_SECONDS)
            reader = hiredis.Reader()
            reader.feed(reply)
            return reader.gets()
        except (OSError, ValueError, OverflowError, UpstreamError, FramingError) as error:
            text = reason(error) if isinstance(error, OSError) else str(error)
            self._problem = f"{shown_address(address)}: {text}"
            return None
