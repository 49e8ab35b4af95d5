"""What a program pays that only imports Kedis, or only opens a store: nothing that it does not use is imported."""

from __future__ import annotations

import pytest

import kedis
from kedis.engine import table
from tests.embedded.programs import run_program

IMPORTED = """
    import sys, kedis
    {use}
    heavy = ("gevent", "prometheus_client", "lupa", "redis", "asyncio", "kedis.cli", "kedis.server",
             "kedis.embedded.durability", "kedis.embedded.async_client", "kedis.embedded.redis_client")
    print(*[name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("use", "imported"),
    [
        ("", ""),
        ("kedis.__version__", ""),
        ("kedis.connect().ping()", "redis asyncio kedis.embedded.redis_client"),
    ],
)
def test_what_is_imported(use: str, imported: str) -> None:
    assert run_program(IMPORTED.format(use=use)) == [imported]


def test_a_server_without_a_scrape_needs_no_prometheus_client() -> None:
    program = """
        import sys, kedis
        with kedis.Server(metrics_port=0) as server:
            server.client().ping()
            print("prometheus_client" in sys.modules, "lupa" in sys.modules, "kedis.cli" in sys.modules)
    """
    assert run_program(program) == ["False False False"]


def test_the_next_store_takes_over_the_table_of_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is what takes longest to make; no figure of the store before is in it."""
    with kedis.connect() as store:
        store.set("a", 1)
        store.ping()
        with pytest.raises(Exception, match="WRONGTYPE"):
            store.lpush("a", 1)

    def refuse(_row: object) -> None:
        raise AssertionError("a new table")

    monkeypatch.setattr(table, "_copy", refuse)
    with kedis.connect() as store:
        figures = store.info("commandstats") | store.info("errorstats") | store.info("latencystats")
        assert (
            not {"cmdstat_set", "cmdstat_lpush", "errorstat_WRONGTYPE", "latency_percentiles_usec_set"}
            & figures.keys()
        )
        store.set("b", 1)
        assert store.info("commandstats")["cmdstat_set"]["calls"] == 1
    with kedis.Server() as server, server.client() as client:
        assert "cmdstat_set" not in client.info("commandstats")
