"""Recovery in C against recovery by the handlers: the same recorded commands, loaded in both ways."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest

from kedis import native
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.engine.table import CommandTable
from kedis.errors import CommandError
from kedis.persistence.folder import AofError
from kedis.rdb.payload import dump
from kedis.resp.replies import encode_command
from tests.native.requests import edge
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, load
from tests.persistence.server import encode, write_folder

NOW_NS = 1_700_000_000 * 10**9
TABLE = CommandTable()
LATER_MS, EARLIER_MS = 1_800_000_000_000, 1_600_000_000_000


def loaded(
    directory: Path, way: str, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> tuple[dict[str, Any] | str, Engine]:
    """What loading the folder ``way`` gives: the keyspace, or the error."""
    monkeypatch.setattr(native, "PATH", way)
    config = Config({"appendonly": "no", **{name.replace("_", "-"): text for name, text in settings.items()}})
    engine = Engine(config, clock=lambda: NOW_NS)
    engine.keyspace.random = random.Random(1)
    try:
        _, loader = load(directory, engine)
    except AofError as error:
        return str(error), engine
    state = {
        "data": [
            {key: _plain(value) for key, value in database.data.items()}
            for database in engine.keyspace.databases
        ],
        "expires": [dict(database.expires) for database in engine.keyspace.databases],
        "access": [
            None if database.access_tracker is None else dict(database.access_tracker.last_access)
            for database in engine.keyspace.databases
        ],
        "used": engine.keyspace.account.used,
        "dirty": engine.keyspace.dirty,
        "commands": loader.commands,
        "recorded": list(engine.propagation.entries),
        "tail": loader.tail,
    }
    return state, engine


def _plain(value: Any) -> Any:
    kind = type(value).__name__
    if isinstance(value, bytes | bytearray):
        return kind, bytes(value)
    return kind, value.footprint, dump(value)


def random_commands(rng: random.Random, count: int) -> bytes:
    """Commands as a journal holds them: also in transactions, other databases and unusual spellings."""
    made: list[bytes] = []
    in_transaction = False
    while len(made) < count:
        kind = rng.random()
        if kind < 0.06:
            made.append(
                encode(rng.choice(["EXEC", "exec"]) if in_transaction else rng.choice(["MULTI", "mUlti"]))
            )
            in_transaction = not in_transaction
        elif kind < 0.1:
            made.append(encode("SELECT", rng.choice([0, 1, 5])))
        elif kind < 0.14:
            made.append(encode("SET", "s1", "v", "PXAT", rng.choice([LATER_MS, EARLIER_MS])))
        elif kind < 0.18:
            name = rng.choice(["PEXPIREAT", "EXPIREAT", "pexpireat"])
            made.append(
                encode(name, rng.choice(["s1", "l1", "n1"]), rng.choice([LATER_MS, EARLIER_MS, -1, 0]))
            )
        elif kind < 0.24:
            made.append(encode("APPEND", rng.choice(["s1", "s2", "l1"]), "x" * rng.choice([0, 1, 500])))
        else:
            argv = edge(rng)
            with contextlib.suppress(CommandError):  # a wrong number of words is damage
                TABLE.resolve_recorded(argv)
                made.append(encode_command(argv))
    if in_transaction:
        made.append(encode("EXEC"))
    return b"".join(made)


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "allkeys-lfu"])
def test_both_ways_give_the_same(tmp_path: Path, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are passed over, so that every kind of command is met in every state."""
    settings = {"propagation_error_behavior": "ignore", "maxmemory": "1", "maxmemory_policy": policy}
    for seed in range(12):
        rng = random.Random(seed)
        content = random_commands(rng, rng.choice([20, 300, 1500]))
        write_folder(tmp_path, {BASE: b"", INCR: content, MANIFEST: LISTING})
        expected, _ = loaded(tmp_path, "python", monkeypatch, **settings)
        found, engine = loaded(tmp_path, "native", monkeypatch, **settings)
        assert found == expected, seed
        assert not isinstance(found, str), found
        for database in engine.keyspace.databases:
            database.check()


def test_the_same_commands_are_refused_with_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = encode("SET", "a", 1) + encode("MULTI") + encode("RPUSH", "l", 1)
    for bad in [
        encode("INCR", "l"),
        encode("LPUSH", "a", 1),
        encode("SET", "b"),
        encode("NOSUCH", 1),
        encode("SELECT", 99),
        encode("MULTI"),
        encode("WATCH", "a"),
        encode("PEXPIREAT", "a", "x"),
        b"*1\r\n$1\r\n",
    ]:
        write_folder(tmp_path, {BASE: b"", INCR: before + bad + encode("EXEC"), MANIFEST: LISTING})
        expected, _ = loaded(tmp_path, "python", monkeypatch)
        assert isinstance(expected, str), bad
        found, _ = loaded(tmp_path, "native", monkeypatch)
        assert found == expected, bad


def test_a_transaction_cut_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is missing of it, nothing of it is there."""
    first = encode("SET", "a", 1)
    whole = first + encode("MULTI") + encode("SET", "a", 2) + encode("INCR", "n") + encode("EXEC")
    for end in range(len(first), len(whole) + 1):
        write_folder(tmp_path, {BASE: b"", INCR: whole[:end], MANIFEST: LISTING})
        state, engine = loaded(tmp_path, "native", monkeypatch)
        assert not isinstance(state, str)
        done = end == len(whole)
        assert engine.keyspace.databases[0].data == ({b"a": b"2", b"n": b"1"} if done else {b"a": b"1"})
