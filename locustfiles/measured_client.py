"""redis-py that tells Locust of each command: its name, how long it took to the microsecond, and what went wrong.

A command is a request of type ``redis``.  One that may wait for others to bring something (BLMOVE, BLPOP …) is of type
``wait``, because its time is not the server's; objectives on latency leave it out.  A pipeline is one request, named
by its commands.  An EXEC that a WATCH has refused is no failure: it counts as ``EXEC refused``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import WatchError
from redis.retry import Retry

#: ``report(kind, name, milliseconds, exception)``.
Report = Callable[[str, str, float, BaseException | None], None]

BLOCKING = {"BLMOVE", "BLPOP", "BRPOP", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "WAIT"}


class MeasuredRedis(redis.Redis):
    """A client whose every command is reported.  It does not try again on its own, which would hide failures."""

    def __init__(self, *args: Any, report: Report, **options: Any) -> None:
        self._report = report
        super().__init__(*args, **options)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        name = str(args[0])
        kind = "wait" if name in BLOCKING else "redis"
        return measured(
            self._report, kind, name, lambda: super(MeasuredRedis, self).execute_command(*args, **options)
        )

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> MeasuredPipeline:
        return MeasuredPipeline(
            self._report, self.connection_pool, self.response_callbacks, transaction, shard_hint
        )


class MeasuredPipeline(Pipeline):
    """WATCH and what follows it until MULTI is reported command by command, EXEC and pipelines as a whole."""

    def __init__(self, report: Report, *args: Any) -> None:
        super().__init__(*args)
        self._report = report

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        run = super().immediate_execute_command
        return measured(self._report, "redis", str(args[0]), lambda: run(*args, **options))

    def execute(self, raise_on_error: bool = True) -> Any:
        names = " ".join(dict.fromkeys(str(words[0]) for words, _ in self.command_stack))
        name = f"MULTI {names} EXEC" if self.transaction or self.explicit_transaction else f"pipeline {names}"
        run = super().execute
        return measured(self._report, "redis", name, lambda: run(raise_on_error))


def measured(report: Report, kind: str, name: str, call: Callable[[], Any]) -> Any:
    """What ``call`` returns or raises, reported."""
    began = time.perf_counter_ns()
    failure: BaseException | None = None
    try:
        return call()
    except WatchError:
        name += " refused"
        raise
    except Exception as error:
        failure = error
        raise
    finally:
        report(kind, name, (time.perf_counter_ns() - began) / 1e6, failure)


def connect(url: str, report: Report) -> MeasuredRedis:
    """A measured client of the server at ``url`` (``redis://[user:password@]host:port[/db]``)."""
    if "://" not in url:
        url = f"redis://{url}"
    pool = redis.ConnectionPool.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=30, socket_connect_timeout=10
    )
    return MeasuredRedis(connection_pool=pool, report=report)
