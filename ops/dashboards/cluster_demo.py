"""A cluster of three masters of real Redis under a router, with a load and slots that move: to draw its dashboard."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import redis


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[list[int]]:
    """The ports of three masters, which share all slots."""
    ports, processes = [_free_port() for _ in range(3)], []
    try:
        for port in ports:
            place = folder / str(port)
            place.mkdir()
            words = ["redis-server", "--port", str(port), "--cluster-enabled", "yes", "--save", ""]
            words += ["--cluster-port", str(_free_port()), "--dir", str(place)]
            processes.append(subprocess.Popen(words, stdout=subprocess.DEVNULL))
        for port in ports:
            _await(port)
        _redis_cli("create", *(f"127.0.0.1:{port}" for port in ports), "--cluster-yes")
        yield ports
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _await(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("redis-server does not start")


def _redis_cli(*words: str) -> None:
    subprocess.run(["redis-cli", "--cluster", *words], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def clients(port: int, nodes: list[int]) -> Iterator[None]:
    """Clients of the router at ``port``, and somebody who moves slots to and fro."""
    stop = threading.Event()
    threads = [threading.Thread(target=_use, args=(port, stop, seed)) for seed in range(6)]
    threads.append(threading.Thread(target=_move, args=(nodes, stop)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def _use(port: int, stop: threading.Event, seed: int) -> None:
    """Pipelines, keys of many shards, transactions and blocking commands; one key is asked for more than others."""
    client, chosen = redis.Redis(port=port), random.Random(seed)
    while not stop.is_set():
        keys = [f"key:{chosen.randrange(5000)}" for _ in range(10)]
        with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.set(key, "x" * chosen.randrange(500))
                pipe.get(key)
                pipe.get("hot")
            pipe.mget(keys)
            pipe.execute()
        with contextlib.suppress(redis.WatchError):
            client.transaction(lambda pipe: pipe.multi() or pipe.incr("counter"), "counter")
        if seed == 0:
            client.blpop(["nothing"], 0.1)
        time.sleep(0.005)


def _move(nodes: list[int], stop: threading.Event) -> None:
    turn = 0
    while not stop.wait(8):
        ids = [_id_of(nodes[(turn + step) % 3]) for step in range(2)]
        words = ["--cluster-from", ids[0], "--cluster-to", ids[1], "--cluster-slots", "300", "--cluster-yes"]
        with contextlib.suppress(subprocess.CalledProcessError):  # the last move is not yet known to all
            _redis_cli("reshard", f"127.0.0.1:{nodes[0]}", *words)
        turn += 1


def _id_of(port: int) -> str:
    with redis.Redis(port=port, decode_responses=True) as client:
        return str(client.execute_command("CLUSTER", "MYID"))
