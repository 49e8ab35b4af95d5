"""MULTI, EXEC, DISCARD, WATCH and UNWATCH: scripts of commands and answers."""

from __future__ import annotations

import pytest

from tests.commands.driver import Client, ErrorReply

WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
ABORTED = ErrorReply("EXECABORT Transaction discarded because of previous errors.")


@pytest.fixture
def client() -> Client:
    return Client()


def transaction(client: Client, *lines: str) -> object:
    """Queue the commands and return what EXEC answers."""
    assert client.call("MULTI") == b"OK"
    for line in lines:
        assert client.call(*line.split()) == b"QUEUED"
    return client.call("EXEC")


def test_commands_are_queued_and_then_run(client: Client) -> None:
    other = client.another()
    assert client.call("MULTI") == b"OK"
    assert client.call("SET", "k", "v") == b"QUEUED"
    assert client.call("get", "k") == b"QUEUED"
    assert other.call("GET", "k") is None
    assert client.call("EXEC") == [b"OK", b"v"]
    assert other.call("GET", "k") == b"v"
    assert client.call("GET", "k") == b"v"


def test_an_error_does_not_stop_the_others(client: Client) -> None:
    client.call("SET", "s", "x")
    answers = transaction(client, "SET a 1", "LPUSH s x", "INCR s", "SET a 1 EX 0", "SET b 2")
    assert answers == [
        b"OK",
        WRONG_TYPE,
        ErrorReply("ERR value is not an integer or out of range"),
        ErrorReply("ERR invalid expire time in 'set' command"),
        b"OK",
    ]
    assert client.call("MGET", "a", "b") == [b"1", b"2"]


@pytest.mark.parametrize("count", [3, 300])
def test_an_answer_is_as_of_its_command(client: Client, count: int) -> None:
    """Also that of a large hash or set, which is the container itself until it is encoded."""
    client.call("HSET", "h", *[word for number in range(count) for word in (f"f{number}", "v" * 70)])
    client.call("SADD", "s", *[f"m{number}" for number in range(count)])
    answers = transaction(
        client,
        "HGETALL h",
        "SMEMBERS s",
        "SUNION s none",
        "HSET h new 1",
        "HDEL h f0",
        "SADD s new",
        "SREM s m0",
        "HGETALL h",
        "SMEMBERS s",
    )
    assert isinstance(answers, list)
    fields = answers[0][0::2] if isinstance(answers[0], list) else list(answers[0])
    assert sorted(fields) == sorted(b"f%d" % number for number in range(count))
    members = sorted(b"m%d" % number for number in range(count))
    assert sorted(answers[1]) == sorted(answers[2]) == members
    assert b"new" in answers[7] and b"f0" not in answers[7]
    assert b"new" in answers[8] and b"m0" not in answers[8]


def test_a_refused_command_aborts(client: Client) -> None:
    for refused in (["FOO"], ["GET"], ["GET", "a", "b"], ["CLIENT", "FOO"]):
        client.call("MULTI")
        client.call("SET", "k", "v")
        assert isinstance(client.call(*refused), ErrorReply)
        assert client.call("GET", "k") == b"QUEUED"
        assert client.call("EXEC") == ABORTED
        assert client.call("GET", "k") is None


def test_words_out_of_place(client: Client) -> None:
    assert client.call("EXEC") == ErrorReply("ERR EXEC without MULTI")
    assert client.call("DISCARD") == ErrorReply("ERR DISCARD without MULTI")
    assert client.call("UNWATCH") == b"OK"
    client.call("MULTI")
    assert client.call("MULTI") == ErrorReply("ERR MULTI calls can not be nested")
    assert client.call("WATCH", "k") == ErrorReply("ERR WATCH inside MULTI is not allowed")
    assert client.call("UNWATCH") == b"QUEUED"
    assert client.call("EXEC") == [b"OK"]  # neither error counts against the transaction
    assert transaction(client) == []


def test_discard(client: Client) -> None:
    client.call("WATCH", "k")
    client.call("MULTI")
    client.call("SET", "k", "v")
    client.call("FOO")
    assert client.call("DISCARD") == b"OK"
    assert client.call("GET", "k") is None
    client.another().call("SET", "k", "w")
    assert transaction(client, "GET k") == [b"w"]


@pytest.mark.parametrize(
    "change",
    [
        "SET k other",
        "DEL k",
        "APPEND k x",
        "EXPIRE k 100",
        "RENAME k elsewhere",
        "RENAME x k",
        "FLUSHDB",
        "FLUSHALL",
        "FLUSHALL ASYNC",
        "SWAPDB 0 1",
        "SETRANGE k 0 v",
        "GETEX k PX 50",
    ],
)
@pytest.mark.parametrize("own", [False, True])
def test_a_change_breaks_a_watch(client: Client, change: str, own: bool) -> None:
    client.call("MSET", "k", "v", "x", "y")
    client.call("WATCH", "unrelated", "k")
    (client if own else client.another()).call(*change.split())
    assert transaction(client, "PING") is None
    assert transaction(client, "PING") == [b"PONG"]  # EXEC has unwatched


@pytest.mark.parametrize(
    "no_change",
    ["GET k", "SET k2 v", "SETNX k w", "DEL none", "SREM none m", "SWAPDB 1 2", "FLUSHDB", "SETRANGE k 0 "],
)
def test_what_changes_nothing_breaks_nothing(client: Client, no_change: str) -> None:
    client.call("SET", "k", "v")
    client.call("WATCH", "k", "none")
    other = client.another()
    if no_change == "FLUSHDB":
        other.call("SELECT", 1)
    other.call(*no_change.split(" "))
    assert transaction(client, "PING") == [b"PONG"]


def test_watch_of_a_missing_key(client: Client) -> None:
    client.call("WATCH", "k")
    client.another().call("FLUSHALL")
    assert transaction(client, "PING") == [b"PONG"]
    client.call("WATCH", "k")
    client.another().call("SET", "k", "v")
    assert transaction(client, "PING") is None


def test_unwatch(client: Client) -> None:
    client.call("SET", "k", "v")
    client.call("WATCH", "k", "k")
    client.another().call("SET", "k", "w")
    assert client.call("WATCH", "k") == b"OK"  # does not mend it
    assert client.call("UNWATCH") == b"OK"
    assert transaction(client, "PING") == [b"PONG"]
    keyspace = client.engine.keyspace
    assert (keyspace.watch_count, keyspace.observed) == (0, False)
    assert not any(database.watchers for database in keyspace.databases)


def test_the_same_name_in_several_databases(client: Client) -> None:
    other = client.another()
    client.call("WATCH", "k")
    client.call("SELECT", 1)
    other.call("SELECT", 1)
    other.call("SET", "k", "v")
    assert transaction(client, "PING") == [b"PONG"]
    client.call("WATCH", "k")
    client.call("SELECT", 0)
    client.call("WATCH", "k")
    other.call("SET", "k", "w")
    assert transaction(client, "PING") is None


def test_select_inside(client: Client) -> None:
    assert transaction(client, "SET k 0", "SELECT 1", "SET k 1") == [b"OK", b"OK", b"OK"]
    assert client.call("GET", "k") == b"1"
    assert client.journal() == ["0 MULTI", "0 SET k 0", "1 SET k 1", "1 EXEC"]


def test_expiry_after_watch_breaks_it(client: Client) -> None:
    client.call("SET", "k", "v", "PX", 100)
    client.call("WATCH", "k")
    client.now_ms += 200
    assert transaction(client, "PING") is None
    client.call("SET", "k", "v", "PX", 100)
    client.call("WATCH", "k")
    client.now_ms += 200
    assert client.another().call("EXISTS", "k") == 0  # removes it
    assert transaction(client, "PING") is None


def test_a_key_that_is_due_when_watched_does_not_exist(client: Client) -> None:
    other = client.another()
    for event in ("EXISTS k", "FLUSHDB", "SWAPDB 0 1", "DEL k"):
        client.call("SET", "k", "v", "PX", 100)
        client.now_ms += 200
        client.call("WATCH", "k")
        other.call(*event.split())
        assert transaction(client, "PING") == [b"PONG"], event
    client.call("SET", "k", "v", "PX", 100)
    client.now_ms += 200
    client.call("WATCH", "k")
    other.call("SET", "k", "w")
    assert transaction(client, "PING") is None


def test_swapping_in_a_key_that_is_due_changes_nothing(client: Client) -> None:
    other = client.another()
    other.call("SELECT", 1)
    other.call("SET", "k", "v", "PX", 100)
    client.now_ms += 200
    client.call("WATCH", "k")
    other.call("SWAPDB", 0, 1)
    assert transaction(client, "PING") == [b"PONG"]


def test_time_stands_still(client: Client) -> None:
    ticks = iter(range(client.engine.clock(), 1 << 62, 10_000_000))
    client.engine.clock = lambda: next(ticks)
    assert transaction(client, "SET k v PX 1", "PING", "GET k", "PTTL k") == [b"OK", b"PONG", b"v", 1]
    assert client.call("GET", "k") is None


def test_the_journal_holds_a_unit(client: Client) -> None:
    transaction(client, "SET a 1", "GET a", "SET b 1 PXAT 4000000000000", "GETDEL a")
    assert client.journal() == [
        "0 MULTI",
        "0 SET a 1",
        "0 SET b 1 PXAT 4000000000000",
        "0 DEL a",
        "0 EXEC",
    ]
    transaction(client, "SET a 1", "GET a")
    assert client.journal() == ["0 SET a 1"]
    transaction(client, "GET a")
    client.call("MULTI")
    client.call("SET", "a", "2")
    client.call("DISCARD")
    assert client.journal() == []


def test_nothing_is_answered_when_the_client_wants_no_replies(client: Client) -> None:
    client.call("MULTI")
    client.call("SET", "k", "v")
    client.call("GET", "k")
    assert client.replies("CLIENT", "REPLY", "SKIP") == [b"QUEUED"]
    client.call("DISCARD")
    client.replies("CLIENT", "REPLY", "OFF")
    for words in (["MULTI"], ["SET", "k", "w"], ["GET", "k"], ["EXEC"]):
        assert client.replies(*words) == []
    assert client.call("CLIENT", "REPLY", "ON") == b"OK"
    assert client.call("GET", "k") == b"w"


def test_a_skipped_exec_is_skipped_whole() -> None:
    client = Client()
    client.call("MULTI")
    client.call("PING")
    client.call("SET", "k", "v")
    client.state.set_reply_mode("skip")
    assert client.replies("EXEC") == []
    assert client.call("GET", "k") == b"v"


def test_a_client_that_kills_itself_finishes_its_transaction(client: Client) -> None:
    client.call("MULTI")
    client.call("SET", "a", "1")
    client.call("CLIENT", "KILL", "ID", client.state.id)
    client.call("SET", "b", "2")
    client.replies("EXEC")
    assert client.another().call("MGET", "a", "b") == [b"1", b"2"]


def test_a_pause_begun_inside_does_not_split_it(client: Client) -> None:
    answers = transaction(client, "SET a 1", "CLIENT PAUSE 100", "SET b 2", "CLIENT UNPAUSE")
    assert answers == [b"OK", b"OK", b"OK", b"OK"]


def test_exec_is_refused_whole_when_writes_are(client: Client) -> None:
    client.call("MULTI")
    client.call("GET", "k")
    client.call("SET", "k", "v")
    client.engine.restrictions.set_write_error(
        "MISCONF Errors writing to the AOF file: No space left on device"
    )
    assert client.call("EXEC") == ErrorReply(
        "EXECABORT Transaction discarded because of: "
        "MISCONF Errors writing to the AOF file: No space left on device"
    )
    assert transaction(client, "GET k") == [None]


def test_reset_ends_it(client: Client) -> None:
    client.call("WATCH", "k")
    client.call("MULTI")
    client.call("SET", "k", "v")
    assert client.call("RESET") == b"RESET"
    assert client.call("EXEC") == ErrorReply("ERR EXEC without MULTI")
    assert client.engine.keyspace.watch_count == 0


def test_disconnecting_unwatches(client: Client) -> None:
    other = client.another()
    other.call("WATCH", "k")
    client.engine.disconnect(other.state)
    assert client.engine.keyspace.watch_count == 0


def test_nested_answers_in_resp3() -> None:
    client = Client(resp=3)
    client.call("HSET", "h", "f", "v")
    assert transaction(client, "HGETALL h", "GET none") == [{b"f": b"v"}, None]
    client.call("WATCH", "h")
    client.call("DEL", "h")
    client.call("MULTI")
    client.engine.run(client.state, [[b"EXEC"]])
    assert b"".join(client.state.out) == b"_\r\n"
