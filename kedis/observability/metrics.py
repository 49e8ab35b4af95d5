"""The table of all metrics: Kedis's own first, those under the names of redis_exporter, replicas, routers,
chosen streams.

``FAMILIES`` is what is exposed, documented (docs/reference/metrics.md) and tested; nothing else knows a metric's name.
"""

from __future__ import annotations

from kedis.observability import (
    metrics_kedis,
    metrics_redis,
    metrics_replication,
    metrics_router,
    metrics_streams,
)
from kedis.observability.metrics_family import Family

FAMILIES: tuple[Family, ...] = (
    *metrics_kedis.FAMILIES,
    *metrics_redis.FAMILIES,
    *metrics_replication.FAMILIES,
    *metrics_router.FAMILIES,
    *metrics_streams.FAMILIES,
)
