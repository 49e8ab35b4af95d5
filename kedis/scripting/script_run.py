"""One run of a script or function: its commands are admitted, run and propagated as one unit.

A script is the one exception to the rule that what touches the keyspace cannot yield. Every 100,000 instructions of
Lua it looks at the clock (:meth:`Run.tick`); once it has taken longer than ``busy-reply-threshold``, it lets the event
loop make a turn each time. Other clients then get BUSY, but for the commands that may end the script or that touch no
data. Meanwhile the state that belongs to the unit under way is put aside.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from kedis import errors
from kedis.engine.call import call, caller_in_unit
from kedis.engine.client import Client, Services
from kedis.engine.denials import log_denial
from kedis.engine.execution import Effect, ScriptState
from kedis.engine.flags import DENYOOM, MAY_REPLICATE, NOSCRIPT, STALE, WRITE
from kedis.engine.propagation import ForFile, ForReplicas, Message
from kedis.engine.table import Command
from kedis.engine.users import User
from kedis.errors import CommandError, replication_errors
from kedis.errors import script_texts as texts
from kedis.scripting.headers import ScriptFlag

log = logging.getLogger("kedis.scripts")

_LEVELS = (logging.DEBUG, logging.DEBUG, logging.INFO, logging.WARNING)
#: What the code of a library may take while it is loaded, in nanoseconds.
_MOST_LOADING_NS = 500_000_000
_AOF = 1
_REPLICAS = 2
_ALL = 3


class Run(ScriptState):
    """A script under way; the runtime calls it back (:class:`kedis.scripting.runtime.Caller`).

    Args:
        client: who has asked for it.
        inner: the client that its commands run by.
        argv: the request, for FUNCTION STATS.
        name: digest of the script, or name of the function.
    """

    __slots__ = ()

    client: Client
    inner: Client
    run: Callable[[Command, Sequence[bytes]], Any] | None
    user: User | None
    argv: Sequence[bytes]
    end_error: str | None
    last_ns: int | None

    def __init__(
        self,
        client: Client,
        inner: Client,
        argv: Sequence[bytes],
        name: bytes,
        flags: int,
        read_only: bool,
        is_function: bool,
    ) -> None:
        restrictions, config = client.engine.restrictions, client.engine.config
        self.client, self.inner, self.user = client, inner, client.user
        self.argv, self.name, self.is_function = argv, name, is_function
        self.forbidden = forbidden_flags(flags, read_only=read_only) | (
            WRITE if restrictions.read_only else 0
        )
        if client.engine.debug.allows_in_scripts:
            self.forbidden &= ~NOSCRIPT
        self.denies_growth = restrictions.out_of_memory and not flags & ScriptFlag.ALLOW_OOM
        self.run = self.end_error = self.last_ns = None
        self.targets = _ALL
        self.began_ns = client.engine.monotonic()
        self.limit_ns = limit_ns(config.busy_reply_threshold)
        self.has_failed = self.wrote = self.slow = False

    # -- commands -----------------------------------------------------------------------------------------

    def engage(self, bridge: Any) -> None:
        """The unit is under way: tell the native bridge which calls it may run itself."""
        execution = self.client.engine.execution
        assert execution is not None, "a script is a unit"
        is_plain = not self.inner.is_instrumented and not self.denies_growth
        bridge.engage(self, self.inner, execution.effects, self.forbidden, is_plain)

    def call(self, argv: list[bytes]) -> Any:
        """Run a command. Returns its value or error; raises CommandError where it must not run."""
        command = self.client.engine.table.lookup(argv[0])
        if command is None or not command.least <= len(argv) <= command.most:
            command = self._find(argv)
        flags = command.flags
        if flags & self.forbidden:
            self._refuse(command, self._why_forbidden(command))
        user = self.user
        if user is not None and not (user.may_all or user.may(command, argv)):
            self._deny(user, command, argv)
        if self.denies_growth or self.client.engine.restrictions.needs_checks:
            self._check(command)
        if flags & WRITE:
            self.wrote = True
        if self.targets != _ALL:
            return self._call_slowly(command, argv)
        run = self.run
        if run is None:  # the first call
            inner = self.inner
            run = self.run = self._call_slowly if inner.is_instrumented else caller_in_unit(inner)
        return run(command, argv)

    def _find(self, argv: list[bytes]) -> Command:
        table = self.client.engine.table
        try:
            command = table.find(argv)
        except CommandError:
            self._refuse(None, texts.UNKNOWN_IN_SCRIPT)
        if command.function is None or not command.accepts(len(argv)):
            self._refuse(command, texts.WRONG_ARITY_IN_SCRIPT)
        return command

    def _deny(self, user: User, command: Command, argv: Sequence[bytes]) -> None:
        denial = user.denial(command, argv)
        assert denial is not None, "it may not"
        running = self.client.engine.table.find(self.argv)
        log_denial(self.client, command, argv, denial, "lua", running)
        self._refuse(command, texts.DENIED_IN_SCRIPT[denial[0]])

    def _why_forbidden(self, command: Command) -> str:
        if command.flags & NOSCRIPT:
            return texts.NOT_ALLOWED_IN_SCRIPT
        # Only a script that says that it reads may not even publish.
        return texts.READ_ONLY_SCRIPT if self.forbidden & MAY_REPLICATE else errors.READ_ONLY_REPLICA

    def _check(self, command: Command) -> None:
        """Refuse what the server's state forbids; a script that has written may write on, else it would be torn."""
        restrictions = self.client.engine.restrictions
        if restrictions.master_down and not command.flags & STALE:
            self._refuse(command, texts.STALE_IN_SCRIPT)
        if self.wrote:
            return
        if restrictions.write_error is not None and command.writes:
            self._refuse(command, restrictions.write_error)
        if restrictions.few_replicas and command.writes:
            self._refuse(command, replication_errors.FEW_REPLICAS)
        if self.denies_growth and command.flags & DENYOOM:
            self._refuse(command, errors.OUT_OF_MEMORY)

    def _refuse(self, command: Command | None, text: str) -> Any:
        error = CommandError(text)
        if command is not None:
            command.counters.refusals.add(error.code)
        self.client.engine.table.error_counts.add(error.code)
        raise error

    def _call_slowly(self, command: Command, argv: Sequence[bytes]) -> Any:
        """Run a command that MONITOR or client-side caching accompanies, or that is not for all (redis.set_repl)."""
        execution = self.client.engine.execution
        assert execution is not None, "a script is a unit"
        mark = len(execution.effects)
        value = call(self.inner, command, argv)
        if self.targets != _ALL:
            execution.effects[mark:] = self._limited(execution.effects[mark:])
        return value

    def _limited(self, effects: list[Effect]) -> list[Effect]:
        """``effects`` as they go to the targets that the script has chosen; messages are for replicas anyway."""
        if self.targets == _REPLICAS:
            return [
                (number, argv if type(argv) is Message else ForReplicas(map(bytes, argv)))
                for number, argv in effects
            ]
        if self.targets == _AOF:
            return [
                (number, ForFile(map(bytes, argv))) for number, argv in effects if type(argv) is not Message
            ]
        return []

    # -- time -----------------------------------------------------------------------------------------------

    @property
    def elapsed_ms(self) -> int:
        return (self.client.engine.monotonic() - self.began_ns) // 1_000_000

    def tick(self) -> bytes | None:
        """Look at the clock; the error that is to end the script, or None."""
        if self.end_error is None and self.client.engine.monotonic() - self.began_ns >= self.limit_ns:
            if not self.slow:
                self._become_slow()
            self._turn()
        return None if self.end_error is None else self.end_error.encode()

    def _become_slow(self) -> None:
        log.warning(
            "a script is slow and still runs after %d milliseconds: you can try to end it with %s KILL (%s)",
            self.elapsed_ms,
            "FUNCTION" if self.is_function else "SCRIPT",
            self.name.decode("latin-1"),
        )
        self.slow = True
        self.client.engine.restrictions.set_busy(self.busy_text)

    @property
    def busy_text(self) -> str:
        return texts.BUSY_FUNCTION if self.is_function else texts.BUSY_SCRIPT

    def _turn(self) -> None:
        """Let others run, with the unit under way and its moment put aside. Nothing expires, as while loading."""
        engine = self.client.engine
        keyspace, propagation, tracking = engine.keyspace, engine.propagation, engine.tracking
        execution, now_ns, current = engine.execution, keyspace.now_ns, tracking.current
        overridden, batch, loading = propagation.overridden, propagation.batch[:], keyspace.loading
        engine.execution, tracking.current = None, None
        propagation.overridden = False
        propagation.batch.clear()
        keyspace.loading = True
        try:
            engine.loop.turn(self.client)
        finally:
            engine.execution, keyspace.now_ns, tracking.current = execution, now_ns, current
            propagation.overridden, keyspace.loading = overridden, loading
            propagation.batch[:] = batch

    def may_finish(self, seconds: int) -> bool:
        """The server is to end: whether the script may go on, up to ``seconds`` after the first call."""
        now = self.client.engine.monotonic()
        if self.last_ns is None:
            log.warning("a script has written: the shutdown waits up to %d seconds for its end", seconds)
            self.last_ns = now + seconds * 1_000_000_000
        return now < self.last_ns

    def end(self, reason: str) -> None:
        """Have the script end with the error ``reason`` as soon as it looks at the clock."""
        self.end_error = reason

    # -- the rest of redis.* ----------------------------------------------------------------------------------

    def speak(self, protocol: int) -> None:
        """Call commands in RESP ``protocol`` from now on."""
        self.inner.speak(protocol)

    def set_repl(self, targets: int) -> None:
        """Propagate the effects of the next commands to ``targets`` alone: 1 is the AOF, 2 are replicas, 3 both."""
        self.targets = targets

    def may(self, argv: list[bytes]) -> bool | None:
        """Whether the user may run a command; None if there is none such."""
        try:
            command = self.client.engine.table.find(argv)
        except CommandError:
            return None
        user = self.user
        return user is None or user.denial(command, argv) is None  # the arity may be wrong

    def count(self, error: CommandError, is_counted: bool) -> None:
        """Count an error within the result: those that no command has counted make one failure of the script."""
        table = self.client.engine.table
        if not is_counted:
            table.error_counts.add(error.code)
            if self.has_failed:
                return
            self.has_failed = True
        table.find(self.argv).counters.errors.add(error.code)

    def log(self, level: int, text: bytes) -> None:
        """redis.log."""
        write_log(level, text)


def limit_ns(limit_ms: int) -> int:
    """How long a script may run before others are let in, by ``busy-reply-threshold``; 0 is for ever."""
    return limit_ms * 1_000_000 if limit_ms else 1 << 62


def forbidden_flags(flags: int, *, read_only: bool) -> int:
    """The flags of the commands that a script with ``flags`` must not call."""
    reads = read_only or flags & ScriptFlag.NO_WRITES
    return NOSCRIPT | WRITE | MAY_REPLICATE if reads else NOSCRIPT


def write_log(level: int, text: bytes) -> None:
    """Write a line of a script to the log; 0 is debug, 3 a warning."""
    log.log(_LEVELS[level], "%s", text.decode("utf-8", "backslashreplace"))


class Loading:
    """What the code of a library may use of the server while it is loaded: the log, and no command.

    It may take ``_MOST_LOADING_NS``, since nobody else is served meanwhile.  A library out of the server's own file has
    been loaded once in that time; however slow the machine is now, it must not be lost.
    """

    def __init__(self, engine: Services) -> None:
        self._engine = engine
        self._end_ns = engine.monotonic() + _MOST_LOADING_NS

    def call(self, argv: list[bytes]) -> Any:
        raise CommandError(texts.NOT_ALLOWED_IN_SCRIPT)

    def tick(self) -> bytes | None:
        if self._engine.keyspace.loading or self._engine.monotonic() < self._end_ns:
            return None
        return texts.LOADING_TIMEOUT.encode()

    def speak(self, protocol: int) -> None: ...

    def set_repl(self, targets: int) -> None: ...

    def may(self, argv: list[bytes]) -> bool | None:
        return None

    def count(self, error: CommandError, is_counted: bool) -> None: ...

    def log(self, level: int, text: bytes) -> None:
        write_log(level, text)
