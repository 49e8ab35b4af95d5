"""Which keys go when memory is full, which may not, and what is told of it; by a clock that the test moves."""

from __future__ import annotations

import pytest

from kedis.config import Config
from kedis.engine.absent import NoEventLoop
from kedis.engine.engine import Engine
from kedis.engine.maxmemory import STARTUP_BYTES
from kedis.store.access import LFU_BEGIN, LFU_MOST, LfuTracker, LruTracker
from tests.commands.driver import START_NS, Client, ErrorReply, Recorder

OOM = ErrorReply("OOM command not allowed when used memory > 'maxmemory'.")
POLICIES = ("lru", "lfu", "random")


class Clock:
    """Moves when it is told to, and by ``tick`` whenever somebody looks."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.tick = 0

    def __call__(self) -> int:
        self.now_ns += self.tick
        return self.now_ns

    def advance(self, milliseconds: int) -> None:
        self.now_ns += milliseconds * 1_000_000


class Store:
    """An engine of 100 keys of the same size, whose limit is set afterwards."""

    def __init__(self, policy: str, keys: int = 100, volatile: int = 0, **settings: str) -> None:
        self.clock = Clock()
        self.engine = Engine(Config(), clock=self.clock)
        self.engine.keyspace.random.seed(7)
        self.journal = Recorder(self.engine)
        self.client = Client(self.engine)
        self.set("maxmemory-policy", policy)
        self.set("maxmemory-samples", 10)
        for name, value in settings.items():
            self.set(name.replace("_", "-"), value)
        for number in range(keys):
            self.client.call("SET", f"key:{number:04d}", "x" * 100)
            if number < volatile:
                self.client.call("PEXPIREAT", f"key:{number:04d}", 4_000_000_000_000 + number)
            self.clock.advance(1)
        self.full = self.engine.keyspace.used

    def set(self, name: str, value: object) -> None:
        assert self.client.call("CONFIG", "SET", name, value) == b"OK"

    def shrink(self, share: float) -> None:
        """Leave room for a share of what there is, and let a command make that true."""
        self.set("maxmemory", STARTUP_BYTES + int(self.full * share))
        self.client.call("PING")
        self.engine.keyspace.check()

    def numbers(self) -> list[int]:
        """The keys that are left."""
        return sorted(int(key[4:]) for key in self.engine.keyspace.databases[0].data if key[:4] == b"key:")


def test_noeviction_refuses_what_may_grow_and_serves_the_rest() -> None:
    store = Store("noeviction")
    call = store.client.call
    store.shrink(0.5)
    assert call("SET", "a", "b") == OOM
    assert call("LPUSH", "list", "b") == OOM
    assert call("GET", "key:0001") == b"x" * 100
    assert call("DEL", "key:0001") == 1
    assert len(store.numbers()) == 99
    assert call("MULTI") == b"OK"
    assert call("SET", "a", "b") == OOM
    assert call("EXEC") == ErrorReply("EXECABORT Transaction discarded because of previous errors.")
    for number in range(2, 60):
        call("DEL", f"key:{number:04d}")
    assert call("SET", "a", "b") == b"OK"


def test_a_transaction_queued_before_memory_was_full_is_refused_whole() -> None:
    store = Store("noeviction")
    call = store.client.call
    call("MULTI")
    call("SET", "a", "b")
    Client(store.engine).call("CONFIG", "SET", "maxmemory", 1000)
    assert call("EXEC") == ErrorReply(
        "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'."
    )
    call("MULTI")
    assert call("GET", "a") == OOM


def test_what_does_not_even_hold_the_empty_server_refuses_every_write_as_in_redis() -> None:
    store = Store("allkeys-lru", keys=0)
    store.set("maxmemory", 1)
    assert store.client.call("SET", "a", "b") == OOM
    assert store.client.call("GET", "a") is None
    store.set("maxmemory", STARTUP_BYTES + 1000)
    assert store.client.call("SET", "a", "b") == b"OK"


def test_no_key_makes_room_for_clients_that_are_gone() -> None:
    store = Store("allkeys-lru")
    memory, buffers = store.engine.memory, store.full
    memory.count = lambda: buffers
    store.set("maxmemory", STARTUP_BYTES + 2 * store.full)
    memory.count_clients(buffers)
    store.client.call("SET", "key:0000", "x" * 100)
    assert len(store.numbers()) == 100, "both fit"
    buffers = 0
    store.clock.advance(20)
    for number in range(100, 150):
        store.client.call("SET", f"key:{number:04d}", "x" * 100)
    assert len(store.numbers()) == 150, "the place of the buffers is free, though nobody has counted since"
    buffers = store.full
    store.clock.advance(20)
    memory.count_clients(buffers)
    store.client.call("PING")
    assert len(store.numbers()) <= 100


@pytest.mark.parametrize("kind", POLICIES)
def test_volatile_policies_spare_keys_that_do_not_expire(kind: str) -> None:
    store = Store(f"volatile-{kind}", volatile=60)
    store.shrink(0.7)
    assert set(store.numbers()) >= set(range(60, 100))
    assert len(store.numbers()) < 80
    store.shrink(0.2)
    assert store.numbers() == list(range(60, 100))
    assert store.client.call("SET", "a", "b") == OOM


@pytest.mark.parametrize("kind", POLICIES)
def test_allkeys_policies_go_on_to_the_last(kind: str) -> None:
    store = Store(f"allkeys-{kind}", volatile=50)
    store.shrink(0.1)
    assert 0 < len(store.numbers()) <= 12
    assert store.engine.keyspace.used <= store.engine.config.maxmemory - STARTUP_BYTES
    store.shrink(0.0001)
    assert store.numbers() == []
    assert store.client.call("SET", "a", "b") == b"OK"  # there was room until now
    assert store.client.call("EXISTS", "a") == 0


def test_lru_evicts_what_was_not_used_for_longest() -> None:
    store = Store("allkeys-lru")
    for number in range(0, 100, 2):
        store.client.call("GET", f"key:{number:04d}")
        store.clock.advance(1)
    store.shrink(0.55)
    assert set(range(0, 100, 2)) <= set(store.numbers())


def test_lfu_keeps_what_is_used_often() -> None:
    store = Store("allkeys-lfu", lfu_log_factor="1")
    for _ in range(40):
        for number in range(20):
            store.client.call("GET", f"key:{number:04d}")
    for number in range(20, 100):  # a scan of everything else does not harm them
        store.client.call("GET", f"key:{number:04d}")
    store.shrink(0.3)
    assert set(range(20)) <= set(store.numbers())


def test_volatile_ttl_evicts_what_would_go_first() -> None:
    store = Store("volatile-ttl", volatile=100)
    store.shrink(0.5)
    left = store.numbers()
    assert len(left) >= 40
    assert sum(number >= 50 for number in left) > 0.8 * len(left)


def test_what_is_evicted_is_journalled_counted_and_published() -> None:
    store = Store("allkeys-random")
    store.set("notify-keyspace-events", "Ee")
    listener = Client(store.engine)
    listener.call("SUBSCRIBE", "__keyevent@0__:evicted")
    before = set(store.engine.keyspace.databases[0].data)
    store.journal.entries.clear()
    store.shrink(0.9)
    gone = before - set(store.engine.keyspace.databases[0].data)
    assert gone
    assert store.journal.entries == [(0, [b"DEL", key]) for key in _in_order(store, gone)]
    events = listener.pushed()
    assert {event[2] for event in events} == gone
    assert f"evicted_keys:{len(gone)}\r\n".encode() in store.client.call("INFO", "stats")


def _in_order(store: Store, gone: set[bytes]) -> list[bytes]:
    told = [argv[1] for _, argv in store.journal.entries]
    assert set(told) == gone
    assert len(told) == len(gone)
    return told


def test_evictions_take_their_time_in_slices() -> None:
    store = Store("allkeys-lru", keys=2000)
    store.clock.tick = 100_000  # each look at the clock finds 0.1 ms gone
    later: list[bool] = []

    class Loop(NoEventLoop):
        def evict_later(self) -> None:
            later.append(True)

    store.engine.attach_loop(Loop())
    store.set("maxmemory", STARTUP_BYTES + int(store.full * 0.1))
    store.client.call("PING")
    some = len(store.numbers())
    assert 200 < some < 2000
    assert later
    assert store.client.call("SET", "a", "b") == b"OK"  # under way is not out of memory
    while store.engine.restrictions.memory_full:
        store.engine.memory.make_room()
    assert len(store.numbers()) < 200


def test_how_long_memory_was_over_its_limit() -> None:
    store = Store("noeviction", keys=10)
    store.shrink(0.5)
    store.clock.advance(3000)

    def told() -> list[bytes]:
        lines = store.client.call("INFO", "stats").split(b"\r\n")
        return [line.partition(b":")[2] for line in lines if b"_eviction_exceeded_time" in line]

    assert told() == [b"3000", b"3000"]
    store.set("maxmemory", 0)
    store.client.call("PING")
    store.clock.advance(1000)
    assert told() == [b"3000", b"0"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("lazyfree-lazy-user-del", ("DEL", "big")),
        ("lazyfree-lazy-user-flush", ("FLUSHALL",)),
        ("lazyfree-lazy-user-flush", ("FLUSHDB",)),
        ("lazyfree-lazy-server-del", ("SET", "big", "x")),
    ],
)
def test_the_settings_of_lazy_freeing(setting: str, words: tuple[str, ...]) -> None:
    for choice, waiting in (("no", False), ("yes", True)):
        store = Store("noeviction", keys=0)
        store.engine.keyspace.lazy_free.enabled = True
        store.set(setting, choice)
        store.client.call("SADD", "big", *range(5000))
        store.client.call(*words)
        lazy_free = store.engine.keyspace.lazy_free
        assert bool(lazy_free.pending) is waiting
        while lazy_free.free(store.clock):
            pass
        assert lazy_free.pending == 0
        store.engine.keyspace.check()


def test_large_values_are_freed_before_more_is_evicted() -> None:
    store = Store("allkeys-lru", keys=10)
    store.engine.keyspace.lazy_free.enabled = True
    store.client.call("SADD", "big", *range(5000))
    store.clock.advance(1)
    for number in range(10):
        store.client.call("GET", f"key:{number:04d}")
    store.set("maxmemory", STARTUP_BYTES + store.full * 2)
    while store.engine.restrictions.memory_full:
        store.engine.memory.make_room()
    assert store.numbers() == list(range(10))


def test_idle_time() -> None:
    store = Store("allkeys-lru", keys=1)
    call = store.client.call
    store.clock.advance(10_000)
    for looker in ("TTL", "TYPE", "EXISTS"):
        call(looker, "key:0000")
    assert call("OBJECT", "IDLETIME", "key:0000") == 10
    call("TOUCH", "key:0000")
    assert call("OBJECT", "IDLETIME", "key:0000") == 0
    store.clock.advance(3000)
    call("APPEND", "key:0000", "x")
    store.clock.advance(2000)
    assert call("OBJECT", "IDLETIME", "key:0000") == 2


def test_a_client_that_does_not_touch() -> None:
    store = Store("allkeys-lru", keys=1)
    call = store.client.call
    assert call("CLIENT", "NO-TOUCH", "on") == b"OK"
    store.clock.advance(5000)
    assert call("GET", "key:0000") == b"x" * 100
    assert call("OBJECT", "IDLETIME", "key:0000") == 5
    call("TOUCH", "key:0000")
    assert call("OBJECT", "IDLETIME", "key:0000") == 0
    store.clock.advance(5000)
    assert call("CLIENT", "NO-TOUCH", "off") == b"OK"
    call("GET", "key:0000")
    assert call("OBJECT", "IDLETIME", "key:0000") == 0
    assert call("CLIENT", "NO-TOUCH", "maybe") == ErrorReply("ERR syntax error")


def test_frequency_rises_by_chance_and_falls_with_time() -> None:
    store = Store("allkeys-lfu", keys=1)
    call = store.client.call
    assert call("OBJECT", "FREQ", "key:0000") == LFU_BEGIN
    for _ in range(1000):
        call("GET", "key:0000")
    risen = call("OBJECT", "FREQ", "key:0000")
    assert 10 < risen < 40
    store.clock.advance(3 * 60_000)
    assert call("OBJECT", "FREQ", "key:0000") == risen - 3
    store.set("lfu-decay-time", 0)
    assert call("OBJECT", "FREQ", "key:0000") == risen
    store.set("lfu-log-factor", 0)
    for _ in range(300):
        call("GET", "key:0000")
    assert call("OBJECT", "FREQ", "key:0000") == LFU_MOST


def test_a_new_key_begins_alike_however_long_the_server_has_run() -> None:
    store = Store("allkeys-lfu", keys=1)
    store.clock.advance(30 * 60_000)
    call = store.client.call
    assert call("OBJECT", "FREQ", "key:0000") == 0
    call("SET", "new", "x")
    call("RPUSH", "list", "x")
    assert call("OBJECT", "FREQ", "new") == call("OBJECT", "FREQ", "list") == LFU_BEGIN


def test_of_keys_used_as_often_the_one_unused_for_longer_goes_first() -> None:
    store = Store("allkeys-lfu", keys=0)
    for name in ("b", "d", "a", "c"):
        store.client.call("SET", name, "x")
        store.clock.advance(10)
    database = store.engine.keyspace.databases[0]
    tracker = database.access_tracker
    assert isinstance(tracker, LfuTracker)
    names = (b"a", b"b", b"c", b"d")
    assert sorted(names, key=lambda key: -tracker.eviction_score(key)) == [b"b", b"d", b"a", b"c"]
    store.client.call("GET", "b")
    assert min(names, key=lambda key: tracker.eviction_score(key)) == b"b", (
        "a count that is higher comes before any moment"
    )


def test_a_change_of_policy_begins_to_note_uses_anew() -> None:
    store = Store("noeviction", keys=3)
    keyspace = store.engine.keyspace
    store.clock.advance(5000)
    store.set("maxmemory-policy", "allkeys-lru")
    assert type(keyspace.databases[0].access_tracker) is LruTracker
    store.clock.advance(2000)
    assert store.client.call("OBJECT", "IDLETIME", "key:0001") == 2
    store.client.call("GET", "key:0001")
    store.set("maxmemory-policy", "volatile-lfu")
    assert type(keyspace.databases[0].access_tracker) is LfuTracker
    assert not keyspace.databases[0].access_tracker.last_access
    assert store.client.call("OBJECT", "FREQ", "key:0001") == LFU_BEGIN
    keyspace.check()
    store.client.call("GET", "key:0001")
    keyspace.check()
    store.set("maxmemory-policy", "noeviction")
    keyspace.check()


def test_the_account_with_noted_uses_through_every_removal() -> None:
    store = Store("allkeys-lru", volatile=50)
    call = store.client.call
    call("RENAME", "key:0001", "other")
    call("COPY", "other", "third")
    call("SWAPDB", 0, 1)
    call("SELECT", 1)
    call("MOVE", "other", 0)
    call("UNLINK", "third")
    store.engine.keyspace.check()
    call("FLUSHDB", "ASYNC")
    call("SELECT", 0)
    call("FLUSHALL")
    store.engine.keyspace.check()
    assert store.engine.keyspace.used == 0


def test_memory_commands() -> None:
    store = Store("noeviction", keys=10)
    call = store.client.call
    assert 190 <= call("MEMORY", "USAGE", "key:0001") <= 250
    assert call("MEMORY", "USAGE", "key:0001", "SAMPLES", 0) == call("MEMORY", "USAGE", "key:0001")
    assert call("MEMORY", "USAGE", "nothing") is None
    for options in (("SAMPLES",), ("SAMPLES", "-1"), ("FOO", "1")):
        assert call("MEMORY", "USAGE", "key:0001", *options) == ErrorReply("ERR syntax error")
    assert call("MEMORY", "USAGE", "key:0001", "SAMPLES", "x") == ErrorReply(
        "ERR value is not an integer or out of range"
    )
    call("RPUSH", "list", *["y" * 1000] * 50)
    assert 50_000 < call("MEMORY", "USAGE", "list") < 60_000
    stats = call("MEMORY", "STATS")
    figures = dict(zip(stats[::2], stats[1::2], strict=True))
    assert figures[b"keys.count"] == 11
    assert figures[b"startup.allocated"] == STARTUP_BYTES
    assert figures[b"total.allocated"] == STARTUP_BYTES + store.engine.keyspace.used
    assert figures[b"dataset.bytes"] + figures[b"overhead.total"] == figures[b"total.allocated"]
    assert b"so little" in call("MEMORY", "DOCTOR")
    assert call("MEMORY", "PURGE") == b"OK"


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "volatile-lfu"])
def test_purge_changes_nothing_but_where_things_lie(policy: str) -> None:
    store = Store(policy, keys=3000, volatile=1500)
    call = store.client.call
    call("SELECT", 3)
    call("HSET", "h", *range(40))
    call("SELECT", 0)
    for number in range(2, 3000):
        call("DEL", f"key:{number:04d}")
    database = store.engine.keyspace.databases[0]
    used, large = store.engine.keyspace.used, database.data.__sizeof__()
    cursor, first = call("SCAN", 0, "COUNT", 1)
    assert call("MEMORY", "PURGE") == b"OK"
    store.engine.keyspace.check()
    assert store.engine.keyspace.used == used
    assert database.data.__sizeof__() < large / 10
    rest: list[bytes] = []
    while cursor != b"0":
        cursor, more = call("SCAN", cursor, "COUNT", 1)
        rest += more
    assert {*first, *rest} == {b"key:0000", b"key:0001"}
    assert call("PEXPIRETIME", "key:0001") == 4_000_000_000_001
    call("SELECT", 3)
    assert call("HLEN", "h") == 20
