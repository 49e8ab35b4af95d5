"""The page that lays both views side by side: its arithmetic, and one run through all of it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from ops.bench.report import Buckets, ReportError, between, load, page, seen_by_locust
from tests.load.run import ROOT

INF = math.inf


def exposition(counts: list[int], name: str = "kedis_request_duration_seconds", labels: str = "") -> str:
    bounds = ["0.001", "0.002", "0.004", "+Inf"]
    lines = [f"# TYPE {name} histogram"]
    lines += [
        f'{name}_bucket{{{labels}le="{bound}"}} {count}' for bound, count in zip(bounds, counts, strict=True)
    ]
    return "\n".join([*lines, f"{name}_count{{{labels[:-1]}}} {counts[-1]}", ""])


def test_the_difference_of_two_scrapes_is_the_run() -> None:
    found = between(exposition([5, 6, 6, 6]), exposition([5, 8, 10, 10]), "kedis_request_duration_seconds")
    assert found[""] == Buckets([0.001, 0.002, 0.004, INF], [0, 2, 4, 4])
    assert between(exposition([1, 1, 1, 1]), exposition([1, 1, 1, 1]), "kedis_request_duration_seconds") == {}


def test_commands_have_a_histogram_each_and_new_ones_count_from_nothing() -> None:
    name = "kedis_command_duration_seconds"
    found = between("", exposition([1, 2, 2, 2], name, 'cmd="get",'), name)
    assert found == {"get": Buckets([0.001, 0.002, 0.004, INF], [1, 2, 2, 2])}


def test_percentiles_lie_evenly_inside_of_a_bucket() -> None:
    buckets = Buckets([1.0, 2.0, 4.0, INF], [10, 20, 20, 30])
    assert buckets.percentile(0) == 0.0
    assert buckets.percentile(1 / 6) == pytest.approx(0.5)
    assert buckets.percentile(0.5) == pytest.approx(1.5)
    # Above the last bound nothing is known but that.
    assert buckets.percentile(0.99) == 4.0
    assert Buckets().percentile(0.5) is None


def test_locusts_counts_leave_waiting_and_checks_out() -> None:
    entries = [
        {"name": "GET", "method": "redis", "response_times": {"0.1": 9, "5": 1}},
        {"name": "SET", "method": "redis", "response_times": {"0.1": 10}},
        {"name": "BLMOVE", "method": "wait", "response_times": {"1000": 5}},
    ]
    found = seen_by_locust(entries)
    assert set(found) == {"", "GET", "SET"}
    assert found[""].total == 20
    assert found[""].percentile(0.95) == pytest.approx(0.0001)
    assert found["GET"].percentile(0.99) == pytest.approx(0.005)
    assert seen_by_locust(entries[2:]) == {}


def folder_of(path: Path, entries: object, after: str) -> Path:
    (path / "locust.json").write_text(json.dumps(entries))
    (path / "server_before.prom").write_text("")
    (path / "server_after.prom").write_text(after)
    (path / "locust_stats_history.csv").write_text(
        "Timestamp,User Count,Name,Requests/s\n100,1,Aggregated,0\n101,2,Aggregated,5.5\n"
    )
    return path


GET = [{"name": "GET", "method": "redis", "response_times": {"0.5": 3}}]


def test_the_page_has_both_views_and_three_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    after = exposition([1, 3, 3, 3]) + exposition(
        [3, 3, 3, 3], "kedis_command_duration_seconds", 'cmd="get",'
    )
    text = page(load(folder_of(tmp_path, GET, after)), "a <title>")
    assert text.count("<svg") == 3
    assert "a &lt;title&gt;" in text
    assert "<td>GET</td><td>3</td><td>500 us</td>" in text


@pytest.mark.parametrize(
    ("entries", "after", "said"),
    [([], exposition([1, 1, 1, 1]), "no request was made"), (GET, "", "is it Kedis")],
)
def test_what_cannot_be_shown_is_said(entries: object, after: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=said):
        load(folder_of(tmp_path, entries, after))


def test_a_folder_without_a_run_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "ops/bench/report.py", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == f"report: {tmp_path / 'locust.json'}: no such file or directory\n"


def test_one_command_runs_a_scenario_on_a_kedis_of_its_own_and_reports(tmp_path: Path) -> None:
    words = [sys.executable, "ops/bench/load.py", "leaderboard", "steps", "--results", str(tmp_path)]
    words += ["--stage-seconds", "1", "--most-users", "2", "--think-ms", "5"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "leaderboard-steps"
    assert "<td>ZINCRBY</td>" in (results / "report.html").read_text()
    assert {file.name for file in results.iterdir()} >= {
        "locust.html",
        "locust.json",
        "locust_stats.csv",
        "locust_failures.csv",
        "locust_microseconds.csv",
    }
    assert "| redis" in done.stdout
