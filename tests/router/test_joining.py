"""One reply from several, and transactions as one piece."""

from __future__ import annotations

import pytest

from kedis.engine.table import CommandTable
from kedis.router import joining
from kedis.router.joining import joined
from kedis.router.planning import Planner, encode
from kedis.router.transaction_wire import Unit
from kedis.router.upstream_keyspace import parse_keyspace

NIL = b"$-1\r\n"


def test_sums() -> None:
    assert joined(joining.summed, [b":1\r\n", b":41\r\n"], []) == b":42\r\n"


def test_an_error_wins() -> None:
    for join in (joining.summed, joining.first, joining.concatenated, joining.interleaved):
        assert joined(join, [b":1\r\n", b"-ERR a\r\n", b"-ERR b\r\n"], [[1], [2], [3]]) == b"-ERR a\r\n"


def test_forms_that_do_not_fit() -> None:
    assert joined(joining.summed, [b":1\r\n", b"+OK\r\n"], []).startswith(b"-ERR")
    assert joined(joining.interleaved, [b"*2\r\n:1\r\n:2\r\n"], [[1]]).startswith(b"-ERR")


def test_arrays() -> None:
    assert joined(joining.concatenated, [b"*1\r\n:1\r\n", b"*0\r\n", b"*2\r\n:2\r\n:3\r\n"], []) == (
        b"*3\r\n:1\r\n:2\r\n:3\r\n"
    )


def test_the_order_of_keys() -> None:
    replies = [b"*2\r\n$1\r\na\r\n" + NIL, b"*1\r\n$1\r\nb\r\n"]
    assert joined(joining.interleaved, replies, [[1, 3], [2]]) == b"*3\r\n$1\r\na\r\n$1\r\nb\r\n" + NIL


def test_scripts_that_all_have() -> None:
    assert joined(joining.least, [b"*2\r\n:1\r\n:1\r\n", b"*2\r\n:0\r\n:1\r\n"], []) == b"*2\r\n:0\r\n:1\r\n"


def test_some_key() -> None:
    assert joined(joining.some_key, [NIL, b"$1\r\nk\r\n"], []) == b"$1\r\nk\r\n"
    assert joined(joining.some_key, [NIL, NIL], []) == NIL


def test_any_success() -> None:
    assert joined(joining.any_success, [b"-NOTBUSY\r\n", b"+OK\r\n"], []) == b"+OK\r\n"
    assert joined(joining.any_success, [b"-NOTBUSY\r\n", b"-ERR\r\n"], []) == b"-NOTBUSY\r\n"


def test_databases_in_info() -> None:
    text = b"$80\r\n# Keyspace\r\ndb0:keys=10,expires=4,avg_ttl=12\r\ndb15:keys=1,expires=0,avg_ttl=0,more=1\r\n\r\n"
    assert parse_keyspace(text) == {0: (10, 4, 12.0), 15: (1, 0, 0.0)}
    assert parse_keyspace(b"$12\r\n# Keyspace\r\n\r\n") == {}


def _unit(*commands: list[bytes], in_cluster: bool = True) -> Unit:
    table = CommandTable()
    planner = Planner(table, in_cluster)
    rows = [(planner.plan(table.resolve(words)), words, None) for words in commands]
    return Unit(
        rows, resp=2, database=0, databases=0 if in_cluster else 16, protocol_of=lambda argv: int(argv[1])
    )


def test_a_transaction_is_one_piece() -> None:
    unit = _unit([b"INCR", b"k"])
    assert unit.is_whole
    assert unit.wire() == b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n*1\r\n$4\r\nEXEC\r\n"


def test_a_transaction_leaves_the_connection_as_it_was() -> None:
    unit = _unit([b"SELECT", b"3"], [b"HELLO", b"3"], [b"UNWATCH"], [b"GET", b"k"], in_cluster=False)
    told = encode([b"SELECT", b"0"]) + encode([b"HELLO", b"2"]) + encode([b"EXEC"])
    assert unit.wire().endswith(encode([b"GET", b"k"]) + told)
    assert unit.take(b"*5\r\n+OK\r\n%0\r\n$1\r\nv\r\n+OK\r\n*0\r\n")
    assert [unit.reply_at(place) for place in range(4)] == [None, None, None, b"$1\r\nv\r\n"]


def test_a_reply_to_exec_of_another_length_is_no_answer() -> None:
    with pytest.raises(ValueError, match="another number"):
        _unit([b"UNWATCH"], [b"GET", b"k"]).take(b"*0\r\n")
