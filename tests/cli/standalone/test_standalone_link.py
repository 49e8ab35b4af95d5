"""The engine in the process: durable, locked, and clear about what it cannot use."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kedis.cli.client.link import ErrorReply
from kedis.cli.client.standalone import server_snapshot
from kedis.cli.client.standalone.home import Home, StandaloneError, default_home, server_folder
from kedis.cli.client.standalone.standalone_link import StandaloneLink
from kedis.cli.client.wire import Pairs, Push
from tests.cli.program import closed_port, kedis_cli
from tests.cli.standalone.world import Script, World

_WRITER = """
import sys
from kedis.cli.client.standalone.standalone_link import StandaloneLink
link = StandaloneLink(sys.argv[1])
number = 0
while True:
    assert link.send([b"SET", b"%d" % number, b"x" * 100]) == "OK"
    print(number, flush=True)
    number += 1
"""


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[StandaloneLink]:
    link = StandaloneLink(tmp_path / "folder", "a server", 3)
    yield link
    link.close()


def journal_of(folder: Path) -> Path:
    (path,) = folder.glob("alone/data/appendonlydir/*.incr.aof")
    return path


def test_kill_9_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(200):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        answered = 200 + len(process.stdout.read().splitlines())
    link = StandaloneLink(tmp_path)
    size = link.send([b"DBSIZE"])
    link.close()
    assert isinstance(size, int)
    assert answered <= size <= answered + 1


def test_it_outlives_the_program(tmp_path: Path) -> None:
    first = StandaloneLink(tmp_path)
    first.send([b"SET", b"a", b"1"])
    since = first.alone.since_ms
    first.close()
    second = StandaloneLink(tmp_path)
    assert second.send([b"GET", b"a"]) == b"1"
    assert second.alone.since_ms == since
    second.close()


def test_a_second_client_is_kept_out(alone: StandaloneLink, tmp_path: Path) -> None:
    with pytest.raises(StandaloneError, match=r"^another kedis-cli is using the standalone folder /[^\n]*$"):
        StandaloneLink(tmp_path / "folder")
    assert alone.send([b"PING"]) == "PONG"


def test_a_damaged_journal_is_named_with_its_offset(tmp_path: Path) -> None:
    link = StandaloneLink(tmp_path)
    for number in range(20):
        link.send([b"SET", b"%d" % number, b"value"])
    link.close()
    journal = journal_of(tmp_path)
    content = bytearray(journal.read_bytes())
    content[100] ^= 255
    journal.write_bytes(content)
    with pytest.raises(StandaloneError) as caught:
        StandaloneLink(tmp_path)
    line = str(caught.value)
    assert str(journal) in line
    assert "offset" in line
    assert f"kedis-check-aof {journal.parent}/appendonly.aof.manifest" in line
    assert "\n" not in line


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"format": 1}', b'{"format": 99}'])
def test_a_damaged_description_is_named(tmp_path: Path, content: bytes) -> None:
    StandaloneLink(tmp_path).close()
    (tmp_path / "alone" / "alone.json").write_bytes(content)
    with pytest.raises(StandaloneError, match=r"alone\.json is damaged \([^\n]*$"):
        StandaloneLink(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StandaloneError, match="cannot use the standalone folder"):
        StandaloneLink(tmp_path / "file" / "folder")


def test_a_disk_that_fails_ends_it(alone: StandaloneLink, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kedis.persistence.append_file.os.write", fail)
        with pytest.raises(StandaloneError, match="No space left on device"):
            alone.send([b"SET", b"a", b"1"])
    with pytest.raises(StandaloneError, match="has ended"):
        alone.send([b"GET", b"a"])
    again = StandaloneLink(alone.home)
    assert again.send([b"GET", b"a"]) is None
    again.close()


def test_all_kinds_of_replies(alone: StandaloneLink) -> None:
    assert alone.send([b"HSET", b"h", b"f", b"v"]) == 1
    assert alone.send([b"HGETALL", b"h"]) == Pairs([(b"f", b"v")])
    assert isinstance(alone.send([b"INCR", b"h"]), ErrorReply)
    assert alone.send_many([[b"MULTI"], [b"INCR", b"n"], [b"EXEC"]]) == ["OK", "QUEUED", [1]]
    assert alone.send([b"SELECT", b"3"]) == "OK"
    assert alone.database == 3


@pytest.mark.parametrize(
    "words",
    ["SHUTDOWN", "BGREWRITEAOF", "CONFIG SET appendonly no", "CONFIG SET maxclients 9 APPENDFSYNC no"],
)
def test_what_would_end_the_journal_is_refused(alone: StandaloneLink, words: str) -> None:
    reply = alone.send(words.encode().split())
    assert isinstance(reply, ErrorReply)
    assert alone.send([b"CONFIG", b"GET", b"appendfsync"]) == Pairs([(b"appendfsync", b"always")])
    assert alone.send([b"PING"]) == "PONG"


def test_quit_ends_the_session_and_not_the_data(alone: StandaloneLink) -> None:
    alone.send_many([[b"SELECT", b"2"], [b"SET", b"a", b"1"]])
    assert alone.send([b"QUIT"]) == "OK"
    assert alone.send([b"GET", b"a"]) == b"1"


def test_messages_that_one_publishes_oneself(alone: StandaloneLink) -> None:
    assert alone.send([b"SUBSCRIBE", b"news"]) == Push([b"subscribe", b"news", 1])
    assert alone.read_push(0) is None
    assert alone.send([b"PUBLISH", b"news", b"hello"]) == 1
    assert alone.read_push(1) == Push([b"message", b"news", b"hello"])
    alone.stop_listening()
    assert alone.send([b"PUBLISH", b"news", b"hello"]) == 0


def test_a_command_that_waits_can_be_interrupted(alone: StandaloneLink) -> None:
    alone.send([b"SELECT", b"5"])
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        alone.send([b"BLPOP", b"list", b"0"])
    timer.join()
    assert alone.send([b"RPUSH", b"list", b"a"]) == 1
    assert alone.send([b"LLEN", b"list"]) == 1
    assert alone.database == 5


def test_where_the_folder_is(tmp_path: Path) -> None:
    assert default_home({"XDG_DATA_HOME": "/data"}) == Path("/data/kedis/standalone")
    assert default_home({}) == Path("~/.local/share/kedis/standalone").expanduser()
    assert server_folder("/home", "localhost:6379") == Path("/home/localhost:6379")
    assert server_folder("/home", "/run/../redis.sock") == Path("/home/%2Frun%2F..%2Fredis.sock")
    StandaloneLink(tmp_path / "deep" / "folder").close()
    assert (tmp_path / "deep" / "folder").stat().st_mode & 0o077 == 0


# -- as a program


def test_a_program_falls_back_only_when_it_is_told_to(tmp_path: Path) -> None:
    port = str(closed_port())
    flags = ("-p", port, "--standalone-dir", str(tmp_path / "home"))
    refused = kedis_cli(*flags, "SET", "a", "1")
    assert refused.code == 1
    assert refused.err.count("\n") == 1
    assert not (tmp_path / "home").exists()
    first = kedis_cli(*flags, "--standalone", "SET", "a", "1")
    assert (first.code, first.out) == (0, b"OK\n")
    assert "Standing alone" in first.err
    assert kedis_cli(*flags, "--standalone", stdin=b"GET a\nINCR a\n").out == b"1\n2\n"


def test_a_program_tells_of_a_damaged_or_locked_folder_in_one_line(tmp_path: Path) -> None:
    port = closed_port()
    flags = ("-p", str(port), "--standalone-dir", str(tmp_path), "--standalone")
    kedis_cli(*flags, "SET", "a", "1")
    folder = server_folder(tmp_path, f"127.0.0.1:{port}")
    home = Home(folder)
    home.lock()
    locked = kedis_cli(*flags, "GET", "a")
    home.unlock()
    journal = journal_of(folder)
    journal.write_bytes(b"rubbish" * 30)
    damaged = kedis_cli(*flags, "GET", "a")
    for ended, text in ((locked, "another kedis-cli is using"), (damaged, "kedis-check-aof")):
        assert ended.code == 1
        lines = ended.err.splitlines()
        assert text in lines[-1]
        # The line before tells why there is no server.
        assert all(line.startswith(("Could not connect", "Going on")) for line in lines[:-1])


def test_a_program_begins_with_the_snapshot_unless_told_otherwise(world: World) -> None:
    port = closed_port()
    world.call("SET", "base", "1")
    home = Home(server_folder(world.home.folder, f"127.0.0.1:{port}"))
    server_snapshot.take(world.link(), home, f"127.0.0.1:{port}", Script())
    flags = ("-p", str(port), "--standalone-dir", str(world.home.folder), "--standalone")
    assert kedis_cli(*flags, "GET", "base").out == b"1\n"
    home.lock()
    home.discard()
    home.unlock()
    assert kedis_cli(*flags, "--standalone-from", "empty", "DBSIZE").out == b"0\n"
    again = kedis_cli(*flags, "--standalone-from", "snapshot", "DBSIZE")
    assert again.out == b"0\n"
    assert "counts for a new beginning only" in again.err
