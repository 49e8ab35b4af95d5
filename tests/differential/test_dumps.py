"""Whatever random commands have made of the data, Redis restores what Kedis dumps of it, and the other way round."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from kedis.engine.flags import BLOCKING, WRITE
from kedis.engine.table import every_command
from tests.differential import grammar
from tests.differential.replies import flatten
from tests.differential.scripts import FILLS
from tests.differential.servers import KedisServer, RedisServer
from tests.differential.test_shapes import servers

__all__ = ["servers"]

_GROUPS = {"string", "list", "set", "hash", "sorted-set", "bitmap", "hyperloglog", "geo"}
_COMMANDS = 400


def _names() -> list[str]:
    rows = (row for row in every_command() if row.name in grammar.GRAMMAR and row.group in _GROUPS)
    return [row.name for row in rows if row.flags & WRITE and not row.flags & BLOCKING]


@pytest.mark.parametrize("seed", range(12))
def test_each_restores_what_the_other_dumps(servers: tuple[KedisServer, RedisServer], seed: int) -> None:
    random = Random(seed)
    names = _names()
    script = [*FILLS, *(grammar.command(random, random.choice(names)) for _ in range(_COMMANDS))]
    for server in servers:
        for words in script:
            server.call(0, words)
    made = [sorted(flatten(server.call(0, [b"KEYS", b"*"]))) for server in servers]
    assert min(map(len, made)) > 10
    for (giving, keys), (taking, _) in permutations(zip(servers, made, strict=True)):
        for key in keys:
            giving.call(0, [b"PERSIST", key])
            (payload,) = flatten(giving.call(0, [b"DUMP", key]))
            copy = b"copy of " + key
            reply = taking.call(0, [b"RESTORE", copy, b"0", payload, b"REPLACE"])
            assert flatten(reply) == [b"OK"], (key, payload)
            before, after = ([b"DEBUG", b"DIGEST-VALUE", name] for name in (key, copy))
            assert giving.call(0, before) == taking.call(0, after), (key, payload)
    servers[0].check()
