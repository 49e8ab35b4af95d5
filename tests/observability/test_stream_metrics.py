"""Metrics of chosen streams: the exporter's names, only what the setting lists, nothing kept of what has gone."""

from __future__ import annotations

import re

import pytest

from kedis.observability.exposition import TEXT, Exposition
from kedis.observability.metrics_streams import FAMILIES
from tests.commands.driver import Client, ErrorReply


def shown(client: Client, exposition: Exposition) -> dict[str, float]:
    """The lines about streams."""
    lines = "".join(exposition.render(client.engine.observer)).splitlines()
    found = [re.fullmatch(r"redis_stream_(.+) (\S+)", line) for line in lines]
    return {match[1]: float(match[2]) for match in found if match}


def test_only_streams_that_are_listed_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kedis.observability.exposition.FAMILIES", FAMILIES)  # there is no network
    client, exposition = Client(), Exposition(TEXT)
    for number in range(1, 6):
        client.call("XADD", "orders", f"{number}-1", "f", number)
        client.call("XADD", "hidden", f"{number}-1", "f", number)
    client.call("XGROUP", "CREATE", "orders", 'a "group"', 0)
    client.call("XREADGROUP", "GROUP", 'a "group"', "c", "COUNT", 2, "STREAMS", "orders", ">")
    client.call("SELECT", 3)
    client.call("XADD", "events", "7-7", "f", "v")
    assert shown(client, exposition) == {}
    assert client.call("CONFIG", "SET", "metrics-streams", "orders db3=events missing db99=x") == b"OK"
    found = shown(client, exposition)
    labels = 'db="db0",group="a \\"group\\"",stream="orders"'
    assert found['length{db="db0",stream="orders"}'] == 5
    assert found['length{db="db3",stream="events"}'] == 1
    assert found['last_generated_id{db="db3",stream="events"}'] == 7
    assert {name: value for name, value in found.items() if "group_" in name} == {
        f"group_{name}{{{labels}}}": value
        for name, value in {
            "consumers": 1,
            "messages_pending": 2,
            "last_delivered_id": 2,
            "entries_read": 2,
            "lag": 3,
        }.items()
    }
    assert not [name for name in found if "hidden" in name or "missing" in name]
    client.call("SELECT", 0)
    client.call("XGROUP", "DESTROY", "orders", 'a "group"')
    assert not [name for name in shown(client, exposition) if "group_" in name]
    assert not [series for series in exposition._series if "stream" in series[0]]


def test_no_more_than_a_hundred() -> None:
    client = Client()
    assert client.call("CONFIG", "SET", "metrics-streams", " ".join(map(str, range(100)))) == b"OK"
    assert isinstance(
        client.call("CONFIG", "SET", "metrics-streams", " ".join(map(str, range(101)))), ErrorReply
    )
