"""Prometheus's files: sound, and every alert has its test, its words and its runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kedis.observability.metrics import FAMILIES

ROOT = Path(__file__).parent.parent.parent
PROMETHEUS = ROOT / "ops" / "prometheus"
ALERTS: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "rules" / "alerts.yml").read_text())["groups"][0][
    "rules"
]
TESTS: dict[str, dict[str, Any]] = {
    test["name"]: test for test in yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]
}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@needs_promtool
@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules/recording.yml", "rules/alerts.yml"),
        ("test", "rules", "tests/alerts.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(words: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_is_whole(alert: dict[str, Any]) -> None:
    name = alert["alert"]
    words = alert["annotations"]
    assert words["summary"] and words["description"]
    assert alert["labels"]["severity"] in ("warning", "critical")
    assert words["runbook_url"].endswith(f"ops/runbooks.md#{name.lower()}")
    runbook = (ROOT / "ops" / "runbooks.md").read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert "**Means.**" in runbook
    assert "**Look" in runbook and ("**Do.**" in runbook or "and do.**" in runbook)
    test = TESTS[name]
    series = " ".join(line["series"] for line in test["input_series"])
    assert 'instance="bad"' in series and 'instance="good"' in series
    (expectation,) = test["promql_expr_test"]
    assert f'alertname="{name}"' in expectation["expr"]
    assert expectation["exp_samples"] == [{"labels": '{instance="bad"}', "value": 1}]


def test_rules_name_only_metrics_that_exist() -> None:
    known = {f"{family.name}{end}" for family in FAMILIES for end in ("", "_bucket", "_count", "_sum")}
    for path in [*(PROMETHEUS / "rules").iterdir(), ROOT / "ops" / "runbooks.md"]:
        for name in re.findall(r"(?<![:\w])(?:kedis|redis)_\w+(?![:\w])", path.read_text()):
            assert name in known, f"{path.name} names {name}"
