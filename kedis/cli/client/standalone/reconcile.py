"""Reconciliation: the changes made alone are compared with the server key by key, and resolved.

Comparing reads the server's values in batches and keeps digests only. A difference is resolved by keeping the
server's value or by pushing mine; either is recorded durably (`settled`) after each group of keys, so that a
connection lost in the middle leaves a state that is simply compared again: what is the same on both sides
counts as resolved.

Pushing watches a group of keys, reads them again, leaves those alone that are not as they were compared, and writes
the others in one MULTI and EXEC; when that says that one was changed in between, the keys go one by one. So no
change of the server is overwritten that the user has not seen counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import Link
from kedis.cli.client.standalone.divergence import Change, Divergence
from kedis.cli.client.standalone.key_values import (
    BATCH_KEYS,
    PIECE_BYTES,
    Changed,
    Value,
    ask,
    digest_of,
    read,
    read_watched,
    select,
    write_commands,
)
from kedis.cli.client.standalone.settled import Settlement
from kedis.cli.client.standalone.terminal import Terminal
from kedis.cli.client.wire import ErrorReply

_TRIES = 5


class State(Enum):
    """The fate of a key on the server while it was changed alone."""

    UNCHANGED = "unchanged on the server"
    CHANGED = "changed on both sides"
    CREATED = "created on both sides"
    DELETED_THERE = "changed here, deleted on the server"
    DELETED_HERE = "deleted here, changed on the server"
    SAME = "the same on both sides already"


@dataclass(frozen=True, slots=True)
class Difference:
    """A change, and the digest of what the server holds instead (None: no key)."""

    change: Change
    theirs: bytes | None

    @property
    def state(self) -> State:
        """The relation of the two sides."""
        change = self.change
        if self.theirs == change.mine:
            return State.SAME
        if self.theirs == change.base:
            return State.UNCHANGED
        if change.base is None:
            return State.CREATED
        if self.theirs is None:
            return State.DELETED_THERE
        return State.DELETED_HERE if change.mine is None else State.CHANGED

    @property
    def conflicts(self) -> bool:
        """Whether pushing the local value would overwrite a change by others."""
        return self.state not in (State.UNCHANGED, State.SAME)


@dataclass
class Pushed:
    """The result of a push: keys written, and keys changed on the server since they were compared."""

    written: int = 0
    moved: list[Difference] = field(default_factory=list)


class Reconciliation:
    """The open differences between the data of standing alone and a server.

    Args:
        link: a connection of its own, speaking RESP2.
        divergence: what was changed alone.
        terminal: shows progress.
    """

    def __init__(self, link: Link, divergence: Divergence, terminal: Terminal) -> None:
        self.link = link
        self.divergence = divergence
        self.terminal = terminal
        self.differences: list[Difference] = []
        self.same = 0

    def compare(self) -> None:
        """Find the open differences; what is the same already is settled. Raises LinkLost, ServerSays."""
        self.differences, self.same = [], 0
        changes = sorted(self.divergence.open_changes(), key=lambda change: change.place)
        for done, batch in _batched(changes):
            theirs = self.read(batch)
            found = [Difference(change, digest_of(theirs[change.key])) for change in batch]
            same = [difference for difference in found if difference.state is State.SAME]
            self._settle("same", same)
            self.same += len(same)
            self.differences += [difference for difference in found if difference.state is not State.SAME]
            self.terminal.progress(done, len(changes))

    def read(self, batch: Sequence[Change]) -> dict[bytes, Value | None]:
        """The server's values of keys of one database. Raises LinkLost, ServerSays."""
        select(self.link, batch[0].database)
        return read(self.link, [change.key for change in batch])

    def counts(self) -> Counter[State]:
        """Open differences by state."""
        return Counter(difference.state for difference in self.differences)

    def keep_servers(self, differences: Sequence[Difference]) -> None:
        """Resolve differences by leaving the server as it is. Raises OSError."""
        self._settle("server", differences)
        self._close(differences)

    def push(self, differences: Sequence[Difference]) -> Pushed:
        """Resolve differences by writing the local values to the server.

        A key that is no longer as it was compared is left alone, and stays open as what it is now.
        Raises LinkLost, and ServerSays when the server refuses (memory full, no permission); what was
        written until then is recorded.
        """
        pushed = Pushed()
        todo = sorted(differences, key=lambda difference: difference.change.place)
        done = 0
        for group in self._groups(todo):
            select(self.link, group[0].change.database)
            outcome = self._push_group(group)
            pushed.written += outcome.written
            pushed.moved += outcome.moved
            self._close(group)
            self.differences += outcome.moved
            done += len(group)
            self.terminal.progress(done, len(todo))
        return pushed

    def _groups(self, differences: Sequence[Difference]) -> Iterator[list[Difference]]:
        """Keys of one database that are pushed together: not many, and not large together."""
        group: list[Difference] = []
        weight = 0
        for difference in differences:
            mine = self.divergence.mine(difference.change.place)
            size = 0 if mine is None else mine.size
            full = len(group) == BATCH_KEYS or weight + size > PIECE_BYTES
            if group and (full or group[0].change.database != difference.change.database):
                yield group
                group, weight = [], 0
            group.append(difference)
            weight += size
        if group:
            yield group

    def _push_group(self, group: list[Difference]) -> Pushed:
        for _ in range(_TRIES if len(group) == 1 else 1):
            try:
                found = read_watched(self.link, [difference.change.key for difference in group])
            except Changed:
                ask(self.link, [[b"UNWATCH"]])
                continue
            outcome = self._write(group, {key: digest_of(value) for key, value in found.items()})
            if outcome is not None:
                return outcome
        if len(group) == 1:
            key = group[0].change.key
            return self._sorted_out([Difference(group[0].change, digest_of(read(self.link, [key])[key]))])
        outcomes = [self._push_group([difference]) for difference in group]
        return Pushed(
            sum(outcome.written for outcome in outcomes),
            [difference for outcome in outcomes for difference in outcome.moved],
        )

    def _write(self, group: list[Difference], found: dict[bytes, bytes | None]) -> Pushed | None:
        """Write those that are as they were compared; None when a key was changed before EXEC."""
        agreed = [difference for difference in group if found[difference.change.key] == difference.theirs]
        moved = [
            Difference(difference.change, found[difference.change.key])
            for difference in group
            if found[difference.change.key] != difference.theirs
        ]
        settlements = []
        commands = [[b"MULTI"]]
        for difference in agreed:
            mine = self.divergence.mine(difference.change.place)
            digest = digest_of(mine)
            commands += write_commands(difference.change.key, mine)
            settlements.append((difference.change.place, Settlement("mine", digest, digest)))
        if not self._execute([*commands, [b"EXEC"]] if agreed else [[b"UNWATCH"]]):
            return None
        self.divergence.settled.add(settlements)
        outcome = self._sorted_out(moved)
        outcome.written = len(agreed)
        return outcome

    def _execute(self, commands: list[list[bytes]]) -> bool:
        """Run a transaction; False when a watched key was changed. Raises LinkLost, ServerSays."""
        replies = self.link.send_many(commands)
        results = replies[-1] if isinstance(replies[-1], list) else []
        for reply in [*replies[:-1], *results, replies[-1]]:
            if isinstance(reply, ErrorReply):
                raise ServerSays(f"{self.link.description} refuses to write: {reply}")
        return replies[-1] is not None

    def _sorted_out(self, moved: list[Difference]) -> Pushed:
        """What others did in the meantime: some of it may be the very same change."""
        same = [difference for difference in moved if difference.state is State.SAME]
        self._settle("same", same)
        return Pushed(0, [difference for difference in moved if difference.state is not State.SAME])

    def _settle(self, how: str, differences: Sequence[Difference]) -> None:
        self.divergence.settled.add(
            (difference.change.place, Settlement(how, difference.change.mine, difference.theirs))
            for difference in differences
        )

    def _close(self, differences: Sequence[Difference]) -> None:
        closed = {difference.change.place for difference in differences}
        self.differences = [each for each in self.differences if each.change.place not in closed]


def _batched(changes: Sequence[Change]) -> Iterator[tuple[int, list[Change]]]:
    """Batches of keys of one database, each with how many there were up to its end."""
    done = 0
    for _, group in groupby(changes, key=lambda change: change.database):
        of_database = list(group)
        for at in range(0, len(of_database), BATCH_KEYS):
            batch = of_database[at : at + BATCH_KEYS]
            done += len(batch)
            yield done, batch
