"""Fixtures that all tests share."""

from __future__ import annotations

from kedis.commands import load_all

pytest_plugins = ["tests.oracle", "tests.account", "tests.leftovers"]

load_all()
