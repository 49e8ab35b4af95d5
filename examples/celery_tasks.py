"""Celery in tests: eager, which needs no broker, and real, with a worker and Kedis as broker and store of results."""

import celery
from celery.contrib.testing.worker import start_worker

import kedis


def make_app(url):
    app = celery.Celery("shop", broker=url, backend=url)

    @app.task
    def add(x, y):
        return x + y

    return app, add


with kedis.Server() as server:
    app, add = make_app(server.url)
    app.conf.task_always_eager = True
    print("eager:", add.delay(2, 3).get())
    print("keys on the server:", server.client().dbsize())

    app.conf.task_always_eager = False
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="ERROR"):
        print("by a worker:", add.delay(2, 3).get(timeout=60))
    app.close()
