"""A shape for Locust from a function of ``shapes``."""

from __future__ import annotations

from collections.abc import Callable

from locust import LoadTestShape

from locustfiles.shapes import STEPS, Tick


class KedisShape(LoadTestShape):
    """Follows ``function``, with ``--stage-seconds`` and ``--most-users`` of the command line."""

    abstract = True
    function: Callable[[float, float, int], Tick]

    def tick(self) -> Tick:
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        stage = getattr(options, "stage_seconds", 10.0)
        most = getattr(options, "most_users", STEPS[-1])
        return type(self).function(self.get_run_time(), stage, most)
