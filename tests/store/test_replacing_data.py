"""All data replaced at once by what was prepared beside them."""

from __future__ import annotations

import pytest

from kedis.store.keyspace import Keyspace
from kedis.structures.packed import List


class Watcher:
    watch_broken = False


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "allkeys-lfu"])
def test_contents_change_places(policy: str) -> None:
    keyspace = Keyspace(3)
    keyspace.track_access(policy)
    keyspace.databases[0].set_value(b"old", b"1")
    keyspace.databases[1].set_value(b"list", List([b"a"]))
    prepared = keyspace.blank()
    prepared[0].place(b"new", b"2")
    prepared[0].set_expiry(b"new", 1 << 50)
    prepared[2].place(b"list", List([b"b"]))
    watchers = [Watcher(), Watcher(), Watcher()]
    for watcher, key in zip(watchers, (b"old", b"new", b"neither"), strict=True):
        keyspace.databases[0].watch(watcher, key)
    dirty = keyspace.dirty
    keyspace.replace(prepared)
    assert list(keyspace.databases[0].data) == [b"new"]
    assert not keyspace.databases[1].data
    assert list(keyspace.databases[2].data[b"list"]) == [b"b"]
    assert [watcher.watch_broken for watcher in watchers] == [True, True, False]
    assert keyspace.dirty == dirty
    for database in prepared:
        database.clear()
    keyspace.check()


def test_the_policy_changes_meanwhile() -> None:
    keyspace = Keyspace(1)
    prepared = keyspace.blank()
    prepared[0].place(b"new", b"2")
    keyspace.track_access("allkeys-lru")
    keyspace.replace(prepared)
    assert keyspace.databases[0].access_tracker is not None
    assert keyspace.databases[0].lookup_read(b"new") == b"2"
    keyspace.check()
