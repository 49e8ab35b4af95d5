"""ops/kedis.service: systemd understands it, it is shut in, and the server lives with what it forbids."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
UNIT = ROOT / "ops" / "kedis.service"
#: systemd's own measure from 0 to 10 (times ten), where a unit without any option has 9.6.
MOST_EXPOSURE = 20
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_systemd
def test_systemd_understands_it(tmp_path: Path) -> None:
    program = tmp_path / "kedis-server"
    program.symlink_to("/bin/true")
    unit = tmp_path / "kedis.service"
    unit.write_text(UNIT.read_text().replace("/opt/kedis/bin/kedis-server", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "kedis.service" not in done.stderr, done.stderr


@needs_systemd
def test_it_is_shut_in() -> None:
    words = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(UNIT)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at a file")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_it_waits_for_the_server_to_have_loaded() -> None:
    text = UNIT.read_text()
    assert "Type=notify" in text and "TimeoutStartSec=infinity" in text
    command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert "--dir /var/lib/kedis" in command and "StateDirectory=kedis" in text


def test_the_server_needs_no_memory_that_is_written_and_then_executed(tmp_path: Path) -> None:
    """MemoryDenyWriteExecute=yes, as the kernel has it for a single process since 6.3."""
    program = (
        "import ctypes, kedis\n"
        f"if ctypes.CDLL(None).prctl({PR_SET_MDWE}, {PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0):\n"
        "    raise SystemExit(77)\n"
        f"with kedis.Server(port=0, appendonly='yes', dir={str(tmp_path)!r}) as server:\n"
        "    client = server.client()\n"
        "    assert client.set('key', 'value') and client.get('key') == b'value'\n"
        "    client.bgrewriteaof()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    if done.returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE")
    assert done.returncode == 0, done.stderr
