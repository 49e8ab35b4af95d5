"""Client-side caching: CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO (see engine/tracking.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands import clients  # noqa: F401 - declares CLIENT, below which these commands stand
from kedis.commands.parsing.options import integer
from kedis.engine.flags import LOADING, NOSCRIPT, STALE
from kedis.engine.table import command
from kedis.engine.tracking import Caching
from kedis.errors import CommandError, client_errors
from kedis.resp.values import OK, OrderedSet, SimpleString

if TYPE_CHECKING:
    from kedis.engine.client import Client

_ORDINARY = NOSCRIPT | LOADING | STALE


@command(
    "CLIENT|TRACKING",
    arity=-3,
    flags=_ORDINARY,
    group="connection",
    since="6.0.0",
    summary="Turns client-side caching (invalidation messages) on or off.",
    complexity="O(1), and O(P) in the prefixes given",
    syntax=(
        'status("ON" | "OFF") ["REDIRECT" client-id:int] ["PREFIX" prefix...+] ["BCAST"] '
        '["OPTIN"] ["OPTOUT"] ["NOLOOP"]'
    ),
)
def client_tracking(client: Client, argv: Sequence[bytes]) -> SimpleString:
    caching, prefixes = _parse_options(client, argv)
    tracking = client.engine.tracking
    mode = argv[2].lower()
    if mode == b"on":
        _check_options(client.caching, caching, prefixes)
        caching.prefixes.update(prefixes or ([b""] if caching.broadcast else []))
        tracking.start(client, caching)
    elif mode == b"off":
        tracking.stop(client)
    else:
        raise CommandError(errors.SYNTAX)
    client.update_checks()
    client.engine.keyspace.update_observed()
    return OK


def _parse_options(client: Client, argv: Sequence[bytes]) -> tuple[Caching, list[bytes]]:
    """The options, and the prefixes in the order given."""
    caching = Caching()
    prefixes: list[bytes] = []
    position = 3
    while position < len(argv):
        word = argv[position].lower()
        more = position + 1 < len(argv)
        if word == b"redirect" and more:
            position += 1
            _parse_redirect(client, caching, argv[position])
        elif word == b"prefix" and more:
            position += 1
            prefixes.append(argv[position])
        elif word == b"bcast":
            caching.broadcast = True
        elif word == b"optin":
            caching.opt_in = True
        elif word == b"optout":
            caching.opt_out = True
        elif word == b"noloop":
            caching.no_loop = True
        else:
            raise CommandError(errors.SYNTAX)
        position += 1
    return caching, prefixes


def _parse_redirect(client: Client, caching: Caching, word: bytes) -> None:
    if caching.redirect:
        raise CommandError(client_errors.SECOND_REDIRECTION)
    caching.redirect = integer(word)
    if caching.redirect not in client.engine.clients:
        raise CommandError(client_errors.NO_SUCH_REDIRECTION)


def _check_options(old: Caching | None, new: Caching, prefixes: list[bytes]) -> None:
    """Raise CommandError where options exclude each other, or the mode the client is in."""
    if prefixes and not new.broadcast:
        raise CommandError(client_errors.PREFIX_NEEDS_BCAST)
    if old is not None and old.broadcast != new.broadcast:
        raise CommandError(client_errors.CANNOT_SWITCH_BCAST)
    if new.broadcast and (new.opt_in or new.opt_out):
        raise CommandError(client_errors.OPT_WITH_BCAST)
    if new.opt_in and new.opt_out:
        raise CommandError(client_errors.OPTIN_AND_OPTOUT)
    if old is not None and ((new.opt_in and old.opt_out) or (new.opt_out and old.opt_in)):
        raise CommandError(client_errors.CANNOT_SWITCH_OPT)
    _check_prefixes(sorted(old.prefixes) if old is not None else [], prefixes)


def _check_prefixes(existing: list[bytes], prefixes: list[bytes]) -> None:
    """Raise CommandError for the first of ``prefixes`` that overlaps another. O(N log N)."""
    overlapping = _overlapping([*existing, *prefixes])
    if not overlapping:
        return
    position, prefix = next(each for each in enumerate(prefixes) if each[1] in overlapping)
    for kind, others in (("an existing", existing), ("another provided", prefixes[position + 1 :])):
        for other in others:
            if prefix.startswith(other) or other.startswith(prefix):
                raise CommandError(client_errors.overlapping_prefixes(prefix, kind, other))


def _overlapping(prefixes: list[bytes]) -> set[bytes]:
    """Those that begin another one, are begun by one, or are there twice: in order they follow the shortest one."""
    found: set[bytes] = set()
    shortest = None
    for prefix in sorted(prefixes):
        if shortest is not None and prefix.startswith(shortest):
            found.update((shortest, prefix))
        else:
            shortest = prefix
    return found


@command(
    "CLIENT|CACHING",
    arity=3,
    flags=_ORDINARY,
    group="connection",
    since="6.0.0",
    summary="Includes the keys of the next command in client-side caching (YES) or leaves them out (NO).",
    complexity="O(1)",
    syntax='mode("YES" | "NO")',
)
def client_caching(client: Client, argv: Sequence[bytes]) -> SimpleString:
    caching = client.caching
    if caching is None:
        raise CommandError(client_errors.CACHING_WITHOUT_TRACKING)
    choice = argv[2].lower()
    if choice == b"yes":
        if not caching.opt_in:
            raise CommandError(client_errors.CACHING_YES_WITHOUT_OPTIN)
    elif choice == b"no":
        if not caching.opt_out:
            raise CommandError(client_errors.CACHING_NO_WITHOUT_OPTOUT)
    else:
        raise CommandError(errors.SYNTAX)
    caching.given = True
    return OK


@command(
    "CLIENT|GETREDIR",
    arity=2,
    flags=_ORDINARY,
    group="connection",
    since="6.0.0",
    summary="Returns the client ID that invalidation messages are redirected to; 0 for none, -1 if tracking is off.",
    complexity="O(1)",
)
def client_getredir(client: Client, _argv: Sequence[bytes]) -> int:
    return -1 if client.caching is None else client.caching.redirect


@command(
    "CLIENT|TRACKINGINFO",
    arity=2,
    flags=_ORDINARY,
    group="connection",
    since="6.2.0",
    summary="Describes the client-side caching state of this connection.",
    complexity="O(P) in the prefixes of the connection",
)
def client_trackinginfo(client: Client, _argv: Sequence[bytes]) -> dict[bytes, Any]:
    caching = client.caching
    if caching is None:
        return {b"flags": OrderedSet([b"off"]), b"redirect": -1, b"prefixes": []}
    flags = {
        b"on": True,
        b"bcast": caching.broadcast,
        b"optin": caching.opt_in,
        b"caching-yes": caching.opt_in and caching.given,
        b"optout": caching.opt_out,
        b"caching-no": caching.opt_out and caching.given,
        b"noloop": caching.no_loop,
        b"broken_redirect": caching.broken,
    }
    return {
        b"flags": OrderedSet(name for name, holds in flags.items() if holds),
        b"redirect": caching.redirect,
        b"prefixes": sorted(caching.prefixes),
    }
