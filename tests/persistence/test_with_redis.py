"""Folders that Redis and Kedis exchange, and the forms in which both record the same commands."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kedis.persistence.reader import AofReader
from tests.commands.driver import ErrorReply
from tests.persistence.folders import listing, load
from tests.persistence.server import Kedis, Wire, encode, write_folder
from tests.ports import free_port

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
pytestmark = needs_redis


class Redis:
    """Redis on a folder, journalling in the form that Kedis reads."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.port = free_port()
        words = ["redis-server", "--port", str(self.port), "--dir", str(directory), "--save", ""]
        words += ["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--enable-debug-command", "yes"]
        self.process = subprocess.Popen([*words, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.wire = Wire(self.port)
                if self.wire.call("EXISTS", "x") in (0, 1):
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError((self.process.stdout.read() if self.process.stdout else b"").decode())
            time.sleep(0.02)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.wire.close()
        assert self.process.stdout is not None
        self.process.stdout.close()


def content(wire: Wire, databases: int = 3) -> dict[Any, Any]:
    """Every key of a server: type, value and time to live."""
    found = {}
    for number in range(databases):
        wire.call("SELECT", number)
        for key in sorted(wire.call("KEYS", "*")):
            kind = wire.call("TYPE", key)
            reading: dict[bytes, tuple[Any, ...]] = {
                b"string": ("GET", key),
                b"list": ("LRANGE", key, 0, -1),
                b"set": ("SMEMBERS", key),
                b"hash": ("HGETALL", key),
                b"zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
            }
            value = wire.call(*reading[bytes(kind)])
            if kind == b"set":
                value = sorted(value)
            elif kind == b"hash":
                value = sorted(zip(value[::2], value[1::2], strict=True))
            found[number, key] = (bytes(kind), value, wire.call("PEXPIRETIME", key))
    wire.call("SELECT", 0)
    return found


def fill(wire: Wire, seed: int) -> None:
    """Data of every type, with times to live, in several databases, in transactions too."""
    rng = random.Random(seed)
    far = int(time.time() * 1000) + 10_000_000
    for number in (0, 2):
        wire.call("SELECT", number)
        for i in range(40):
            size = rng.choice([1, 3, 200])
            words = [b"%d\r\n#" % rng.randrange(10**6) for _ in range(size)]
            pairs = [part for word in words for part in (word, rng.choice([b"", b"v", word]))]
            scores = [
                part for word in words for part in (rng.choice(["1.5", "-inf", "inf", "3", "0.1"]), word)
            ]
            for command in (
                ("SET", f"s{i}", rng.randbytes(size)),
                ("RPUSH", f"l{i}", *words),
                ("SADD", f"m{i}", *words),
                ("HSET", f"h{i}", *pairs),
                ("ZADD", f"z{i}", *scores),
                ("APPEND", f"a{i}", "x" * size),
                ("INCRBYFLOAT", f"f{i}", "0.1"),
                ("SET", f"e{i}", "x", "PXAT", far + i),
                ("EXPIRE", f"{rng.choice('slmhz')}{i}", rng.randrange(1000, 9999)),
            ):
                wire.call(*command)
            wire.pipeline([("MULTI",), ("LPOP", f"l{i}"), ("SPOP", f"m{i}"), ("INCR", "n"), ("EXEC",)])


def test_redis_loads_what_kedis_wrote(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    kedis = Kedis(directory, "--aof-timestamp-enabled", "yes")
    wire = kedis.connect()
    fill(wire, 1)
    wire.call("BGREWRITEAOF")
    fill(wire, 2)
    _wait_for_rewrite(directory)
    fill(wire, 3)
    expected = content(wire)
    assert kedis.terminate() == 0
    assert len(listing(directory).incrs) == 1
    check = subprocess.run(
        ["redis-check-aof", str(directory / "appendonlydir" / "appendonly.aof.manifest")],
        capture_output=True,
        text=True,
    )
    assert check.returncode == 0 and "All AOF files and manifest are valid" in check.stdout, check.stdout
    redis = Redis(directory)
    assert content(redis.wire) == expected
    redis.wire.call("SELECT", 1)
    redis.wire.call("SET", "from", "redis")
    redis.end()
    kedis = Kedis(directory)
    again = content(kedis.connect())
    assert again.pop((1, b"from")) == (b"string", b"redis", -1)
    assert again == expected
    assert kedis.terminate() == 0


def test_kedis_loads_what_redis_wrote(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    fill(redis.wire, 4)
    redis.wire.call("BGREWRITEAOF")
    _wait_for_rewrite(tmp_path)
    fill(redis.wire, 5)
    expected = content(redis.wire)
    redis.end()
    kedis = Kedis(tmp_path)
    assert content(kedis.connect()) == expected
    assert kedis.terminate() == 0


def _wait_for_rewrite(directory: Path) -> None:
    deadline = time.monotonic() + 20
    folder = directory / "appendonlydir"
    while sorted(path.name for path in folder.iterdir()) != [
        "appendonly.aof.2.base.aof",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
    ]:
        assert time.monotonic() < deadline, list(folder.iterdir())
        time.sleep(0.05)


def test_the_single_file_of_old_versions_is_taken_over(tmp_path: Path) -> None:
    """As Redis does it: the file keeps its name and becomes the base."""
    old = encode("SELECT", 0) + encode("SET", "a", 1)
    folders = []
    for server in (Redis, Kedis):
        directory = tmp_path / server.__name__
        directory.mkdir()
        (directory / "appendonly.aof").write_bytes(old)
        running = server(directory)
        running_wire = Wire(running.port)
        assert running_wire.call("GET", "a") == b"1"
        running_wire.call("SET", "b", 2)
        running.end() if isinstance(running, Redis) else running.terminate()
        assert not (directory / "appendonly.aof").exists()
        folder = directory / "appendonlydir"
        folders.append({path.name: path.read_bytes() for path in folder.iterdir()})
    theirs, ours = folders
    assert theirs.keys() == ours.keys()
    assert theirs["appendonly.aof.manifest"] == ours["appendonly.aof.manifest"]
    assert theirs["appendonly.aof"] == ours["appendonly.aof"] == old
    assert (
        b"".join(line for line in ours["appendonly.aof.1.incr.aof"].splitlines(True) if line[:1] != b"#")
        == (theirs["appendonly.aof.1.incr.aof"])
    )


def until_rewritten(wire: Wire) -> None:
    """Wait for the end of a rewrite."""
    deadline = time.monotonic() + 20
    while b"aof_rewrite_in_progress:0" not in (info := wire.call("INFO", "persistence")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert b"aof_last_bgrewrite_status:ok" in info


def test_bases_in_rdb_form_are_exchanged(tmp_path: Path) -> None:
    redis = Redis(tmp_path, "--aof-use-rdb-preamble", "yes")
    fill(redis.wire, 6)
    redis.wire.call("BGREWRITEAOF")
    until_rewritten(redis.wire)
    redis.wire.call("SET", "after the base", 1)
    expected = content(redis.wire)
    redis.end()
    kedis = Kedis(tmp_path, "--aof-use-rdb-preamble", "yes")
    wire = kedis.connect()
    assert content(wire) == expected
    wire.call("BGREWRITEAOF")
    until_rewritten(wire)
    wire.call("SET", "after Kedis's base", 1)
    expected = content(wire)
    assert kedis.terminate() == 0
    (base,) = (tmp_path / "appendonlydir").glob("*.base.rdb")
    assert base.read_bytes().startswith(b"REDIS0010")
    redis = Redis(tmp_path, "--aof-use-rdb-preamble", "yes")
    assert content(redis.wire) == expected
    redis.end()


def test_commands_behind_a_snapshot_in_one_file(tmp_path: Path) -> None:
    """What versions before 7 wrote, once Redis 7 has taken it over."""
    redis = Redis(tmp_path, "--aof-use-rdb-preamble", "yes")
    redis.wire.call("SET", "in the snapshot", 1)
    redis.wire.call("BGREWRITEAOF")
    until_rewritten(redis.wire)
    redis.end()
    folder = tmp_path / "appendonlydir"
    (base,) = folder.glob("*.base.rdb")
    base.write_bytes(base.read_bytes() + encode("SELECT", 0) + encode("SET", "behind it", 2))
    kedis = Kedis(tmp_path)
    wire = kedis.connect()
    assert wire.call("MGET", "in the snapshot", "behind it") == [b"1", b"2"]
    assert kedis.terminate() == 0
    base.write_bytes(base.read_bytes() + b"*1\r\njunk")
    kedis = Kedis(tmp_path, wait=False)
    assert kedis.process.wait(20) == 1
    assert "is damaged" in kedis.log()
    assert f"at offset {base.stat().st_size - 8}" in kedis.log()


# -- the same commands, recorded by both ------------------------------------------------------------------

FAMILIES: dict[str, list[tuple[Any, ...]]] = {
    "strings": [
        ("SET", "a", 1),
        ("SET", "a", 2, "EX", 1000),
        ("SET", "a", 3, "KEEPTTL"),
        ("SET", "a", 4, "NX"),
        ("SET", "a", 4, "XX", "GET"),
        ("SETEX", "b", 1000, 1),
        ("PSETEX", "b", 1000000, 1),
        ("SETNX", "b", 1),
        ("GETEX", "b", "EX", 500),
        ("GETEX", "b", "PERSIST"),
        ("GETEX", "b"),
        ("GETDEL", "b"),
        ("GETDEL", "b"),
        ("GETSET", "a", 5),
        ("INCRBYFLOAT", "a", "1.5"),
        ("APPEND", "a", "x"),
        ("APPEND", "a", ""),
        ("SETRANGE", "a", 1, "y"),
        ("INCR", "n"),
        ("DECRBY", "n", 5),
        ("MSET", "p", 1, "q", 2),
        ("MSETNX", "p", 1, "r", 2),
        ("MSETNX", "s", 1, "t", 2),
        ("SETBIT", "bits", 3, 1),
        ("SETBIT", "bits", 3, 1),
        ("BITFIELD", "bits", "INCRBY", "u4", 0, 3),
        ("BITFIELD", "bits", "GET", "u4", 0),
        ("BITOP", "NOT", "c", "bits"),
        ("PFADD", "hll", 1, 2, 3),
        ("PFADD", "hll", 1, 2, 3),
    ],
    "keys": [
        ("SET", "a", 1),
        ("EXPIRE", "a", 1000),
        ("EXPIRE", "a", 2000, "GT"),
        ("EXPIRE", "a", 2000, "NX"),
        ("PEXPIRE", "a", 1000000),
        ("EXPIREAT", "a", 4000000000),
        ("PEXPIREAT", "a", 4000000000000),
        ("PERSIST", "a"),
        ("PERSIST", "a"),
        ("EXPIRE", "a", -1),
        ("SET", "a", 1),
        ("RENAME", "a", "b"),
        ("RENAMENX", "b", "c"),
        ("COPY", "c", "d"),
        ("COPY", "c", "d"),
        ("MOVE", "c", 1),
        ("DEL", "nothing"),
        ("DEL", "d", "nothing"),
        ("SET", "u", 1),
        ("UNLINK", "u"),
        ("RPUSH", "l", 3, 1, 2),
        ("SORT", "l", "STORE", "sorted"),
        ("SORT", "nothing", "STORE", "sorted"),
        ("FLUSHDB",),
        ("SWAPDB", 0, 1),
        ("FLUSHALL", "ASYNC"),
    ],
    "lists": [
        ("RPUSH", "l", 1, 2, 3, 4, 5),
        ("LPUSHX", "no", 1),
        ("LPOP", "l"),
        ("RPOP", "l", 2),
        ("LPOP", "no"),
        ("LMOVE", "l", "m", "LEFT", "RIGHT"),
        ("RPOPLPUSH", "m", "m"),
        ("BLPOP", "l", 0),
        ("RPUSH", "l", 1, 2, 3, 2),
        ("BRPOPLPUSH", "l", "m", 0),
        ("BLMOVE", "l", "m", "LEFT", "LEFT", 0),
        ("LMPOP", 2, "no", "l", "RIGHT", "COUNT", 2),
        ("BLMPOP", 0, 2, "no", "m", "LEFT"),
        ("RPUSH", "l", 1, 2, 3, 2),
        ("LINSERT", "l", "BEFORE", 2, "x"),
        ("LINSERT", "l", "BEFORE", 99, "x"),
        ("LSET", "l", 0, "y"),
        ("LREM", "l", 0, 2),
        ("LREM", "l", 0, 99),
        ("LTRIM", "l", 0, 1),
        ("LTRIM", "l", 5, 1),
    ],
    "sets": [
        ("SADD", "s", 1, 2, 3),
        ("SADD", "s", 1),
        ("SREM", "s", 9),
        ("SREM", "s", 1, 9),
        ("SADD", "one", 1),
        ("SPOP", "one"),
        ("SPOP", "s", 10),
        ("SPOP", "s"),
        ("SADD", "s", 1, 2, 3),
        ("SPOP", "s", 0),
        ("SMOVE", "s", "t", 1),
        ("SMOVE", "s", "t", 9),
        ("SUNIONSTORE", "u", "s", "t"),
        ("SINTERSTORE", "u", "s", "t"),
        ("SINTERSTORE", "u", "s", "t"),
        ("SDIFFSTORE", "u", "s", "t"),
    ],
    "hashes": [
        ("HSET", "h", "a", 1, "b", 2),
        ("HSET", "h", "a", 1),
        ("HMSET", "h", "c", 1),
        ("HSETNX", "h", "c", 1),
        ("HINCRBY", "h", "a", 5),
        ("HINCRBYFLOAT", "h", "a", "1.25"),
        ("HDEL", "h", "nothing"),
        ("HDEL", "h", "a", "nothing"),
        ("HDEL", "h", "b", "c"),
    ],
    "sorted sets": [
        ("ZADD", "z", 1, "a", 2, "b", 3, "c"),
        ("ZADD", "z", 1, "a"),
        ("ZADD", "z", "GT", "CH", 5, "a", 1, "b"),
        ("ZINCRBY", "z", "1.5", "a"),
        ("ZADD", "z", "INCR", "1.5", "a"),
        ("ZREM", "z", "nothing"),
        ("ZPOPMIN", "z"),
        ("ZPOPMAX", "z", 2),
        ("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d", 5, "e"),
        ("BZPOPMIN", "z", 0),
        ("ZMPOP", 2, "no", "z", "MAX", "COUNT", 1),
        ("BZMPOP", 0, 1, "z", "MIN"),
        ("ZRANGESTORE", "y", "z", 0, -1),
        ("ZUNIONSTORE", "y", 2, "z", "y", "WEIGHTS", 1, 2),
        ("ZREMRANGEBYSCORE", "z", "-inf", "(1"),
        ("ZREMRANGEBYRANK", "z", 0, -1),
    ],
    "transactions": [
        ("MULTI",),
        ("SET", "a", 1),
        ("GET", "a"),
        ("INCR", "a"),
        ("EXEC",),
        ("MULTI",),
        ("GET", "a"),
        ("EXEC",),
        ("MULTI",),
        ("SET", "a", 3),
        ("EXEC",),
        ("MULTI",),
        ("SELECT", 2),
        ("SET", "a", 3),
        ("SELECT", 0),
        ("EXPIRE", "a", 100),
        ("EXEC",),
        ("MULTI",),
        ("SET", "a", 3),
        ("DISCARD",),
        ("SELECT", 1),
        ("SET", "other", 3),
    ],
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[tuple[Redis, Path], tuple[Kedis, Path]]]:
    theirs, ours = tmp_path_factory.mktemp("redis"), tmp_path_factory.mktemp("kedis")
    # Under everysec Redis puts a write off while a sync is slow.
    redis, kedis = Redis(theirs, "--appendfsync", "no"), Kedis(ours)
    yield (redis, theirs), (kedis, ours)
    redis.end()
    kedis.kill()


def journal(path: Path) -> list[list[bytes]]:
    """The commands of a file, in order."""
    with open(path, "rb", buffering=0) as file:
        return [argv for batch in AofReader(file).batches() for argv in batch]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_forms(both: tuple[tuple[Redis, Path], tuple[Kedis, Path]], family: str) -> None:
    """Kedis records what Redis records, word for word but for times, which differ by the moment they were taken."""
    forms = []
    known = Wire(both[1][0].port)
    commands = [
        words
        for words in FAMILIES[family]
        if words[0] == "EXEC" or known.call("COMMAND", "INFO", words[0]) != [None]
    ]
    known.close()
    for server, directory in both:
        path = directory / "appendonlydir" / "appendonly.aof.1.incr.aof"
        before = len(journal(path))
        wire = Wire(server.port)
        wire.call("FLUSHALL")
        for words in commands:
            wire.call(*words)
        wire.close()
        forms.append([list(map(_round, argv)) for argv in journal(path)[before:]])
    assert forms[1] == forms[0]
    if len(commands) < len(FAMILIES[family]):
        missing = {words[0] for words in FAMILIES[family]} - {words[0] for words in commands}
        pytest.skip(f"not all commands exist yet: {sorted(missing)}")


def _round(word: bytes) -> bytes:
    """A time in milliseconds near now, in hundreds of seconds; names in capitals, as nothing depends on their case."""
    if len(word) == 13 and word.isdigit():
        return b"%d" % round(int(word) / 100_000)
    return word.upper()


def test_what_expires_is_recorded_as_deleted(both: tuple[tuple[Redis, Path], tuple[Kedis, Path]]) -> None:
    forms = []
    for server, directory in both:
        path = directory / "appendonlydir" / "appendonly.aof.1.incr.aof"
        wire = Wire(server.port)
        wire.call("SELECT", 7)
        wire.call("SET", "gone", 1)
        before = len(journal(path))
        wire.call("PEXPIRE", "gone", 30)
        time.sleep(0.05)
        assert wire.call("GET", "gone") is None
        wire.close()
        forms.append([[argv[0].upper(), argv[1]] for argv in journal(path)[before:]])
    assert forms == [[[b"PEXPIREAT", b"gone"], [b"DEL", b"gone"]]] * 2


def test_a_file_with_checksums_everywhere_is_fine_with_redis(tmp_path: Path) -> None:
    """Comments between any two commands, transactions included."""
    from kedis.persistence.checksum import checksum_line

    line = checksum_line(0xFFFFFFFF, 2**60)
    incr = b"".join(
        part + line
        for part in (
            b"",
            encode("SELECT", 0),
            encode("MULTI"),
            encode("SET", "a", 1),
            encode("SET", "b", 1),
            encode("EXEC"),
        )
    )
    base, manifest = "appendonly.aof.1.base.aof", "appendonly.aof.manifest"
    listing_ = f"file {base} seq 1 type b\nfile i seq 1 type i\n".encode()
    write_folder(tmp_path, {base: line, "i": incr, manifest: listing_})
    redis = Redis(tmp_path)
    assert redis.wire.call("MGET", "a", "b") == [b"1", b"1"]
    assert not isinstance(redis.wire.call("SET", "c", 1), ErrorReply)
    redis.end()
    engine, _ = load(tmp_path, aof_checksum="no")
    assert len(engine.keyspace.databases[0]) == 3
