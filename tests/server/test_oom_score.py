"""oom-score-adj: the process's adjustment follows the setting and the part that the server plays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.process import oom_score
from kedis.server.oom_adjustment import OomScore
from tests.wire.kedis_process import KedisProcess

linux = pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux alone has it")


def adjustment(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@linux
def test_the_setting_the_part_and_the_child() -> None:
    before = oom_score.read()
    server = KedisProcess("--oom-score-adj", "yes", "--oom-score-adj-values", "10 20 30")
    pid = server.process.pid
    client = redis.Redis(port=server.address[1], decode_responses=True)
    assert adjustment(pid) == before + 10
    client.config_set("oom-score-adj-values", "15 20 30")
    assert adjustment(pid) == before + 15
    client.replicaof("127.0.0.1", 1)
    assert adjustment(pid) == before + 20
    client.replicaof("NO", "ONE")
    assert adjustment(pid) == before + 15
    client.config_set("oom-score-adj", "absolute")
    assert adjustment(pid) == 15
    client.config_set("oom-score-adj", "yes")
    client.mset({"a": "1", "b": "2"})
    client.config_set("rdb-key-save-delay", 60_000_000)
    client.bgsave()
    (child,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    deadline = time.monotonic() + 60
    while adjustment(child) != before + 30 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert adjustment(child) == before + 30
    client.config_set("oom-score-adj", "no")
    assert adjustment(pid) == before
    client.close()
    server.close()


def test_what_the_kernel_refuses_is_refused_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def write(score: int) -> None:
        if score < 0:
            raise PermissionError(13, "Permission denied")
        written.append(score)

    monkeypatch.setattr(oom_score, "read", lambda: 7)
    monkeypatch.setattr(oom_score, "write", write)
    engine = Engine(Config())
    OomScore(engine).start()
    config = engine.config
    config.set_many([("oom-score-adj-values", "-100 0 0")])
    assert written == [], "it is off"
    with pytest.raises(Exception, match="Failed to apply new oom_score_adj configuration"):
        config.set_many([("oom-score-adj", "yes")])
    assert (config.oom_score_adj, written) == ("no", [])
    config.set_many([("oom-score-adj-values", "9 0 0"), ("oom-score-adj", "yes")])
    config.set_many([("oom-score-adj", "no")])
    assert written == [16, 7]
