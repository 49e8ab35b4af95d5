"""That the compiled build is what is tested when it is meant to be: ``make test-compiled`` puts it on PYTHONPATH."""

from __future__ import annotations

import importlib
import os
import runpy
from pathlib import Path
from typing import Any

import pytest

import kedis
from kedis.engine.engine import COMPILED

ROOT = Path(__file__).resolve().parents[1]
MEANT = os.environ.get("PYTHONPATH", "").endswith("build/compiled")


@pytest.fixture(scope="module")
def hot() -> list[str]:
    """The modules that setup.py compiles."""
    os.environ.pop("KEDIS_COMPILE", None)
    import setuptools

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **settings: None)
        names: dict[str, Any] = runpy.run_path(str(ROOT / "setup.py"))
    return [path.removesuffix(".py").replace("/", ".") for path in names["HOT"]]


def test_every_module_on_the_list_is_there_and_built_as_meant(hot: list[str]) -> None:
    for name in hot:
        file = importlib.import_module(name).__file__
        assert file is not None and file.endswith(".so" if MEANT else ".py"), name


def test_a_server_tells_how_it_was_built() -> None:
    assert COMPILED is MEANT
    with kedis.Server(port=0) as server:
        assert server.client().info("server")["kedis_compiled"] == int(MEANT)
