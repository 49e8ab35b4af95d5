"""A server of either kind and a standalone folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.standalone.world import World


@pytest.fixture
def world(port: int, tmp_path: Path) -> Iterator[World]:
    """Both sides of a divergence, against Kedis and against Redis."""
    both = World(port, tmp_path / "home")
    yield both
    both.close()
