"""INFO: sections, names and order as in Redis, and figures that are true."""

from __future__ import annotations

import time

import pytest

import kedis
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.observability.info import human_bytes
from kedis.observability.process_memory import machine_bytes, resident_bytes
from tests.commands.driver import Client, Clock
from tests.oracle import Oracle

#: Lines of Redis that tell of an allocator, a compiler or counters of system calls, which Kedis does not have.
MISSING = [
    "atomicvar_api",
    "gcc_version",
    "allocator_allocated",
    "allocator_active",
    "allocator_resident",
    "allocator_frag_ratio",
    "allocator_frag_bytes",
    "allocator_rss_ratio",
    "allocator_rss_bytes",
    "rss_overhead_ratio",
    "rss_overhead_bytes",
]
#: Lines that Redis does not have.
EXTRA = {
    "kedis_path",
    "kedis_version",
    "python_version",
    "client_query_buffer_limit_disconnections",
    "client_output_buffer_limit_disconnections",
}


@pytest.fixture
def client() -> Client:
    return Client()


def sections(text: bytes) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for block in text.decode().split("\r\n\r\n"):
        title, *lines = block.strip("\r\n").split("\r\n")
        found[title] = dict(line.split(":", 1) for line in lines)
    return found


def fields(client: Client, *names: str) -> dict[str, str]:
    return {
        name: value for part in sections(client.call("INFO", *names)).values() for name, value in part.items()
    }


@pytest.mark.parametrize(
    "words", [(), ("default",), ("all",), ("everything",), ("CPU", "server"), ("keyspace",)]
)
def test_sections_and_their_order(client: Client, oracle: Oracle, words: tuple[str, ...]) -> None:
    for server in (client, oracle):
        server.call("SET", "k", "v")
    mine, theirs = sections(client.call("INFO", *words)), sections(oracle.call("INFO", *words))
    assert list(mine) == list(theirs)


@pytest.mark.parametrize(
    "name",
    ["server", "clients", "memory", "persistence", "stats", "replication", "cpu", "modules", "cluster"],
)
def test_fields_and_their_order(client: Client, oracle: Oracle, name: str) -> None:
    (mine,) = sections(client.call("INFO", name)).values()
    (theirs,) = sections(oracle.call("INFO", name)).values()
    if name == "memory":
        mine.pop("used_memory_scripts"), mine.pop("used_memory_scripts_human")
        theirs.pop("used_memory_scripts"), theirs.pop("used_memory_scripts_human")
    assert [field for field in mine if field not in EXTRA] == [
        field for field in theirs if field not in MISSING
    ]


def test_the_text_is_laid_out_as_in_redis(client: Client, oracle: Oracle) -> None:
    assert client.call("INFO", "cluster", "modules") == oracle.call("INFO", "cluster", "modules")
    assert client.call("INFO", "keyspace") == b"# Keyspace\r\n"


def test_it_is_verbatim_text_in_resp3() -> None:
    client = Client(resp=3)
    client.engine.run(client.state, [[b"INFO", b"cluster"]])
    assert b"".join(client.state.out) == b"=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"


def test_server_and_clients(client: Client) -> None:
    client.now_ms += 90_061_000
    client.another()
    found = fields(client, "server", "clients")
    assert found["redis_version"] == "7.0.15" and found["kedis_version"] == kedis.__version__
    assert (found["uptime_in_seconds"], found["uptime_in_days"]) == ("90061", "1")
    assert len(found["run_id"]) == 40
    assert (found["connected_clients"], found["maxclients"]) == ("2", "10000")


def test_stats_count_what_happened(client: Client) -> None:
    client.call("SET", "k", "v", "PX", "5")
    client.call("GET", "k")
    client.call("GET", "nothing")
    client.now_ms += 10
    client.call("GET", "k")
    client.call("LPUSH", "x")
    client.call("INCR", "x", "y")
    client.call("SET", "s", "v")
    client.call("LPUSH", "s", "v")
    found = fields(client, "stats", "commandstats", "errorstats", "keyspace")
    assert found["total_commands_processed"] == "6"
    assert (found["keyspace_hits"], found["keyspace_misses"], found["expired_keys"]) == ("1", "2", "1")
    assert found["cmdstat_get"].startswith(
        "calls=3,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0"
    )
    assert found["cmdstat_lpush"].endswith(
        "calls=1,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=1"
    )
    assert found["cmdstat_incr"].endswith("calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0")
    assert (found["errorstat_ERR"], found["errorstat_WRONGTYPE"]) == ("count=2", "count=1")
    assert found["total_error_replies"] == "3"
    assert found["db0"] == "keys=1,expires=0,avg_ttl=0"


def test_every_database_with_keys_has_a_line(client: Client) -> None:
    client.call("SELECT", 3)
    client.call("SET", "k", "v", "EX", 100)
    client.call("SET", "k2", "v")
    assert fields(client, "keyspace") == {"db3": "keys=2,expires=1,avg_ttl=0"}


def test_percentiles_lie_in_their_bucket(client: Client) -> None:
    counters = client.engine.table.rows[b"get"].counters
    for elapsed in (*[600] * 98, 800_000, 1_000_000):
        counters.count(elapsed)
    found = fields(client, "latencystats")["latency_percentiles_usec_get"]
    values = dict(part.split("=") for part in found.split(","))
    assert list(values) == ["p50", "p99", "p99.9"]
    assert 0.6 <= float(values["p50"]) <= 0.664
    assert 800 <= float(values["p99"]) <= 808
    assert 1000 <= float(values["p99.9"]) <= 1008
    client.call("CONFIG", "SET", "latency-tracking-info-percentiles", "50")
    assert fields(client, "latencystats")["latency_percentiles_usec_get"].count("=") == 1
    client.call("CONFIG", "SET", "latency-tracking", "no")
    assert fields(client, "latencystats") == {}


class FakeAof:
    """What the append-only file shows."""

    aof_enabled = True
    aof_current_size = 1234
    aof_base_size = 1000
    aof_last_write_status = "err"
    aof_delayed_fsync = 3


def test_the_append_only_file_shows_its_figures(client: Client, oracle: Oracle) -> None:
    assert fields(client, "persistence")["aof_enabled"] == "0"
    assert "aof_current_size" not in fields(client, "persistence")
    client.engine.persistence = FakeAof()
    oracle.call("CONFIG", "SET", "appendonly", "yes")
    found = fields(client, "persistence")
    assert list(found) == list(sections(oracle.call("INFO", "persistence"))["# Persistence"])
    oracle.call("CONFIG", "SET", "appendonly", "no")
    assert found["aof_enabled"] == "1"
    assert (found["aof_current_size"], found["aof_delayed_fsync"]) == ("1234", "3")
    assert found["aof_last_write_status"] == "err"
    client.engine.keyspace.lazy_free.freed_objects = 5
    client.call("CONFIG", "RESETSTAT")
    assert fields(client, "persistence")["aof_delayed_fsync"] == "0"
    assert fields(client, "memory")["lazyfreed_objects"] == "0"


def test_memory_is_that_of_the_process(client: Client) -> None:
    client.call("SET", "ballast", b"x" * (64 << 20))
    client.now_ms += 200
    client.engine.observer.sample()
    found = fields(client, "memory")
    assert abs(int(found["used_memory_rss"]) - resident_bytes()) < 16 << 20
    assert 64 << 20 < int(found["used_memory"]) < 65 << 20
    assert int(found["used_memory_peak"]) >= int(found["used_memory"])
    assert int(found["used_memory_rss"]) <= machine_bytes()


def test_sizes_for_people() -> None:
    assert [human_bytes(size) for size in (0, 1023, 1024, 39178232, 5 << 30, 3 << 40)] == [
        "0B",
        "1023B",
        "1.00K",
        "37.36M",
        "5.00G",
        "3.00T",
    ]


def test_redis_py_reads_it() -> None:
    with kedis.Server(port=0) as server, server.client() as client:
        for number in range(200):
            client.set(f"key:{number}", number, ex=1000)
        time.sleep(0.35)
        found = client.info("everything")
        assert found["db0"]["keys"] == found["db0"]["expires"] == 200
        assert found["db0"]["avg_ttl"] > 900_000
        assert found["cmdstat_set"]["calls"] == 200
        assert found["tcp_port"] == server.port
        assert found["connected_clients"] == found["total_connections_received"] == 1
        assert found["instantaneous_ops_per_sec"] > 20
        assert found["total_net_input_bytes"] > 200 * 40
        assert found["total_net_output_bytes"] >= 200 * 5
        assert found["used_cpu_user"] > 0
        client.config_resetstat()
        assert client.info("stats")["total_net_output_bytes"] < 1000


def test_the_in_process_client_has_it_too() -> None:
    store = kedis.connect()
    store.set("k", "v")
    found = store.info()
    assert found["db0"]["keys"] == 1 and found["multiplexing_api"] == "none"


def test_an_engine_of_its_own_clock_has_no_negative_figures() -> None:
    clock = Clock()
    client = Client(Engine(Config(), clock=clock))
    clock.now_ns -= 10**12
    assert fields(client, "server")["uptime_in_seconds"] == "0"
