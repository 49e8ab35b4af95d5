"""Users (ACL): who a client is, and what it may do.

The user ``default`` is always there: new connections have it where it needs no password. ``requirepass`` sets its
password. Others come from the configuration (``user`` lines or the file ``aclfile``) and from ACL SETUSER, which
replaces the rules of a user in one step: its clients have the new ones from their next command on.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Protocol

from kedis.config import Config
from kedis.config.load import Line
from kedis.engine.acl_log import AccessLog
from kedis.engine.acl_rules import (
    RuleError,
    UnmatchedParenthesis,
    UserRules,
    has_spaces,
    with_selectors_joined,
)
from kedis.engine.acl_selector import Denial
from kedis.engine.permits import Permit, permit_of
from kedis.engine.table import Command, CommandTable

DEFAULT = b"default"
#: What the default user may do unless it is told otherwise.
_EVERYTHING = (b"~*", b"&*", b"+@all")
#: Of the length of a password's digest, and of none.
_NO_DIGEST = b"-" * 64


class User(UserRules):
    """A user.

    Attributes:
        name: as CLIENT LIST and ACL WHOAMI show it.
        may_all: nothing is forbidden to it: one selector allows all commands, keys and channels.
        compiled: its permissions as the native path reads them; None until that needs them.
    """

    __slots__ = ("_permits", "compiled", "may_all", "name")

    def __init__(self, name: bytes) -> None:
        super().__init__()
        self.name = name
        self.may_all = False
        self.compiled: Any = None
        #: What is asked of each command that the user has called.
        self._permits: dict[Command, Permit] = {}

    def become(self, rules: UserRules, table: CommandTable) -> None:
        """Take over ``rules``. O(rules)."""
        self.take(rules)
        self.compiled = None
        self._permits = {}
        self.may_all = any(
            selector.all_keys and selector.all_channels and selector.commands == table.all_bits
            for selector in self.selectors
        )

    def may(self, command: Command, argv: Sequence[bytes]) -> bool:
        """Whether the user may run ``command``, whose arity is right, with these words.

        O(selectors x keys x patterns); 0.3 us for a command of one key and patterns that are prefixes.
        """
        permits = self._permits.get(command)
        if permits is None:
            permits = self._permits[command] = permit_of(self.selectors, command)
        return permits(argv)

    def denial(self, command: Command, argv: Sequence[bytes]) -> Denial | None:
        """Why the user may not run ``command`` with these words; None where it may.

        The arity of the command is right. O(selectors x keys x patterns).
        """
        worst: Denial | None = None
        for selector in self.selectors:
            found = selector.denial(command, argv)
            if found is None:
                return None
            if worst is None or found > worst:
                worst = found
        return worst

    def may_sort_by_any_key(self, command: Command, argv: Sequence[bytes]) -> bool:
        """Whether a selector that allows this call also lets the user read every key."""
        return self.may_all or any(
            selector.reads_every_key and selector.denial(command, argv) is None for selector in self.selectors
        )

    def may_keep(self, subscribed: dict[str, dict[bytes, None]]) -> bool:
        """Whether all these subscriptions, by kind, are allowed. O(subscriptions x patterns)."""
        return all(
            any(selector.allows_channel(name, kind == "pattern") for selector in self.selectors)
            for kind, names in subscribed.items()
            for name in names
        )

    def accepts(self, password: bytes) -> bool:
        """Whether ``password`` lets a client be this user.

        Digests are compared in constant time, all of them: timing reveals neither the first difference nor the length
        of a password, nor which one is right.
        """
        digest = _digest(password)
        matches = [hmac.compare_digest(digest, known) for known in self.passwords]
        return self.enabled and (self.needs_no_password or any(matches))


class UsersFile(Protocol):
    """The file ``aclfile``."""

    #: Its absolute path.
    path: str

    def read(self) -> bytes:
        """Its text. Raises OSError."""

    def write(self, text: bytes) -> None:
        """Replace its text in one step. Raises OSError."""


class Users:
    """The users of one server.

    Args:
        config: its ``user`` lines are applied; raises ConfigError where they cannot be.
        changed: called with each user whose rules have changed.

    Attributes:
        default: the user ``default``.
        trusted: the user of clients whose commands were accepted before: those of the AOF and of a master.
        file: the file of users; None where there is none.
        log: what was denied.
    """

    def __init__(
        self, config: Config, table: CommandTable, changed: Callable[[User], None] = lambda user: None
    ) -> None:
        self._config, self._table, self._changed = config, table, changed
        self.by_name: dict[bytes, User] = {}
        everything = self.new_rules()
        self.apply(everything, (*_EVERYTHING, b"on", b"nopass"))
        self.default = self.by_name[DEFAULT] = User(DEFAULT)
        self.default.become(everything, table)
        self.trusted = User(b"(superuser)")
        self.trusted.become(everything, table)
        self.file: UsersFile | None = None
        self.log = AccessLog()
        config.subscribe("requirepass", self._follow_requirepass)
        if config.requirepass:
            self._follow_requirepass(config)
        self._load_lines()
        #: The users of which the configuration file tells; None where it has no line for any.
        self._written = self.lines() if config.user_lines and not self._tells_passwords() else None

    # -- finding ------------------------------------------------------------------------------------------

    @property
    def default_has_password(self) -> bool:
        return not self.default.needs_no_password

    def initial(self) -> User | None:
        """The user of a new connection; None where it must authenticate first."""
        return self.default if self.default.needs_no_password and self.default.enabled else None

    def authenticate(self, name: bytes, password: bytes) -> User | None:
        """Return the user of that name and password; None if there is none, or it is off."""
        user = self.by_name.get(name)
        if user is None:
            hmac.compare_digest(_digest(password), _NO_DIGEST)  # takes the time of a user that is there
            return None
        return user if user.accepts(password) else None

    def names(self) -> list[bytes]:
        """The names in order."""
        return sorted(self.by_name)

    def lines(self, *, for_file: bool = False) -> list[bytes]:
        """The users as ACL LIST shows them, in order of their names. 0.1 ms a user at worst."""
        return [
            b"user %b %b" % (name, self.by_name[name].described(self._table, for_file=for_file))
            for name in self.names()
        ]

    # -- changing -----------------------------------------------------------------------------------------

    def new_rules(self) -> UserRules:
        """The rules of a user that is made now."""
        rules = UserRules()
        rules.selectors[0].all_channels = self._all_channels
        return rules

    def apply(self, rules: UserRules, words: Iterable[bytes]) -> None:
        """Apply rules, selectors being one word each. Raises RuleError."""
        for word in words:
            rules.apply(word, self._table, all_channels=self._all_channels)

    def put(self, name: bytes, rules: UserRules) -> User:
        """Give the user ``name``, made if it is new, these rules."""
        user = self.by_name.get(name)
        if user is None:
            user = self.by_name[name] = User(name)
        user.become(rules, self._table)
        self._changed(user)
        return user

    def remove(self, name: bytes) -> User | None:
        """Remove and return the user ``name``; None if there is none. Who calls sees to its clients."""
        return self.by_name.pop(name, None)

    def replace_all(self, rules: Mapping[bytes, UserRules]) -> list[User]:
        """Replace all users, those that are equal, too; returns the old ones but for the default user.

        Without a line for it the default user is as a server without users has it: open, or with ``requirepass``.
        """
        old = [user for name, user in self.by_name.items() if name != DEFAULT]
        self.by_name = {DEFAULT: self.default}
        for name, new in {DEFAULT: self._pristine_default(), **rules}.items():
            self.put(name, new)
        return old

    @property
    def _all_channels(self) -> bool:
        return self._config.acl_pubsub_default == "allchannels"

    def _pristine_default(self) -> UserRules:
        rules = self.new_rules()
        self.apply(rules, (*_EVERYTHING, b"on", *self._password_rules(self._config)))
        return rules

    @staticmethod
    def _password_rules(config: Config) -> tuple[bytes, ...]:
        password = config.requirepass.encode("utf-8", "surrogateescape")
        return (b"resetpass", b">" + password) if password else (b"nopass",)

    def _follow_requirepass(self, config: Config) -> None:
        rules = UserRules()
        rules.take(self.default)
        self.apply(rules, self._password_rules(config))
        self.put(DEFAULT, rules)

    # -- the configuration --------------------------------------------------------------------------------

    def _load_lines(self) -> None:
        seen = set()
        for line in map(_without_secrets, self._config.user_lines):
            if not line.words:
                raise line.fault("wrong number of arguments", "user takes a name and rules")
            name, *words = (word.encode("utf-8", "surrogateescape") for word in line.words)
            if self._config.aclfile:
                raise line.fault(
                    "users are given in the configuration and in the file aclfile",
                    "give all users in one of them",
                )
            if has_spaces(name) or not name:
                raise line.fault("the name of a user has no spaces", "user takes a name and rules")
            if name in seen:
                raise line.fault("Duplicate user found. A user can only be defined once in config files")
            seen.add(name)
            rules = self.new_rules()
            # Only the user that is there already is reset, which its flags show: it has sanitize-payload then.
            before = (b"reset",) if name == DEFAULT else ()
            try:
                self.apply(rules, (*before, *with_selectors_joined(words)))
            except (RuleError, UnmatchedParenthesis) as error:
                raise line.fault(_explained(error)) from None
            self.put(name, rules)

    def _tells_passwords(self) -> bool:
        """Whether a ``user`` line of the configuration has a password as it is, in place of its digest."""
        return any(word.startswith((">", "<")) for line in self._config.user_lines for word in line.words[1:])

    def config_lines(self) -> list[str] | None:
        """The ``user`` lines of a configuration file; None where those that are there say all. O(users)."""
        lines = self.lines()
        if self._config.aclfile or lines == self._written:
            return None
        if self._written is None and not self._config.user_lines and lines == self._lines_of_pristine():
            return None
        return _texts(self.lines(for_file=True))

    def config_written(self) -> None:
        """The configuration file now tells of all users."""
        self._written = self.lines()

    def _lines_of_pristine(self) -> list[bytes]:
        return [b"user %b %b" % (DEFAULT, self._pristine_default().described(self._table))]


def _digest(password: bytes) -> bytes:
    return sha256(password).hexdigest().encode()


def _texts(lines: list[bytes]) -> list[str]:
    return [line.decode("utf-8", "surrogateescape") for line in lines]


def _without_secrets(line: Line) -> Line:
    """``line`` with a text that an error may show."""
    words = ["(redacted)" if word[:1] in (">", "<", "#", "!") else word for word in line.words]
    return replace(line, text=" ".join([line.name, *words]))


def _explained(error: Exception) -> str:
    if isinstance(error, UnmatchedParenthesis):
        return f"Unmatched parenthesis in acl selector starting at '{error}'."
    return f"Error in user declaration: {error}"
