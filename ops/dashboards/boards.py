"""Kedis's seven dashboards."""

from __future__ import annotations

from ops.dashboards.storage import EXPIRY, MEMORY, PERSISTENCE
from ops.dashboards.traffic import CLIENTS, COMMANDS, LOAD, OVERVIEW

BOARDS = (OVERVIEW, COMMANDS, MEMORY, EXPIRY, PERSISTENCE, CLIENTS, LOAD)
