"""Standing alone in a real terminal: the server dies, is written past, comes back, and both sides are checked."""

from __future__ import annotations

import re
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kedis.cli.client.standalone.home import Home, server_folder
from kedis.cli.client.wire import ErrorReply
from tests.cli.program import call, closed_port
from tests.cli.terminal import Terminal
from tests.wire.kedis_process import KedisProcess


class Scene:
    """A server that can die and come back empty on the same port, and terminals that talk to it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.server = KedisProcess()
        self.port = self.server.address[1]
        self.name = f"127.0.0.1:{self.port}"
        self.connected = f"{self.name}>"
        self.alone = f"STANDALONE {self.name}>"
        self.opened: list[Terminal] = []

    def open(self, *flags: str) -> Terminal:
        """kedis-cli in a terminal."""
        terminal = Terminal("-p", str(self.port), *flags, home=str(self.home))
        self.opened.append(terminal)
        return terminal

    def kill(self) -> None:
        """kill -9."""
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.server.close()

    def revive(self, *commands: str) -> None:
        """Another server on the same port, with what it is told."""
        self.server = KedisProcess(port=self.port)
        for line in commands:
            self.call(line)

    def call(self, line: str) -> object:
        """A command to the server, as another client."""
        reply = call(self.port, *line.split())
        assert not isinstance(reply, ErrorReply), reply
        return reply

    def fall_back(self, terminal: Terminal) -> None:
        """From the server that died to standing alone, answering the question."""
        self.kill()
        terminal.enter("GET base")
        terminal.see("Go on alone?")
        terminal.enter("y")

    def close(self) -> None:
        for terminal in self.opened:
            terminal.close()
        self.server.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    place = Scene(tmp_path)
    yield place
    place.close()


@pytest.fixture
def diverged(scene: Scene) -> Callable[[], Terminal]:
    """A session that wrote alone, from a snapshot, with a server that others have changed; it is back."""

    def begin() -> Terminal:
        for line in ("SET base 1", "SET both 1", "SET calm 1", "SET gone 1"):
            scene.call(line)
        terminal = scene.open()
        terminal.at_prompt(scene.connected)
        assert "Snapshot of 4 keys saved" in terminal.run(":snapshot", scene.connected)
        scene.fall_back(terminal)
        terminal.see("the snapshot of ")
        terminal.enter("s")
        terminal.at_prompt(scene.alone)
        for line in ("SET both mine", "SET calm mine", "SET new mine", "DEL gone"):
            terminal.run(line, scene.alone)
        scene.revive("SET base 1", "SET both theirs", "SET calm 1", "SET gone 1")
        return terminal

    return begin


def test_the_server_dies_in_mid_session_and_everything_is_pushed_later(scene: Scene) -> None:
    scene.call("SET base 1")
    terminal = scene.open()
    terminal.at_prompt(scene.connected)
    terminal.run("SELECT 3", f"{scene.name}[3]>")
    scene.kill()
    terminal.enter("SET a 1")
    screen = terminal.see("Go on alone?")
    assert "may diverge" in screen
    assert "reconnecting is yours to decide" in screen
    terminal.enter("y")
    # There is no snapshot: nothing more is asked.
    terminal.see("beginning with no data")
    alone = f"STANDALONE {scene.name}[3]>"
    terminal.at_prompt(alone)
    assert terminal.run("SET a 1", alone) == "OK"
    assert terminal.run("HSET h f v", alone) == "(integer) 1"
    assert '"f" | "v"' in terminal.run("HGETALL h", alone)
    said = terminal.run(":status", alone)
    assert re.search(r"created +2 \(2 in database 3\)", said)
    assert re.search(r"changed +0\n", said)
    # Nobody there yet: it stays alone.
    assert "Could not connect" in terminal.run(":reconnect", alone)
    terminal.process.sendeof()
    assert terminal.ended() == 0

    # The next run goes on where this one ended.
    terminal = scene.open("--standalone", "-n", "3")
    terminal.see("Going on with what was begun alone")
    terminal.at_prompt(alone)
    assert terminal.run("GET a", alone) == '"1"'
    scene.revive()
    terminal.see("is back. You are still standing alone")
    assert terminal.run("GET a", alone) == '"1"'
    assert call(scene.port, "DBSIZE") == 0
    terminal.enter(":reconnect")
    assert "2  unchanged on the server" in terminal.see("How shall they be resolved?")
    terminal.enter("m")
    terminal.see("2 keys pushed.")
    terminal.at_prompt(f"{scene.name}[3]>")
    assert terminal.run("HGET h f", f"{scene.name}[3]>") == '"v"'
    assert re.search(r"to resolve +0\n", terminal.run(":status", f"{scene.name}[3]>"))
    terminal.enter(":discard")
    terminal.see("This forgets 2 keys changed alone, 0 of them not resolved.")
    terminal.enter("y")
    terminal.see("Discarded.")
    assert Home(server_folder(scene.home / ".local/share/kedis/standalone", scene.name)).alone() is None


def test_a_returning_server_is_announced_once(scene: Scene) -> None:
    scene.kill()
    terminal = scene.open("--standalone")
    terminal.at_prompt(scene.alone)
    scene.revive()
    terminal.see("is back.")
    for line in ("PING", "SET a 1", "GET a"):
        terminal.enter(line)
    terminal.see('"1"')
    terminal.at_prompt(scene.alone)
    assert terminal.text().count("is back.") == 1
    assert call(scene.port, "DBSIZE") == 0


def test_keeping_the_servers(scene: Scene, diverged: Callable[[], Terminal]) -> None:
    terminal = diverged()
    terminal.enter(":reconnect")
    screen = terminal.see("How shall they be resolved?")
    assert "3  unchanged on the server" in screen
    assert "1  changed on both sides" in screen
    terminal.enter("s")
    terminal.at_prompt(scene.connected)
    assert [call(scene.port, "GET", key) for key in ("both", "calm", "new", "gone")] == [
        b"theirs",
        b"1",
        None,
        b"1",
    ]


def test_pushing_mine(scene: Scene, diverged: Callable[[], Terminal]) -> None:
    terminal = diverged()
    terminal.enter(":reconnect")
    terminal.see("How shall they be resolved?")
    terminal.enter("m")
    terminal.see("This overwrites what others wrote to 1 key. Push?")
    terminal.enter("y")
    terminal.see("4 keys pushed.")
    terminal.at_prompt(scene.connected)
    assert [call(scene.port, "GET", key) for key in ("both", "calm", "new", "gone")] == [
        b"mine",
        b"mine",
        b"mine",
        None,
    ]


def test_pushing_what_does_not_conflict_then_one_by_one(
    scene: Scene, diverged: Callable[[], Terminal]
) -> None:
    terminal = diverged()
    terminal.enter(":reconnect")
    terminal.see("How shall they be resolved?")
    terminal.enter("n")
    terminal.see("3 keys pushed.")
    assert call(scene.port, "GET", "both") == b"theirs"
    terminal.enter("o")
    terminal.see('"both" in database 0: changed on both sides')
    terminal.see("1 to decide.")
    terminal.enter("s")
    terminal.see("Everything that was changed alone is resolved.")
    terminal.at_prompt(scene.connected)
    assert [call(scene.port, "GET", key) for key in ("both", "calm", "new", "gone")] == [
        b"theirs",
        b"mine",
        b"mine",
        None,
    ]


def test_files_then_later(
    scene: Scene, diverged: Callable[[], Terminal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    terminal = diverged()
    terminal.enter(":reconnect")
    terminal.see("How shall they be resolved?")
    terminal.enter("f")
    terminal.see("Nothing was changed;")
    terminal.enter("l")
    terminal.at_prompt(scene.connected)
    assert call(scene.port, "GET", "calm") == b"1"
    (mine,) = tmp_path.glob("kedis-divergence-*/mine.jsonl")
    assert len(mine.read_text().splitlines()) == 4
    # What was left open can be resolved while connected.
    terminal.see("is kept: :status shows it")
    terminal.enter(":reconnect")
    terminal.see("4 keys changed alone, and not resolved")
    terminal.enter("")
    terminal.see("Nothing else was done")
    terminal.at_prompt(scene.connected)


def test_a_port_that_accepts_and_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        name = f"127.0.0.1:{silent.getsockname()[1]}"
        terminal = Terminal("-p", name.split(":")[1], home=str(tmp_path))
        try:
            terminal.see("no answer for 5 seconds")
            terminal.see("Go on alone?")
            terminal.enter("y")
            terminal.at_prompt(f"STANDALONE {name}>")
            assert terminal.run("SET a 1", f"STANDALONE {name}>") == "OK"
        finally:
            terminal.close()


def test_somebody_else_on_the_port_is_no_reason_to_stand_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:

        def greet() -> None:
            client, _ = stranger.accept()
            with client:
                client.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                client.recv(1000)

        thread = threading.Thread(target=greet)
        thread.start()
        terminal = Terminal("-p", str(stranger.getsockname()[1]), "--standalone", home=str(tmp_path))
        try:
            terminal.see("does not speak the Redis protocol")
            terminal.at_prompt("not connected>")
        finally:
            terminal.close()
            thread.join()


def test_a_server_that_falls_silent_in_mid_session(scene: Scene) -> None:
    terminal = scene.open("--timeout", "1")
    terminal.at_prompt(scene.connected)
    scene.server.process.send_signal(signal.SIGSTOP)
    try:
        terminal.enter("SET a 1")
        terminal.see("no answer for 1 seconds")
        terminal.see("Go on alone?")
        terminal.enter("y")
        terminal.at_prompt(scene.alone)
        assert terminal.run("GET a", scene.alone) == "(nil)"
    finally:
        scene.server.process.send_signal(signal.SIGCONT)
    terminal.see("is back.")


def test_the_server_dies_again_in_the_middle_of_reconnecting(
    scene: Scene, diverged: Callable[[], Terminal]
) -> None:
    terminal = diverged()
    terminal.enter(":reconnect")
    terminal.see("How shall they be resolved?")
    scene.kill()
    terminal.enter("n")
    terminal.see(":reconnect takes it up again")
    terminal.at_prompt(scene.alone)
    scene.revive("SET base 1", "SET both theirs", "SET calm 1", "SET gone 1")
    terminal.see("is back.")
    terminal.enter(":reconnect")
    terminal.see("4 keys changed alone, and not resolved")
    terminal.enter("n")
    terminal.see("3 keys pushed.")
    assert call(scene.port, "GET", "calm") == b"mine"


def test_a_disk_that_is_full_does_not_lead_to_the_server(scene: Scene) -> None:
    scene.kill()
    terminal = scene.open("--standalone")
    terminal.at_prompt(scene.alone)
    terminal.run("SET a 1", scene.alone)
    process = terminal.process.pid or 0
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (10, hard))
    scene.revive()
    terminal.see("is back.")
    terminal.enter("SET b 1")
    terminal.see("standing alone has ended: ")
    terminal.at_prompt("not connected>")
    terminal.enter("SET c 1")
    terminal.see("Standing alone has failed")
    assert call(scene.port, "DBSIZE") == 0
    resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))
    terminal.enter(":standalone")
    terminal.see("Go on alone?")
    terminal.enter("y")
    terminal.at_prompt(scene.alone)
    assert terminal.run("KEYS *", scene.alone) == '1) "a"'


def test_a_password_that_was_changed_meanwhile(scene: Scene) -> None:
    scene.kill()
    terminal = scene.open("--standalone", "-a", "old", "--no-auth-warning")
    terminal.at_prompt(scene.alone)
    terminal.run("SET a 1", scene.alone)
    scene.revive("CONFIG SET requirepass new")
    terminal.see("is back.")
    terminal.enter(":reconnect")
    terminal.see("refuses the password")
    terminal.at_prompt(scene.alone)
    terminal.process.sendeof()
    assert terminal.ended() == 0
    terminal = scene.open("-a", "new", "--no-auth-warning")
    terminal.see("is kept: :status shows it")
    terminal.enter(":reconnect")
    terminal.see("1 key changed alone, and not resolved")
    terminal.enter("n")
    terminal.see("1 key pushed.")
    terminal.at_prompt(scene.connected)
    assert terminal.run("GET a", scene.connected) == '"1"'


def test_two_clients_cannot_stand_alone_on_the_same_data(scene: Scene) -> None:
    scene.kill()
    first = scene.open("--standalone")
    first.at_prompt(scene.alone)
    second = scene.open("--standalone")
    second.see("another kedis-cli is using the standalone folder")
    second.at_prompt("not connected>")
    first.process.sendeof()
    assert first.ended() == 0
    second.enter(":standalone")
    second.see("Go on alone?")
    second.enter("y")
    second.at_prompt(scene.alone)


def test_a_folder_that_is_damaged(scene: Scene) -> None:
    scene.kill()
    terminal = scene.open("--standalone", "--standalone-from", "empty")
    terminal.at_prompt(scene.alone)
    for number in range(5):
        terminal.run(f"SET {number} x", scene.alone)
    terminal.process.kill(signal.SIGKILL)
    terminal.until(lambda _text: not terminal.process.isalive(), "its end")
    (journal,) = scene.home.rglob("alone/data/**/*.incr.aof")
    content = bytearray(journal.read_bytes())
    content[60] ^= 255
    journal.write_bytes(content)
    terminal = scene.open("--standalone")
    screen = terminal.until(lambda text: "see kedis-check-aof" in text.replace("\n", ""), "the way out")
    assert "Traceback" not in screen
    terminal.at_prompt("not connected>")


def test_a_snapshot_on_connecting_and_no_questions(scene: Scene) -> None:
    scene.call("SET base 1")
    terminal = scene.open("--keep-snapshot", "--standalone", "--standalone-from", "snapshot")
    terminal.see("Snapshot of 1 keys saved")
    terminal.at_prompt(scene.connected)
    scene.kill()
    terminal.enter("GET base")
    terminal.at_prompt(scene.alone)
    assert terminal.run("GET base", scene.alone) == '"1"'
    assert "there is no server to copy" in terminal.run(":snapshot", scene.alone)
    terminal.enter("SUBSCRIBE news")
    terminal.see("Reading messages")
    terminal.interrupt()
    terminal.at_prompt(scene.alone)
    assert terminal.run("PING", scene.alone) == "PONG"


def test_a_snapshot_that_is_missing(tmp_path: Path) -> None:
    flags = ("-p", str(closed_port()), "--standalone", "--standalone-from", "snapshot")
    terminal = Terminal(*flags, home=str(tmp_path))
    try:
        terminal.see("there is no snapshot in")
        terminal.at_prompt("not connected>")
    finally:
        terminal.close()
