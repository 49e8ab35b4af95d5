"""A store that keeps nothing leaves the working directory alone: it saves and loads nothing there."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
import redis

import kedis

SAVING = (("SAVE",), ("BGSAVE",), ("BGSAVE", "SCHEDULE"), ("DEBUG", "RELOAD"))


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def saved(folder: Path) -> bytes:
    (file,) = folder.glob("kedis-*/*.rdb")
    return file.read_bytes()


def test_what_a_store_in_memory_saves_goes_with_it(working_directory: Path, temporary: Path) -> None:
    with kedis.connect(enable_debug_command="yes") as store:
        store.set("a", "saved")
        assert os.listdir(temporary) == []
        for words in SAVING:
            store.execute_command(*words)
            assert b"saved" in saved(temporary), words
        store.shutdown(save=True)
        assert store.get("a") == b"saved"
        with pytest.raises(redis.ResponseError, match="nothing is kept on disk here"):
            store.execute_command("BGREWRITEAOF")
        with store.fork() as other:
            other.set("a", "of the other")
            other.save()
            assert len(os.listdir(temporary)) == 2

    assert os.listdir(working_directory) == os.listdir(temporary) == []


@pytest.mark.parametrize(
    "settings", [{"dir": "here"}, {"dir": "here", "dbfilename": "mine.rdb"}, {"appendonly": "yes"}]
)
def test_a_copy_writes_nothing_of_its_parents(
    working_directory: Path, temporary: Path, settings: dict[str, str]
) -> None:
    (working_directory / "users.acl").write_text(
        "user default on nopass ~* &* +@all\nuser kate on >secret +@all\n"
    )
    with kedis.connect(aclfile=str(working_directory / "users.acl"), **settings) as store:
        store.set("a", "of the parent")
        store.save()
        before = {path: path.read_bytes() for path in working_directory.rglob("*") if path.is_file()}
        with store.fork() as copy:
            copy.set("a", "of the copy")
            copy.save()
            copy.bgsave()
            assert b"of the copy" in saved(temporary)
            assert copy.acl_users() == ["default", "kate"]
            copy.acl_deluser("kate")
            with pytest.raises(redis.ResponseError, match="not configured to use an ACL file"):
                copy.acl_save()
        after = {path: path.read_bytes() for path in working_directory.rglob("*") if path.is_file()}
        assert after == before and len(before) > 1
    assert os.listdir(temporary) == []


def test_one_for_asyncio_as_well(working_directory: Path, temporary: Path) -> None:
    async def use() -> None:
        async with kedis.aconnect() as store:
            await store.set("a", "saved")
            await store.bgsave()
            assert b"saved" in saved(temporary)

    asyncio.run(use())
    assert os.listdir(working_directory) == []


def test_a_folder_that_cannot_be_made_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with kedis.connect() as store:
        with pytest.raises(redis.ResponseError):
            store.save()
        assert store.ping()


@pytest.mark.parametrize("settings", [{"dir": "here"}, {"dbfilename": "mine.rdb"}, {"save": "3600 1"}])
def test_it_saves_where_it_was_told_to(working_directory: Path, settings: dict[str, str]) -> None:
    with kedis.connect(**settings) as store:
        store.set("a", "saved")
        store.save()
    (file,) = (path for path in working_directory.glob("*/*") if path.is_file())
    assert file.name == settings.get("dbfilename", "dump.rdb") and b"saved" in file.read_bytes()


def test_a_folder_may_be_named_later(working_directory: Path) -> None:
    with kedis.connect(enable_protected_configs="yes") as store:
        store.set("a", "saved")
        store.config_set("dir", str(working_directory / "later"))
        store.bgsave()
    assert b"saved" in (working_directory / "later" / "dump.rdb").read_bytes()


def test_shutdown_saves_where_there_is_a_folder(working_directory: Path) -> None:
    with kedis.connect("data") as store:
        store.set("a", "saved")
        store.shutdown(save=True)
        assert store.get("a") == b"saved"
    assert b"saved" in (working_directory / "data" / "dump.rdb").read_bytes()


def test_a_server_in_a_program_loads_nothing(working_directory: Path, temporary: Path) -> None:
    with kedis.connect(dir="kedis-data") as store:
        store.set("of another server", 1)
        store.save()
    before = (working_directory / "kedis-data" / "dump.rdb").read_bytes()
    with kedis.Server(enable_debug_command="yes") as server, server.client() as client:
        assert client.dbsize() == 0
        client.set("a", "saved")
        for words in SAVING:
            client.execute_command(*words)
            while client.info("persistence")["rdb_bgsave_in_progress"]:
                pass
            assert b"saved" in saved(temporary), words
    server.stop()

    assert os.listdir(temporary) == []
    assert (working_directory / "kedis-data" / "dump.rdb").read_bytes() == before
    with kedis.Server(dir="kedis-data") as server, server.client() as client:
        assert client.keys() == [b"of another server"]
        client.save()
