"""Errors by which a node says that a request belongs elsewhere, or should come later.

All of them mean that the request was not executed, so that it can be sent again, whatever it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from kedis.router.hash_slots import SLOTS
from kedis.router.upstream_url import Address

#: Kinds, as the label ``kind`` of kedis_router_redirects_total has them.
MOVED, ASK, TRYAGAIN, CLUSTERDOWN = "moved", "ask", "tryagain", "clusterdown"
#: Why a request is sent again later, by the first word of the error; they are reasons of kedis_router_retries_total.
_LATER = {
    b"-TRYAGAIN": TRYAGAIN,
    b"-CLUSTERDOWN": CLUSTERDOWN,
    b"-LOADING": "loading",
    b"-MASTERDOWN": "masterdown",
    b"-READONLY": "readonly",
}
#: Of a slot, or a port.
_MOST_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where and when a request is to be sent again.

    Attributes:
        kind: MOVED and ASK: at once, to ``address``; any other: later, to whoever serves the slot then.
        slot: of MOVED and ASK.
    """

    kind: str
    slot: int = -1
    address: Address | None = None


def parse_redirect(reply: bytes, asked: Address) -> Redirect | None:
    """What the error ``reply`` of the node ``asked`` asks for; None for any other error. O(1)."""
    word, _, rest = reply.partition(b" ")
    if word in (b"-MOVED", b"-ASK"):
        slot, _, place = rest.rstrip().partition(b" ")
        host, _, port = place.rpartition(b":")
        if not _is_below(slot, SLOTS) or not _is_below(port, 65536):
            return None
        name = host.decode("utf-8", "replace").strip("[]")
        kind = MOVED if word == b"-MOVED" else ASK
        return Redirect(kind, int(slot), (name if name not in ("", "?") else asked[0], int(port)))
    kind_later = _LATER.get(word)
    return Redirect(kind_later) if kind_later is not None else None


def _is_below(digits: bytes, limit: int) -> bool:
    return digits.isdigit() and len(digits) <= _MOST_DIGITS and int(digits) < limit
