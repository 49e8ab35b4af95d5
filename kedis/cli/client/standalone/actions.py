"""The meta-commands of the standalone mode. Each may raise StandaloneError and ServerSays, which are printed."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import LinkLost, Refused, ServerLink
from kedis.cli.client.standalone import fallback, server_snapshot
from kedis.cli.client.standalone.dialogue import resolve
from kedis.cli.client.standalone.divergence import Counts, Divergence
from kedis.cli.client.standalone.home import Alone
from kedis.cli.client.standalone.offline_session import OfflineSession
from kedis.cli.client.standalone.reconcile import Reconciliation
from kedis.cli.client.standalone.standalone_link import StandaloneLink
from kedis.cli.client.standalone.terminal import PromptTerminal
from kedis.cli.client.standalone.timefmt import duration, moment, now_ms

# A server that is silent for so long in the middle of comparing counts as lost.
_REPLY_TIMEOUT_SECONDS = 30.0


def snapshot(session: OfflineSession, _words: list[str]) -> None:
    """:snapshot: save the server's data here."""
    if isinstance(session.link, StandaloneLink):
        session.say("Standing alone there is no server to copy; :status shows what you have.")
        return
    take_snapshot(session)


def take_snapshot(session: OfflineSession) -> bool:
    """Save the server's data in the standalone folder, over a connection of its own; False when it failed."""
    terminal = PromptTerminal(session)
    home = fallback.home_of(session.options, session.target)
    try:
        with contextlib.closing(_server(session)) as server:
            taken = server_snapshot.take(server, home, session.target.description, terminal)
    except (LinkLost, ServerSays) as error:
        terminal.say(f"No snapshot: {error}")
        return False
    except KeyboardInterrupt:
        terminal.say("\nNo snapshot: interrupted.")
        return False
    left_out = (
        f", without {taken.left_out} module values or streams of a later version" if taken.left_out else ""
    )
    terminal.say(f"Snapshot of {taken.keys} keys saved in {taken.path}{left_out}.")
    return True


def status(session: OfflineSession, _words: list[str]) -> None:
    """:status: since when alone, and what was changed."""
    with _begun(session) as local:
        if local is None:
            session.say("Nothing was changed alone.")
            return
        terminal = PromptTerminal(session)
        divergence = Divergence(local.alone, lambda: local.keyspace, terminal.progress)
        terminal.say(report(local.alone, divergence.counts(), isinstance(session.link, StandaloneLink)))


def report(alone: Alone, counts: Counts, is_alone: bool) -> str:
    """What :status says."""
    what = "Standing alone" if is_alone else "Connected; what was changed alone is kept"
    beginning = "with no data"
    if alone.snapshot_taken_at_ms is not None:
        beginning = f"with the snapshot of {moment(alone.snapshot_taken_at_ms)}"
    lines = [
        f"{what} (instead of {alone.server}).",
        f"begun      {moment(alone.since_ms)}, {duration(now_ms() - alone.since_ms)} ago, {beginning}",
        f"created    {_by_database(counts.created)}",
        f"changed    {_by_database(counts.changed)}",
        f"deleted    {_by_database(counts.deleted)}",
        f"to resolve {counts.open}",
        f"journal    {alone.journal_bytes} bytes in {alone.data}",
    ]
    return "\n".join(lines)


def reconnect(session: OfflineSession, _words: list[str]) -> None:
    """:reconnect: compare, resolve, and go on with the server."""
    terminal = PromptTerminal(session)
    with _begun(session) as local:
        if local is None:
            if session.link is None:
                session.connect()
            else:
                session.say("Nothing was changed alone, and the server is connected.")
            return
        try:
            with contextlib.closing(_server(session)) as server:
                go_on = _resolve(local, server, terminal)
        except Refused as error:
            terminal.say(f"{error} (kedis-cli with the right password has :reconnect, too)")
            return
        except (LinkLost, KeyboardInterrupt) as error:
            terminal.say(str(error) or "\nInterrupted.")
            terminal.say("What was resolved until now is recorded; :reconnect takes it up again.")
            if isinstance(session.link, StandaloneLink):
                fallback.watch(session)
            return
        except ServerSays as error:
            terminal.say(f"Not reconnected: {error}")
            return
        except OSError as error:
            terminal.say(f"Not reconnected: cannot record what is resolved: {error.strerror}")
            return
    if not go_on:
        terminal.say("Nothing else was done; :reconnect asks again.")
    elif isinstance(session.link, ServerLink):
        terminal.say("The journal is kept until :discard.")
    else:
        _go_on_with_server(session)


def _go_on_with_server(session: OfflineSession) -> None:
    """Leave standing alone; when the server is lost in this very moment, stay."""
    if session.link is not None:
        session.target = replace(session.target, database=session.link.database)
    try:
        session.connect()
    except LinkLost as error:
        session.say(f"{error} (:reconnect tries again)")
        return
    session.say(f"Connected to {session.target.description}.")


def _resolve(local: StandaloneLink, server: ServerLink, terminal: PromptTerminal) -> bool:
    divergence = Divergence(local.alone, lambda: local.keyspace, terminal.progress)
    return resolve(Reconciliation(server, divergence, terminal), terminal)


def discard(session: OfflineSession, _words: list[str]) -> None:
    """:discard: forget what was changed alone."""
    with _begun(session) as local:
        if local is None:
            session.say("Nothing was changed alone.")
            return
        terminal = PromptTerminal(session)
        counts = Divergence(local.alone, lambda: local.keyspace, terminal.progress).counts()
        question = f"This forgets {counts.total} keys changed alone, {counts.open} of them not resolved."
        if terminal.ask(question, {"y": "yes, discard them", "n": "no"}) != "y":
            return
        was_alone = session.link is local
        home = local.home
        local.close()
        home.lock()
        try:
            home.discard()
        finally:
            home.unlock()
    terminal.say("Discarded.")
    if was_alone:
        fallback.stop_watching(session)
        session.link = None
        terminal.say("The next command tries to connect; :standalone stands alone anew.")


def standalone(session: OfflineSession, _words: list[str]) -> None:
    """:standalone: go on alone although nothing was lost."""
    if isinstance(session.link, StandaloneLink):
        session.say("You are standing alone already; :reconnect ends it.")
        return
    terminal = PromptTerminal(session)
    terminal.say(fallback.MEANING)
    if terminal.ask("Go on alone?", {"y": "yes, stand alone", "n": "no"}) != "y":
        return
    link = fallback.stand_alone(session)
    if link is not None:
        if session.link is not None:
            session.link.close()
        session.use(link)


@contextlib.contextmanager
def _begun(session: OfflineSession) -> Iterator[StandaloneLink | None]:
    """The data of standing alone, opened for a while where the session is connected; None when there are none.

    Raises StandaloneError.
    """
    if isinstance(session.link, StandaloneLink):
        yield session.link
        return
    home = fallback.home_of(session.options, session.target)
    if not home.alone_folder.exists():
        yield None
        return
    with contextlib.closing(StandaloneLink(home)) as link:
        yield link


def _server(session: OfflineSession) -> ServerLink:
    """A connection of its own to the session's server. Raises LinkLost, ServerSays."""
    return ServerLink(session.target, 2, session.options.timeout or _REPLY_TIMEOUT_SECONDS)


def _by_database(keys: Counter[int]) -> str:
    if not keys:
        return "0"
    if set(keys) == {0}:
        return str(keys[0])
    parts = ", ".join(f"{count} in database {database}" for database, count in sorted(keys.items()))
    return f"{keys.total()} ({parts})"
