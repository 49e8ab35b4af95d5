"""Router: the shards of a cluster as the router in front of it sees them."""

from __future__ import annotations

from ops.dashboards.panels import INSTANCE, RED, YELLOW, Board, Row, heatmap, lines, quantiles, rate, stat

_SHARDS = f"by (shard) (kedis_router_in_flight{{{INSTANCE}}})"

ROUTER = Board(
    "kedis-router",
    "Kedis / Router",
    "Latency, requests in flight, retries and redirects of every shard behind the router.",
    [
        Row(
            "State",
            [
                stat("Shards", "Masters that the router knows.", f"max(kedis_router_shards{{{INSTANCE}}})"),
                stat(
                    "Every shard up",
                    "1 when the master of every shard answers.",
                    f"min(kedis_router_up{{{INSTANCE}}})",
                    "bool_yes_no",
                ),
                stat(
                    "p99 of the slowest shard",
                    "From a request's sending to its reply, one in a hundred takes longer.",
                    f"max({quantiles('kedis_router_shard_seconds', by=', shard')[1][0]})",
                    "s",
                    [(0.01, YELLOW), (0.1, RED)],
                ),
                stat(
                    "Requests in flight",
                    "Requests that wait for a shard's reply, of all shards.",
                    f"sum(kedis_router_in_flight{{{INSTANCE}}})",
                    "short",
                    [(1_000, YELLOW), (10_000, RED)],
                ),
                stat(
                    "Retries per second",
                    "Requests that were sent again.",
                    rate("kedis_router_retries_total"),
                    "reqps",
                    [(1, YELLOW)],
                ),
                stat(
                    "Topology changes in 24 hours",
                    "Changes of masters or of their slots: failovers, moved slots, nodes that came or went.",
                    f"sum(increase(kedis_router_topology_changes_total{{{INSTANCE}}}[24h]))",
                ),
            ],
        ),
        Row(
            "Latency of shards",
            [
                heatmap(
                    "Latency of all shards, as a heatmap",
                    "How long shards take to reply: slow ones stand above the others.",
                    "s",
                    "kedis_router_shard_seconds",
                ),
                lines(
                    "p99 of each shard",
                    "From a request's sending to its reply, one in a hundred takes longer.",
                    "s",
                    (quantiles("kedis_router_shard_seconds", by=", shard")[1][0], "{{shard}}"),
                    width=12,
                ),
            ],
        ),
        Row(
            "Load of shards",
            [
                lines(
                    "Requests per second of each shard",
                    "Replies of each shard: a hot shard is the one above the others.",
                    "reqps",
                    (rate("kedis_router_shard_seconds_count", by="shard"), "{{shard}}"),
                ),
                lines(
                    "Requests in flight of each shard",
                    "Requests that wait for the shard's reply. A slow shard's grow, and those of others do not.",
                    "short",
                    (f"sum {_SHARDS}", "{{shard}}"),
                ),
                lines(
                    "Connections to each shard",
                    "Shared ones carry the requests of all clients; own ones belong to a client for a transaction, "
                    "a blocking command or a subscription.",
                    "short",
                    (
                        f"sum by (shard, kind) (kedis_router_connections{{{INSTANCE}}})",
                        "{{shard}} {{kind}}",
                    ),
                ),
            ],
        ),
        Row(
            "Redirects and retries",
            [
                lines(
                    "Redirects per second",
                    "MOVED and ASK: slots that move. TRYAGAIN: several keys of a slot on its way. CLUSTERDOWN: "
                    "slots without a master.",
                    "reqps",
                    (rate("kedis_router_redirects_total", by="kind"), "{{kind}}"),
                ),
                lines(
                    "Retries per second by reason",
                    "Requests that were sent again, by why.",
                    "reqps",
                    (rate("kedis_router_retries_total", by="reason"), "{{reason}}"),
                ),
                lines(
                    "Shards up",
                    "1 while the shard's master answers.",
                    "short",
                    (f"min by (shard) (kedis_router_up{{{INSTANCE}}})", "{{shard}}"),
                ),
            ],
        ),
    ],
)
