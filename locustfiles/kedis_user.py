"""What all users share: a client that measures, checks of the answers, and a run's beginning and end.

A scenario is a subclass with tasks.  It may say what has to be there before (:meth:`KedisUser.prepare`) and what must
be true after the last request (:meth:`KedisUser.check_at_end`), such as a total that no transaction may change.
A wrong answer is a failed request of type ``check``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sys
from pathlib import Path
from typing import Any

import redis
from locust import User, events
from locust.env import Environment
from locust.runners import WorkerRunner

from locustfiles import objectives, rounding, server_metrics
from locustfiles.exporter import Exporter
from locustfiles.measured_client import MeasuredRedis, connect, measured

log = logging.getLogger("kedis.load")
rounding.install()

THINK_MS = 250.0


class WrongAnswer(Exception):
    """The server has answered what it must not."""


class KedisUser(User):
    """Somebody who uses the server: one client, and pauses between tasks of ``--think-ms`` in the mean."""

    abstract = True
    host = os.environ.get("KEDIS_URL", "redis://127.0.0.1:6379")

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client: MeasuredRedis = connect(self.host or type(self).host, self._report)
        self.random = random.Random()
        self._think_seconds = getattr(environment.parsed_options, "think_ms", THINK_MS) / 1e3

    def wait_time(self) -> float:
        """Seconds until the next task: as between independent arrivals."""
        return self.random.expovariate(1 / self._think_seconds) if self._think_seconds else 0.0

    def on_start(self) -> None:
        """Connect, which counts as a request of type ``connect``, so that no command's time has it in it."""
        pool = self.client.connection_pool
        with contextlib.suppress(redis.RedisError):  # it has been reported, and the first command tries again
            measured(self._report, "connect", "connect", lambda: pool.release(pool.get_connection()))

    def on_stop(self) -> None:
        self.client.connection_pool.disconnect()

    def _report(self, kind: str, name: str, milliseconds: float, failure: BaseException | None) -> None:
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=milliseconds,
            response_length=0,
            exception=failure,
            context={},
        )

    def check(self, good: bool, name: str, found: object) -> None:
        """Count a failure named ``name`` unless ``good``; ``found`` is what the server said instead."""
        if not good:
            _count_wrong(self.environment, name, f"found {found!r}")

    @classmethod
    def prepare(cls, client: redis.Redis) -> None:
        """Make the data that the scenario begins with, and remove that of an earlier run.  Called once."""

    @classmethod
    def check_at_end(cls, client: redis.Redis) -> str:
        """Why what must be true in the end is not; empty where it is.  Called once, after the last request."""
        return ""


def _count_wrong(environment: Environment, name: str, text: str) -> None:
    environment.events.request.fire(
        request_type="check",
        name=name,
        response_time=None,
        response_length=0,
        exception=WrongAnswer(text),
        context={},
    )


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    load = parser.add_argument_group("load on Kedis")
    load.add_argument(
        "--think-ms", type=float, default=THINK_MS, help="mean pause between tasks (default 250)"
    )
    load.add_argument("--stage-seconds", type=float, default=10.0, help="of a shape's stage (default 10)")
    load.add_argument("--most-users", type=int, default=500, help="of a shape (default 500)")
    load.add_argument("--server-metrics", default="", metavar="URL", help="where the server has its metrics")
    load.add_argument("--server-metrics-folder", default=".", metavar="FOLDER", help="where to keep them")
    objectives.add_options(parser)


@events.init.add_listener
def _begin(environment: Environment, **_: Any) -> None:
    """Refuse to begin what cannot work; serve metrics where that is wanted."""
    options = environment.parsed_options
    port = os.environ.get("LOCUST_METRICS_PORT", "")
    if port and not isinstance(environment.runner, WorkerRunner):
        try:
            Exporter(environment, int(port))
        except (OSError, ValueError) as error:
            _give_up(f"LOCUST_METRICS_PORT {port}: {error}")
    if options is not None and options.headless:
        url = _url(environment)
        try:
            _plain_client(url).ping()
        except (redis.RedisError, ValueError, OSError) as error:
            _give_up(f"no load on {url.rpartition('@')[2]}: {error}")


def _give_up(text: str) -> None:
    print(f"kedis load: {text}", file=sys.stderr, flush=True)
    sys.exit(1)


def _url(environment: Environment) -> str:
    return str(environment.host or KedisUser.host)


def _plain_client(url: str) -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(url if "://" in url else f"redis://{url}", socket_timeout=30)
    return client


def _leads(environment: Environment) -> bool:
    """Whether this process does what is done once: any but a worker."""
    return not isinstance(environment.runner, WorkerRunner)


@events.test_start.add_listener
def _prepare(environment: Environment, **_: Any) -> None:
    if not _leads(environment):
        return
    client = _plain_client(_url(environment))
    for user_class in environment.user_classes:
        try:
            user_class.prepare(client)  # type: ignore[attr-defined]
        except redis.RedisError as error:
            _count_wrong(environment, f"{user_class.__name__} could not be prepared", str(error))
    client.close()
    _save_metrics(environment, server_metrics.BEFORE)


@events.test_stop.add_listener
def _finish(environment: Environment, **_: Any) -> None:
    if not _leads(environment):
        return
    _save_metrics(environment, server_metrics.AFTER)
    client = _plain_client(_url(environment))
    for user_class in environment.user_classes:
        name = f"{user_class.__name__} at the end"
        try:
            wrong = user_class.check_at_end(client)  # type: ignore[attr-defined]
        except redis.RedisError as error:
            wrong = str(error)
        if wrong:
            log.error("%s: %s", name, wrong)
            _count_wrong(environment, name, wrong)
    client.close()


def _save_metrics(environment: Environment, name: str) -> None:
    options = environment.parsed_options
    url = getattr(options, "server_metrics", "")
    if url:
        try:
            server_metrics.save(url, options.server_metrics_folder, name)
        except OSError as error:
            _count_wrong(environment, "server metrics", f"{url}: {error}")


@events.quitting.add_listener
def _judge(environment: Environment, **_: Any) -> None:
    """Say which objectives were missed; the exit code follows."""
    if not _leads(environment) or environment.parsed_options is None:
        return
    options = environment.parsed_options
    if not options.headless and not environment.stats.total.num_requests:
        return  # a web page that nobody has used
    lines = objectives.missed(environment.stats, options)
    for line in lines:
        print(f"objective missed: {line}", file=sys.stderr, flush=True)
    if lines:
        environment.process_exit_code = 1
    if options.csv_prefix:
        objectives.write_microseconds(environment.stats, Path(f"{options.csv_prefix}_microseconds.csv"))
