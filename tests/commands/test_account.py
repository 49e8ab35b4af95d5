"""The account of memory beside every command that takes from a list or a sorted set: it must be left as it was."""

from __future__ import annotations

import pytest

from tests.account import check
from tests.commands.driver import Client

#: What fills again what a command took, and the command; the key never runs empty, which would hide a leak.
JOBS = {
    "BLPOP": ("RPUSH list job", "BLPOP list 0"),
    "BRPOP": ("LPUSH list job", "BRPOP list 0"),
    "BLMPOP": ("RPUSH list job", "BLMPOP 0 1 list LEFT"),
    "BLMOVE": ("LPUSH list job", "BLMOVE list list LEFT RIGHT 0|RPOP list"),
    "BRPOPLPUSH": ("LPUSH list job", "BRPOPLPUSH list other 0|LPOP other"),
    "BZPOPMIN": ("ZADD zset 1 job", "BZPOPMIN zset 0"),
    "BZPOPMAX": ("ZADD zset 3 job", "BZPOPMAX zset 0"),
    "BZMPOP": ("ZADD zset 1 job", "BZMPOP 0 1 zset MIN"),
    "LPOP": ("RPUSH list job", "LPOP list"),
}
JOB = "x" * 1000


def run(client: Client, line: str) -> None:
    for part in line.replace("job", JOB).split("|"):
        client.call(*part.split())


@pytest.mark.parametrize("name", JOBS)
def test_a_queue_that_never_runs_empty_does_not_grow(name: str) -> None:
    client = Client()
    fill, take = JOBS[name]
    run(client, "RPUSH list job|ZADD zset 2 kept")
    run(client, fill)
    run(client, take)
    before = client.engine.keyspace.used
    for _ in range(100):
        run(client, fill)
        run(client, take)
    assert client.engine.keyspace.used - before < len(JOB), (
        "no job is left in the account; a table may have grown"
    )
    check(client.engine)


def test_a_job_queue_under_noeviction_is_not_refused() -> None:
    client = Client()
    assert client.call("CONFIG", "SET", "maxmemory", 2_000_000) == b"OK"
    run(client, "RPUSH list job")
    for _ in range(3000):
        assert client.call("RPUSH", "list", JOB) == 2
        assert client.call("BLPOP", "list", 0) == [b"list", JOB.encode()]


def test_the_check_after_every_test_finds_what_was_passed_by() -> None:
    client = Client()
    run(client, "RPUSH list job job")
    value = client.state.db.data[b"list"]
    value.accounted_bytes += 16
    with pytest.raises(AssertionError):
        check(client.engine)
    value.accounted_bytes -= 16
