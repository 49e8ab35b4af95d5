"""MIGRATE: transfers keys to another server by RESTORE, then deletes them here.

Redis blocks all clients meanwhile. Here only the calling client is blocked, while the server does the transfer
(``engine.process``). A key that is changed before its deletion stays, and the reply is an error: the other server
holds the old value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.engine.flags import WRITE
from kedis.engine.keyspec import after_keyword, span
from kedis.engine.table import command
from kedis.errors import CommandError, storage_errors
from kedis.rdb.payload import dump
from kedis.resp.values import NO_REPLY, OK, SimpleString

if TYPE_CHECKING:
    from kedis.engine.client import Client

_USUAL_TIMEOUT_MS = 1000
_KEY_FLAGS = "RW access delete"
#: Options with a password, and how many values they take.
_PASSWORDS = {b"auth": 1, b"auth2": 2}


class _Watch:
    """A watcher of one key, in place of a client; a change sets ``watch_broken``."""

    __slots__ = ("watch_broken",)

    def __init__(self) -> None:
        self.watch_broken = False


class Migration:
    """One MIGRATE: the requests to send, and the handling of the replies.

    Attributes:
        host, port: of the other server, as given.
        timeout_seconds: for connecting, and for each reply.
        requests: the commands for the other server; :meth:`finish` takes their replies.
    """

    def __init__(self, client: Client, argv: Sequence[bytes]) -> None:
        self._copy = self._replace = False
        self._login: list[bytes] = []
        keys: Sequence[bytes] = argv[3:4]
        position = 6
        while position < len(argv):
            word, left = argv[position].lower(), len(argv) - position - 1
            if word == b"copy":
                self._copy = True
            elif word == b"replace":
                self._replace = True
            elif word == b"auth" and left:
                self._login = [argv[position + 1]]
                position += 1
            elif word == b"auth2" and left >= 2:
                self._login = list(argv[position + 1 : position + 3])
                position += 2
            elif word == b"keys":
                if argv[3]:
                    raise CommandError(storage_errors.MIGRATE_KEY_AND_KEYS)
                keys = argv[position + 1 :]
                break
            else:
                raise CommandError(errors.SYNTAX)
            position += 1
        timeout_ms = integer(argv[5])
        number = integer(argv[4])
        self.host, self.port = argv[1].decode("utf-8", "replace"), argv[2].decode("utf-8", "replace")
        self.timeout_seconds = (timeout_ms if timeout_ms > 0 else _USUAL_TIMEOUT_MS) / 1000
        self._database = client.db
        self._config = client.engine.config
        values = {key: value for key in keys if (value := client.db.lookup_read(key)) is not None}
        self._watches = {key: _Watch() for key in values}
        self._before = [[b"AUTH", *self._login]] if self._login else []
        self._before.append([b"SELECT", b"%d" % number])
        self.requests = [*self._before, *(self._restore(*pair) for pair in values.items())]

    def __bool__(self) -> bool:
        """Whether any of the keys exists."""
        return bool(self._watches)

    def _restore(self, key: bytes, value: Any) -> list[bytes]:
        at_ms = self._database.expire_at_ms(key)
        ttl = 0 if at_ms is None else max(at_ms - self._database.keyspace.now_ms, 1)
        words = [b"RESTORE", key, b"%d" % ttl, dump(value, self._config)]
        return [*words, b"REPLACE"] if self._replace else words

    def watch(self) -> None:
        """Start watching the keys for changes."""
        for key, watch in self._watches.items():
            self._database.watch(watch, key)

    def _unwatch(self) -> None:
        for key, watch in self._watches.items():
            self._database.unwatch(watch, key)

    def finish(self, client: Client, replies: Sequence[Any], failure: str) -> SimpleString:
        """Delete the transferred keys, unless they were changed.

        Args:
            replies: to the requests, errors as str; fewer than the requests after a ``failure``.

        Raises CommandError.
        """
        self._unwatch()
        if not self._copy and client.engine.restrictions.read_only:  # a replica meanwhile
            raise CommandError(errors.READ_ONLY_REPLICA)
        refusal = next((reply for reply in replies[: len(self._before)] if isinstance(reply, str)), None)
        if refusal is not None:
            raise CommandError(storage_errors.target_error(refusal))
        refusals, changed = [], []
        for key, reply in zip(self._watches, replies[len(self._before) :], strict=False):
            if isinstance(reply, str):
                refusals.append(reply)
            elif not self._copy and self._watches[key].watch_broken:
                changed.append(key)
            elif not self._copy and self._database.delete(key):
                client.propagate(b"DEL", key)
        if refusals:
            raise CommandError(storage_errors.target_error(refusals[0]))
        if failure:
            raise CommandError(failure)
        if changed:
            raise CommandError(storage_errors.migrated_key_changed(changed[0]))
        return OK


def _options(argv: Sequence[bytes]) -> Iterator[tuple[bytes, range]]:
    """Each option in lower case, and the positions of its values; KEYS, which takes the rest, is the last."""
    at = 6
    while at < len(argv):
        word = argv[at].lower()
        end = len(argv) if word == b"keys" else at + 1 + _PASSWORDS.get(word, 0)
        yield word, range(at + 1, end)
        at = end


def _keys(argv: Sequence[bytes]) -> list[tuple[int, str]]:
    named: Sequence[int] = (3,)
    if any(
        word.lower() == b"keys" for word in argv[2:-1]
    ):  # else its specification finds nothing: Redis stops there
        for word, values in _options(argv):
            if word == b"keys":
                named = values
                if argv[3] or not named:
                    raise ValueError("keys in two places, or none")
    return [(position, _KEY_FLAGS) for position in named]


def _secrets(argv: Sequence[bytes]) -> list[int]:
    return [position for word, values in _options(argv) if word in _PASSWORDS for position in values]


@command(
    "MIGRATE",
    arity=-6,
    flags=WRITE,
    group="generic",
    since="2.6.0",
    summary="Transfers keys to another server and deletes them here, unless COPY is given.",
    keys=[span(_KEY_FLAGS, 3), after_keyword(f"{_KEY_FLAGS} incomplete", "KEYS", -2, last=-1)],
    categories="dangerous",
    complexity="O(N) in the bytes of the values, on both servers",
    tips=["nondeterministic_output"],
    find_keys=_keys,
    secrets=_secrets,
    syntax=(
        'host port:int key_or_empty_string(key@0 | empty_string="") destination-db:int '
        'timeout:int ["COPY"~3.0.0] ["REPLACE"~3.0.0] [authentication(["AUTH" password~4.0.7] '
        '| ["AUTH2" username_password{username password}~6.0.0])] ["KEYS" key@1...~3.0.6]'
    ),
)
def migrate(client: Client, argv: Sequence[bytes]) -> Any:
    migration = Migration(client, argv)
    if not migration:
        return SimpleString(b"NOKEY")
    if not client.engine.process.can_migrate or client.engine.execution is not None:
        raise CommandError(storage_errors.MIGRATE_NOWHERE)
    migration.watch()
    client.engine.blocking.wait_for_task(client, argv)
    client.engine.process.migrate(client, migration)
    return NO_REPLY
