"""Random stories: what clients send, and what happens to the server in between.

A story is a list of steps, each a name and its arguments, which :func:`run` gives to any number of sides. It does not
depend on what the sides do, so that a story that shows a difference can be made shorter (:func:`shortest`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from kedis.resp.replies import encode_command
from tests.native.requests import ALL_KEYS, Words, request, unusual
from tests.native.sides import Side

Step = tuple[str, Any]

CLIENTS = 4
#: The last client sends nothing but what concerns the server.
ADMIN = CLIENTS - 1

_SETTINGS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"notify-keyspace-events", (b"KEA", b"Kx", b"Em", b"", b"", b"")),
    (b"maxmemory", (b"0", b"0", b"20000", b"3000", b"1", b"100000")),
    (
        b"maxmemory-policy",
        (
            *(
                b"noeviction",
                b"allkeys-lru",
                b"allkeys-lfu",
                b"allkeys-random",
                b"volatile-lru",
                b"volatile-lfu",
            ),
            *(b"volatile-random", b"volatile-ttl"),
        ),
    ),
    (b"requirepass", (b"secret", b"", b"", b"")),
    (b"lazyfree-lazy-user-del", (b"yes", b"no")),
    (b"lazyfree-lazy-server-del", (b"yes", b"no")),
    (b"lazyfree-lazy-expire", (b"yes", b"no")),
    (b"slowlog-log-slower-than", (b"0", b"1", b"3", b"10000", b"-1")),
    (b"hash-max-listpack-entries", (b"0", b"2", b"128", b"512")),
    (b"hash-max-listpack-value", (b"0", b"1", b"10", b"64")),
    (b"set-max-intset-entries", (b"0", b"2", b"512")),
    (b"zset-max-listpack-entries", (b"0", b"2", b"128")),
    (b"zset-max-listpack-value", (b"0", b"1", b"64")),
    (b"stream-node-max-entries", (b"0", b"1", b"3", b"100")),
    (b"stream-node-max-bytes", (b"0", b"100", b"4096")),
    (b"lfu-log-factor", (b"0", b"1", b"10")),
)


def _command_of_admin(random: Random) -> Words:
    return random.choice(
        (
            *([b"CLIENT", b"PAUSE", b"5", b"WRITE"], [b"CLIENT", b"PAUSE", b"3"], [b"CLIENT", b"UNPAUSE"]),
            *(
                [b"FLUSHALL"],
                [b"FLUSHDB", b"ASYNC"],
                [b"SWAPDB", b"0", b"1"],
                [b"AUTH", b"secret"],
                [b"RESET"],
            ),
            *([b"WATCH", random.choice(ALL_KEYS)], [b"UNWATCH"], [b"MONITOR"], [b"RESET"], [b"HELLO", b"3"]),
            *(
                [b"PSUBSCRIBE", b"__key*"],
                [b"CONFIG", b"RESETSTAT"],
                [b"CLIENT", b"TRACKING", b"on", b"BCAST"],
            ),
        )
    )


_TIMES = (0, 1, 1_000, 999_999, 1_000_000, 5_000_000, 2_000_000_000, 86_400_000_000_000)


def draw(random: Random, length: int) -> list[Step]:
    """A story of ``length`` steps; few of the flags occur in each, so that most is served natively."""
    settings = random.sample(_SETTINGS, random.randint(0, 4))
    oddities = random.choice((0.0, 0.0, 0.01, 0.03, 0.1))
    strangers = random.choice((0.0, 0.0, 0.0, 0.02, 0.05))
    steps: list[Step] = [("step", random.choice((0, 0, 100, 1000, 5000, 40_000, 1_000_000)))]
    while len(steps) < length:
        kind = random.random()
        if kind < 0.06 and settings:
            name, values = random.choice(settings)
            steps.append(("admin", [b"CONFIG", b"SET", name, random.choice(values)]))
        elif kind < 0.12:
            steps.append(("time", random.choice(_TIMES)))
        elif kind < 0.14:
            steps.append(
                random.choice(
                    (("expiry", None), ("record", random.random() < 0.7), ("listen", random.random() < 0.7))
                )
            )
        elif kind < 0.14 + strangers:
            steps.append(("admin", _command_of_admin(random)))
        elif kind < 0.145 + strangers and oddities:
            steps += [("loading", True), _reads(random, 0.0), _reads(random, oddities), ("loading", False)]
        else:
            steps.append(_reads(random, oddities))
    return steps


def _reads(random: Random, oddities: float) -> Step:
    requests = [
        encode_command(unusual(random)) if random.random() < oddities else request(random)
        for _ in range(random.choice((1, 1, 1, 2, 3, 8, 30)))
    ]
    if oddities and random.random() < 0.1:
        requests.append(encode_command([random.choice((b"RESET", b"DISCARD", b"UNWATCH"))]))
    cuts = sorted(random.random() for _ in range(random.choice((0, 0, 0, 1, 2))))
    budget = random.choice((1 << 62, 1 << 62, -1))
    return "feed", (random.randrange(ADMIN), requests, cuts, budget)


# -- running ----------------------------------------------------------------------------------------------


def reads(requests: Sequence[bytes], cuts: Sequence[float]) -> list[bytes]:
    """The bytes of ``requests`` in pieces, cut at these parts of their length."""
    data = b"".join(requests)
    places = [0, *(int(len(data) * cut) for cut in cuts), len(data)]
    return [data[first:last] for first, last in pairwise(places) if first < last]


def apply(side: Side, step: Step) -> None:
    """Let ``step`` happen to ``side``."""
    name, argument = step
    if name == "feed":
        number, requests, cuts, budget = argument
        for data in reads(requests, cuts):
            if not side.links[number].ended:
                side.feed(number, data, budget)
    elif name == "admin":
        side.command(ADMIN, *argument)
    elif name == "time":
        side.pass_time(argument)
    elif name == "step":
        side.clock.step = argument
    elif name == "loading":
        side.engine.set_loading(argument)
    elif name == "expiry":
        side.expire()
    else:
        getattr(side, name)(argument)


def difference(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is not equal, by name."""
    return {
        name: (one.get(name), other.get(name))
        for name in one.keys() | other.keys()
        if one.get(name) != other.get(name)
    }


class Differs(AssertionError):
    """The two paths do not agree, in what is named."""

    def __init__(self, text: str, names: frozenset[str]) -> None:
        super().__init__(text)
        self.names = names


def _overlook_unsure(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The last command of a client of which one side does not tell."""
    for number in range(CLIENTS):
        clients = one[f"client {number}"], other[f"client {number}"]
        if "?" in (client["command"] for client in clients):
            for client in clients:
                client["command"] = "?"


def _told(found: dict[str, tuple[Any, Any]]) -> str:
    lines = []
    for name, (one, other) in found.items():
        if isinstance(one, dict) and isinstance(other, dict):
            inner = difference(one, other)
            one, other = ({key: pair[side] for key, pair in inner.items()} for side in (0, 1))
        first = next(
            (at for at, pair in enumerate(zip(repr(one), repr(other), strict=False)) if pair[0] != pair[1]), 0
        )
        first = max(first - 200, 0)
        lines.append(
            f"{name}:\n  native {repr(one)[first : first + 400]}\n  python {repr(other)[first : first + 400]}"
        )
    return "\n".join(lines)


def run(steps: Sequence[Step], seed: int, look_every: int = 1) -> int:
    """Run ``steps`` through both paths; returns how many commands the native path has served. Raises Differs.

    Replies and journal are compared after each step, the rest after every ``look_every``.
    """
    native, python = Side(True, CLIENTS, seed), Side(False, CLIENTS, seed)
    sides = native, python
    for number, step in enumerate(steps):
        for side in sides:
            apply(side, step)
            side.go_on()
        seen: list[dict[str, Any]] = [
            {"replies": side.replies(), "journal": side.journal()} for side in sides
        ]
        if number % look_every == look_every - 1:
            for each, side in zip(seen, sides, strict=True):
                each.update(side.state())
            _overlook_unsure(*seen)
            if not (native.exact and python.exact):
                for each in seen:
                    del each["waits"], each["depths"], each["reads"]
        found = difference(*seen)
        if found:
            raise Differs(f"seed {seed}, step {number}: {step!r:.300}\n{_told(found)}", frozenset(found))
        for side in sides:
            side.replace_ended()
        if number % 20 == 19 and look_every == 1:
            for side in sides:
                side.check()
    for side in sides:
        side.check()
    return native.served_natively


def shortest(steps: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """A part of ``steps`` for which ``fails`` is still true and no step, or request, can be left out."""
    size = max(len(steps) // 2, 1)
    while True:
        at = 0
        while at < len(steps):
            rest = steps[:at] + steps[at + size :]
            if rest and fails(rest):
                steps = rest
            else:
                at += size
        if size == 1:
            break
        size //= 2
    for at, (name, argument) in enumerate(steps):
        if name == "feed":
            number, requests, cuts, budget = argument
            for position in range(len(requests) - 1, -1, -1):
                fewer = requests[:position] + requests[position + 1 :]
                changed = [*steps[:at], ("feed", (number, fewer, cuts, budget)), *steps[at + 1 :]]
                if fewer and fails(changed):
                    requests, steps = fewer, changed
            changed = [*steps[:at], ("feed", (number, requests, [], budget)), *steps[at + 1 :]]
            if fails(changed):
                steps = changed
    return steps
