"""Users: the identity of a client, and its permissions.

There is one user for now, ``default``. Its password is the setting ``requirepass``; without one every new connection
is authenticated as that user at once.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

from kedis.config import Config
from kedis.engine.table import Command


class User:
    """A user; ``name`` is shown by CLIENT LIST and ACL WHOAMI."""

    __slots__ = ("name",)

    def __init__(self, name: bytes) -> None:
        self.name = name

    @property
    def may_all(self) -> bool:
        """Whether nothing is forbidden to the user. O(1)."""
        return True

    def may(self, _command: Command, _argv: Sequence[bytes]) -> bool:
        """Whether the user may run ``command`` with these arguments. O(1)."""
        return True


class Users:
    """The users of one server."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.default = User(b"default")

    @property
    def default_has_password(self) -> bool:
        return bool(self._config.requirepass)

    def initial(self) -> User | None:
        """The user of a new connection; None where it must authenticate first."""
        return None if self._config.requirepass else self.default

    def authenticate(self, name: bytes, password: bytes) -> User | None:
        """Return the user of that name and password; None if there is none.

        A user without a password accepts any. Digests are compared in constant time: timing reveals neither the first
        difference nor the length of a password.
        """
        expected = self._config.requirepass.encode("utf-8", "surrogateescape")
        right = hmac.compare_digest(sha256(password).digest(), sha256(expected).digest()) or not expected
        return self.default if right and name == self.default.name else None
