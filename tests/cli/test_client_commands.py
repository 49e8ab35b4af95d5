"""kedis-cli without a terminal: exit codes, credentials, what goes wrong, the modes."""

from __future__ import annotations

import json
import re
import select
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from kedis.cli.client.link import LinkLost, ServerLink, outcome
from kedis.cli.client.target import Target
from tests.cli.program import KEDIS_CLI, call, closed_port, kedis_cli
from tests.wire.kedis_process import KedisProcess


@pytest.fixture(scope="module")
def locked() -> Iterator[int]:
    """A Kedis that wants a password."""
    server = KedisProcess()
    call(server.address[1], "CONFIG", "SET", "requirepass", "s3:cr@t")
    yield server.address[1]
    server.close()


class TestExitCodes:
    def test_of_one_command(self, port: int) -> None:
        assert kedis_cli("-p", str(port), "PING").code == 0
        assert kedis_cli("-p", str(port), "NOSUCH").code == 1

    def test_of_lines(self, port: int) -> None:
        assert kedis_cli("-p", str(port), stdin=b"PING\nPING\n").code == 0
        ended = kedis_cli("-p", str(port), stdin=b"NOSUCH\nPING\n")
        assert ended.code == 1
        assert ended.out.endswith(b"PONG\n")

    def test_stopping_at_the_first_error(self, port: int) -> None:
        ended = kedis_cli("-e", "-p", str(port), stdin=b"NOSUCH\nPING\n")
        assert (ended.code, ended.out) == (1, b"")
        assert "unknown command" in ended.err

    def test_an_error_inside_a_transaction_is_a_reply(self, port: int) -> None:
        ended = kedis_cli("-p", str(port), stdin=b"SET a x\nMULTI\nINCR a\nEXEC\n")
        assert ended.code == 0
        assert b"not an integer" in ended.out

    def test_a_reader_that_leaves(self, port: int) -> None:
        command = [*KEDIS_CLI, "-p", str(port), "-r", "-1", "PING"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == b"PONG\n"
            process.stdout.close()
            assert process.wait(20) == 0
            assert process.stderr.read() == b""


class TestPasswords:
    @pytest.mark.parametrize(
        ("flags", "environment"),
        [
            (["-a", "s3:cr@t", "--no-auth-warning"], {}),
            (["--user", "default", "--pass", "s3:cr@t", "--no-auth-warning"], {}),
            (["--pass-from-env", "SECRET"], {"SECRET": "s3:cr@t"}),
            ([], {"KEDISCLI_AUTH": "s3:cr@t"}),
            ([], {"REDISCLI_AUTH": "s3:cr@t"}),
        ],
    )
    def test_every_way_in(self, locked: int, flags: list[str], environment: dict[str, str]) -> None:
        ended = kedis_cli("-p", str(locked), *flags, "PING", environment=environment)
        assert (ended.out, ended.err, ended.code) == (b"PONG\n", "", 0)

    def test_in_a_url(self, locked: int) -> None:
        url = f"redis://default:s3%3Acr%40t@127.0.0.1:{locked}/3"
        ended = kedis_cli("-u", url, "CLIENT", "INFO")
        assert b" db=3 " in ended.out
        assert "Warning" in ended.err and "s3" not in ended.err

    def test_a_wrong_one_is_one_line(self, locked: int) -> None:
        ended = kedis_cli("-p", str(locked), "-a", "wrong", "--no-auth-warning", "SET", "a", "1")
        assert (ended.out, ended.code) == (b"", 1)
        assert re.fullmatch(r"127\.0\.0\.1:\d+ refuses the password: WRONGPASS [^\n]*\n", ended.err)

    def test_none_at_all(self, locked: int) -> None:
        ended = kedis_cli("-p", str(locked), "PING")
        assert (ended.out, ended.code) == (b"NOAUTH Authentication required.\n\n", 1)

    def test_a_variable_that_is_not_set(self) -> None:
        ended = kedis_cli("--pass-from-env", "NOT_THERE", "PING")
        assert (ended.err, ended.code) == ("--pass-from-env: the variable NOT_THERE is not set\n", 1)


class TestBadInput:
    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["-u", "rediss://host", "--cacert", "/no/such", "PING"], "/no/such"),
            (["-u", "http://host", "PING"], "Invalid URI scheme"),
            (["-u", "redis://host:99999", "PING"], "Invalid port"),
            (["-u", "redis://host/one", "PING"], "Invalid database"),
            (["-p", "0", "PING"], "not a port"),
            (["-p", "70000", "PING"], "not a port"),
            (["-n", "-1", "PING"], "not a number"),
            (["-i", "x", "PING"], "not a number of seconds"),
            (["-p"], "-p needs a value"),
            (["--nonsense"], "--nonsense"),
            (["--type", "tree", "--scan"], "invalid choice"),
            (["-X", "TAG", "SET", "a", "b"], "no argument TAG"),
            (["--quoted-input", "SET", '"a', "b"], "invalid quotes"),
            (["-h", "no-such-host.invalid", "PING"], "no-such-host.invalid:6379: Name or service not known"),
        ],
    )
    def test_is_one_line(self, words: list[str], line: str) -> None:
        ended = kedis_cli(*words)
        assert (ended.out, ended.code) == (b"", 1)
        assert line in ended.err and ended.err.count("\n") == 1

    def test_nobody_listens(self) -> None:
        port = closed_port()
        ended = kedis_cli("-p", str(port), "PING")
        assert (ended.code, ended.err) == (1, f"Could not connect to 127.0.0.1:{port}: Connection refused\n")

    @pytest.mark.parametrize(
        "greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-Other\r\n", b"\x00\xff" * 40]
    )
    def test_a_peer_that_speaks_something_else(self, greeting: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                connection, _ = listener.accept()
                connection.recv(1000)
                connection.sendall(greeting)
                connection.recv(1000)
                connection.close()

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            ended = kedis_cli("-p", str(listener.getsockname()[1]), "PING")
            thread.join(10)
        assert (ended.out, ended.code) == (b"", 1)
        assert "does not speak the Redis protocol" in ended.err and ended.err.count("\n") == 1

    def test_a_peer_that_never_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            ended = kedis_cli("--timeout", "0.2", "-p", str(port), "PING")
        assert (ended.code, ended.err) == (1, f"Lost 127.0.0.1:{port}: no answer for 0.2 seconds\n")

    def test_a_timeout_of_0_is_none(self, port: int) -> None:
        assert kedis_cli("--timeout", "0", "-p", str(port), "PING").out == b"PONG\n"

    def test_a_server_that_goes_away(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def hang_up() -> None:
                connection, _ = listener.accept()
                connection.recv(1000)
                connection.close()

            threading.Thread(target=hang_up, daemon=True).start()
            ended = kedis_cli("-p", str(listener.getsockname()[1]), "PING")
        assert (ended.code, ended.err) == (1, "Server closed the connection\n")

    def test_a_command_over_a_connection_that_was_closed_before_was_not_run(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            link = ServerLink(Target(port=listener.getsockname()[1]))
            listener.accept()[0].close()
            select.select([link.connection], [], [], 60)
            with pytest.raises(LinkLost, match="Server closed the connection") as lost:
                link.send([b"INCR", b"n"])
        assert lost.value.is_unsent and outcome(lost.value) == "not run: the connection was lost"

    def test_what_became_of_the_lines_when_the_server_goes_away(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer_one() -> None:
                connection, _ = listener.accept()
                connection.recv(1000)
                connection.sendall(b"+OK\r\n")
                connection.recv(1000)
                connection.close()

            threading.Thread(target=answer_one, daemon=True).start()
            ended = kedis_cli("-p", str(listener.getsockname()[1]), stdin=b"SET a 1\nSET b 2\nSET c 3\n")
        assert (ended.out, ended.code) == (b"OK\n", 1)
        assert ended.err.splitlines() == [
            "line 2: it may have been run: the connection was lost before the answer; those after it were not run",
            "Server closed the connection",
        ]

    def test_a_database_that_is_not_there_runs_nothing(self, port: int) -> None:
        ended = kedis_cli("-p", str(port), "-n", "99", "SET", "a", "1")
        assert ended.code == 1
        assert "DB index is out of range" in ended.err
        assert call(port, "EXISTS", "a") == 0


def test_json_is_json(port: int) -> None:
    call(port, "SET", "a", b'q"\x01\xc3\xa9')
    for flags in (["--json"], ["--quoted-json"], ["-2", "--json"]):
        lines = kedis_cli("-p", str(port), *flags, stdin=b"GET a\nNOSUCH\nCONFIG GET port\nSET a\n").out
        values = [json.loads(line) for line in lines.splitlines()]
        assert values[1]["error"].startswith("ERR unknown command")
        assert "port" in values[2]


def test_a_unix_socket(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("s") / "kedis.sock")
    server = KedisProcess("--unixsocket", path)
    try:
        assert kedis_cli("-s", path, "PING").out == b"PONG\n"
    finally:
        server.close()
    ended = kedis_cli("-s", f"{path}.none", "PING")
    assert (ended.code, ended.err) == (1, f"Could not connect to {path}.none: No such file or directory\n")


class TestPipe:
    def test_many_commands(self, port: int) -> None:
        data = b"".join(b"*3\r\n$3\r\nSET\r\n$6\r\n%06d\r\n$1\r\nx\r\n" % number for number in range(20_000))
        ended = kedis_cli("-p", str(port), "--pipe", stdin=data)
        assert ended.code == 0
        assert ended.out.endswith(b"errors: 0, replies: 20000\n")
        assert call(port, "DBSIZE") == 20_000

    def test_large_replies_that_must_be_read_while_writing(self, port: int) -> None:
        call(port, "SET", "big", b"x" * 100_000)
        ended = kedis_cli("-p", str(port), "--pipe", stdin=b"GET big\n" * 500)
        assert ended.out.endswith(b"errors: 0, replies: 500\n")

    def test_lines_the_last_without_its_end(self, port: int) -> None:
        ended = kedis_cli("-p", str(port), "--pipe", stdin=b"SET a 1\nINCR a\nINCR a")
        assert ended.out.endswith(b"errors: 0, replies: 3\n")
        assert call(port, "GET", "a") == b"3"

    def test_nothing(self, port: int) -> None:
        assert kedis_cli("-p", str(port), "--pipe").out.endswith(b"errors: 0, replies: 0\n")

    def test_errors_are_shown_and_counted(self, port: int) -> None:
        ended = kedis_cli("-p", str(port), "--pipe", stdin=b"PING\n" + b"NOSUCH\n" * 150)
        assert ended.code == 1
        assert ended.out.endswith(b"errors: 150, replies: 151\n")
        assert ended.err.count("NOSUCH") == 100

    def test_a_command_that_is_cut_off(self, redis_port: int) -> None:
        stdin = b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$99999\r\ncut"
        ended = kedis_cli("-p", str(redis_port), "--pipe", "--pipe-timeout", "0.2", stdin=stdin)
        assert ended.code == 1
        assert ended.err == "No replies for 0.2 seconds: exiting.\n"

    def test_a_wrong_protocol_ends_it(self, port: int) -> None:
        ended = kedis_cli("-p", str(port), "--pipe", stdin=b"*1\r\n$nonsense\r\n")
        assert ended.code == 1
        assert "Protocol error" in ended.err or "closed" in ended.err


class TestModes:
    def test_scan_finds_every_key(self, port: int) -> None:
        for number in range(300):
            call(port, "SET", f"user:{number}", "x")
        call(port, "RPUSH", "other", "x")
        found = kedis_cli("-p", str(port), "--scan", "--count", "7", "--pattern", "user:*").out.split()
        assert sorted(set(found)) == sorted(b"user:%d" % number for number in range(300))
        assert kedis_cli("-p", str(port), "--scan", "--type", "list").out == b"other\n"
        assert json.loads(kedis_cli("-p", str(port), "--scan", "--json", "--pattern", "oth*").out) == "other"

    def test_big_keys(self, port: int) -> None:
        call(port, "RPUSH", "long", *map(str, range(50)))
        call(port, "RPUSH", "short", "x")
        call(port, "HSET", "hash", "a", "1", "b", "2")
        call(port, "SET", "text", "12345")
        out = kedis_cli("-p", str(port), "--bigkeys").out.decode()
        assert "Sampled 4 keys in the keyspace!" in out
        assert 'Biggest   list found "long" has 50 items' in out
        assert 'Biggest string found "text" has 5 bytes' in out
        assert "2 lists with 51 items (50.00% of keys, avg size 25.50)" in out

    def test_keys_of_much_memory(self, port: int) -> None:
        call(port, "SET", "large", "x" * 5000)
        call(port, "SET", "small", "x")
        out = kedis_cli("-p", str(port), "--memkeys").out.decode()
        match = re.search(r'Biggest string found "large" has ([\d,]+) bytes', out)
        assert match and int(match[1].replace(",", "")) > 5000
        assert (
            "Sampled 2 keys" in kedis_cli("-p", str(port), "--memkeys", "--memkeys-samples", "0").out.decode()
        )

    def test_an_empty_database(self, port: int) -> None:
        assert b"Sampled 0 keys" in kedis_cli("-p", str(port), "--bigkeys").out

    def test_stat(self, port: int) -> None:
        call(port, "SET", "a", "1")
        lines = kedis_cli("-p", str(port), "--stat", "-i", "0.01", "-r", "25").out.decode().splitlines()
        assert sum(line.startswith("keys") for line in lines) == 2
        rows = [line.split() for line in lines if line[:1].isdigit()]
        assert len(rows) == 25
        assert rows[0][0] == "1" and rows[1][5] == "(+1)"
        once = kedis_cli("-p", str(port), "--stat", "-r", "1").out.decode().splitlines()
        assert len([line for line in once if line[:1].isdigit()]) == 1

    @pytest.mark.parametrize(
        ("flags", "pattern"),
        [
            ([], rb"[\d.]+ [\d.]+ [\d.]+ \d+\n"),
            (["--csv"], rb"[\d.]+,[\d.]+,[\d.]+,\d+\n"),
            (["--no-raw"], rb"min: [\d.]+, max: [\d.]+, avg: [\d.]+ \(\d+ samples\)\n"),
        ],
    )
    def test_latency(self, port: int, flags: list[str], pattern: bytes) -> None:
        assert re.fullmatch(pattern, kedis_cli("-p", str(port), "--latency", "-i", "0.05", *flags).out)

    def test_latency_history(self, port: int) -> None:
        command = [*KEDIS_CLI, "-p", str(port), "--latency-history", "-i", "0.05", "--no-raw"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            process.kill()
        assert all(line.endswith(b"-- 0.05 seconds range\n") for line in lines)

    @pytest.mark.parametrize("words", [("SHUTDOWN",), ("shutdown", "nosave"), ()])
    def test_the_end_of_the_connection_is_the_answer_to_shutdown(self, words: tuple[str, ...]) -> None:
        with KedisProcess() as server:
            lines = b"" if words else b"SHUTDOWN NOW\n"
            ended = kedis_cli("-p", str(server.address[1]), *words, stdin=lines)
            assert (ended.out, ended.err, ended.code) == (b"", "", 0)
            assert server.process.wait(60) == 0

    def test_the_server_goes_away_in_the_middle(self) -> None:
        server = KedisProcess()
        command = [*KEDIS_CLI, "-p", str(server.address[1]), "--stat", "-i", "0.01"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.readline()
            server.process.kill()
            process.stdout.read()
            assert process.wait(20) == 1
            assert process.stderr.read().count(b"\n") == 1
        server.close()
