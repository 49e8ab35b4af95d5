"""rename-command and the append-only file: what is recorded under declared names is found again."""

from __future__ import annotations

from pathlib import Path

from kedis.config import Config
from kedis.engine.engine import Engine
from tests.commands.driver import Client, Clock, Recorder
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, load, strings
from tests.persistence.server import encode, write_folder


def engine() -> Engine:
    config = Config({"appendonly": "no"})
    config.renamed_commands = [("DEL", ""), ("LPOP", "take"), ("MULTI", "begin"), ("EXEC", "finish")]
    return Engine(config, clock=Clock())


def test_a_folder_of_a_server_whose_clients_have_no_del(tmp_path: Path) -> None:
    """DEL for a key that expired, LPOP for a BLPOP, MULTI for a unit: handlers record the declared names."""
    client = Client(engine())
    recorder = Recorder(client.engine)
    client.call("SET", "gone", 1, "PX", 5)
    client.now_ms += 10
    assert client.call("GET", "gone") is None
    client.call("RPUSH", "l", "a", "b")
    client.call("BLPOP", "l", 0)
    client.call("BEGIN")
    client.call("SET", "k", 1)
    client.call("TAKE", "l")
    client.call("FINISH")
    names = [argv[0] for _, argv in recorder.entries]
    assert names == [b"SET", b"DEL", b"RPUSH", b"LPOP", b"MULTI", b"SET", b"TAKE", b"EXEC"]
    content = b"".join(encode(*argv) for _, argv in recorder.entries)
    write_folder(tmp_path, {MANIFEST: LISTING, BASE: b"", INCR: content})
    loaded, loader = load(tmp_path, engine())
    assert strings(loaded) == {b"k": b"1"} and loader.commands == 8
