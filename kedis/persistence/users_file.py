"""The file of users, ``aclfile``: read at the start and by ACL LOAD, written by ACL SAVE."""

from __future__ import annotations

import logging
import os

from kedis.config import ConfigError
from kedis.engine.acl_file import UsersFileError, parse_users
from kedis.engine.client import Services
from kedis.process.whole_files import replace_file

log = logging.getLogger("kedis.users")

#: Digests of passwords are nobody else's business.
_NEW_MODE = 0o600


class UsersFile:
    """The file at the absolute ``path``."""

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> bytes:
        """Its text. Raises OSError."""
        with open(self.path, "rb") as file:
            return file.read()

    def write(self, text: bytes) -> None:
        """Replace its text in one step, durably. Raises OSError, after it was logged."""
        try:
            replace_file(self.path, text, _NEW_MODE)
        except OSError as error:
            log.error("cannot write the file of users %s: %s", self.path, error.strerror)
            raise


def open_users_file(engine: Services) -> None:
    """Take the users of ``engine`` from the file ``aclfile``, if there is one. Raises ConfigError."""
    name = engine.config.aclfile
    if not name:
        return
    file = UsersFile(os.path.join(engine.config.dir, name))
    try:
        rules = parse_users(file.read(), file.path, engine.users)
    except OSError as error:
        raise ConfigError("aclfile", None, file.path, f"cannot be read: {error.strerror}") from None
    except UsersFileError as error:
        raise ConfigError("aclfile", None, file.path, str(error)) from None
    engine.users.replace_all(rules)
    engine.users.file = file
