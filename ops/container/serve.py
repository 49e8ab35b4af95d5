"""The image's entry point: ``kedis-server`` with the password of the environment, if there is one.

``KEDIS_PASSWORD_FILE`` names a file that holds it; ``KEDIS_PASSWORD`` is the password itself.  It reaches the server
through standard input as a configuration, since the words of a command can be read by every user of the machine.
Without a password Kedis answers only clients of its own container (``protected-mode``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kedis.config.syntax import quote_word


def password_of(environment: Mapping[str, str]) -> str:
    """The password, or nothing.  Raises OSError when there should be a file and there is none."""
    path = environment.get("KEDIS_PASSWORD_FILE")
    return Path(path).read_text().rstrip("\n") if path else environment.get("KEDIS_PASSWORD", "")


def configuration(password: str) -> bytes:
    """What the server reads before its flags."""
    return f"requirepass {quote_word(password)}\n".encode() if password else b""


def main(words: Sequence[str]) -> None:
    """Become ``kedis-server``, which thereby is the container's first process and gets its signals."""
    program = Path(sys.executable).with_name("kedis-server")
    try:
        text = configuration(password_of(os.environ))
    except OSError as error:
        sys.exit(f"no password: {error}")
    file = os.memfd_create("configuration")
    os.write(file, text)
    os.lseek(file, 0, os.SEEK_SET)
    os.dup2(file, 0)
    for name in ("KEDIS_PASSWORD", "KEDIS_PASSWORD_FILE"):
        os.environ.pop(name, None)
    os.execv(program, [str(program), "-", *words])


if __name__ == "__main__":
    main(sys.argv[1:])
