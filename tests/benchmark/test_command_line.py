"""kedis-benchmark as people use it: tables, files, two servers, and what it says when something is wrong."""

from __future__ import annotations

import csv
import importlib.util
import io
import itertools
import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import kedis
from kedis.cli.benchmark import main as program
from kedis.cli.benchmark.main import main
from tests.benchmark.fake_server import FakeServer, answering
from tests.oracle import Oracle
from tests.ports import free_port

QUICK = ("-n", "300", "--keys", "50")


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    with kedis.Server(port=0) as server:
        yield str(server.port)


def lines_of(table: str) -> list[list[str]]:
    """The cells of a Markdown table, head first."""
    rows = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [cells[0], *cells[2:]]


def test_the_table_has_a_line_for_each_number_of_connections(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-p", port, *QUICK]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    head, *lines = lines_of(out)
    assert head == ["connections", "ops/s", "p50", "p99", "p99.9", "max", "server CPU/op"]
    assert [line[0] for line in lines] == ["1", "2", "5", "10", "20", "50"]
    assert out.startswith("Kedis ")
    assert "set 50 %, get 50 %; 300 operations; 50 keys (uniform)" in out


def test_the_seed_table_stands_beside_the_published_one(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-p", port, "--seed-table", *QUICK]) == 0
    head, *lines = lines_of(capsys.readouterr().out)
    assert head[-2:] == ["published", "times that"]
    assert [line[-2] for line in lines] == ["13,898", "15,631", "18,390", "21,492", "13,984", "10,977"]


def test_json_csv_and_plots(port: str, tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("out.json", "out.csv", "out.svg", "out.png")]
    words = ["-p", port, "-c", "1,2", "-P", "4", "--seed", "3", *QUICK]
    assert main([*words, "--json", names[0], "--csv", names[1], "--plot", names[2]]) == 0
    whole = json.loads(Path(names[0]).read_text())
    assert whole["complete"] and not whole["error"]
    assert set(whole["machine"]) == {"cpu", "cores", "kernel", "python", "kedis"}
    assert [row["connections"] for row in whole["rows"]] == [1, 2]
    for row in whole["rows"]:
        assert row["operations"] == 300
        assert row["histogram"]["count"] == 75
        assert 0 < row["latency_us"]["p50"] <= row["latency_us"]["p99"] <= row["latency_us"]["max"]
        assert row["throughput"] == pytest.approx(row["operations"] / row["seconds"])
    rows = list(csv.DictReader(io.StringIO(Path(names[1]).read_text())))
    assert [row["connections"] for row in rows] == ["1", "2"]
    assert float(rows[0]["throughput"]) == pytest.approx(whole["rows"][0]["throughput"], abs=0.001)
    svg = Path(names[2]).read_text()
    assert "<svg" in svg and "connections" in svg
    assert main([*words, "--plot", names[3]]) == 0
    assert Path(names[3]).read_bytes().startswith(b"\x89PNG")


def test_standard_output_takes_json_alone(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-p", port, "-c", "1", *QUICK, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["rows"][0]["connections"] == 1
    assert "| connections |" in err


def test_two_servers_run_in_turn_with_ratios(port: str, tmp_path: Path) -> None:
    redis = Oracle()
    try:
        file = tmp_path / "out.json"
        words = ["-p", port, "--against", f"127.0.0.1:{redis.port}", "-c", "1", "5", "--repeats", "2", *QUICK]
        assert main([*words, "--json", str(file)]) == 0
        rows = json.loads(file.read_text())["rows"]
    finally:
        redis.close()
    assert [(row["connections"], row["server"].split()[0]) for row in rows] == [
        (1, "Kedis"),
        (1, "Redis"),
        (5, "Kedis"),
        (5, "Redis"),
    ]
    assert rows[0]["ratio"] == pytest.approx(rows[0]["throughput"] / rows[1]["throughput"])
    assert rows[1]["ratio"] is None
    assert len(rows[0]["throughputs"]) == 2


@pytest.mark.parametrize(("mix", "sets"), [("get", 20), ("get:9,del:1", 80), ("spop,get", 80)])
def test_keys_are_filled_once_unless_a_run_takes_them_away(mix: str, sets: int) -> None:
    filled = []

    def data(words: list[bytes]) -> bytes:
        if words[0] == b"SET":
            filled.append(words[1])
        return b"+OK\r\n"

    server = FakeServer(answering(data))
    main(["-p", str(server.port), "--mix", mix, "-n", "10", "--keys", "20", "-c", "1", "2", "--repeats", "2"])
    server.close()
    assert len(filled) == sets


def test_open_loop_processes_warm_up_and_a_mix(port: str, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    words = ["-p", port, "-c", "4", "--rate", "2000", "--duration", "0.5", "--processes", "2"]
    words += [
        "--warm-up",
        "0.1",
        "--mix",
        "get:80,set:15,zadd:5",
        "--distribution",
        "zipf:0.99",
        "--keys",
        "50",
    ]
    assert main([*words, "--json", str(file)]) == 0
    (row,) = json.loads(file.read_text())["rows"]
    assert row["operations"] + row["unsent"] == pytest.approx(1000, abs=10)
    assert row["wrong"] == 0


@pytest.mark.parametrize("operations", [1, 3, 100])
def test_processes_share_the_operations(operations: int, port: str, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    words = ["-p", port, "-c", "5", "-n", str(operations), "--processes", "4", "--keys", "10"]
    assert main([*words, "--json", str(file)]) == 0
    (row,) = json.loads(file.read_text())["rows"]
    assert row["operations"] == operations


def test_a_password_a_database_and_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "k.sock")
    with kedis.Server(port=0, requirepass="secret", unixsocket=path) as server:
        where = ["-p", str(server.port), "-c", "1", *QUICK]
        assert main([*where, "-a", "secret", "--db", "3"]) == 0
        client = server.client(password="secret", db=3)
        assert client.dbsize() == 50
        client.close()
        assert main(["-s", path, "-a", "secret", "-c", "1", *QUICK]) == 0
        capsys.readouterr()
        for words, said in [
            ([], "give it with --password"),
            (["-a", "wrong"], "refuses the password: WRONGPASS"),
            (["-a", "secret", "--db", "99"], "has no database 99"),
        ]:
            assert main([*where, *words]) == 1
            out, err = capsys.readouterr()
            assert out == ""
            assert said in err and err.count("\n") == 1
        monkeypatch.setenv("REDISCLI_AUTH", "secret")
        assert main(where) == 0


def test_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main(["-p", str(port)]) == 1
    expected = f"kedis-benchmark: no server at 127.0.0.1:{port}: connection refused\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_server_that_dies_leaves_the_figures_of_the_finished_part(
    processes: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    counter = itertools.count(1)
    server = FakeServer(answering(lambda words: b"+OK\r\n" if next(counter) <= 1_500 else b""))
    file = tmp_path / "out.json"
    words = ["-p", str(server.port), "--mix", "set", "-n", "1000", "-c", "2", "4", "8"]
    assert main([*words, "--processes", processes, "--no-fill", "--json", str(file)]) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"kedis-benchmark: 127.0.0.1:{server.port}: the server ")
    assert err.count("\n") == 1
    _, *lines = lines_of(out)
    assert [line[0] for line in lines] == ["2", "4"]
    assert lines[1][-1] == "cut short"
    whole = json.loads(file.read_text())
    assert not whole["complete"] and whole["error"]
    assert [row["complete"] for row in whole["rows"]] == [True, False]
    assert whole["rows"][0]["operations"] == 1000
    assert 0 < whole["rows"][1]["operations"] <= 500


def test_ctrl_c_is_one_line_and_a_failure() -> None:
    began = threading.Event()

    def data(words: list[bytes]) -> bytes:
        began.set()
        return b"+OK\r\n"

    server = FakeServer(answering(data))
    words = [sys.executable, "-m", program.__name__, "-p", str(server.port), "--mix", "set", "--no-fill"]
    process = subprocess.Popen(
        [*words, "--duration", "60", "-c", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert began.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    server.close()
    assert (process.returncode, out, err) == (1, "", "kedis-benchmark: interrupted\n")


def test_wrong_replies_fail_the_run_and_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    server = FakeServer(answering(lambda words: b"-OOM no room\r\n"))
    assert main(["-p", str(server.port), "--mix", "set", "-n", "100", "-c", "1", "--no-fill"]) == 1
    server.close()
    assert "100 wrong replies, the first: OOM no room" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mix", "gett"], "is no command of the benchmark"),
        (["--mix", "get:0"], "weight"),
        (["--ratio", "1"], "a ratio is"),
        (["--distribution", "gauss"], "is no distribution"),
        (["-c", "0"], "no whole number from 1 on"),
        (["-n", "many"], "no whole number"),
        (["-p", "70000"], "is no port"),
        (["--rate", "-1"], "no number above 0"),
        (["--against", "host"], "--against host"),
        (["--seed-table", "-P", "2"], "load of its own"),
        (["--fsync-table", "--against", ":1"], "starts its own servers"),
        (["--dir", "."], "--dir is for"),
        (["--plot", "x.pdf"], ".png or .svg"),
        (["--json", "/none/such/x"], "there is no folder"),
        (["--json", "-", "--csv", "-"], "one of --json and --csv"),
        (["--mix", "get", "--ratio", "1:1"], "not allowed with"),
    ],
)
def test_command_lines_that_mean_nothing(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_a_plot_without_matplotlib_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "matplotlib" else found(name, *rest)
    )
    assert main(["--plot", "x.svg", "-p", "1"]) == 2
    err = capsys.readouterr().err
    assert "pip install 'kedis[bench]'" in err and err.count("\n") == 1


def test_the_fsync_table_on_servers_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["--fsync-table", "-n", "60", "--keys", "20", "-c", "1", "3", "--dir", str(tmp_path)]
    assert main(words) == 0
    head, *lines = lines_of(capsys.readouterr().out)
    servers = 2 if shutil.which("redis-server") else 1
    assert [line[0] for line in lines] == [
        policy for policy in ("always", "everysec", "no") for _ in range(2 * servers)
    ]
    published = [line[head.index("published")] for line in lines]
    assert published[0] == "1,081" and published[2 * servers] == "13,898"
    assert sum(map(bool, published)) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_program_as_it_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", program.__name__, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"kedis-benchmark {kedis.__version__}\n"


@pytest.mark.parametrize("command", [b"PING", b"AUTH", b"SET", b"INFO"])
def test_what_a_hostile_server_says_does_not_drive_the_terminal(
    command: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = b"\x1b]0;EVIL\x07\xc2\x9b\xe2\x80\xae"
    info = b"redis_version:" + evil + b"\r\nprocess_id:\xc2\xb2\r\nused_cpu_user:1_0\r\nused_cpu_sys:x\r\n"
    plain = answering(lambda _words: b"+OK\r\n")

    def answer(words: list[bytes]) -> bytes:
        if words[0] == command:
            return b"$%d\r\n%b\r\n" % (len(info), info) if command == b"INFO" else b"-ERR " + evil + b"\r\n"
        return plain(words)

    server = FakeServer(answer)
    flags = ("--password", "x") if command == b"AUTH" else ()
    code = main(["-p", str(server.port), *flags, "-c", "1", *QUICK])
    server.close()
    out, err = capsys.readouterr()
    assert code in (0, 1)
    assert "EVIL" in out + err
    assert not set("\x1b\x07\x9b\u202e") & set(out + err)


def test_a_map_whose_key_is_a_list_is_not_the_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    server = FakeServer(lambda _words: b"%1\r\n*0\r\n*0\r\n")
    assert main(["-p", str(server.port), *QUICK]) == 1
    server.close()
    assert "does not speak the Redis protocol" in capsys.readouterr().err
