"""The settings of a router: Kedis in front of a cluster, another server or a Sentinel group."""

from __future__ import annotations

from kedis.config.declare import Group, choice, integer, text
from kedis.config.setting_types import INT_MAX


class UpstreamSettings(Group, title="router", effective=True):
    upstream = text(
        "",
        "serve no data of its own, but those of a cluster, another server, or a Sentinel group: "
        "redis://HOST:PORT,HOST:PORT, rediss://… by TLS, redis+sentinel://HOST:PORT,…/NAME (Kedis's own)",
        fixed=True,
        own=True,
        secret=True,
    )
    upstream_tls_ca_cert_file = text(
        "",
        "certificates of the authorities that are trusted; empty: the system's (Kedis's own)",
        fixed=True,
        own=True,
    )
    upstream_tls_cert_file = text("", "certificate to show to the nodes (Kedis's own)", fixed=True, own=True)
    upstream_tls_key_file = text("", "its key (Kedis's own)", fixed=True, own=True)
    upstream_connections = integer(
        1, 1, 64, "connections to each shard that all clients share (Kedis's own)", fixed=True, own=True
    )
    upstream_read_from = choice(
        "master",
        ("master", "replica", "prefer-replica"),
        "where requests that read go; replicas may be behind (Kedis's own)",
        own=True,
    )
    upstream_retry_ms = integer(
        5000,
        0,
        INT_MAX,
        "milliseconds for which a request that was not executed is sent again: redirected, or without a node "
        "(Kedis's own)",
        own=True,
    )
    upstream_timeout_ms = integer(
        5000,
        1,
        INT_MAX,
        "milliseconds for connecting to a node, and for its replies, but of what blocks (Kedis's own)",
        own=True,
    )
