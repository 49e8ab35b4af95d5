"""Move all that a server holds to another address, while clients write: the last step of a Kedis that becomes a door.

    python move_into_cluster.py redis://127.0.0.1:7000 redis://127.0.0.1:7001

The first address is the Kedis (or Redis 7) with the data, the second a Kedis that is the door to a cluster.  Every key
is copied by DUMP and RESTORE with its time to live; keys that change meanwhile, which the first server's notifications
tell, are copied again.  Once few are left, the first server holds back its writers, the last keys follow, both are
compared, and the first server is shut down without any of the writes it held back.  Nothing that it acknowledged is
missing behind the door then.  Until that moment nothing has happened to it: whatever fails before ends this program
with a message, and the writers go on.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: Keys that are copied by one pipeline, and how few may be left when writers are held back.
BATCH, FEW = 200, 500
#: How long writers are held back at most; then they go on where they are, and nothing has moved.
PAUSE_MS = 60_000
ROUNDS = 100


class Stop(Exception):
    """The move is given up; the message is one line for people."""


def batches(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Lists of at most BATCH keys."""
    rest = iter(keys)
    while batch := list(islice(rest, BATCH)):
        yield batch


class Changes:
    """The keys that have changed since they were last asked for, told by the notifications of ``source``."""

    def __init__(self, source: redis.Redis) -> None:
        self._former = source.config_get("notify-keyspace-events")["notify-keyspace-events"]
        self._source = source
        source.config_set("notify-keyspace-events", "KA")
        self._pubsub = source.pubsub()
        self._pubsub.psubscribe("__keyspace@0__:*")
        self.take()

    def take(self) -> set[bytes]:
        """All keys that changed before this call, and perhaps some later."""
        self._pubsub.ping("here")
        found = set()
        while True:
            message = self._pubsub.get_message(timeout=60)
            if message is None:
                raise Stop("the first server tells nothing of changes")
            if message["type"] == "pmessage":
                found.add(message["channel"].partition(b":")[2])
            elif message["type"] == "pong":
                return found

    def end(self) -> None:
        """Set the server's notifications back."""
        self._source.config_set("notify-keyspace-events", self._former)
        self._pubsub.close()


def copy(source: redis.Redis, target: redis.Redis, keys: Iterable[bytes]) -> int:
    """Make ``keys`` on ``target`` what they are on ``source``; how many."""
    count = 0
    for batch in batches(keys):
        with source.pipeline(transaction=False) as pipe:
            for key in batch:
                pipe.execute_command("PEXPIRETIME", key)
                pipe.dump(key)
            replies = pipe.execute()
        with target.pipeline(transaction=False) as pipe:
            for key, expires_at, value in zip(batch, replies[::2], replies[1::2], strict=True):
                if value is None:
                    pipe.delete(key)
                else:
                    pipe.restore(key, max(expires_at, 0), value, replace=True, absttl=True)
            pipe.execute()
        count += len(batch)
    return count


def check(source: redis.Redis, target: redis.Redis) -> None:
    """What must be so before anything is done. Raises Stop."""
    others = [name for name in source.info("keyspace") if name != "db0"]
    if others:
        raise Stop(f"a cluster has database 0 alone, and there are keys in {', '.join(others)}")
    if target.dbsize():
        raise Stop("there are keys behind the door already")


def compare(source: redis.Redis, target: redis.Redis) -> None:
    """Raises Stop where they do not hold the same keys, of the same types and with the same ends."""
    for batch in batches(source.scan_iter(count=1000)):
        found = []
        for server in (source, target):
            with server.pipeline(transaction=False) as pipe:
                for key in batch:
                    pipe.type(key)
                    pipe.execute_command("PEXPIRETIME", key)
                found.append(pipe.execute())
        now = time.time() * 1000 + 1000
        states = [[state(*pair, now) for pair in zip(all_[::2], all_[1::2], strict=True)] for all_ in found]
        for key, one, other in zip(batch, *states, strict=True):
            if one != other:
                raise Stop(f"{key!r} is {one} here and {other} behind the door")


def state(kind: bytes, expires_at: int, now: float) -> tuple[bytes, int] | None:
    """Type and end of a key; None for one that is not there, or no longer when this is read."""
    return None if kind == b"none" or 0 < expires_at <= now else (kind, expires_at)


def move(source: redis.Redis, target: redis.Redis) -> None:
    """Move everything, and shut ``source`` down. Raises Stop."""
    check(source, target)
    changes = Changes(source)
    try:
        target.function_restore(source.function_dump(), "REPLACE")
        print(f"copied {copy(source, target, source.scan_iter(count=1000)):,} keys")
        left = changes.take()
        for _ in range(ROUNDS):
            if len(left) <= FEW:
                break
            print(f"copied {copy(source, target, left):,} keys that have changed meanwhile")
            left = changes.take()
        began = time.monotonic()
        source.client_pause(PAUSE_MS, all=False)
        count = copy(source, target, left | changes.take())
        compare(source, target)
        if time.monotonic() - began > PAUSE_MS / 2000:
            raise Stop("the last keys took too long; begin again when there are fewer writes")
        print(f"copied the last {count:,} keys; writers have waited for {time.monotonic() - began:.2f} s")
    except BaseException:
        source.client_unpause()
        changes.end()
        raise
    with contextlib.suppress(redis.ConnectionError):  # it ends without a word
        source.shutdown(nosave=True)
    print("the server has ended; start the door at its address")


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    # Nothing is tried again: a connection that breaks may have broken off the notifications, too.
    source, target = (
        redis.Redis.from_url(url, socket_timeout=60, retry=Retry(NoBackoff(), 0)) for url in sys.argv[1:]
    )
    try:
        move(source, target)
    except (Stop, redis.RedisError) as reason:
        print(f"nothing has been moved: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
