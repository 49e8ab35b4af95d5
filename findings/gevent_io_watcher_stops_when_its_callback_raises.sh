#!/usr/bin/env bash
# gevent 26.9.0, libev loop, Linux, CPython 3.11.
#
# A callback of an event loop that raises is reported to the hub, and the loop goes on. What happens to the watcher
# depends on its kind: an `io` watcher is stopped, so its descriptor is watched by nobody from then on, although data
# are waiting; a repeating `timer` and a `prepare` watcher are called again as if nothing had happened. A server that
# reads from raw watchers therefore loses a client, or the word of a worker thread, for ever by one exception, while its
# periodic work goes on and all looks healthy.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'gevent==26.9.0'
"$folder/venv/bin/python" - <<'PYTHON'
import os

import gevent

hub = gevent.get_hub()
hub.print_exception = lambda *_: None
calls = {"io": 0, "timer": 0, "prepare": 0}


def failing(kind):
    def callback():
        calls[kind] += 1
        raise ValueError(kind)

    return callback


readable, writable = os.pipe()
os.write(writable, b"x")  # stays there: the descriptor is ready in every turn
watchers = {
    "io": hub.loop.io(readable, 1),
    "timer": hub.loop.timer(0.01, 0.01),
    "prepare": hub.loop.prepare(),
}
for kind, watcher in watchers.items():
    watcher.start(failing(kind))
gevent.sleep(0.5)
active = {kind: watcher.active for kind, watcher in watchers.items()}
print("gevent", gevent.__version__)
print("io: called", calls["io"], "time(s), still active:", active["io"])
print("timer: called more than once:", calls["timer"] > 1, "- still active:", active["timer"])
print("prepare: called more than once:", calls["prepare"] > 1, "- still active:", active["prepare"])
expected = calls["io"] == 1 and not active["io"] and calls["timer"] > 1 and calls["prepare"] > 1
raise SystemExit(not (expected and active["timer"] and active["prepare"]))
PYTHON
# gevent 26.9.0
# io: called 1 time(s), still active: False
# timer: called more than once: True - still active: True
# prepare: called more than once: True - still active: True
