"""Each scenario against Kedis for two seconds, and each way in which a run fails."""

from __future__ import annotations

import csv
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.load.run import Ended, finish, start
from tests.ports import free_port
from tests.wire.kedis_process import KedisProcess


@pytest.fixture
def kedis() -> Iterator[KedisProcess]:
    server = KedisProcess()
    yield server
    server.close()


def url_of(server: KedisProcess) -> str:
    return f"redis://127.0.0.1:{server.address[1]}"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def requests_of(prefix: Path) -> dict[tuple[str, str], dict[str, str]]:
    with Path(f"{prefix}_microseconds.csv").open(newline="") as lines:
        return {(row["method"], row["name"]): row for row in csv.DictReader(lines)}


@pytest.mark.parametrize(
    ("scenario", "commands"),
    [
        ("cache", {"GET", "SET", "MGET", "DEL"}),
        ("sessions", {"HGET", "HINCRBY", "HGETALL", "MULTI HSET EXPIRE EXEC"}),
        ("leaderboard", {"ZINCRBY", "ZREVRANK", "ZREVRANGE", "ZRANGEBYSCORE"}),
        ("queue", {"BLMOVE", "MULTI LPUSH HINCRBY EXEC", "MULTI LREM HINCRBY EXEC"}),
        ("transactions", {"WATCH", "GET", "MULTI DECRBY INCRBY EXEC", "MGET"}),
        ("mixed", {"GET", "HGET", "ZINCRBY", "BLMOVE", "WATCH"}),
    ],
)
def test_a_scenario_runs_without_a_wrong_answer(
    scenario: str, commands: set[str], kedis: KedisProcess, tmp_path: Path
) -> None:
    prefix = tmp_path / "run"
    ended = finish(start(scenario, url_of(kedis), "--csv", str(prefix), "--html", f"{prefix}.html"))
    assert ended.code == 0, ended.output
    requests = requests_of(prefix)
    assert commands <= {name for _, name in requests}
    assert int(requests["connect", "connect"]["requests"]) >= 10
    assert not any(int(row["failures"]) for row in requests.values())
    assert all(method in ("redis", "wait", "connect") for method, _ in requests)
    # To the microsecond: not all of the medians are whole milliseconds.
    assert any(int(row["p50_us"]) % 1000 for row in requests.values())
    assert "<html" in Path(f"{prefix}.html").read_text().lower()


def test_a_total_that_changed_is_found(kedis: KedisProcess) -> None:
    process = start("transactions", url_of(kedis), seconds=3)
    client = redis.Redis(port=kedis.address[1])
    wait_until(lambda: client.exists("account:0") == 1)
    client.incrby("account:0", 1)
    ended = finish(process)
    assert ended.code == 1
    assert "the total is 50001 instead of 50000" in ended.output
    assert "transactions: the total" in ended.output


def test_a_lost_job_is_found(kedis: KedisProcess) -> None:
    process = start("queue", url_of(kedis), seconds=3)
    client = redis.Redis(port=kedis.address[1])
    wait_until(lambda: client.hexists("queue:counts", "put in"))
    client.hincrby("queue:counts", "put in", 1)
    ended = finish(process)
    assert ended.code == 1
    assert "jobs put in, but" in ended.output


def test_a_server_that_dies_fails_the_run_and_leaves_the_figures(kedis: KedisProcess, tmp_path: Path) -> None:
    prefix = tmp_path / "run"
    process = start("cache", url_of(kedis), "--csv", str(prefix), seconds=3)
    client = redis.Redis(port=kedis.address[1])
    wait_until(lambda: client.dbsize() > 20)
    kedis.process.kill()
    ended = finish(process)
    assert ended.code == 1
    row = requests_of(prefix)[("redis", "GET")]
    assert int(row["requests"]) > int(row["failures"]) > 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--objective-p99-ms", "0.001"], 1, "objective missed: 99.0% of the requests took up to"),
        (["--objective-rps", "1000000"], 1, "the objective is 1,000,000"),
        (["--objective-p99-ms", "30000", "--objective-rps", "1"], 0, ""),
    ],
)
def test_objectives_decide_the_exit_code(words: list[str], code: int, said: str, kedis: KedisProcess) -> None:
    ended = finish(start("cache", url_of(kedis), *words, seconds=1))
    assert ended.code == code, ended.output
    assert said in ended.output


def one_line(ended: Ended) -> str:
    """What is said beside Locust's own log."""
    lines = [line for line in ended.output.splitlines() if line.startswith("kedis load:")]
    assert len(lines) == 1 and "Traceback" not in ended.output, ended.output
    return lines[0]


def test_no_server() -> None:
    port = free_port()
    ended = finish(start("cache", f"redis://127.0.0.1:{port}"))
    assert ended.code == 1
    assert f"no load on redis://127.0.0.1:{port}: " in one_line(ended)


@pytest.mark.parametrize("password", ["wrong", "right"])
def test_passwords_are_tried_and_never_repeated(password: str, kedis: KedisProcess) -> None:
    kedis.run(b"CONFIG SET requirepass right")
    url = f"redis://:{password}@127.0.0.1:{kedis.address[1]}"
    ended = finish(start("cache", url, seconds=1))
    assert ended.code == (1 if password == "wrong" else 0), ended.output
    if password == "wrong":
        assert "invalid username-password pair" in one_line(ended)
    assert f":{password}@" not in ended.output


def test_the_metrics_of_a_run_for_prometheus(kedis: KedisProcess) -> None:
    port = free_port()
    process = start("cache", url_of(kedis), seconds=3, environment={"LOCUST_METRICS_PORT": str(port)})
    text = ""

    def scraped() -> bool:
        nonlocal text
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return False
        return "locust_users 10.0" in text and 'name="GET"' in text

    wait_until(scraped)
    assert finish(process).code == 0
    for line in (
        'locust_requests_total{method="redis",name="GET"}',
        'locust_request_duration_seconds_bucket{le="0.001",method="redis",name="GET"}',
        "# TYPE locust_failures_total counter",
    ):
        assert line in text


def test_a_shape_beside_a_scenario_ends_by_itself(kedis: KedisProcess, tmp_path: Path) -> None:
    file = tmp_path / "run"
    words = ["-f", "locustfiles/scenario_cache.py,locustfiles/shape_spike.py", "--stage-seconds", "0.5"]
    process = start(
        "cache", url_of(kedis), *words, "--most-users", "20", "--json-file", str(file), seconds=30
    )
    ended = finish(process)
    assert ended.code == 0, ended.output
    assert "updating to 20 users" in ended.output
    assert any(entry["num_requests"] for entry in json.loads(Path(f"{file}.json").read_text()))
