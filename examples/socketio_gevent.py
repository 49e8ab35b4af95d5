"""Flask-SocketIO under gevent's monkey patch: two processes' worth of servers pass messages by a Kedis server."""

from gevent import monkey

monkey.patch_all()

import socketio  # noqa: E402
from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

import kedis  # noqa: E402

with kedis.Server() as server:
    app = Flask(__name__)
    sockets = SocketIO(app, message_queue=server.url, async_mode="gevent")

    @sockets.on("hello")
    def hello(name):
        sockets.emit("greeting", f"hello, {name}")

    web = WSGIServer(("127.0.0.1", 0), app, log=None)
    web.start()
    with socketio.SimpleClient() as browser:
        browser.connect(f"http://127.0.0.1:{web.server_port}", transports=["polling"])
        browser.emit("hello", "ann")
        print(*browser.receive(timeout=60))
        elsewhere = SocketIO(
            message_queue=server.url, async_mode="gevent"
        )  # such as a worker, without browsers
        elsewhere.emit("news", "from a worker")
        print(*browser.receive(timeout=60))
    web.stop()
