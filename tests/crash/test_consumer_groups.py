"""kill -9 under producers and consumers of a stream: what was added, delivered or acknowledged is so afterwards.

No entry is delivered to nobody: what the group has passed is pending, or was acknowledged.

Rounds: 6 of each kind unless ``KEDIS_CRASH_ROUNDS`` says otherwise.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kedis.structures.consumer_groups import Group
from kedis.structures.stream import Stream
from kedis.structures.stream_id import ID_MAX
from tests.persistence.folders import load
from tests.persistence.server import Kedis

ROUNDS = int(os.environ.get("KEDIS_CRASH_ROUNDS", "6"))
PRODUCERS, CONSUMERS = 3, 3


class Story:
    """What clients were told, over all rounds.

    Attributes:
        added: ids whose XADD was answered.
        delivered: to which consumer each id went, by the replies to XREADGROUP.
        tried: ids that an XACK was sent for.
        acknowledged: ids whose XACK was answered.
        refused: how many of them the answers did not count.
    """

    def __init__(self) -> None:
        self.added: set[bytes] = set()
        self.delivered: dict[bytes, bytes] = {}
        self.tried: set[bytes] = set()
        self.acknowledged: set[bytes] = set()
        self.refused = 0

    def round(self, kedis: Kedis, seconds: float) -> None:
        """Have producers and consumers work until the server is killed."""
        kedis.connect().call("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
        works = [(self._produce, number) for number in range(PRODUCERS)]
        works += [(self._consume, number) for number in range(CONSUMERS)]
        threads = [threading.Thread(target=self._until_killed, args=(kedis, *work)) for work in works]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        kedis.kill()
        for thread in threads:
            thread.join()

    def _until_killed(self, kedis: Kedis, work: Any, number: int) -> None:
        with contextlib.suppress(OSError):
            work(kedis.connect(), number)

    def _produce(self, wire: Any, number: int) -> None:
        while True:
            if number:
                self.added.add(wire.call("XADD", "s", "*", "producer", number, "payload", "x" * 20))
            else:
                add = ("XADD", "s", "*", "producer", number)
                self.added.update(wire.pipeline([("MULTI",), add, add, ("EXEC",)])[-1])

    def _consume(self, wire: Any, number: int) -> None:
        name, random_ = b"c%d" % number, random.Random(number)
        after = "0"  # what it had before the crash comes first
        while True:
            reply = wire.call(
                *("XREADGROUP", "GROUP", "g", name, "COUNT", 7, "BLOCK", 50, "STREAMS", "s", after)
            )
            ids = [entry[0] for _, entries in reply or () for entry in entries]
            for each in ids:
                self.delivered[each] = name
            chosen = [each for each in ids if after == "0" or random_.random() < 0.8]
            if chosen:
                self.tried.update(chosen)
                self.refused += len(chosen) - wire.call("XACK", "s", "g", *chosen)
                self.acknowledged.update(chosen)
            after = ">" if not ids or after == ">" else "0"

    def check(self, stream: Stream, group: Group) -> None:
        """Compare with what was recovered."""
        stream._check()
        assert self.refused == 0
        kept = [text for part in stream.read(0, ID_MAX) for text in part.id_texts(0, len(part))]
        ids = [stream_id for part in stream.read(0, ID_MAX) for stream_id in part.ids()]
        assert self.added <= set(kept)
        pending = {text for text, each in zip(kept, ids, strict=True) if each in group.pending}
        assert len(pending) == len(group.pending)
        assert not pending & self.acknowledged
        for text, stream_id in zip(kept, ids, strict=True):
            if stream_id > group.last_id:
                assert text not in self.delivered
            elif text not in self.tried:
                owner = group.pending[stream_id].consumer.name  # a KeyError: delivered to nobody
                assert self.delivered.get(text, owner) == owner


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_kill_under_producers_and_consumers(tmp_path: Path, policy: str) -> None:
    rng, story = random.Random(policy), Story()
    for round_ in range(ROUNDS):
        rewritten = ["--auto-aof-rewrite-min-size", "50kb", "--auto-aof-rewrite-percentage", "30"]
        words = ["--appendfsync", policy, "--stream-node-max-entries", "20", *rewritten * (round_ % 2)]
        kedis = Kedis(tmp_path, *words, *(["--aof-use-rdb-preamble", "no"] if round_ % 4 == 3 else []))
        story.round(kedis, rng.uniform(0.3, 1.0))
        engine, _ = load(tmp_path)
        stream = engine.keyspace.databases[0].data[b"s"]
        story.check(stream, stream.groups[b"g"])
    assert len(story.acknowledged) > 100
