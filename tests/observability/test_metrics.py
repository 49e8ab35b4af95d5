"""The metrics over HTTP: whole, in both formats, accepted by promtool, and moving with what they count."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

import kedis
from kedis.observability.metrics import FAMILIES
from tests.commands.driver import Client
from tests.ports import free_port


class Scraped:
    """A server with metrics, and its samples by name and labels."""

    def __init__(self, **settings: object) -> None:
        self.metrics_port = free_port()
        self.server = kedis.Server(port=0, metrics_port=self.metrics_port, **settings)
        self.server.start()

    def get(self, path: str = "/metrics", **headers: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.metrics_port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            data: bytes = answer.read()
            return data

    def samples(self) -> dict[tuple[str, ...], float]:
        """``(name, label, label, ...)`` -> value."""
        families = text_string_to_metric_families(self.get().decode())
        return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


@pytest.fixture
def scraped() -> Iterator[Scraped]:
    made = Scraped()
    yield made
    made.server.stop()


def test_every_family_of_the_table_is_there(scraped: Scraped) -> None:
    scraped.server.client().set("a", "b")
    text = scraped.get().decode()
    assert [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")] == [
        family.name for family in FAMILIES
    ]
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))


def test_both_formats_hold_the_same(scraped: Scraped) -> None:
    scraped.server.client().set("a", "b")
    plain = {family.name for family in text_string_to_metric_families(scraped.get().decode())}
    text = scraped.get(Accept="application/openmetrics-text").decode()
    assert text.endswith("# EOF\n")
    assert {family.name.removesuffix("_total") for family in openmetrics_families(text)} == {
        name.removesuffix("_total") for name in plain
    }
    assert gzip.decompress(scraped.get(**{"Accept-Encoding": "gzip"})).startswith(b"# HELP")


def test_what_promtool_says(scraped: Scraped) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    scraped.server.client().set("a", "b")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=scraped.get(), capture_output=True, timeout=60
    )
    complaints = [line for line in done.stderr.decode().splitlines() if not line.startswith("redis_")]
    assert complaints == []  # the names of redis_ are the exporter's, and not ours to mend


def test_the_figures_move(scraped: Scraped) -> None:
    client = scraped.server.client()
    before = scraped.samples()
    for number in range(10):
        client.set(f"key:{number}", "x")
    client.get("key:1")
    client.get("nothing")
    client.set("gone", "x", px=1)
    with pytest.raises(Exception, match="WRONGTYPE"):
        client.lpush("key:1", "x")
    after = scraped.samples()

    def moved(*sample: str) -> float:
        return after.get(sample, 0) - before.get(sample, 0)

    assert moved("redis_commands_total", "set") == 11
    assert moved("redis_keyspace_hits_total") == 1
    assert moved("redis_keyspace_misses_total") == 1
    assert moved("redis_errors_total", "WRONGTYPE") == 1
    assert moved("redis_db_keys", "db0") in (10, 11)
    assert moved("redis_memory_used_bytes") > 1000
    assert after[("redis_up",)] == 1


def test_evictions_are_counted_by_policy() -> None:
    scraped = Scraped(maxmemory="1mb", maxmemory_policy="allkeys-lru")
    try:
        client = scraped.server.client()
        for number in range(2000):
            client.set(f"key:{number}", "x" * 1000)
        # The scraping connection takes memory too: without this it could evict between two lines of one scrape.
        client.config_set("maxmemory", 0)
        samples = scraped.samples()
        assert (
            samples[("kedis_evicted_keys_total", "allkeys-lru")]
            == samples[("redis_evicted_keys_total",)]
            > 500
        )
        assert samples[("redis_memory_used_bytes",)] < 1.2 * (1 << 20)
        assert samples[("kedis_eviction_sampled_keys_total",)] > 500
    finally:
        scraped.server.stop()


def test_health_and_readiness_and_strangers(scraped: Scraped) -> None:
    assert scraped.get("/healthz") == b"ok\n"
    assert scraped.get("/readyz") == b"ready\n"
    assert b"/metrics" in scraped.get("/")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        scraped.get("/nothing")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"http://127.0.0.1:{scraped.metrics_port}/metrics", data=b"x", timeout=20)


def test_unknown_words_make_no_series() -> None:
    """Whoever sends nonsense must not be able to fill Prometheus."""
    client = Client()
    for number in range(100):
        client.call(f"NOSUCH{number}")
    observer = client.engine.observer
    observer.begin_scrape()
    family = next(each for each in FAMILIES if each.name == "kedis_command_rejected_total")
    assert list(family.read(observer)) == [(("unknown", "ERR"), 100)]
