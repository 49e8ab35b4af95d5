"""What Locust sees, for Prometheus, while a run is on: where LOCUST_METRICS_PORT is set, such as 9646.

    locust_users                                        running users
    locust_requests_total{method,name}                  requests, failed ones too
    locust_failures_total{method,name}                  failed ones
    locust_request_duration_seconds{method,name}        histogram

Simplified: a process shows the requests that it made itself, so with several processes of Locust only one may have the
port.
"""

from __future__ import annotations

from typing import Any

from gevent.pywsgi import WSGIServer
from locust.env import Environment
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

#: 50 us to 10 s.
BUCKETS = [
    scale * step
    for scale in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    for step in (1, 2.5, 5)
    if scale * step >= 5e-5
] + [10.0]


class Exporter:
    """Serves the metrics of an environment on ``port``.  Raises OSError when that is taken."""

    def __init__(self, environment: Environment, port: int) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "name")
        users = Gauge("locust_users", "Running users.", registry=self.registry)
        users.set_function(lambda: environment.runner.user_count if environment.runner else 0)
        self._requests = Counter("locust_requests", "Requests.", labels, registry=self.registry)
        self._failures = Counter("locust_failures", "Failed requests.", labels, registry=self.registry)
        self._durations = Histogram(
            "locust_request_duration_seconds",
            "Response times.",
            labels,
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._series: dict[tuple[str, str], tuple[Any, Any, Any]] = {}
        environment.events.request.add_listener(self._count)
        self.server = WSGIServer(("", port), make_wsgi_app(self.registry), log=None)
        self.server.start()

    def _count(
        self, request_type: str, name: str, response_time: float | None, exception: Any = None, **_: Any
    ) -> None:
        # labels() costs 2 us a time, so that what it gives is kept.
        key = (request_type, name)
        if key not in self._series:
            self._series[key] = (
                self._requests.labels(*key),
                self._failures.labels(*key),
                self._durations.labels(*key),
            )
        requests, failures, durations = self._series[key]
        requests.inc()
        if exception is not None:
            failures.inc()
        if response_time is not None:
            durations.observe(response_time / 1e3)

    def close(self) -> None:
        """Free the port."""
        self.server.stop()
