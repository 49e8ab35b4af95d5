"""What keeps data and what does not: a server says when it keeps none, one in a program neither saves nor says."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.wire.kedis_process import KedisProcess

WARNING = "no data will be kept: appendonly is no and there are no save points"


@pytest.mark.parametrize(
    ("flags", "warned"),
    [
        (("--appendonly", "no", "--save", ""), True),
        (("--appendonly", "no"), False),
        ((), False),
    ],
)
def test_a_start_that_will_keep_nothing_is_logged(flags: tuple[str, ...], warned: bool) -> None:
    with KedisProcess(*flags, untouched=True) as server:
        assert (WARNING in server.output()) == warned


def test_turned_off_at_run_time_the_data_are_kept_in_a_snapshot() -> None:
    with KedisProcess(untouched=True) as server, server.redis() as client:
        wait_until_loaded(client)
        assert client.config_get("save") == {"save": ""}
        client.set("early", 1)
        assert client.config_set("appendonly", "no")
        assert client.config_get("save") == {"save": "3600 1 300 100 60 10000"}
        client.set("late", 1)
        server.process.terminate()
        assert server.process.wait(60) == 0
        folder = Path(server.directory.name)
        again = subprocess.run(
            [sys.executable, "-m", "kedis.cli.check_rdb", "kedis-data/dump.rdb"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert again.returncode == 0, again.stdout + again.stderr
        snapshot = (folder / "kedis-data" / "dump.rdb").read_bytes()
        assert b"early" in snapshot and b"late" in snapshot


def wait_until_loaded(client: object) -> None:
    deadline = time.monotonic() + 60
    while int(client.info("persistence")["loading"]):  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_folder_is_made_where_save_points_need_it(tmp_path: Path) -> None:
    with KedisProcess("--save", "3600 1", "--dir", f"{tmp_path}/a/b") as server:
        assert server.run(b"SET key value") == b"+OK\r\n"
        server.process.terminate()
        assert server.process.wait(60) == 0
    assert b"value" in (tmp_path / "a" / "b" / "dump.rdb").read_bytes()


@pytest.mark.parametrize("words", [b"SAVE", b"BGSAVE"])
def test_the_folder_is_made_when_a_save_is_asked_for(tmp_path: Path, words: bytes) -> None:
    with KedisProcess("--dir", f"{tmp_path}/data") as server:
        assert not (tmp_path / "data").exists(), "nothing has needed it"
        assert server.run(words).startswith(b"+")
        deadline = time.monotonic() + 60
        while not (tmp_path / "data" / "dump.rdb").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("flags", [("--appendonly", "yes"), ("--save", "3600 1"), ()], ids=str)
def test_a_folder_that_is_lost_is_not_made_anew(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """What went away may be a disk: a new folder in its place would hide that the data are not where they were."""
    folder = tmp_path / "data"
    with KedisProcess("--dir", str(folder), *flags) as server:
        wait_until_loaded(server.redis())
        assert server.run(b"SAVE") == b"+OK\r\n"
        folder.rename(tmp_path / "lost")
        assert server.run(b"SAVE").startswith(b"-ERR")
        assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_no_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = [sys.executable, "-m", "kedis", "--port", "0", "--metrics-port", "no", "--appendonly", "no"]
    ended = subprocess.run(
        [*words, "--dir", f"{tmp_path}/file/data"], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(
        f"kedis-server: cannot use the folder {tmp_path}/file/data: Not a directory"
    )


@pytest.mark.parametrize(
    "opening",
    [
        "kedis.Server(port=0).start()",
        "kedis.Server(port=0, appendonly=False).start()",
        "kedis.connect()",
    ],
)
def test_a_store_in_a_program_writes_and_warns_of_nothing(tmp_path: Path, opening: str) -> None:
    """Whatever ends it or empties it: with save points FLUSHALL and SHUTDOWN would save to ./kedis-data."""
    program = f"""
import kedis
store = {opening}
client = store.client() if hasattr(store, "stop") else store
client.set("key", "value")
client.config_set("appendonly", "no")
client.flushall()
client.set("key", "value")
assert client.config_get("save")["save"] == "", client.config_get("save")
if client is not store:
    client.shutdown()
    store.stop()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())
