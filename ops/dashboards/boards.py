"""Kedis's nine dashboards."""

from __future__ import annotations

from ops.dashboards.copies import REPLICATION
from ops.dashboards.doors import ROUTER
from ops.dashboards.storage import EXPIRY, MEMORY, PERSISTENCE
from ops.dashboards.traffic import CLIENTS, COMMANDS, LOAD, OVERVIEW

BOARDS = (OVERVIEW, COMMANDS, MEMORY, EXPIRY, PERSISTENCE, REPLICATION, CLIENTS, LOAD, ROUTER)
