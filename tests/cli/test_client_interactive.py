"""kedis-cli in a real terminal: what is typed, and what a person sees."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kedis.cli.client.link import ServerLink
from kedis.cli.client.target import Target
from tests.cli.program import call, closed_port
from tests.cli.terminal import WAIT_SECONDS, Terminal
from tests.wire.kedis_process import KedisProcess

Open = Callable[..., Terminal]


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Open]:
    """Opens terminals with a home of their own, and closes them."""
    opened: list[Terminal] = []

    def open_(*flags: str, **environment: str) -> Terminal:
        terminal = Terminal(*flags, home=str(tmp_path), environment=environment)
        opened.append(terminal)
        return terminal

    yield open_
    for terminal in opened:
        terminal.close()


class Session:
    """A terminal at the prompt of a server."""

    def __init__(self, terminal: Terminal, port: int) -> None:
        self.terminal = terminal
        self.name = f"127.0.0.1:{port}"
        self.prompt = f"{self.name}>"
        terminal.at_prompt(self.prompt)

    def run(self, line: str, prompt: str | None = None) -> str:
        """What a line prints; `prompt` is the one that follows, behind the server's name."""
        return self.terminal.run(line, self.prompt if prompt is None else self.name + prompt)


@pytest.fixture
def port(kedis_port: int) -> int:
    call(kedis_port, "FLUSHALL")
    return kedis_port


@pytest.fixture
def session(port: int, open_terminal: Open) -> Session:
    return Session(open_terminal("-p", str(port)), port)


def test_a_real_redis(redis_port: int, open_terminal: Open) -> None:
    call(redis_port, "FLUSHALL")
    session = Session(open_terminal("-p", str(redis_port)), redis_port)
    session.run("HSET user name karthik")
    assert "(1 field)" in session.run("HGETALL user")
    assert "hash, listpack, no expiry" in session.run("peek user")
    session.terminal.type("xrange s - + cou")
    session.terminal.see("XRANGE key start end [COUNT count]")
    session.terminal.interrupt()
    session.terminal.at_prompt(session.prompt)
    session.terminal.enter("SUBSCRIBE news")
    session.terminal.see("(subscribe news, 1 now)")
    session.terminal.interrupt()
    session.terminal.at_prompt(session.prompt)
    assert session.run("PING") == "PONG"


def test_replies_by_type(session: Session) -> None:
    assert session.run("SET greeting 'h\u00e9llo'") == "OK"
    assert session.run("GET greeting") == '"h\u00e9llo"'
    assert session.run("GET missing") == "(nil)"
    assert session.run("RPUSH l a b") == "(integer) 2"
    assert session.run("LRANGE l 0 -1") == '1) "a"\n2) "b"'
    assert session.run("HSET user name karthik age 7") == "(integer) 2"
    table = session.run("HGETALL user")
    assert 'name" | "karthik"' in table and '"age"  | "7"' in table and "(2 fields)" in table
    assert session.run("INCR greeting").startswith("(error) ERR value is not an integer")
    assert session.run("2 INCR n") == "(integer) 1\n(integer) 2"
    assert "quotes do not match" in session.run('GET "a')


def test_peek_and_help(session: Session) -> None:
    session.run("RPUSH l a b c")
    session.run("PEXPIRE l 5000000")
    seen = session.run("peek l")
    assert seen.startswith("list, ")
    assert "expires in 1 h 23 min" in seen and "3 items" in seen and "of memory" in seen and '3) "c"' in seen
    assert session.run("peek missing") == "(no such key)"
    assert session.run("help INCRBY").startswith("  INCRBY key increment\n  summary:")
    assert "CONFIG SET parameter value" in session.run("help config")
    assert "no command NONSENSE" in session.run("help nonsense")
    assert ":timing on|off" in session.run(":help")


def test_the_prompt_shows_database_and_transaction(session: Session) -> None:
    session.run("SELECT 3", "[3]>")
    session.prompt = f"{session.name}[3](TX)>"
    session.terminal.enter("MULTI")
    session.terminal.at_prompt(session.prompt)
    assert session.run("INCR n") == "QUEUED"
    assert session.run("EXEC", "[3]>") == "1) (integer) 1"


def test_completion_hints_and_history(port: int, session: Session) -> None:
    terminal = session.terminal
    call(port, "SET", "customer:17", "x")
    for typed, offered, completed in (
        ("config resets", "resetstat", "config resetstat"),
        ("SET a b EXA", "EXAT", "SET a b EXAT"),
        ("get cust", "customer:17", "get customer:17"),
    ):
        terminal.type(typed)
        terminal.see(f" {offered}  ")
        terminal.type("\t")
        terminal.see(completed)
        if typed != "get cust":
            terminal.interrupt()
            terminal.at_prompt(session.prompt)
    terminal.see("GET key")
    terminal.enter("")
    terminal.see('"x"')
    terminal.type("\x12custo")
    terminal.see("get customer:17")
    terminal.interrupt()


def test_a_line_goes_on_behind_a_backslash(session: Session) -> None:
    session.terminal.enter("SET many \\")
    session.terminal.see("\n...")
    session.terminal.enter("lines")
    session.terminal.see("OK")
    assert session.run("GET many") == '"lines"'


def test_dangerous_commands_ask(port: int, session: Session) -> None:
    call(port, "SET", "a", "1")
    session.terminal.enter("FLUSHALL")
    session.terminal.see("FLUSHALL deletes every key of every database (1 in this one). Run it? [y/N]")
    session.terminal.enter("n")
    session.terminal.see("(not run)")
    session.terminal.at_prompt(session.prompt)
    assert call(port, "EXISTS", "a") == 1
    session.terminal.enter("FLUSHDB")
    session.terminal.see("Run it? [y/N]")
    session.terminal.enter("y")
    session.terminal.see("OK")
    assert call(port, "EXISTS", "a") == 0


def test_secrets_do_not_reach_the_history(session: Session, tmp_path: Path) -> None:
    for line in (
        "AUTH s3cret",
        "HELLO 3 AUTH default s3cret",
        "CONFIG SET masterauth s3cret",
        "MIGRATE 127.0.0.1 1 k 0 5 AUTH s3cret",
        "3 auth s3cret",
        "ACL SETUSER bob >s3cret",
    ):
        session.run(line)
    session.run("PING")
    session.run("CONFIG SET masterauth ''")
    session.terminal.enter("quit")
    assert session.terminal.ended() == 0
    path = tmp_path / ".kedis_cli_history"
    assert "s3cret" not in path.read_text() and "+PING" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_subscribe_and_monitor_until_ctrl_c(port: int, session: Session) -> None:
    session.run("SELECT 2", "[2]>")
    prompt = f"{session.name}[2]>"
    session.terminal.enter("SUBSCRIBE news")
    session.terminal.see("(subscribe news, 1 now)")
    call(port, "PUBLISH", "news", "hello")
    session.terminal.see('news: "hello"')
    session.terminal.interrupt()
    session.terminal.at_prompt(prompt)
    session.terminal.enter("MONITOR")
    session.terminal.see("Ctrl-C to stop)\nOK")
    call(port, "ECHO", "heard")
    session.terminal.until(lambda text: '"ECHO" "heard"' in text, "what another client did")
    session.terminal.interrupt()
    session.terminal.at_prompt(prompt)
    assert session.run("PING", "[2]>") == "PONG"


def until_blocked(port: int, password: str | None = None) -> None:
    """Wait until the server has a client that waits."""
    link = ServerLink(Target(port=port, password=password))
    deadline = time.monotonic() + WAIT_SECONDS
    while b"blocked_clients:1" not in bytes(link.send([b"INFO", b"clients"])):  # type: ignore[call-overload]
        assert time.monotonic() < deadline, "nobody waits"
    link.close()


def test_ctrl_c_ends_waiting(port: int, session: Session) -> None:
    session.terminal.enter("BLPOP missing 0")
    until_blocked(port)
    session.terminal.interrupt()
    session.terminal.see("Gave up waiting")
    session.terminal.at_prompt(session.prompt)
    assert session.run("PING") == "PONG"


def test_formats_timing_and_colors(session: Session) -> None:
    assert session.run(":format json") == "format is json"
    session.run("HSET h a 1")
    assert session.run("HGETALL h") == '{"a": "1"}'
    session.run(":format human")
    assert session.run(":timing") == "timing is on"
    assert session.run("PING").endswith(" ms)")
    session.run(":timing off")
    assert session.run(":nonsense").startswith("No such command of the client")
    session.run("ECHO text")
    assert session.terminal.screen.buffer[1][1].fg == "green"
    session.run(":color off")
    session.run("ECHO text")
    assert session.terminal.screen.buffer[1][1].fg == "default"


def test_going_to_another_server(port: int, session: Session) -> None:
    gone = closed_port()
    assert (
        session.run(f":connect 127.0.0.1 {gone}")
        == f"Could not connect to 127.0.0.1:{gone}: Connection refused"
    )
    assert session.run("connect 127.0.0.1 nonsense") == "nonsense is not a port (1 to 65535)"
    assert session.run("PING") == "PONG"
    session.run(f":connect redis://127.0.0.1:{port}/5", "[5]>")


def test_long_replies_go_through_the_pager(port: int, open_terminal: Open, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\nwc -l | sed 's/^ */paged lines: /'\n")
    pager.chmod(0o700)
    call(port, "RPUSH", "l", *map(str, range(100)))
    session = Session(open_terminal("-p", str(port), PAGER=str(pager)), port)
    assert session.run("LRANGE l 0 -1") == "paged lines: 100"
    assert session.run("LRANGE l 0 5").startswith('1) "0"')
    session.run(":pager off")
    session.terminal.enter("LRANGE l 0 -1")
    session.terminal.see('100) "99"')


def test_a_password_typed_at_the_prompt(open_terminal: Open) -> None:
    server = KedisProcess()
    port = server.address[1]
    call(port, "CONFIG", "SET", "requirepass", "s3cret")
    try:
        terminal = open_terminal("-p", str(port))
        terminal.see("This server wants a password")
        session = Session(terminal, port)
        assert session.run("AUTH s3cret") == "OK"
        session.run("HSET h a 1")
        # The catalogue and RESP3 are caught up with, and the next connection logs in by itself.
        assert "(1 field)" in session.run("HGETALL h")
        session.terminal.enter("BLPOP missing 0")
        until_blocked(port, "s3cret")
        session.terminal.interrupt()
        session.terminal.at_prompt(session.prompt)
        assert session.run("PING") == "PONG"
    finally:
        server.close()


def test_a_wrong_password_on_the_command_line(open_terminal: Open) -> None:
    server = KedisProcess()
    port = server.address[1]
    call(port, "CONFIG", "SET", "requirepass", "s3cret")
    try:
        terminal = open_terminal("-p", str(port), "-a", "wrong", "--no-auth-warning")
        assert "refuses the password: WRONGPASS" in terminal.see("WRONGPASS")
        assert terminal.ended() == 1
    finally:
        server.close()


def test_a_server_that_is_lost_and_comes_back(open_terminal: Open) -> None:
    server = KedisProcess()
    port = server.address[1]
    session = Session(open_terminal("-p", str(port)), port)
    session.run("SELECT 2", "[2]>")
    session.terminal.enter("MULTI")
    session.terminal.at_prompt(f"{session.name}[2](TX)>")
    server.process.kill()
    server.process.wait()
    session.terminal.enter("INCR n")
    session.terminal.see("(not run: the connection was lost)")
    session.terminal.see("The transaction (MULTI) went with the connection")
    session.terminal.see("Go on alone?")
    session.terminal.enter("n")
    session.terminal.at_prompt("not connected>")
    session.terminal.enter("GET n")
    # Who has declined is not asked again.
    session.terminal.see("(not run: the connection was lost)")
    session.terminal.see(f"Could not connect to {session.name}: Connection refused")
    session.terminal.at_prompt("not connected>")
    again = KedisProcess(port=port)
    session.terminal.enter("GET n")
    session.terminal.at_prompt(f"{session.name}[2]>")
    again.close()
    server.close()


def test_a_server_that_was_shut_down_is_no_lost_one(open_terminal: Open) -> None:
    server = KedisProcess()
    port = server.address[1]
    session = Session(open_terminal("-p", str(port)), port)
    session.terminal.enter("SHUTDOWN NOSAVE")
    session.terminal.see("Run it?")
    session.terminal.enter("y")
    session.terminal.see("The server has stopped.")
    session.terminal.at_prompt("not connected>")
    assert server.process.wait(60) == 0
    session.terminal.process.sendeof()
    assert session.terminal.ended() == 0
    server.close()


def test_nobody_listens_at_the_start(open_terminal: Open) -> None:
    port = closed_port()
    terminal = open_terminal("-p", str(port))
    terminal.see(f"Could not connect to 127.0.0.1:{port}: Connection refused")
    terminal.enter("n")
    terminal.at_prompt("not connected>")
    assert "SET key value" in terminal.run("help SET", "not connected>")
    terminal.process.sendeof()
    assert terminal.ended() == 0


def test_without_prompt_toolkit_it_says_what_to_install(open_terminal: Open, tmp_path: Path) -> None:
    (tmp_path / "prompt_toolkit.py").write_text("raise ModuleNotFoundError(name='prompt_toolkit')\n")
    terminal = open_terminal("-p", str(closed_port()), PYTHONPATH=str(tmp_path))
    terminal.see("pip install 'kedis[cli]'")
    assert terminal.ended() == 1
