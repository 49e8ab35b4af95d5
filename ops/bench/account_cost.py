"""What the account of memory costs a SET; the part ``cost`` of ops/bench/memory.py.

A difference of a twentieth drowns in the noise between two servers.  So the same SETs run in this process, in turn with
the account's statements and without them, and the difference is held against what a SET takes of a server.
"""

from __future__ import annotations

import ast
import gc
import inspect
import random
import statistics
import textwrap
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from against_redis import Load, Running, run_load, server

from kedis.commands import load_all
from kedis.config import Config
from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.embedded.engine_socket import EngineSocket
from kedis.engine.client import Client as Client
from kedis.engine.engine import Engine
from kedis.store import database
from kedis.store.database import Database

AIM = 0.05
#: Written anew and then once more in another length, so that the account changes at each SET: its dearest case.
KEYS = 10_000
LENGTHS = (3, 40)
BATCH = 100

SetValue = Callable[..., None]


class WithoutAccount(ast.NodeTransformer):
    """Leaves out the calls of ``self.account``, and the conditions under which nothing else is done."""

    def __init__(self) -> None:
        self.left_out = 0

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if ast.unparse(node).startswith("self.account."):
            self.left_out += 1
            return ast.copy_location(ast.Pass(), node)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if all(isinstance(statement, ast.Pass) for statement in node.body + node.orelse):
            return ast.copy_location(ast.Pass(), node)
        return node


def set_value_without_account() -> SetValue:
    """``Database.set_value`` as it is in the source, but for the account."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(Database.set_value)))
    transformer = WithoutAccount()
    changed = ast.fix_missing_locations(transformer.visit(tree))
    if not transformer.left_out:
        raise SystemExit("Database.set_value keeps no account: look for where it went")
    defined: dict[str, Any] = {}
    exec(compile(changed, inspect.getfile(Database), "exec"), vars(database), defined)
    return cast(SetValue, defined["set_value"])


def engine_client(engine: Engine) -> Client:
    """A client of an engine in this process."""
    session = Client(engine, EngineSocket(EmbeddedEngine()))
    session.transport.close()
    return session


def batches_of_sets() -> list[list[list[bytes]]]:
    names = [b"key:%012d" % number for number in range(KEYS)]
    random.Random(5).shuffle(names)
    sets = [[b"SET", name, b"v" * length] for length in LENGTHS for name in names]
    return [sets[begin : begin + BATCH] for begin in range(0, len(sets), BATCH)]


def seconds_of(set_value: SetValue, batches: Sequence[list[list[bytes]]]) -> float:
    """Processor time of a SET in an empty engine."""
    kept = Database.set_value
    load_all()
    engine = Engine(Config({"appendonly": "no"}))
    client = engine_client(engine)
    Database.set_value = set_value  # type: ignore[method-assign]
    gc.collect()  # the engine of the round before
    try:
        began = time.thread_time()
        for batch in batches:
            engine.run(client, batch)
            client.out.clear()
        return (time.thread_time() - began) / (len(batches) * BATCH)
    finally:
        Database.set_value = kept  # type: ignore[method-assign]


def cost_of_account(rounds: int) -> tuple[float, float]:
    """Seconds of a SET in this process, and of the account therein: the median of rounds with and without it."""
    batches, bare = batches_of_sets(), set_value_without_account()
    whole, differences = [], []
    versions = (Database.set_value, bare)
    for turn in range(rounds):
        # Each is first in every other round: the first one finds the caches as the collector left them.
        found = {version: seconds_of(version, batches) for version in versions[:: -1 if turn % 2 else 1]}
        whole.append(found[versions[0]])
        differences.append(found[versions[0]] - found[bare])
    return statistics.median(whole), statistics.median(differences)


def seconds_on_server(running: Running, pipeline: int, requests: int) -> float:
    """What a SET takes of a server that is busy all the time: the inverse of its throughput."""
    load = Load("SET", ["-t", "set", "-r", str(KEYS)], requests, pipeline)
    return 1 / statistics.median(run_load(running, load) for _ in range(3))


def bench_cost(scale: float) -> None:
    """The account's share of a SET, in the process alone and over the network."""
    in_process, account = cost_of_account(int(100 * scale) | 1)
    rows = [("in the process, without a network", in_process)]
    with server("kedis", ("--appendonly", "no")) as running:
        for title, pipeline in (("50 connections", 1), ("50 connections, pipeline 16", 16)):
            rows.append(
                (title, seconds_on_server(running, pipeline, int(200_000 * scale) * min(pipeline, 4)))
            )
    print(f"\n### What the account costs\n\nAim: less than {AIM:.0%} of the throughput of SET.\n")
    print("| SET | requests a second | a SET, ns | the account, ns | share |\n|---|---|---|---|---|")
    for title, seconds in rows:
        nanoseconds = f"{seconds * 1e9:,.0f} | {account * 1e9:.0f}"
        print(f"| {title} | {1 / seconds:,.0f} | {nanoseconds} | {account / seconds:.1%} |", flush=True)
