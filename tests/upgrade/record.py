"""Records what the installed Kedis writes and shows, for :mod:`tests.upgrade.test_upgrade`.

    python tests/upgrade/record.py FOLDER

Run by the interpreter of the version to be recorded, the recordings beside this file by that of commit dcd5709: data
folders of each form, a configuration file, and the names that people depend on: settings, metrics, fields of INFO,
flags of the programs, parameters of the Python API.
"""

from __future__ import annotations

import inspect
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import redis

import kedis

PROGRAMS = ("kedis-server", "kedis-cli", "kedis-benchmark", "kedis-check-aof", "kedis-check-rdb")
CONFIGURATION = """\
# Written for the first build.
port {port}
metrics-port {metrics}
dir {folder}
appendonly {appendonly}
aof-use-rdb-preamble {preamble}
appendfsync always
save ""
maxmemory 200mb
maxmemory-policy noeviction
hash-max-listpack-entries 64
notify-keyspace-events KEA
slowlog-log-slower-than 5000
enable-debug-command yes
rename-command FLUSHALL ""
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def program(name: str) -> str:
    """The path of a program beside this interpreter."""
    return str(Path(sys.executable).parent / name)


class Running:
    """A server with a configuration file of :data:`CONFIGURATION`."""

    def __init__(self, folder: Path, *, appendonly: str, preamble: str = "no") -> None:
        self.metrics = free_port()
        port = free_port()
        text = CONFIGURATION.format(
            port=port, metrics=self.metrics, folder=folder, appendonly=appendonly, preamble=preamble
        )
        configuration = folder.parent / "kedis.conf"
        configuration.write_text(text)
        self.process = subprocess.Popen([program("kedis-server"), str(configuration)])
        self.client = redis.Redis(port=port)
        for _ in range(1200):
            try:
                self.client.ping()
                break
            except redis.RedisError:
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def fill(client: Any, part: int) -> None:
    """Keys of every type, small and large, with and without a time to live, in two databases."""
    client.set(f"string:{part}", "v" * 100)
    client.set(f"ttl:{part}", "v", pxat=4_000_000_000_000 + part)
    client.append(f"grown:{part}", "a" * 50)
    client.setrange(f"grown:{part}", 20, b"\x00\xff")
    client.incrbyfloat(f"float:{part}", 1.25)
    for count, size in ((3, "small"), (300, "large")):
        client.rpush(f"list:{size}:{part}", *range(count))
        client.sadd(f"set:{size}:{part}", *range(count))
        client.sadd(f"words:{size}:{part}", *(f"w{n}" for n in range(count)))
        client.hset(f"hash:{size}:{part}", mapping={f"f{n}": n for n in range(count)})
        client.zadd(f"zset:{size}:{part}", {f"m{n}": n / 3 for n in range(count)})
    client.lpop(f"list:large:{part}", 7)
    client.pfadd(f"pf:{part}", *range(500))
    client.geoadd(f"geo:{part}", (13.361389, 38.115556, "Palermo"))
    client.blpop(f"list:small:{part}")
    with client.pipeline() as unit:
        unit.set(f"unit:{part}", 1).incr(f"unit:{part}").execute()
    client.execute_command("SELECT", 1)
    client.set(f"second:{part}", "v")
    client.execute_command("SELECT", 0)


def record_folder(target: Path, name: str, **options: str) -> str:
    """Make a folder of data, half of it rewritten; returns DEBUG DIGEST."""
    folder = target / name / "data"
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.mkdir(parents=True)
    running = Running(folder, **options)
    fill(running.client, 1)
    if options["appendonly"] == "yes":
        running.client.bgrewriteaof()
        while running.client.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.05)
        fill(running.client, 2)
    else:
        running.client.save()
    digest: bytes = running.client.execute_command("DEBUG", "DIGEST")
    running.stop()
    (folder.parent / "kedis.conf").unlink()
    return digest.decode()


def parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def names(folder: Path) -> dict[str, Any]:
    """The names that people depend on."""
    folder.mkdir(parents=True)
    running = Running(folder, appendonly="yes")
    fill(running.client, 1)
    with urllib.request.urlopen(f"http://127.0.0.1:{running.metrics}/metrics", timeout=60) as answer:
        metrics = re.findall(r"^# TYPE (\S+)", answer.read().decode(), re.M)
    info = sorted(running.client.info("everything"))
    settings = sorted(running.client.config_get("*"))
    running.stop()
    helps = {
        each: subprocess.run([program(each), "--help"], capture_output=True, text=True).stdout
        for each in PROGRAMS
    }
    return {
        "settings": settings,
        "metrics": sorted(metrics),
        "info": info,
        "flags": {
            each: sorted(set(re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", text)))
            for each, text in helps.items()
        },
        "modules": sorted(
            str(path.relative_to(Path(kedis.__file__).parent.parent))
            for path in Path(kedis.__file__).parent.rglob("*.py")
        ),
        "api": {
            "kedis": sorted(name for name in kedis.__all__),
            "connect": parameters(kedis.connect),
            "Server": parameters(kedis.Server.__init__),
            "Server.attributes": sorted(name for name in dir(kedis.Server) if not name.startswith("_")),
        },
    }


def main() -> None:
    target = Path(sys.argv[1]).absolute()
    digests = {
        "commands": record_folder(target, "commands", appendonly="yes"),
        "preamble": record_folder(target, "preamble", appendonly="yes", preamble="yes"),
        "snapshot": record_folder(target, "snapshot", appendonly="no"),
    }
    scratch = target / "scratch"
    found = {"digests": digests, **names(scratch / "data")}
    shutil.rmtree(scratch)
    (target / "recorded.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
