"""The workload: requests encoded before the clock runs, cut into batches of one pipeline each.

A batch carries the exact bytes of the good replies where those are known (``SET`` answers ``+OK``, ``GET`` of a key
that the benchmark filled answers the value), so that the driver can tell with one comparison that all is well.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from kedis.cli.benchmark.distributions import Draw, named
from kedis.cli.benchmark.templates import TEMPLATES, Mix, Template
from kedis.resp.replies import encode_command

#: Prepared requests: that many, or that many bytes, whichever is less.
MOST_REQUESTS, MOST_BYTES = 262_144, 64 << 20
#: Elements and keys that are filled beforehand at most.
MOST_FILLED = 1_000_000
RANGE_LENGTH = 600
_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Workload:
    """What requests are made of, whatever the server and the number of connections."""

    mix: Mix
    keys: int = 100_000
    size: int = 32
    distribution: str = "uniform"
    pipeline: int = 1
    seed: int = 1
    fill: bool = True

    @property
    def lasts(self) -> bool:
        """Whether what was filled is still there after a run, so that the next one need not fill it again."""
        return all(
            template.holds in ("", "string") and template.name in TEMPLATES and template.name != "del"
            for template, _ in self.mix
        )

    @property
    def value(self) -> bytes:
        """The value that is stored: ``size`` bytes, the same in every run with the same seed."""
        rng = random.Random(self.seed)
        block = bytes(rng.choices(_LETTERS, k=min(self.size, 1 << 16)))
        return (block * (self.size // max(1, len(block)) + 1))[: self.size]


@dataclass(frozen=True)
class Batches:
    """Prepared requests.  Equal positions of the lists belong together.

    Args:
        payloads: bytes to send, one pipeline each.
        replies: the bytes of the good replies, or none where they are not known beforehand.
        templates: whose requests they are, in order.
        pipeline: requests in each.
    """

    payloads: list[bytes]
    replies: list[bytes]
    templates: list[tuple[Template, ...]]
    pipeline: int


def good_reply(template: Template, value: bytes) -> bytes:
    """The bytes of the one good reply, or none where there are several."""
    kind = template.expected[:1]
    bulk = b"$%d\r\n%s\r\n" % (len(value), value)
    if kind == "$":
        return bulk
    if kind == "*":
        length = int(template.expected[1:])
        return b"*%d\r\n" % length + bulk * length
    return template.expected.encode() + b"\r\n" if kind else b""


def prepare(workload: Workload, requests: int, stream: int = 0) -> Batches:
    """Batches for a run of ``requests`` (0: as many as time allows).

    Args:
        workload: what to send.
        requests: those that the run will send; no more are prepared.
        stream: which of several processes asks; each has its own order of keys, the same in every run.

    O(requests).
    """
    rng = random.Random(f"{workload.seed}/{stream}")
    draw = named(workload.distribution, workload.keys, rng)
    value = workload.value
    templates = [template for template, _ in workload.mix]
    weights = [weight for _, weight in workload.mix]
    good = {template: good_reply(template, value) for template in templates}
    batches = Batches([], [], [], workload.pipeline)
    wanted = min(requests or MOST_REQUESTS, MOST_REQUESTS)
    prepared = 0
    while not batches.payloads or (
        len(batches.payloads) * workload.pipeline < wanted and prepared < MOST_BYTES
    ):
        chosen = tuple(rng.choices(templates, weights, k=workload.pipeline))
        payload = b"".join([encode_command(fill_in(template, draw, value, rng)) for template in chosen])
        known = [good[template] for template in chosen]
        batches.payloads.append(payload)
        batches.replies.append(b"".join(known) if all(known) else b"")
        batches.templates.append(chosen)
        prepared += len(payload)
    return batches


def fill_in(template: Template, draw: Draw, value: bytes, rng: random.Random) -> list[bytes]:
    """The words of one request; each place gets a number of its own."""
    words = []
    for word in template.words:
        if word == "{value}":
            words.append(value)
            continue
        if "{" in word:
            number = f"{draw():012d}"
            word = word.replace("{key}", f"key:{number}").replace("{number}", number)
            if "{score}" in word:
                word = word.replace("{score}", str(rng.randrange(1_000_000)))
        words.append(word.encode().replace(b"{value}", value))
    return words


def filling(workload: Workload, operations: int) -> Iterator[list[bytes]]:
    """The requests that make the data which the run needs, the benchmark's containers emptied first.

    Args:
        workload: what is to run.
        operations: how many; commands that take elements away find so many, at most a million.
    """
    templates = [template for template, _ in workload.mix]
    used = {word for template in templates for word in template.words[1:2] if word.startswith("bench:")}
    keys = sorted(word.encode() for word in used if "{" not in word)
    if keys:
        yield [b"DEL", *keys]
    if workload.fill:
        counts: dict[str, int] = {}
        for template in templates:
            wanted = max(workload.keys, operations or workload.keys) if template.drains else workload.keys
            counts[template.holds] = max(counts.get(template.holds, 0), min(wanted, MOST_FILLED))
        for kind, count in counts.items():
            yield from _elements(kind, count, workload)


def _elements(kind: str, count: int, workload: Workload) -> Iterator[list[bytes]]:
    value = workload.value
    if kind == "range":
        yield [b"RPUSH", b"bench:range", *[value] * RANGE_LENGTH]
    elif kind == "list":
        for position in range(0, count, 100):
            yield [b"RPUSH", b"bench:list", *[value] * min(100, count - position)]
    elif kind == "zset":
        rng = random.Random(workload.seed)
        for number in range(count):
            yield [b"ZADD", b"bench:zset", b"%d" % rng.randrange(1_000_000), b"element:%012d" % number]
    else:
        words = {
            "string": (b"SET", b"key:%012d", value),
            "hash": (b"HSET", b"bench:hash", b"element:%012d", value),
            "set": (b"SADD", b"bench:set", b"element:%012d"),
        }
        for number in range(count if kind in words else 0):
            yield [word % number if b"%012d" in word else word for word in words[kind]]
