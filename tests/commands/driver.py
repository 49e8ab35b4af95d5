"""A client for tests of commands: the real engine and the real encoder, without a socket and without sleep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hiredis

from kedis.config import Config
from kedis.engine.client import Client as EngineClient
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport
from kedis.observability.observer import Observer
from kedis.resp.requests import RequestParser

START_NS = 1_700_000_000_000_000_000


class ErrorReply(Exception):
    """An error as a value: equal when the text is equal."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ErrorReply) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def reply_reader() -> hiredis.Reader:
    """A parser of replies that gives errors as :class:`ErrorReply`."""
    return hiredis.Reader(replyError=ErrorReply)


def to_bytes(word: Any) -> bytes:
    """An argument as it travels."""
    return word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape")


class Transport(NullTransport):
    """A carrier that carries nothing: what is pushed stays in ``out`` until the test looks."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        return self.now_ns


class Recorder:
    """A sink of the propagation stream of ``engine`` that remembers the commands."""

    def __init__(self, engine: Engine) -> None:
        self._propagation = engine.propagation
        self._database = 0
        self._entries: list[tuple[int, list[bytes]]] = []
        engine.propagation.add_sink(self)

    @property
    def entries(self) -> list[tuple[int, list[bytes]]]:
        """Database and words of each command up to now; the SELECTs between them are left out."""
        self._propagation.flush()
        return self._entries

    def feed(self, pieces: Sequence[bytes]) -> None:
        for argv in RequestParser(max_bulk_length=1 << 40).feed(b"".join(pieces)):
            if argv[0] == b"SELECT":
                self._database = int(argv[1])
            else:
                self._entries.append((self._database, argv))

    def lost(self) -> None:
        raise AssertionError("something could not be encoded")


def recorder_of(engine: Engine) -> Recorder:
    """The recorder that :class:`Client` has given to the engine that it made."""
    (found,) = [sink for sink in engine.propagation._sinks if isinstance(sink, Recorder)]
    return found


class Client:
    """One client of an engine; the engine is made when none is given.

    ``call(*words)`` returns the decoded reply, errors as :class:`ErrorReply`.  Time stands still; move it by
    assigning ``now_ms``.  ``journal()`` gives what was journalled since the last look, as lines of words.
    """

    def __init__(
        self, engine: Engine | None = None, *, resp: int = 2, kind: str = "tcp", trusted: bool = False
    ) -> None:
        if engine is None:
            engine = Engine(Config(), clock=Clock())
            Recorder(engine)
        if not hasattr(engine, "observer"):
            Observer(engine)
        self.engine = engine
        self.state = EngineClient(
            engine,
            Transport(kind),
            address="127.0.0.1:50000",
            local_address="127.0.0.1:6379",
            trusted=trusted,
        )
        engine.connect(self.state)
        self.state.speak(resp)
        self._reader = reply_reader()

    def call(self, *words: Any) -> Any:
        """Run one command and return its reply."""
        replies = self.replies(*words)
        assert len(replies) == 1, replies
        return replies[0]

    def pushed(self) -> list[Any]:
        """What has come that no command was asked for, since the last look."""
        return self._read()

    def replies(self, *words: Any) -> list[Any]:
        """Run one command and return all its replies (there may be none, or several)."""
        self.engine.run(self.state, [[to_bytes(word) for word in words]])
        return self._read()

    def _read(self) -> list[Any]:
        self._reader.feed(b"".join(self.state.out))
        self.state.out.clear()
        found = []
        while (reply := self._reader.gets()) is not False:
            found.append(reply)
        return found

    def another(self, resp: int = 2) -> Client:
        """A second client of the same engine."""
        return Client(self.engine, resp=resp)

    @property
    def now_ms(self) -> int:
        """The time that commands see, in milliseconds since 1970."""
        return self.engine.clock() // 1_000_000

    @now_ms.setter
    def now_ms(self, value: int) -> None:
        clock = self.engine.clock
        assert isinstance(clock, Clock)
        clock.now_ns = value * 1_000_000

    def journal(self) -> list[str]:
        """What was journalled since the last call, a line a command, each with its database in front."""
        entries = recorder_of(self.engine).entries
        lines = [
            f"{number} " + b" ".join(argv).decode("utf-8", "surrogateescape") for number, argv in entries
        ]
        entries.clear()
        return lines
