"""The load image's entry point: Locust, with the address and the password of the server in ``KEDIS_URL``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote


def url(password: str, host: str) -> str:
    """Where the server is, as whom."""
    return f"redis://:{quote(password, safe='')}@{host}" if password else f"redis://{host}"


def main(words: Sequence[str]) -> None:
    """Become ``locust``."""
    program = Path(sys.executable).with_name("locust")
    path = os.environ.pop("KEDIS_PASSWORD_FILE", "")
    password = Path(path).read_text().rstrip("\n") if path else ""
    os.environ["KEDIS_URL"] = url(password, os.environ.get("KEDIS_HOST", "127.0.0.1:6379"))
    os.execv(program, [str(program), *words])


if __name__ == "__main__":
    main(sys.argv[1:])
