"""A server in a thread of a program keeps its data too, and stopping it leaves them on the disk."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import kedis
from kedis.server.start_error import StartError
from tests.persistence.folders import listing


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_stop_and_start(tmp_path: Path, policy: str) -> None:
    settings = {"appendonly": True, "dir": str(tmp_path), "appendfsync": policy}
    for round_ in range(1, 4):
        with kedis.Server(**settings) as server:
            client = server.client()
            assert client.incr("n") == 2 * round_ - 1
            assert client.bgrewriteaof()
            deadline = time.monotonic() + 10
            while client.info("persistence")["aof_rewrite_in_progress"]:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            client.incr("n")
            with pytest.raises(StartError, match="another server is using"):
                kedis.Server(**settings).start()
    assert listing(tmp_path).base_seq == 4
