"""The backup that docs/operate/running.md describes, while somebody writes and rewrites begin."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

import kedis

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "operate" / "running.md"


def commands() -> str:
    found = re.search(r"```sh\n(# backup: .*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    return found[1]


def test_a_copy_of_the_folder_has_what_was_acknowledged_before(tmp_path: Path) -> None:
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")
    settings = {"appendonly": "yes", "auto_aof_rewrite_min_size": "64kb"}
    stop = threading.Event()
    with kedis.Server(port=0, dir=str(tmp_path / "from"), **settings) as server:
        client = server.client()
        acknowledged = 0

        def write() -> None:
            nonlocal acknowledged
            while not stop.is_set():
                client.set(f"key:{acknowledged + 1}", "x" * 100)
                acknowledged += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            with server.client() as other:
                while other.info("persistence")["aof_base_size"] == 0 or acknowledged < 500:
                    other.ping()
            before = acknowledged
            environment = {
                **os.environ,
                "PORT": str(server.port),
                "FROM": f"{tmp_path}/from",
                "TO": f"{tmp_path}/to",
            }
            done = subprocess.run(
                ["sh", "-euc", commands()], env=environment, capture_output=True, text=True, timeout=60
            )
        finally:
            stop.set()
            writer.join()
        assert done.returncode == 0, done.stderr
        assert client.config_get("auto-aof-rewrite-percentage")["auto-aof-rewrite-percentage"] == "100"
    with kedis.Server(port=0, dir=str(tmp_path / "to"), **settings) as restored:
        client = restored.client()
        assert client.exists(*(f"key:{number}" for number in range(1, before + 1))) == before


def test_every_link_leads_somewhere() -> None:
    text = DOCUMENT.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (DOCUMENT.parent / target).exists(), target
    headings = {
        re.sub(r"[^a-z -]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        assert anchor in headings, anchor
