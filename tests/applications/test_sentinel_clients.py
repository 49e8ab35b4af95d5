"""django-redis and Celery find their server by way of Sentinel, and follow when another one becomes the master."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import celery
import kombu
import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings

if not settings.configured:
    settings.configure(USE_TZ=True)

from django_redis.cache import RedisCache

from tests.replication.sentinels import NAME, Watch, watched

_SECONDS = 120
_GLANCE = 5


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    with watched(tmp_path_factory.mktemp("watch"), ["kedis", "kedis"], sentinels=1) as running:
        yield running


def change(watch: Watch) -> None:
    """Another server becomes the master."""
    watch.promote(watch.replicas[0])


def patiently(action: Callable[[], Any]) -> Any:
    """What ``action`` returns, tried again while the connection is one to the former master."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return action()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_django_redis(watch: Watch) -> None:
    cache = RedisCache(
        f"redis://{NAME}/0",
        {
            "KEY_PREFIX": "app",
            "OPTIONS": {
                "CLIENT_CLASS": "django_redis.client.SentinelClient",
                "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
                "SENTINELS": watch.addresses,
            },
        },
    )
    cache.set("before", {"x": 1}, timeout=600)
    assert cache.get_or_set("also", lambda: 2) == 2
    change(watch)
    patiently(lambda: cache.set("after", [3], timeout=600))
    assert patiently(lambda: cache.get_many(["before", "also", "after"])) == {
        "before": {"x": 1},
        "also": 2,
        "after": [3],
    }
    assert watch.master.call("EXISTS", "app:1:after") == 1
    cache.close()


def transport(watch: Watch) -> tuple[str, dict[str, Any]]:
    """The address for kombu, and its options."""
    url = ";".join(f"sentinel://{host}:{port}" for host, port in watch.addresses)
    return url, {"master_name": NAME}


def test_kombu(watch: Watch) -> None:
    url, options = transport(watch)
    with kombu.Connection(url, transport_options=options) as connection:
        queue = connection.SimpleQueue("letters")
        queue.put("first")
        queue.close()
    change(watch)
    with kombu.Connection(url, transport_options=options) as connection:
        queue = connection.SimpleQueue("letters")
        queue.put("second")
        for text in ("first", "second"):
            message = queue.get(timeout=_SECONDS)
            assert message.payload == text
            message.ack()
        queue.close()


def test_celery(watch: Watch) -> None:
    """A worker that runs all the time, and results; before and after."""
    url, options = transport(watch)
    app = celery.Celery("app", broker=url, backend=url, set_as_current=False)
    app.conf.update(
        broker_transport_options=options,
        result_backend_transport_options=options,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
    )

    @app.task(name="tests.sentinel.add", shared=False)
    def add(one: int, other: int) -> int:
        return one + other

    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=_SECONDS):
        assert add.delay(1, 2).get(timeout=_SECONDS) == 3
        change(watch)
        result = patiently(lambda: add.delay(3, 4))
        # Celery 5.7 subscribes on the connection that the former master has closed, notices, looks for the result, and
        # subscribes anew: what is published between the two is not seen, so that it looks again now and then here.
        assert patiently(lambda: result.get(timeout=_GLANCE)) == 7
        assert patiently(lambda: add.delay(5, 6).get(timeout=_GLANCE)) == 11  # by the new subscription
