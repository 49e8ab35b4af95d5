"""A Kedis on a machine whose name service does not answer. Run as ``python -m tests.crash.nameless_kedis FLAGS``.

Addresses in digits need none.
"""

from __future__ import annotations

import _socket
import sys
import time
from typing import Any

_real = _socket.getaddrinfo


def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
    """Answer for addresses; for a name never."""
    name = host.decode() if isinstance(host, bytes) else host or ""
    if not name.endswith(".invalid"):
        return _real(host, *rest, **options)
    while True:
        time.sleep(60)


_socket.getaddrinfo = getaddrinfo

from kedis.cli.server import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
