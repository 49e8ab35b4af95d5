"""Who may see the live page: checks of the Host header and of the password, and the header fields that browsers obey.

A page of a foreign site can have a browser ask this port, under a name of its own that it points here (DNS
rebinding), and would then be of the same origin. Such a name has a dot and belongs to somebody else, so only these are
answered: IP addresses, names without a dot, ``*.localhost``, the name of this machine, ``metrics-bind``, and what
``metrics-hosts`` lists. No name is looked up.

The slow log shows keys and arguments of clients. It is for whoever may run SLOWLOG GET: where a new connection has to
authenticate, HTTP Basic authentication asks for the same name and password; elsewhere protected mode keeps strangers
from it, as from the data.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import socket
from typing import TYPE_CHECKING

from kedis.engine.acl_log import Entry
from kedis.engine.engine import Engine
from kedis.server.http_requests import Request

if TYPE_CHECKING:
    from kedis.engine.users import User

#: Nothing but files of this port: no inline script or style, no foreign host, no frame around it.
SECURITY_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
CHALLENGE = ("WWW-Authenticate", 'Basic realm="Kedis", charset="UTF-8"')

_SLOWLOG_GET = [b"SLOWLOG", b"GET"]


class PageAccess:
    """Access to the page of ``engine``; the settings are looked at for each request."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._machine = socket.gethostname().lower()

    def knows_host(self, request: Request) -> bool:
        """Whether the Host header is one of this server's names."""
        name = _host_name(request.headers.get("host", ""))
        if name is None:
            return False
        if "." not in name or name.endswith(".localhost") or _is_address(name):
            return True
        config = self._engine.config
        return name in (self._machine, config.metrics_bind.lower(), *config.metrics_hosts)

    @property
    def needs_password(self) -> bool:
        """Whether the private figures are for those who authenticate."""
        return self._engine.users.initial() is None

    def may_see_private(self, request: Request) -> bool:
        """Whether the slow log and the latency events are for whoever has sent the request."""
        user = self._engine.users.initial()
        if user is None:
            user = self._authenticated(request)
        elif self._engine.config.protected_mode and not _is_loopback(request.peer):
            return False
        row = self._engine.table.named(b"slowlog|get")
        return user is not None and row is not None and user.denial(row, _SLOWLOG_GET) is None

    def note_failed_login(self, request: Request) -> None:
        """Put a wrong name or password into ACL LOG and its count; nothing where there was none, or it is right."""
        credentials = _basic_credentials(request.headers.get("authorization", ""))
        if credentials is not None and self._authenticated(request) is None:
            engine = self._engine
            client = f"addr={request.peer} cmd=login user=(none)\n".encode()
            now_ms = engine.clock() // 1_000_000
            entry = Entry("auth", "toplevel", b"login", credentials[0] or b"default", now_ms, client)
            engine.users.log.add(entry, engine.config.acllog_max_len)

    def _authenticated(self, request: Request) -> User | None:
        """The user whose name and password the request bears; no name is that of the default user."""
        credentials = _basic_credentials(request.headers.get("authorization", ""))
        if credentials is None:
            return None
        name, password = credentials
        return self._engine.users.authenticate(name or b"default", password)


def _host_name(host: str) -> str | None:
    """The name in a Host header, without its port, in lower case; None where it is none."""
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
    else:
        name, colon, rest = host.partition(":")
        closed, rest = "]", colon + rest
    right = closed and name and (not rest or (rest[0] == ":" and rest[1:].isdecimal()))
    return name.lower().removesuffix(".") if right else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(peer: str) -> bool:
    address = ipaddress.ip_address(peer.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


def _basic_credentials(header: str) -> tuple[bytes, bytes] | None:
    """Name and password of an Authorization header; None where it has none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None
