"""Whoever is disconnected by another client learns of it before that one is answered."""

from __future__ import annotations

import socket
from pathlib import Path

import gevent

from kedis.config import Config
from kedis.server.app import App
from tests.commands.driver import Client
from tests.ports import free_port
from tests.server.yielding import in_own_hub


def test_the_end_comes_before_the_answer(tmp_path: Path) -> None:
    """Else a replica whose link is cut looks linked to whoever has cut it, and asks at once."""
    port = free_port()

    def test() -> None:
        settings = {"dir": str(tmp_path), "port": str(port), "bind": "127.0.0.1", "metrics-port": "no"}
        app = App(Config(settings))
        app.start()
        with socket.create_connection(("127.0.0.1", port)) as victim:
            while len(app.network.connections) < 1:
                gevent.sleep(0.01)
            assert Client(app.engine).call("CLIENT", "KILL", "TYPE", "normal") == 1
            assert victim.recv(1, socket.MSG_DONTWAIT) == b""  # no turn of the loop has passed
            while app.network.connections:
                gevent.sleep(0.01)
        app.request_stop()
        app.run_until_stopped()

    in_own_hub(test)
