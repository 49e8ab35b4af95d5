"""Some time of the soak; an hour of it is ``make soak``."""

from __future__ import annotations

import os
from pathlib import Path

from kedis import native
from tests.soak.run import soak

SECONDS = float(os.environ.get("KEDIS_SOAK_SECONDS", "60" if native.PATH == "native" else "15"))


def test_everything_at_once(tmp_path: Path) -> None:
    soak(tmp_path, SECONDS, print)
