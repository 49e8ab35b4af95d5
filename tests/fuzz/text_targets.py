"""Rules of users, and configuration files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kedis.config import Config, ConfigError
from kedis.config.declare import Setting
from kedis.config.file_rewrite import render_rewrite
from kedis.config.settings import SETTINGS, is_refused
from kedis.config.syntax import quote_word, split_words
from kedis.engine.acl_file import UsersFileError, parse_users, users_text
from kedis.engine.table import every_command
from kedis.errors import ProtocolError
from kedis.resp.requests import split_inline
from tests.commands.driver import Client, ErrorReply
from tests.config import test_set_oracle as known
from tests.fuzz.target import Find, Target
from tests.oracle import Oracle

_SEPARATOR = b"\xff"
_QUOTES = frozenset(b"\"'\\")
_CALLS = (
    *(
        b"get a1",
        b"set b1 v",
        b"mset a1 v b1 v",
        b"del foo:1 a",
        b"config get x",
        b"config set x y",
        b"select 0",
    ),
    *(b"sort a1 by x", b"copy a1 b1", b"publish a1 x", b"subscribe a1", b"acl whoami", b"object encoding a1"),
)


class Rules(Target):
    """ACL SETUSER beside Redis: the same answers, and the same user afterwards; and the text of a file of users."""

    name = "acl"
    modules = (
        "kedis.engine.acl_rules",
        "kedis.engine.acl_selector",
        "kedis.engine.acl_file",
        "kedis.engine.users",
    )
    compares = True
    words = (
        *(
            b"+@all",
            b"-@all",
            b"+@read",
            b"-@write",
            b"+get",
            b"+config|get",
            b"+select|0",
            b"~a*",
            b"%R~b*",
            b"%RW~",
        ),
        *(
            b"&c*",
            b"allkeys",
            b"resetkeys",
            b"resetchannels",
            b"on",
            b"off",
            b"nopass",
            b">p",
            b"<p",
            b"#",
            b"reset",
        ),
        *(
            b"(+get ~x)",
            b"(",
            b")",
            b"clearselectors",
            b"user default ",
            b"sanitize-payload",
            _SEPARATOR,
            b"-debug",
        ),
    )

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        super().__init__(redis)
        self._redis = redis()
        self._client = Client()
        #: What Redis does not have, in the spelling of rules.
        theirs = set(self._redis.call("COMMAND", "LIST"))
        theirs |= set(_subcommands(self._redis))
        self._own = {row.name.encode() for row in every_command()} - theirs

    def run(self, data: bytes) -> None:
        if data[:1] == b"F":
            self._file(data[1:])
        else:
            self._set_user([word.replace(b"\0", b"") for word in data[1:].split(_SEPARATOR)])

    def _set_user(self, rules: list[bytes]) -> None:
        if any(name in rule.lower() for rule in rules for name in self._own):
            return
        if any(
            b"|" in rule and len(rule.split()) > 1 for rule in rules
        ):  # refused, as the documentation says
            return
        if any(rule[:1] == b"(" for rule in rules) and not _QUOTES.isdisjoint(b"".join(rules)):
            return  # which Redis takes away inside a selector, of one rule or of several
        begins = sum(rule[:1] == b"(" and rule[-1:] != b")" for rule in rules)
        if begins > 1:  # which forgets the first, and says so in other words
            return
        for server in (self._client, self._redis):
            server.call("ACL", "DELUSER", "bob")
        words = ("ACL", "SETUSER", "bob", *rules)
        mine, theirs = self._client.call(*words), self._redis.call(*words)
        if mine != theirs:
            raise Find("setuser", f"{words}: Redis answers {theirs!r}, Kedis {mine!r}")
        mine, theirs = self._client.call("ACL", "GETUSER", "bob"), self._redis.call("ACL", "GETUSER", "bob")
        if (mine is None) != (theirs is None):
            raise Find("made", f"Redis has {theirs!r}, Kedis {mine!r}")
        if mine is None:
            return
        if mine[:4] + mine[6:10] != theirs[:4] + theirs[6:10]:
            raise Find("getuser", f"{rules}: Redis has {theirs!r}, Kedis {mine!r}")
        for call in _CALLS:
            words = ("ACL", "DRYRUN", "bob", *call.split())
            mine, theirs = self._client.call(*words), self._redis.call(*words)
            if mine != theirs:
                raise Find("dryrun", f"{rules}, {call!r}: Redis answers {theirs!r}, Kedis {mine!r}")

    def _file(self, text: bytes) -> None:
        users = self._client.engine.users
        try:
            found = parse_users(text, "users.acl", users)
        except UsersFileError:
            return
        lines = b"".join(
            b"user %b %b\n" % (name, rules.described(self._client.engine.table, for_file=True))
            for name, rules in found.items()
        )
        try:
            again = parse_users(lines, "users.acl", users)
        except UsersFileError as error:
            raise Find("refused", f"{lines!r} is refused: {error}") from None
        table = self._client.engine.table
        if {n: r.described(table) for n, r in again.items()} != {
            n: r.described(table) for n, r in found.items()
        }:
            raise Find("others", f"{lines!r} makes other users")

    def seeds(self) -> Iterator[bytes]:
        def rules(*words: bytes) -> bytes:
            return b"S" + _SEPARATOR.join(words)

        yield rules(b"on", b">p", b"~a*", b"+@all", b"-@dangerous", b"&news*")
        yield rules(
            b"+get", b"+config|get", b"-config|set", b"+select|0", b"%R~b*", b"%W~c", b"resetchannels"
        )
        yield rules(
            b"+@read", b"-get", b"(+set ~x &y)", b"(", b"+get", b"~b)", b"nopass", b"<q", b"#" + b"a" * 64
        )
        yield b"F" + b"user default on nopass ~* &* +@all\nuser bob off ~a* +get (+set ~b)\n"
        yield b"F" + users_text(self._client.engine.users)


def _subcommands(redis: Oracle) -> Iterator[bytes]:
    for row in redis.call("COMMAND"):
        yield from (sub[0] for sub in row[9])


#: Settings of several numbers.
_OF_NUMBERS = {"client-output-buffer-limit", "save"}
#: Up to so many, every number fits in 32 bits.
_DIGITS_OF_ANY = 9


class ConfigFile(Target):
    """A configuration file: refused with a reason, or read and written as the same again; CONFIG SET beside Redis."""

    name = "config"
    modules = ("kedis.config",)
    compares = True
    words = tuple(setting.name.encode() + b" " for setting in SETTINGS)

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        super().__init__(redis)
        self._redis = redis()
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-config-")
        self._client = Client()
        theirs = set(self._redis.call("CONFIG", "GET", "*")[::2])
        left_out = known.LIVELY | known.REFUSED | known.OWN | {"dir", "logfile", "requirepass", "maxmemory"}
        left_out |= {"timeout", "maxmemory-clients"}  # which may end the connection that asks
        self._settable = [
            setting.name
            for setting in SETTINGS
            if setting.name.encode() in theirs
            and not setting.fixed
            and not is_refused(setting)
            and setting.name not in left_out
            and not setting.name.startswith(("tls-", "cluster", "unixsocket"))
        ]
        self._level()

    def _level(self) -> None:
        """Some defaults differ."""
        for name in self._settable:
            self._redis.call("CONFIG", "SET", name, self._client.engine.config.text(name))

    def run(self, data: bytes) -> None:
        if data[:1] == b"S" and len(data) > 1:
            try:
                self._set(self._settable[data[1] % len(self._settable)], data[2:].replace(b"\0", b""))
            except OSError:  # a limit of output is now below that of its replies
                self._redis.close()
                self._client, self._redis = Client(), self._start_redis()
                self._level()
        else:
            self._load(data[1:])

    def _set(self, name: str, value: bytes) -> None:
        words = value.split(b" ")
        # Redis takes an empty word for a zero, and what 32 bits hold of a large number.
        if name in _OF_NUMBERS and any(word == b"" or len(word) > _DIGITS_OF_ANY for word in words):
            return
        mine, theirs = (server.call("CONFIG", "SET", name, value) for server in (self._client, self._redis))
        if isinstance(mine, ErrorReply) != isinstance(theirs, ErrorReply):
            raise Find(f"set {name}", f"{value!r}: Redis answers {theirs!r}, Kedis {mine!r}")
        mine, theirs = (server.call("CONFIG", "GET", name) for server in (self._client, self._redis))
        if mine != theirs:
            raise Find(f"get {name}", f"{value!r}: Redis has {theirs!r}, Kedis {mine!r}")

    def _load(self, data: bytes) -> None:
        lowered = data.lower()
        if b"include" in lowered:  # other files, and devices
            return
        self._split(data)
        text = data.decode("utf-8", "surrogateescape")
        config = self._config(text)
        if config is None:
            return
        written = render_rewrite(text, config)
        again = self._config(written)
        if again is None:
            raise Find("refused", f"what was written is refused: {written!r}")
        differ = [setting.name for setting in SETTINGS if _differs(setting, config, again)]
        if differ:
            raise Find("differ", f"{differ} differ after {written!r}")
        if render_rewrite(written, again) != written:
            raise Find("written again", f"written again {written!r} changes")

    def _split(self, data: bytes) -> None:
        """The words of a line are those of an inline request, where it has no NUL."""
        for line in data.replace(b"\0", b"").split(b"\n"):
            try:
                words = split_words(line.decode("utf-8", "surrogateescape"))
            except ValueError:
                words = None
            try:
                inline = [word.decode("utf-8", "surrogateescape") for word in split_inline(line)]
            except ProtocolError:
                inline = None
            if words != inline:
                raise Find("words", f"{line!r}: {words} in a file, {inline} in a request")
            for word in words or ():
                if split_words(quote_word(word)) != [word]:
                    raise Find("quoted", f"{word!r} is quoted {quote_word(word)!r}")

    def _config(self, text: str) -> Config | None:
        path = Path(self._folder.name) / "kedis.conf"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        before = os.getcwd()
        try:
            return Config.from_command_line([str(path)])
        except ConfigError as error:
            str(error)
            return None
        finally:
            os.chdir(before)

    def seeds(self) -> Iterator[bytes]:
        yield b"F" + b"port 7000\n# x\nmaxmemory 100mb\nsave 900 1\nsave 300 10\nbind 127.0.0.1 ::1\n"
        yield b"F" + b'requirepass "a\\x41 b"\nrename-command GET ""\nuser bob on >p ~* +@all\nhz 20\nHZ 30\n'
        yield b"F" + b"client-output-buffer-limit normal 1mb 2mb 3 pubsub 0 0 0\nnotify-keyspace-events KEA\n"
        for number in range(len(self._settable)):
            value = self._client.engine.config.text(self._settable[number])
            yield b"S" + bytes([number]) + value.encode()
        for setting in SETTINGS:
            yield b"F" + f"{setting.name} {self._client.engine.config.text(setting.name)}\n".encode()


def _differs(setting: Setting, one: Config, other: Config) -> bool:
    return bool(one.value(setting) != other.value(setting))
