"""A server in a thread of its own, for programs that know nothing of gevent.

The thread has its own gevent hub; nothing is monkey-patched, and nothing but the stop signal crosses over.
"""

from __future__ import annotations

import threading
from typing import Any

import gevent
import redis

from kedis.config import Config
from kedis.server.instance import Instance


class Server:
    """A running server, as a context manager.

    Args:
        port: TCP port; 0 takes a free one, found in :attr:`port` after the start.
        settings: any setting of the configuration, dashes written as underscores
            (``maxmemory="100mb"``, ``appendonly=True``).  Unless told otherwise nothing is written to disk, by no
            save points either.

    Raises StartError from :meth:`start` when the port is taken or a folder cannot be used.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", **settings: Any) -> None:
        self.host = host
        self.port = port
        chosen = {"appendonly": "no", "save": "", "metrics-port": "no", "bind": host, "port": str(port)}
        chosen.update({name.replace("_", "-"): _text(value) for name, value in settings.items()})
        self._settings = chosen
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._stop: Any = None
        self._stop_lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address as clients take it: ``redis://host:port``."""
        return f"redis://{self.host}:{self.port}"

    def client(self, **options: Any) -> redis.Redis:
        """A new redis-py client of this server."""
        return redis.Redis(host=self.host, port=self.port, **options)

    def start(self) -> Server:
        """Start and return once clients are accepted."""
        self._thread = threading.Thread(target=self._run, name="kedis", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def stop(self) -> None:
        """Stop, and return once everything is closed.  Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._stop_lock:
            if self._stop is not None:  # SHUTDOWN may have been quicker
                self._stop.send()
        thread.join()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _run(self) -> None:
        hub = gevent.get_hub()
        try:
            instance = Instance(Config(self._settings))
            instance.start()
        except BaseException as failure:
            self._failure = failure
            self._ready.set()
            hub.destroy(destroy_loop=True)
            return
        self.port = instance.network.port
        self._stop = hub.loop.async_()
        self._stop.start(instance.request_stop)
        self._ready.set()
        instance.run_until_stopped()
        with self._stop_lock:
            stop, self._stop = self._stop, None
        stop.stop()
        stop.close()
        hub.destroy(destroy_loop=True)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
