"""Both sides of a divergence for a test: a server, and a standalone folder with what was changed alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kedis.cli.client.link import Link, LinkLost, ServerLink
from kedis.cli.client.standalone import server_snapshot
from kedis.cli.client.standalone.divergence import Divergence
from kedis.cli.client.standalone.home import Home
from kedis.cli.client.standalone.key_values import Value, read, select
from kedis.cli.client.standalone.reconcile import Reconciliation
from kedis.cli.client.standalone.standalone_link import StandaloneLink
from kedis.cli.client.standalone.timefmt import now_ms
from kedis.cli.client.target import Target

DATABASES = (0, 3)
Content = dict[tuple[int, bytes], Value]


class Script:
    """A terminal whose answers are written down before; what is said is kept."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.steps: list[tuple[int, int]] = []

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    def say(self, text: str) -> None:
        self.said.append(text)

    def ask(self, question: str, choices: Mapping[str, str]) -> str:
        self.asked.append(question)
        answer = self.answers.pop(0)
        assert not answer or answer in choices
        return answer

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))


class Meddled:
    """A link with somebody in between, who may act before a command goes out and after its reply has come."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.description = link.description
        self.before: Callable[[Sequence[Sequence[bytes]]], object] = lambda commands: None
        self.after: Callable[[Sequence[Sequence[bytes]]], object] = lambda commands: None

    @property
    def database(self) -> int:
        return self.link.database

    def send(self, words: Sequence[bytes]) -> object:
        return self.send_many([words])[0]

    def send_many(self, commands: Sequence[Sequence[bytes]]) -> list[object]:
        self.before(commands)
        replies = self.link.send_many(commands)
        self.after(commands)
        return replies

    def read_push(self, timeout: float | None) -> object | None:
        return self.link.read_push(timeout)

    def close(self) -> None:
        self.link.close()


def once(name: bytes, action: Callable[[], object], occurrence: int = 1) -> Callable[..., None]:
    """An action for `Meddled`, at the first (or another) write that has a command of that name."""
    left = occurrence

    def act(commands: Sequence[Sequence[bytes]]) -> None:
        nonlocal left
        if any(words[0] == name for words in commands):
            left -= 1
            if left == 0:
                action()

    return act


def lose() -> None:
    """The connection is gone."""
    raise LinkLost("Lost the server")


class World:
    """A server and a standalone folder. `stand_alone`, write to `alone` and `server`, then `reconcile`."""

    def __init__(self, port: int, folder: Path) -> None:
        self.target = Target(port=port)
        self.server = ServerLink(self.target, 2, 10)
        self.home = Home(folder)
        self._alone: StandaloneLink | None = None
        self._links: list[Link] = []

    @property
    def alone(self) -> StandaloneLink:
        assert self._alone is not None
        return self._alone

    def call(self, *words: str | bytes | float, database: int = 0) -> object:
        """A command to the server, as another client."""
        return _call(self.server, database, words)

    def edit(self, *words: str | bytes | float, database: int = 0) -> object:
        """A command while standing alone."""
        return _call(self.alone, database, words)

    def stand_alone(self, with_snapshot: bool = True) -> None:
        """Begin to stand alone, with what the server has now or with nothing."""
        if with_snapshot:
            server_snapshot.take(self.link(), self.home, "the server", Script())
        self.home.lock()
        taken = self.home.newest_snapshot() if with_snapshot else None
        self.home.begin("the server", taken, now_ms())
        self._alone = StandaloneLink(self.home)

    def reopen(self) -> None:
        """Go on with what was begun, as the next run does."""
        self._alone = StandaloneLink(self.home)

    def link(self) -> ServerLink:
        """A connection of its own."""
        link = ServerLink(self.target, 2, 10)
        self._links.append(link)
        return link

    def divergence(self) -> Divergence:
        """What was changed alone, as a new run would find it."""
        return Divergence(self.alone.alone, lambda: self.alone.keyspace)

    def reconciliation(self, link: Link | None = None) -> Reconciliation:
        """The differences, compared."""
        found = Reconciliation(link or self.link(), self.divergence(), Script())
        found.compare()
        return found

    def on_server(self) -> Content:
        """All that the server holds."""
        return content_of(self.server)

    def on_alone(self) -> Content:
        """All that is held alone."""
        return content_of(self.alone)

    def close(self) -> None:
        for link in (*self._links, self.server, self._alone):
            if link is not None:
                link.close()


def _call(link: Link, database: int, words: Sequence[str | bytes | float]) -> object:
    select(link, database)
    return link.send([word if isinstance(word, bytes) else str(word).encode() for word in words])


def content_of(link: Link) -> Content:
    """All keys of the databases that tests use."""
    found: Content = {}
    for database in DATABASES:
        select(link, database)
        keys = link.send([b"KEYS", b"*"])
        assert isinstance(keys, list)
        for key, value in read(link, keys).items():
            if value is not None:
                found[database, key] = value
    return found
