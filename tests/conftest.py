"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

pytest_plugins = ["tests.oracle", "tests.account", "tests.leftovers"]
