"""``kedis.Server``: a server in a thread of its own, for programs with or without gevent.

The thread is one of the operating system and has its own gevent hub (:mod:`kedis.process.threads`); nothing but the
stop signal crosses over.  Waiting for its start or end lets other greenlets of the program run.

A server may be started and stopped repeatedly; each time it is a new one, empty or with the data of its folder, on the
same port.  The state between one start and its stop is a :class:`_Life`.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import gevent
import redis

from kedis.config import Config
from kedis.config.keywords import settings_of_keywords
from kedis.engine.table import give_back
from kedis.process.clock import PROGRAM_CLOCKS
from kedis.process.forked import ForkedError, abandon_in_children
from kedis.process.threads import Latch, RealRLock, start_thread
from kedis.server.app import App
from kedis.server.listeners import ANY_PORT
from kedis.server.made_certificates import MadeForServer
from kedis.server.start_error import StartError

log = logging.getLogger("kedis.server")


class Server:
    """A running server, as a context manager.

    Args:
        port: TCP port; 0 takes a free one, found in :attr:`port` after the start, and kept by later starts.
        tls: speak TLS there, and nothing else. Without ``tls_cert_file`` a certificate is made for this server and the
            machine's own names, by the command ``openssl``; clients are then asked for none, unless
            ``tls_auth_clients`` says so.
        settings: any setting of the configuration, dashes written as underscores
            (``maxmemory="100mb"``, ``appendonly=True``).  Unless told otherwise nothing is written to disk, by no
            save points either.

    Attributes:
        host: the address for clients of this machine; :attr:`port`: see above.
        authority: the path of the certificate by which clients trust this server; empty without TLS.

    Raises ConfigError for a setting that does not exist or cannot have that value, StartError where a certificate is
    wanted and cannot be made.

    All methods may be called in any thread or greenlet.  At the end of the program it is stopped by itself.  In a
    forked child of the process only :meth:`client` and the address can be used; the rest raises ForkedError.
    """

    noun = "server"

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", tls: bool = False, **settings: Any) -> None:
        self.port = port
        self._settings = {
            "appendonly": "no",
            "save": "",
            "repl-diskless-load": "swapdb",  # or the snapshot of a master would go through a file, and stay
            "metrics-port": "no",
            "bind": host,
            **settings_of_keywords(settings),
        }
        self._tls = tls
        self._certificates: MadeForServer | None = None
        if tls and "tls-cert-file" not in self._settings:
            self._certificates = MadeForServer(self._settings["bind"].split())
            self._settings = {**self._certificates.settings, **self._settings}
        config = self._configuration()  # which raises ConfigError now, not in start()
        self.authority = config.tls_ca_cert_file if tls else ""
        self.host = _reachable(config.bind_addresses)
        self._password: str = config.requirepass
        self._life: _Life | None = None
        self._lock = RealRLock()  # never held while waiting
        self._forked = ""
        abandon_in_children(self)

    @property
    def url(self) -> str:
        """The address as clients take it: ``redis://host:port``, with the password where there is one.

        With TLS it is ``rediss://.../?ssl_ca_certs=...``, which redis-py understands. Raises RuntimeError where the
        port is not known before the start.
        """
        password = f":{quote(self._password, safe='')}@" if self._password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        address = f"{password}{host}:{self._known_port()}"
        return f"rediss://{address}/?{urlencode(self._trust())}" if self._tls else f"redis://{address}"

    def client(self, **options: Any) -> redis.Redis:
        """A new redis-py client of this server. Raises RuntimeError like :attr:`url`."""
        return redis.Redis(**self._address(options))

    def aclient(self, **options: Any) -> redis.asyncio.Redis:
        """A new client of redis-py's for asyncio. Raises RuntimeError like :attr:`url`."""
        return redis.asyncio.Redis(**self._address(options))

    def _address(self, options: dict[str, Any]) -> dict[str, Any]:
        """``options`` of a client with what it needs to find this server."""
        found = {"host": self.host, "port": self._known_port(), **options}
        if self._tls:
            found = {"ssl": True, **self._trust(), **found}
        if self._password and not {"username", "password", "credential_provider"} & options.keys():
            found["password"] = self._password
        return found

    def _trust(self) -> dict[str, str]:
        """Files that a client of redis-py needs."""
        made = self._certificates.for_clients if self._certificates is not None else {}
        return {"ssl_ca_certs": self.authority, **made}

    def _configuration(self) -> Config:
        """Raises ConfigError."""
        if not self._tls:
            config = Config({**self._settings, "port": str(self.port)})
        else:
            config = Config({**self._settings, "port": "0", "tls-port": str(self.port)})
            config.tls_port = self.port or ANY_PORT
        config.in_program = True
        return config

    def _known_port(self) -> int:
        if not self.port:
            raise RuntimeError("a kedis.Server on a free port has no address before it is started")
        return self.port

    @property
    def is_running(self) -> bool:
        """Whether clients are accepted."""
        life = self._life
        return life is not None and life.ready.is_set and not (life.is_ending or life.ended.is_set)

    def __repr__(self) -> str:
        state = "of another process" if self._forked else "running" if self.is_running else "not running"
        return f"<kedis.Server {self.host}:{self.port or 'free port'}, {state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a kedis.Server cannot be pickled: pass its url to other processes")

    def start(self) -> Server:
        """Start and return once clients are accepted; nothing happens where it is running already.

        Raises StartError when the port is taken, a folder cannot be used, or :meth:`stop` was called meanwhile.
        """
        life = self._life_to_await()
        try:
            life.ready.wait()
        except BaseException:  # Ctrl-C, or a time limit of the program's: nothing stays behind
            life.request_stop()
            raise
        if life.failure is not None:
            life.join()
            raise life.failure
        self.port = life.port
        return self

    def stop(self) -> None:
        """Close all clients, end, and return once nothing is left.  Idempotent."""
        self._check()
        life = self._life
        if life is not None:
            life.request_stop()
            life.join()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        if not self._forked:
            self.stop()

    def abandon(self, reason: str) -> None:
        """See :class:`kedis.process.forked.Abandoned`."""
        self._lock = RealRLock()
        if self._certificates is not None:
            self._certificates.abandon()
        if self._life is not None and not self._life.ended.is_set:  # else there is nothing to share
            self._forked = reason
            self._life.abandon()

    def _check(self) -> None:
        if self._forked:
            raise ForkedError(self._forked)

    def _life_to_await(self) -> _Life:
        """The life under way, or a new one, once the one before has ended."""
        while True:
            self._check()
            with self._lock:
                life = self._life
                if life is None or life.ended.is_set:
                    self._life = life = _Life(self._configuration())
                    return life
                if not life.is_ending:
                    return life
            life.join()


class _Life:
    """A server from its start to its end, in a thread of its own.

    Attributes:
        ready: clients are accepted, or ``failure`` says why they are not.
        ended: nothing is left but the last steps of the thread.
        is_ending: a stop was asked for.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.port = 0
        self.ready = Latch()
        self.ended = Latch()
        self.failure: BaseException | None = None
        self.is_ending = False
        self._app: App | None = None
        self._lock = RealRLock()
        self._ring: Callable[[], object] | None = None  # asks the thread's loop to stop the server
        self._thread = start_thread(self._live, "kedis")
        _living.add(self)

    def request_stop(self) -> None:
        """Have it end soon, however far the start has come.  Idempotent."""
        with self._lock:
            self.is_ending = True
            if self._ring is not None:
                self._ring()

    def join(self) -> None:
        """Wait for the end."""
        self.ended.wait()
        self._thread.join()

    def abandon(self) -> None:
        """In a forked child: close the descriptors and keep the rest, whose greenlets have no thread here, as it is."""
        _living.discard(self)
        _abandoned.append(self)
        if self._app is not None:
            self._app.abandon()

    def _live(self) -> None:
        try:
            with _own_hub() as hub:
                self._serve(hub)
        except BaseException as failure:
            if self.ready.is_set:
                log.exception("the server has ended by an internal error")
            self.failure = failure
        finally:
            if self._app is not None:
                give_back(self._app.engine.table)
            self._app = None
            _living.discard(self)
            self.ended.set()
            self.ready.set()

    def _serve(self, hub: Any) -> None:
        app = self._app = App(self._config, PROGRAM_CLOCKS)
        bell = hub.loop.async_()
        bell.start(_save_and_stop, app)
        with self._lock:
            self._ring = bell.send
            if self.is_ending:
                bell.send()
        try:
            self._start(app)
            self.port = app.network.port or app.network.tls_port
            if not self.is_ending:
                self.ready.set()
            app.run_until_stopped()
        finally:
            with self._lock:
                self._ring = None
            bell.stop()
            bell.close()
        if not self.ready.is_set:
            raise StartError("the server was stopped while it started")

    @staticmethod
    def _start(app: App) -> None:
        try:
            app.start()
        except BaseException:
            app.discard()
            raise


def _save_and_stop(app: App) -> None:
    """End it as SHUTDOWN FORCE would: with a snapshot where there are save points, and in any case."""
    try:
        app.save_and_stop(frozenset(["force"]))
    except Exception:
        log.exception("internal error while saving at the end")
        app.request_stop(1)


@contextlib.contextmanager
def _own_hub() -> Iterator[Any]:
    """The hub of a thread that is about to end; its loop's descriptors are closed afterwards."""
    hub = gevent.get_hub()
    try:
        yield hub
    finally:
        hub.destroy(destroy_loop=True)


_living: weakref.WeakSet[_Life] = weakref.WeakSet()
_abandoned: list[_Life] = []


def _end_all() -> None:
    """The program ends: so do its servers, while threads still run."""
    lives = list(_living)
    for life in lives:
        life.request_stop()
    for life in lives:
        life.join()


atexit.register(_end_all)


def _reachable(addresses: Sequence[str]) -> str:
    """The address for clients of this machine, of a server that listens on ``addresses`` (as the setting bind)."""
    first = addresses[0].removeprefix("-") if addresses else "127.0.0.1"
    return {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1", "::*": "::1"}.get(
        first, first
    )
