"""The target of a connection (address, credentials, database), from flags, URL and environment."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from kedis.cli.tls_client import Tls

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 6379
PASSWORD_VARIABLES = ("KEDISCLI_AUTH", "REDISCLI_AUTH")


class BadTarget(ValueError):
    """Flags, URL or environment are no valid target; str() is the line to print."""


@dataclass(frozen=True)
class Target:
    """A server's address, the credentials, and the database to select."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    socket_path: str | None = None
    user: str | None = None
    password: str | None = None
    database: int = 0
    tls: Tls | None = None

    @property
    def description(self) -> str:
        """The address as the prompt shows it."""
        if self.socket_path is not None:
            return self.socket_path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_url(url: str) -> Target:
    """Read `redis://[[user]:password@]host[:port][/database]`; `rediss://` asks for TLS.

    Raises BadTarget for another scheme, and for a port or database that is no number.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("redis", "kedis", "rediss"):
        raise BadTarget(f"Invalid URI scheme in {url!r}: expected redis://user:password@host:port/database")
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError:
        raise BadTarget(f"Invalid port in {url!r}") from None
    path = parts.path.strip("/")
    if path and not (path.isascii() and path.isdigit()):
        raise BadTarget(f"Invalid database in {url!r}: {path!r} is not a number")
    password = urllib.parse.unquote(parts.password) if parts.password is not None else None
    user = urllib.parse.unquote(parts.username) if parts.username else None
    if user is not None and password is None:
        # A single word before the @ is the password, as in redis-cli.
        user, password = None, user
    tls = Tls() if parts.scheme == "rediss" else None
    return Target(parts.hostname or DEFAULT_HOST, port, None, user, password, int(path or 0), tls)


def password_from(environment: Mapping[str, str]) -> str | None:
    """The password that the environment holds for command line clients, or None."""
    return next((environment[name] for name in PASSWORD_VARIABLES if environment.get(name)), None)
