"""Clients that write all the time, from before the first accept until after the last sync.

Whatever gives way to the loop in between, nobody is answered from data that are not all there, and what is
acknowledged is on the disk afterwards.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import gevent.socket
import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.persistence.rdb_file import SnapshotLoader, write_rdb
from kedis.server.app import PATIENT, App
from tests.commands.driver import Client, ErrorReply
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, load, recorded, strings
from tests.persistence.server import write_folder
from tests.ports import free_port
from tests.server.yielding import Crowd, in_own_hub, slow_down

LOADING = ErrorReply("LOADING Redis is loading the dataset in memory")
KEYS = 300


def questions(name: str) -> list[Iterator[tuple[Any, ...]]]:
    """What three clients ask: one writes, one reads what was there before, one fills a list of before."""
    return [
        (("SET", f"{name}{number}", number) for number in itertools.count()),
        itertools.cycle([("PING",), ("GET", "k7"), ("DBSIZE",)]),
        (("RPUSH", "l", number) for number in itertools.count()),
    ]


def fill(directory: Path, kind: str) -> None:
    """Data in ``directory``: a list and :data:`KEYS` strings."""
    commands = [("RPUSH", "l", *range(100)), *(("SET", f"k{i}", i) for i in range(KEYS))]
    if kind == "dump.rdb":
        client = Client(Engine(Config({"appendonly": "no"})))
        for words in commands:
            client.call(*words)
        directory.mkdir()
        write_rdb(client.engine, str(directory / "dump.rdb"))
    else:
        content = recorded(directory.parent / "made", [[words] for words in commands])
        write_folder(directory, {BASE: content, INCR: b"", MANIFEST: LISTING})


def configuration(directory: Path, kind: str, port: int, **settings: str) -> Config:
    return Config(
        {
            "dir": str(directory),
            "port": str(port),
            "bind": "127.0.0.1",
            "metrics-port": str(free_port()),
            "appendonly": "yes" if kind == "appendonly" else "no",
            **settings,
        }
    )


def acknowledged(crowd: Crowd) -> dict[bytes, bytes]:
    """The keys that were set, by the replies."""
    return {
        words[1].encode(): b"%d" % words[2]
        for words, reply in crowd.replies()
        if words[0] == "SET" and reply == b"OK"
    }


@pytest.mark.parametrize("kind", ["appendonly", "dump.rdb"])
def test_nobody_is_served_before_all_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    directory = tmp_path / "data"
    fill(directory, kind)
    port = free_port()

    def test() -> None:
        crowd = Crowd(port, questions("n"))
        slow_down(monkeypatch, crowd)
        app = App(configuration(directory, kind, port))
        app.start()
        crowd.pressing = False
        early = crowd.replies()
        assert len(early) > 50, "they were to ask at every step"
        # The last steps are pressed when all is open: what was answered then is as it should be.
        assert {words[0] for words, reply in early if reply == LOADING} == {
            "SET",
            "PING",
            "GET",
            "RPUSH",
            "DBSIZE",
        }
        for _ in range(5):
            crowd.wait()
        crowd.leave()
        check(crowd.replies())
        app.request_stop()
        assert app.run_until_stopped() == 0
        assert app.engine.faults == 0
        if kind == "appendonly":
            engine, _ = load(directory)
            found = strings(engine)
            for key, value in acknowledged(crowd).items():
                assert found[key] == value
            pushed = max(
                reply for words, reply in crowd.replies() if words[0] == "RPUSH" and reply != LOADING
            )
            assert len(found[b"l"]) >= pushed

    in_own_hub(test)


def check(replies: list[tuple[tuple[Any, ...], Any]]) -> None:
    """No reply shows less than what was there before."""
    for words, reply in replies:
        if reply == LOADING:
            continue
        if words[0] == "GET":
            assert reply == b"7"
        elif words[0] == "DBSIZE":
            assert reply > KEYS
        elif words[0] == "RPUSH":
            assert reply > 100
        else:
            assert reply in (b"OK", b"PONG")


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_nothing_is_acknowledged_after_the_last_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    directory = tmp_path / "data"
    fill(directory, "appendonly")
    port = free_port()

    def test() -> None:
        app = App(configuration(directory, "appendonly", port, appendfsync=policy))
        app.start()
        crowd = Crowd(port, questions("n"))
        monkeypatch.setattr(
            "kedis.server.connection.BUDGET_NS", 0
        )  # one command a turn, the next in the next
        crowd.join((("SET", f"many{number}", number) for number in itertools.count()), at_once=3000)
        for _ in range(5):
            crowd.wait()
        crowd.most_turns = 30
        slow_down(monkeypatch, crowd)
        app.request_stop()
        assert app.run_until_stopped() == 0
        crowd.leave()
        assert len(acknowledged(crowd)) > 5
        engine, _ = load(directory)
        found = strings(engine)
        for key, value in acknowledged(crowd).items():
            assert found.get(key) == value, key
        pushed = max(reply for words, reply in crowd.replies() if words[0] == "RPUSH")
        assert len(found[b"l"]) >= pushed

    in_own_hub(test)


@pytest.mark.parametrize("way", ["SHUTDOWN", "signal"])
def test_nothing_is_acknowledged_after_the_last_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    directory = tmp_path / "data"
    fill(directory, "dump.rdb")
    port = free_port()

    def test() -> None:
        app = App(configuration(directory, "dump.rdb", port, save="900 1"))
        app.start()
        crowd = Crowd(port, questions("n"))
        for _ in range(5):
            crowd.wait()
        crowd.most_turns = 30
        slow_down(monkeypatch, crowd)
        if way == "signal":
            assert app.save_and_stop(frozenset())
        else:
            crowd.join(iter([("SHUTDOWN", "SAVE")]))
        assert app.run_until_stopped() == 0
        crowd.leave()
        assert len(acknowledged(crowd)) > 5
        engine = Engine(Config({"appendonly": "no"}))
        for _ in SnapshotLoader(engine, str(directory / "dump.rdb")).steps():
            pass
        found = strings(engine)
        for key, value in acknowledged(crowd).items():
            assert found.get(key) == value, key

    in_own_hub(test)


def test_who_shuts_down_is_closed_when_nobody_listens_and_no_save_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts start the next server as soon as the connection has ended."""
    directory = tmp_path / "data"
    fill(directory, "dump.rdb")
    port = free_port()
    found: list[Any] = []

    def test() -> None:
        app = App(configuration(directory, "dump.rdb", port, **{"rdb-key-save-delay": "100000"}))
        app.start()
        stop_accepting = app.network.stop_accepting

        def stop_accepting_late() -> None:
            for _ in range(30):
                gevent.sleep(1e-3)
            stop_accepting()

        def shut_down() -> None:
            with gevent.socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(b"BGSAVE\r\n")
                caller.recv(100)
                caller.sendall(b"SHUTDOWN NOSAVE\r\n")
                assert caller.recv(100) == b""
            found.append(list(directory.glob("temp-*")))
            with pytest.raises(ConnectionRefusedError):
                gevent.socket.create_connection(("127.0.0.1", port))
            found.append("refused")

        monkeypatch.setattr(app.network, "stop_accepting", stop_accepting_late)
        client = gevent.spawn(shut_down)
        assert app.run_until_stopped() == 0
        client.get()

    in_own_hub(test)
    assert found == [[], "refused"]


def test_the_journal_is_not_turned_on_or_off_while_loading(tmp_path: Path) -> None:
    """Whoever turned it on then would believe that changes are recorded."""

    def test() -> None:
        app = App(configuration(tmp_path / "data", "dump.rdb", 0))
        client = Client(app.engine)
        refusal = client.call("CONFIG", "SET", "appendonly", "yes")
        assert isinstance(refusal, ErrorReply) and "being loaded" in str(refusal)
        assert client.call("CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]
        app.start()
        assert client.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
        app.request_stop()
        assert app.run_until_stopped() == 0

    in_own_hub(test)


def test_no_end_before_the_journal_that_was_turned_on_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients have been answered since, and nothing else holds what they changed."""

    def test() -> None:
        app = App(
            configuration(tmp_path / "data", "dump.rdb", 0, save="", **{"rdb-key-save-delay": "10000000"})
        )
        app.start()
        client = Client(app.engine)
        assert client.call("SET", "a", "1") == client.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
        assert client.call("SET", "b", "1") == b"OK"
        for options in ((), ("nosave",), ("now",)):
            assert not app.save_and_stop(frozenset(options))
        assert app.save_and_stop(frozenset(["force"]))
        app.run_until_stopped()

    in_own_hub(test)
    assert caplog.messages.count("Writing initial AOF, can't exit.") == 3
    assert "Writing initial AOF. Exit anyway." in caplog.messages


def test_a_signal_waits_until_the_journal_that_was_turned_on_is_whole(tmp_path: Path) -> None:
    directory = tmp_path / "data"

    def test() -> None:
        app = App(configuration(directory, "dump.rdb", 0, save="", **{"rdb-key-save-delay": "200000"}))
        app.start()
        client = Client(app.engine)
        assert client.call("SET", "a", "1") == client.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
        assert app.save_and_stop(frozenset([PATIENT]))
        assert client.call("SHUTDOWN", "ABORT") == b"OK"
        assert app.aof.on_whole is None
        assert app.save_and_stop(frozenset([PATIENT]))
        assert app.aof.aof.state == "waiting"
        assert client.call("SET", "b", "1") == b"OK"
        assert app.run_until_stopped() == 0
        app = App(configuration(directory, "appendonly", 0))
        app.start()
        assert Client(app.engine).call("MGET", "a", "b") == [b"1", b"1"]
        app.request_stop()
        app.run_until_stopped()

    in_own_hub(test)


def test_a_start_that_was_interrupted_serves_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "data"
    fill(directory, "appendonly")
    caplog.set_level("INFO")

    def test() -> None:
        app = App(configuration(directory, "appendonly", 0))
        app.ended.set()
        app.start()
        assert app.engine.loading
        assert app.run_until_stopped() == 0

    in_own_hub(test)
    assert not any("ready to accept" in line.lower() for line in caplog.messages)


def test_no_name_is_looked_up_at_the_start(tmp_path: Path) -> None:
    """A look-up takes as long as the network likes, and the loop serves clients meanwhile."""

    def test() -> None:
        gevent.get_hub().resolver = SimpleNamespace(close=lambda: None)  # whoever asks it fails
        app = App(configuration(tmp_path / "data", "appendonly", 0))
        app.start()
        assert app.metrics.port
        app.request_stop()
        assert app.run_until_stopped() == 0

    in_own_hub(test)


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_the_journal_is_turned_off_while_a_sync_waits_for_the_thread(tmp_path: Path, policy: str) -> None:
    """The sync of a file that had been closed meanwhile failed, and ended the server or turned the journal on again."""

    def test() -> None:
        app = App(configuration(tmp_path / "data", "appendonly", 0, appendfsync=policy))
        app.start()
        client = Client(app.engine)
        busy = threading.Event()
        app.aof.commits.worker.submit(busy.wait)
        assert client.call("SET", "a", 1) == b"OK"
        app.aof._write()
        app.aof.commits.begin_sync()
        assert client.call("CONFIG", "SET", "appendonly", "no") == b"OK"
        busy.set()
        for _ in range(10_000):
            if not app.aof.commits.syncing:
                break
            gevent.sleep(0.001)
        app.aof._cron()
        assert not app.engine.restrictions.ended and not app.aof.aof.aof_enabled
        assert client.call("SET", "a", 2) == b"OK"
        app.request_stop()
        assert app.run_until_stopped() == 0

    in_own_hub(test)
