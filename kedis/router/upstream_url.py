"""The setting ``upstream``: where the data are.

    redis://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]             a cluster, or a single server
    rediss://...                                                    the same by TLS
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,...]/NAME          the master NAME of a Sentinel group
    rediss+sentinel://...                                           the servers by TLS; the Sentinels, too

Whether ``redis://`` names a cluster is found out at the start. ``PASSWORD@`` alone is ``:PASSWORD@``; both parts are
percent-decoded. IPv6 addresses stand in brackets. Credentials are for the servers; Sentinels are not given any.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

Address = tuple[str, int]
_SCHEMES = {
    "redis": (False, False),
    "rediss": (True, False),
    "redis+sentinel": (False, True),
    "rediss+sentinel": (True, True),
}
_PORT = 6379
_SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class Upstream:
    """A parsed upstream URL.

    Attributes:
        scheme: as written.
        addresses: of the servers, or of the Sentinels.
        tls: whether they speak TLS.
        master: the name of the master for which Sentinels are asked; empty for none.
    """

    scheme: str
    addresses: tuple[Address, ...]
    user: str = ""
    password: str = ""
    tls: bool = False
    master: str = ""

    @property
    def shown(self) -> str:
        """The URL without user and password."""
        hosts = ",".join(shown_address(address) for address in self.addresses)
        return f"{self.scheme}://{hosts}" + (f"/{self.master}" if self.master else "")


def parse_upstream(text: str) -> Upstream:
    """Parse an upstream URL. Raises ValueError, whose message repeats no password."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise ValueError(f"an upstream begins with one of {', '.join(f'{name}://' for name in _SCHEMES)}")
    scheme = scheme.lower()
    tls, by_sentinel = _SCHEMES[scheme]
    credentials, _, rest = rest.rpartition("@")
    hosts, _, path = rest.partition("/")
    user, colon, password = credentials.partition(":")
    if not colon:
        user, password = "", user
    if by_sentinel and not path:
        raise ValueError("an upstream of Sentinels ends with the name of the master: /NAME")
    if path and not by_sentinel:
        raise ValueError("an upstream has no path: clients choose the database")
    default = _SENTINEL_PORT if by_sentinel else _PORT
    addresses = tuple(_address(host, default) for host in hosts.split(","))
    return Upstream(scheme, addresses, unquote(user), unquote(password), tls, unquote(path))


def _address(text: str, default_port: int) -> Address:
    host, port = text, ""
    if text.startswith("["):
        host, closed, after = text[1:].partition("]")
        if not closed or (after and not after.startswith(":")):
            raise ValueError(f"{text!r} is no address")
        port = after[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host or any(map(str.isspace, host)) or (port and not (port.isdigit() and 0 < int(port) < 65536)):
        raise ValueError(f"{text!r} is no address")
    return host, int(port) if port else default_port


def shown_address(address: Address) -> str:
    """``host:port``, with brackets around an IPv6 address; it is also the value of the label ``shard``."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
