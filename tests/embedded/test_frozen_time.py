"""Time frozen by freezegun and time-machine: expiry follows it in every order, and no timeout waits for it."""

from __future__ import annotations

import pytest

from tests.embedded.programs import run_program

PROGRAM = """
    import datetime, sys, threading
    freezer, order, where = sys.argv[1:]
    BEGIN = datetime.datetime(2031, 5, 17, 12, 0, tzinfo=datetime.UTC)

    class Frozen:
        def __init__(self):
            if freezer == "freezegun":
                import freezegun
                self._freezer = freezegun.freeze_time(BEGIN)
                self.move = self._freezer.start().move_to
            else:
                import time_machine
                self._freezer = time_machine.travel(BEGIN, tick=False)
                self.move = self._freezer.start().move_to
        def advance(self, seconds):
            self.move(BEGIN + datetime.timedelta(seconds=seconds))
        def stop(self):
            self._freezer.stop()

    frozen = Frozen() if order == "before the import" else None
    import redis, kedis
    if order == "before the store":
        frozen = Frozen()
    server = kedis.Server().start() if where == "server" else None
    def connect():
        return server.client(decode_responses=True) if server else kedis.connect(decode_responses=True)
    store = connect()
    store.set("a", 1, ex=100)
    if order == "after the store":
        store.ping()
        frozen = Frozen()
    store.set("b", 1, ex=100)
    print(store.ttl("b"), store.expiretime("b") - int(BEGIN.timestamp()))
    frozen.advance(99)
    print(store.ttl("b"), store.get("b"))
    frozen.advance(101)
    print(store.get("b"), store.exists("b"), store.ttl("b"))
    print(store.time()[0] - int(BEGIN.timestamp()))

    # Timeouts go by real time.
    print(store.blpop("list", timeout=0.05), store.bzpopmin("list", timeout=0.05))
    print(store.xread({"stream": "0"}, block=50))
    pubsub = store.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("news")
    pubsub.get_message(timeout=1)
    print(pubsub.get_message(timeout=0.05))
    store.client_pause(50)
    print(store.incr("n"))
    print(store.eval("local n = 0 for i = 1, 100000 do n = n + i end return n", 0))

    # Keys that are not looked at expire, too.
    store.config_set("notify-keyspace-events", "Ex")
    events = store.pubsub(ignore_subscribe_messages=True)
    events.subscribe("__keyevent@0__:expired")
    events.get_message(timeout=1)
    store.set("c", 1, ex=100)
    frozen.advance(1000)
    for message in events.listen():
        print(message["data"])
        break
    frozen.stop()
    store.set("d", 1, ex=100)
    print(0 < store.ttl("d") <= 100)
    if server:
        store.close()
        server.stop()
"""


@pytest.mark.parametrize("where", ["store", "server"])
@pytest.mark.parametrize("order", ["before the import", "before the store", "after the store"])
@pytest.mark.parametrize("freezer", ["freezegun", "time_machine"])
def test_time_that_stands_still(freezer: str, order: str, where: str) -> None:
    assert run_program(PROGRAM, freezer, order, where) == [
        "100 100",
        "1 1",
        "None 0 -2",
        "101",
        "None None",
        without_messages(),
        "None",
        "1",
        "5000050000",
        "c",
        "True",
    ]


def without_messages() -> str:
    """What redis-py makes of an XREAD without messages."""
    import kedis

    with kedis.connect() as store:
        return str(store.xread({"stream": "0"}))
