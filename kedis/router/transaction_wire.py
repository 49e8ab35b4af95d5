"""Transactions as one piece: MULTI, what was queued, EXEC.

The engine queues; nothing is sent before EXEC comes. All of it then goes to one connection without anything in between,
which is what makes it atomic there, so that no connection of its own is needed. WATCH is what needs one.

What the router answers itself (HELLO, SELECT, CLIENT, SUBSCRIBE, UNWATCH…) may be queued as well. It is run when the
node's replies are there, each command at its place among them. HELLO and SELECT change what follows them, so the node
is told of them, too; behind the last command the shared connection is put back into its state, inside of the same EXEC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kedis.errors import CommandError
from kedis.resp.reply_framing import split_elements
from kedis.router.flow import UpstreamRequest
from kedis.router.planning import Argv, Kind, Plan, encode
from kedis.router.upstream_request import Sink

MULTI = encode([b"MULTI"])
EXEC = encode([b"EXEC"])
_SENT_ON = frozenset([Kind.KEYS, Kind.SPLIT, Kind.ANY, Kind.BLOCKING, Kind.STREAMS])
#: Of a number that a client has sent and that may be one of a client or of a database.
MOST_DIGITS = 19
#: What is for several nodes, so that no node could run it among others.
_EVERYWHERE = frozenset([Kind.EVERY, Kind.SCAN])


def _is_below(word: bytes, limit: int) -> bool:
    return word.isdigit() and len(word) <= MOST_DIGITS and int(word) < limit


def has_no_place(plan: Plan) -> bool:
    """Whether a command cannot be part of a transaction."""
    return plan.kind in _EVERYWHERE


class Unit:
    """A transaction on its way to one node.

    Args:
        resp, database: the state of the connection that it takes.
        databases: how many SELECT may choose from.
        protocol_of: the protocol that a HELLO will change to; 0 for none.

    Attributes:
        queue: plan, words, and the error in place of a command that the user may not run any more.
        sent: how many commands the node gets between MULTI and EXEC.
    """

    __slots__ = ("_elements", "_places", "_words", "queue")

    def __init__(
        self,
        queue: Iterable[tuple[Plan, Argv, CommandError | None]],
        resp: int,
        database: int,
        databases: int,
        protocol_of: Callable[[Argv], int],
    ) -> None:
        self.queue = list(queue)
        self._words: list[Argv] = []
        self._places: list[int] = []
        self._elements: list[bytes] = []
        after: dict[bytes, Argv] = {}
        for plan, argv, refused in self.queue:
            told: Argv | None = argv if plan.kind in _SENT_ON else None
            if plan.kind is Kind.SELECT and _is_below(argv[1], databases):
                told = argv
                after[b"SELECT"] = [b"SELECT", b"%d" % database]
            elif plan.row.name == "hello" and (protocol := protocol_of(argv)):
                told = [b"HELLO", b"%d" % protocol]
                after[b"HELLO"] = [b"HELLO", b"%d" % resp]
            if told is None or refused is not None:
                self._places.append(-1)
            else:
                self._places.append(len(self._words))
                self._words.append(told)
        if any(plan.kind in _SENT_ON for plan, _, _ in self.queue):
            self._words += after.values()
        else:  # nothing that the state could matter to
            self._words.clear()
            self._places = [-1] * len(self.queue)

    @property
    def sent(self) -> int:
        return len(self._words)

    @property
    def is_whole(self) -> bool:
        """Whether the node's reply is the client's as it is."""
        return len(self._words) == len(self.queue) and all(plan.kind in _SENT_ON for plan, _, _ in self.queue)

    def wire(self) -> bytes:
        """The bytes of it. O(their length)."""
        return MULTI + b"".join(map(encode, self._words)) + EXEC

    def take(self, reply: bytes) -> bool:
        """Take the node's reply to EXEC; False where that is nil or an error. Raises ValueError for anything else."""
        if reply.startswith(b"-") or reply in (b"*-1\r\n", b"_\r\n"):
            return False
        self._elements = split_elements(reply)
        if len(self._elements) != len(self._words):
            raise ValueError("EXEC has answered another number of commands")
        return True

    def reply_at(self, position: int) -> bytes | None:
        """The node's reply to a command of the queue; None where it is to be run here."""
        place = self._places[position]
        if place < 0:
            return None
        element = self._elements[place]
        if self.queue[position][0].kind in _SENT_ON or element.startswith(b"-"):
            return element
        return None


class Kept:
    """Keeps the reply to ``request``, whose client is silent, and passes it on as a sign that it has come."""

    __slots__ = ("_sink", "reply")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.reply = b""

    @property
    def gone(self) -> bool:
        return bool(self._sink.gone)

    def deliver(self, request: UpstreamRequest, reply: bytes) -> None:
        """Take the reply."""
        self.reply = reply
        self._sink.deliver(request, reply)


def sent_on(plans: Sequence[Plan]) -> list[Plan]:
    """Those of ``plans`` that nodes run. O(n)."""
    return [plan for plan in plans if plan.kind in _SENT_ON]
