"""The version of Kedis, and that of Redis whose commands it has."""

from __future__ import annotations

VERSION = "0.1.0"
#: What INFO gives to applications that choose commands by it.
REDIS_VERSION = "7.0.15"
