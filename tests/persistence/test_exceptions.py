"""Rewrites, snapshots and the in-process store end in order by whatever exception, and can be had again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

import kedis
from kedis.config import Config
from kedis.engine import propagation
from kedis.engine.engine import Engine
from kedis.persistence import rewrite, saver
from kedis.persistence.aof import Aof
from kedis.persistence.child import Child
from kedis.persistence.rewrite import Rewriter
from kedis.persistence.worker import InlineWorker
from tests.commands.driver import Client, ErrorReply
from tests.persistence.folders import load, strings
from tests.persistence.test_snapshots import saving, until


def no_memory(*_: Any, **__: Any) -> Any:
    raise MemoryError


class Rewriting:
    """An append-only file on a folder, with a rewriter that notes how rewrites end."""

    def __init__(self, directory: Path, *, fork: bool) -> None:
        self.engine = Engine(Config({"dir": str(directory)}))
        self.client = Client(self.engine)
        self.aof = Aof(self.engine)
        for _ in self.aof.open().steps():
            pass
        self.aof.begin()
        self.ended: list[str | None] = []
        self.rewriter = Rewriter(
            self.aof, InlineWorker(), fork=fork, on_end=self.ended.append, on_sync_error=lambda error: None
        )

    def check(self, directory: Path) -> None:
        """Another one succeeds, and nothing was lost."""
        self.rewriter._fork = False
        self.rewriter.start()
        assert self.ended[-1] is None
        assert self.client.call("SET", "b", 2) == b"OK"
        self.aof.write()
        self.aof.close()
        assert strings(load(directory)[0]) == {b"a": b"1", b"b": b"2"}


def breaking_dump(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rewrite, "write_base", no_memory)


def breaking_fork(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rewrite, "Child", no_memory)


def breaking_write(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "write", no_memory)
    patch.setattr(os, "writev", no_memory)


@pytest.mark.parametrize(
    ("broken", "fork"), [(breaking_dump, False), (breaking_fork, True), (breaking_write, False)]
)
def test_a_rewrite_that_raises_has_failed(
    tmp_path: Path, broken: Callable[[pytest.MonkeyPatch], None], fork: bool
) -> None:
    rewriting = Rewriting(tmp_path, fork=fork)
    assert rewriting.client.call("SET", "a", 1) == b"OK"
    with pytest.MonkeyPatch.context() as patch:
        broken(patch)
        rewriting.rewriter.start()
    assert rewriting.ended == ["Cannot allocate memory (append-only file)"]
    assert not rewriting.aof.aof_rewrite_in_progress and rewriting.aof.aof_last_bgrewrite_status == "err"
    rewriting.check(tmp_path)


@pytest.mark.parametrize("broken", ["write_rdb", "replace_file"])
def test_a_save_that_raises_has_failed(tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = saving(tmp_path, save="3600 1")
    client.call("SET", "a", 1)
    with monkeypatch.context() as patch:
        patch.setattr(saver, broken, no_memory)
        assert client.call("SAVE") == ErrorReply("ERR")
    assert not list(tmp_path.glob("temp-*"))
    assert client.call("SAVE") == b"OK"


def test_a_save_whose_child_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, ours = saving(tmp_path, save="3600 1")
    ours._fork = True
    with monkeypatch.context() as patch:
        patch.setattr(saver, "Child", no_memory)
        assert client.call("BGSAVE") == ErrorReply("ERR")
    assert ours.rdb_last_bgsave_status == "err" and not ours.rdb_bgsave_in_progress


@pytest.mark.parametrize("report", ["", '{"error": "', "[", "\xff"])
def test_a_child_that_tells_only_a_part_has_failed(report: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "dumps", lambda _: report)
    child = Child(lambda: None)
    outcomes = []

    def has_ended() -> bool:
        outcomes.append(child.poll())
        return outcomes[-1] is not None

    until(has_ended)
    outcome = outcomes[-1]
    assert outcome is not None and outcome.failure.startswith("the child process ended with status")


# -- the in-process store ---------------------------------------------------------------------------------


def test_in_process_a_write_that_raises_is_refused_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kedis.connect(tmp_path / "data") as store:
        store.set("a", 1)
        with monkeypatch.context() as patch:
            breaking_write(patch)
            for _ in range(2):
                with pytest.raises(redis.RedisError, match=r"MISCONF .*Cannot allocate memory"):
                    store.set("b", 1)
            assert store.get("a") == b"1"
        assert store.get("a") == b"1"
        store.set("c", 1)
    assert strings(load(tmp_path / "data")[0]).keys() >= {b"a", b"c"}


def test_in_process_under_always_it_is_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = kedis.connect(tmp_path / "data", settings={"appendfsync": "always"})
    store.set("a", 1)
    with monkeypatch.context() as patch:
        breaking_write(patch)
        with pytest.raises(Exception, match="the append-only file has failed: Cannot allocate memory"):
            store.set("b", 1)
    with pytest.raises(Exception, match="the append-only file has failed"):
        store.get("a")
    store.close()
    assert strings(load(tmp_path / "data")[0]) == {b"a": b"1"}


def test_in_process_a_change_that_is_not_recorded_has_all_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kedis.connect(tmp_path / "data") as store:
        store.set("a", 1)
        settled = propagation._settled

        def no_memory_once(argv: Any) -> Any:
            monkeypatch.setattr(propagation, "_settled", settled)
            raise MemoryError

        monkeypatch.setattr(propagation, "_settled", no_memory_once)
        with pytest.raises(redis.RedisError, match="not enough memory"):
            store.set("b", 1, ex=1000)  # journalled in words of its own
        store.rename("b", "c")
        store.set("d", 1)
    assert strings(load(tmp_path / "data")[0]) == {b"a": b"1", b"c": b"1", b"d": b"1"}
