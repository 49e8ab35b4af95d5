"""Applies the stream of a master: every command is run as it comes, and counted by its bytes.

The commands run as recorded ones do (:func:`kedis.engine.call.replay`), in C from their bytes where the native path is
there (:mod:`kedis.native.recovery`): no limit applies, nothing expires, and keys that are due are there. A transaction
is held back until its EXEC has come, so that a link that breaks in its middle leaves nothing of it; the offset counts
it then. The bytes go on as they came: to the append-only file without what is none of data, and whole to the replicas
of this server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from kedis import native
from kedis.engine import instrumentation
from kedis.engine.call import replay, serve_blocked
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.flags import MAY_REPLICATE, NOT_QUEUED, OPENS_QUEUE, RUNS_QUEUE, SELECTS_DATABASE, WRITE
from kedis.engine.table import Command
from kedis.errors import CommandError
from kedis.persistence.reader import DamagedFile, Incomplete, read_command
from kedis.replication.data_history import History

log = logging.getLogger("kedis.replication")

#: The longest header line of a command.
_HEADER = 24
#: Commands of the stream that do nothing here.
_IDLE = frozenset([b"ping", b"replconf"])
#: What other servers' replicas do with messages, but no file keeps.
_MESSAGES = frozenset(["publish", "spublish"])


class StreamError(Exception):
    """The bytes are no stream of commands; nobody can tell what follows."""


class _Partial:
    """The beginning of a command whose rest has not come. Its bytes are looked at once, however many pieces come."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self._position = 0
        self._words = -1

    def add(self, data: bytes) -> bool:
        """Take the next bytes; returns whether the command is whole, or certainly none. O(bytes)."""
        self.data += data
        while self._words != 0:
            begin = self._position
            end = self.data.find(b"\r\n", begin, begin + _HEADER)
            if end < 0:
                return len(self.data) - begin >= _HEADER
            digits = self.data[begin + 1 : end]
            if not digits.isdigit():
                return True
            if self._words < 0:
                self._words, self._position = int(digits), end + 2
            else:
                self._words -= 1
                self._position = end + 2 + int(digits) + 2
        return self._position <= len(self.data)


class Applier:
    """Applies one stream.

    Args:
        client: whose commands they are: trusted, and in the database in which the stream goes on.
        history: its offset grows with every command.
        passed: takes the bytes of the commands that have been applied.

    Attributes:
        wants_acknowledgement: the master has asked for one; to be cleared by who sends it.
        failures: number of commands that have met an error.
    """

    def __init__(
        self,
        engine: Engine,
        client: Client,
        history: History,
        passed: Callable[[bytes], None] = lambda data: None,
    ) -> None:
        self._engine = engine
        self._client = client
        self._history = history
        self._passed = passed
        self._partial: _Partial | None = None
        self._unit: list[list[bytes]] | None = None
        self._held: list[bytes] = []
        self._natively: Any = None
        self.wants_acknowledgement = False
        self.failures = 0
        if native.PATH == "native":
            from kedis.native.path import Path
            from kedis.native.recovery import Recovery

            self._natively = Recovery(Path(engine), client, _handlers(engine), engine.table.recorded)

    @property
    def held_bytes(self) -> int:
        """Bytes received that could not be applied yet."""
        return (len(self._partial.data) if self._partial else 0) + sum(map(len, self._held))

    def feed(self, data: bytes) -> None:
        """Apply the whole commands of the next bytes. O(their work).

        Raises StreamError; what came before has been applied.
        """
        if self._partial is not None:
            if not self._partial.add(data):
                return
            data, self._partial = bytes(self._partial.data), None
        engine = self._engine
        keyspace = engine.keyspace
        keyspace.now_ns = engine.clock()
        loading, keyspace.loading = keyspace.loading, True
        try:
            self._apply(data)
        except DamagedFile as damage:
            raise StreamError(str(damage)) from None
        finally:
            keyspace.loading = loading
            if engine.events.waiting.ready and engine.execution is None:
                serve_blocked(engine)

    def _apply(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            error = None
            if self._natively is not None and self._unit is None and not self._engine.monitors:
                begin, database = position, self._client.database
                _, position, error = self._natively.run(data, begin)
                if position > begin:
                    self._pass_on(data[begin:position], database)
                if position == len(data):
                    return
            try:
                argv, end = read_command(data, position)
            except Incomplete:
                self._partial = _Partial(data[position:])
                self._partial.add(b"")
                return
            wire = data[position:end]
            position = end
            if error is not None:
                self._report(argv, error)
                self._pass_on(wire)
            else:
                self._take(argv, wire)

    def _take(self, argv: list[bytes], wire: bytes) -> None:
        """Run one command, or keep it for its transaction."""
        name = argv[0].lower()
        if name in _IDLE:
            self.wants_acknowledgement |= name == b"replconf"
            self._engine.table.recorded[name].counters.count(0)
            self._pass_on(wire)
            return
        try:
            row = self._engine.table.resolve_recorded(argv)
        except CommandError as error:
            self._report(argv, error)
            self._pass_on(wire)
            return
        if row.flags & OPENS_QUEUE and self._unit is None:
            self._unit, self._held = [], [wire]
            row.counters.count(0)
        elif row.flags & RUNS_QUEUE and self._unit is not None:
            row.counters.count(0)
            self._run_unit(wire)
        elif row.flags & NOT_QUEUED:
            self._report(argv, CommandError("ERR misplaced in the stream"))
            self._pass_on(wire)
        elif self._unit is not None:
            self._unit.append(argv)
            self._held.append(wire)
        else:
            database = self._client.database
            done = self._run(row, argv)
            self._pass_on(wire, database if done and _is_recorded(row) else None)

    def _run_unit(self, wire: bytes) -> None:
        assert self._unit is not None
        unit, self._unit = self._unit, None
        held, self._held = self._held, []
        database = self._client.database
        done = [self._run(self._engine.table.resolve_recorded(argv), argv) for argv in unit]
        self._pass_on(b"".join([*held, wire]), database if all(done) else None)
        if not all(done):
            self._engine.durability.distrust(True)  # a part of it has run, and is in no file

    def _run(self, row: Command, argv: list[bytes]) -> bool:
        """Run the handler; whether it has met no error."""
        assert row.function is not None  # resolve_recorded() returns only rows with a handler
        began = self._engine.clock()
        _, error = replay(self._client, {argv[0]: (row.function, 1, len(argv))}, [argv], 0)
        self._count(row, argv, self._engine.clock() - began)
        if error is not None:
            self._report(argv, error)
        if self._engine.monitors:
            instrumentation.show(self._client, row, argv)
        return error is None

    def _count(self, row: Command, argv: list[bytes], elapsed: int) -> None:
        """Count a call, as one of a client: it may be slow."""
        engine = self._engine
        if not 0 <= elapsed < engine.slow_ns:
            elapsed = max(elapsed - engine.check_clock(), 0)
            if elapsed >= engine.slow_ns:
                engine.observer.take_slow_call(self._client, row, argv, elapsed)
        row.counters.nanoseconds += elapsed
        row.counters.count(elapsed)

    def _report(self, argv: list[bytes], error: Exception) -> None:
        self.failures += 1
        if not isinstance(error, CommandError):
            self._engine.faults += 1
        log.critical(
            "== CRITICAL == This replica is sending an error to its master: '%s' after processing the command '%s'",
            error if isinstance(error, CommandError) else repr(error),
            argv[0][:64].decode("latin-1"),
        )

    def _pass_on(self, wire: bytes, database: int | None = None) -> None:
        """The commands ``wire`` have run, in ``database`` at first if they are to be recorded."""
        self._history.offset += len(wire)
        if database is not None:
            self._engine.propagation.append_wire(database, wire, self._client.database)
        self._passed(wire)


def _is_recorded(row: Command) -> bool:
    return bool(row.flags & (WRITE | MAY_REPLICATE)) and row.name not in _MESSAGES


def _handlers(engine: Engine) -> dict[bytes, tuple[Any, int, int]]:
    """Handler and arity by name, for the commands that run without a further look, and are recorded as they are."""
    found = {}
    for name, row in engine.table.recorded.items():
        special = row.subcommands or row.flags & (NOT_QUEUED | SELECTS_DATABASE) or not row.flags & WRITE
        if row.function is not None and not special:
            found[name] = found[name.upper()] = (row.function, row.least, row.most)
    return found
