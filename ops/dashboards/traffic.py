"""What comes and goes: the overview, commands, clients and the event loop, load tests."""

from __future__ import annotations

from ops.dashboards.panels import (
    COMMAND,
    HITS,
    INSTANCE,
    RED,
    REQUESTS,
    WINDOW,
    YELLOW,
    Board,
    Row,
    heatmap,
    lines,
    quantiles,
    rate,
    stat,
    table,
)

OVERVIEW = Board(
    "kedis-overview",
    "Kedis / Overview",
    "Traffic, latency, errors, memory and health at a glance.",
    [
        Row(
            "Health",
            [
                stat(
                    "Every server ready",
                    "1 when every server takes every command.",
                    f"min(kedis_ready{{{INSTANCE}}})",
                    "bool_yes_no",
                ),
                stat("Commands per second", "Commands a second.", rate("kedis_commands_total"), "reqps"),
                stat(
                    "Request latency p99",
                    "99 of 100 requests are answered within.",
                    REQUESTS[1][0],
                    "s",
                    [(0.008, YELLOW), (0.05, RED)],
                ),
                stat(
                    "Error replies, share of commands",
                    "Share of the commands that are answered with an error.",
                    f"({rate('kedis_error_replies_total')} or vector(0)) / {rate('kedis_commands_total')}",
                    "percentunit",
                    [(0.01, YELLOW), (0.05, RED)],
                ),
                stat("Hit ratio of look-ups", "Look-ups that found their key.", HITS, "percentunit"),
                stat(
                    "Uptime of the youngest server",
                    "How long the youngest server has run.",
                    f"time() - max(kedis_start_time_seconds{{{INSTANCE}}})",
                    "s",
                ),
            ],
        ),
        Row(
            "Traffic",
            [
                lines(
                    "Commands per second, by command",
                    "Commands a second, by command.",
                    "reqps",
                    (rate("kedis_commands_total", by="cmd"), "{{cmd}}"),
                    stacked=True,
                ),
                lines(
                    "Request latency quantiles",
                    "From bytes received to reply sent, queueing included.",
                    "s",
                    *REQUESTS,
                ),
                lines(
                    "Error replies per second, by kind",
                    "Error replies a second, by the first word.",
                    "reqps",
                    (f"{rate('kedis_error_replies_total', by='kind')} or vector(0)", "{{kind}}"),
                ),
            ],
        ),
        Row(
            "Resources",
            [
                lines(
                    "Memory: used, resident, limit",
                    "What is accounted for, what the process occupies, and maxmemory.",
                    "bytes",
                    (f"sum(kedis_memory_used_bytes{{{INSTANCE}}})", "used"),
                    (f"sum(kedis_memory_resident_bytes{{{INSTANCE}}})", "resident"),
                    (f"sum(kedis_memory_limit_bytes{{{INSTANCE}}})", "maxmemory"),
                ),
                lines(
                    "Clients by state",
                    "Connections by what they are doing.",
                    "short",
                    (f"sum by (state) (kedis_clients{{{INSTANCE}}})", "{{state}}"),
                    stacked=True,
                ),
                lines(
                    "Keys by database",
                    "Keys of each database.",
                    "short",
                    (f"sum by (db) (kedis_db_keys{{{INSTANCE}}})", "{{db}}"),
                    stacked=True,
                ),
            ],
        ),
    ],
)

_P99_BY_COMMAND = quantiles("kedis_command_duration_seconds", ',cmd=~"$cmd"', ", cmd")[1][0]

COMMANDS = Board(
    "kedis-commands",
    "Kedis / Commands",
    "Each command: how often, how long, how often in vain.",
    [
        Row(
            "Chosen commands",
            [
                lines(
                    "Calls per second, by command",
                    "Calls a second.",
                    "reqps",
                    (rate("kedis_commands_total", COMMAND, "cmd"), "{{cmd}}"),
                    stacked=True,
                    width=12,
                ),
                heatmap(
                    "Command latency heatmap",
                    "How the execution times of the chosen commands are spread.",
                    "s",
                    "kedis_command_duration_seconds",
                    ',cmd=~"$cmd"',
                ),
                lines(
                    "Command latency quantiles",
                    "Execution time, waiting excluded.",
                    "s",
                    *quantiles("kedis_command_duration_seconds", ',cmd=~"$cmd"'),
                ),
                lines(
                    "Command latency p99, by command",
                    "99 of 100 calls take no longer.",
                    "s",
                    (_P99_BY_COMMAND, "{{cmd}}"),
                ),
                lines(
                    "Share of the core, by command",
                    "Share of the core that each command takes.",
                    "percentunit",
                    (rate("kedis_command_duration_seconds_sum", COMMAND, "cmd"), "{{cmd}}"),
                    stacked=True,
                ),
            ],
        ),
        Row(
            "Slowest, most called, failing",
            [
                table(
                    "Slowest commands, by p99",
                    "The ten highest p99.",
                    "s",
                    f"topk(10, {_P99_BY_COMMAND})",
                    "{{cmd}}",
                ),
                table(
                    "Most called commands, calls per second",
                    "The ten most frequent.",
                    "reqps",
                    f"topk(10, {rate('kedis_commands_total', COMMAND, 'cmd')})",
                    "{{cmd}}",
                ),
                table(
                    "Commands with most errors per second",
                    "Commands and first words of their errors.",
                    "reqps",
                    f"topk(10, sum by (cmd, kind) (rate(kedis_command_errors_total{{{COMMAND}}}{WINDOW})))",
                    "{{cmd}} {{kind}}",
                ),
                lines(
                    "Failed calls per second",
                    "Calls a second that ended in an error.",
                    "reqps",
                    (rate("kedis_command_errors_total", COMMAND, "cmd, kind"), "{{cmd}} {{kind}}"),
                    width=8,
                ),
                lines(
                    "Rejected calls per second",
                    "Calls a second that were refused before they ran.",
                    "reqps",
                    (rate("kedis_command_rejected_total", COMMAND, "cmd, kind"), "{{cmd}} {{kind}}"),
                    width=8,
                ),
                lines(
                    "Slow-log entries per second",
                    "Commands a second that went to the slow log.",
                    "reqps",
                    (rate("kedis_slow_commands_total"), "slow"),
                    width=8,
                ),
            ],
        ),
    ],
    by_command=True,
)

CLIENTS = Board(
    "kedis-clients",
    "Kedis / Clients & event loop",
    "Who is connected, and what keeps the one thread busy.",
    [
        Row(
            "Clients",
            [
                lines(
                    "Clients by state",
                    "By what they are doing.",
                    "short",
                    (f"sum by (state) (kedis_clients{{{INSTANCE}}})", "{{state}}"),
                    stacked=True,
                    width=6,
                ),
                lines(
                    "Clients, share of maxclients",
                    "Connections as a share of those that may be; beyond, clients are refused.",
                    "percentunit",
                    (
                        f"sum by (instance) (kedis_clients{{{INSTANCE}}})"
                        f" / sum by (instance) (kedis_clients_limit{{{INSTANCE}}})",
                        "{{instance}}",
                    ),
                    thresholds=[(0.8, YELLOW), (1.0, RED)],
                    width=6,
                ),
                lines(
                    "Connections per second",
                    "Connections a second: accepted, refused, closed at a limit.",
                    "ops",
                    (rate("kedis_connections_total"), "accepted"),
                    (rate("kedis_connections_rejected_total"), "refused"),
                    (rate("kedis_clients_killed_total", by="limit"), "{{limit}}"),
                    width=6,
                ),
                lines(
                    "TLS handshakes per second, by outcome",
                    "Handshakes a second by how they ended: complete, failed.",
                    "ops",
                    (rate("kedis_tls_handshakes_total", by="outcome"), "{{outcome}}"),
                    width=6,
                ),
                lines(
                    "Time until a certificate ends",
                    "Of the TLS certificates in use the first that ends; empty without TLS.",
                    "s",
                    (
                        f"min by (instance) (kedis_tls_certificate_expiry_timestamp_seconds{{{INSTANCE}}}) - time()",
                        "{{instance}}",
                    ),
                    width=6,
                ),
                lines(
                    "Client buffers",
                    "Bytes received and not run, and answered and not sent.",
                    "bytes",
                    (f"sum(kedis_client_input_buffer_bytes{{{INSTANCE}}})", "input"),
                    (f"sum(kedis_client_output_buffer_bytes{{{INSTANCE}}})", "output"),
                    width=6,
                ),
                lines(
                    "Network traffic per second",
                    "Bytes a second.",
                    "Bps",
                    (rate("kedis_network_received_bytes_total"), "received"),
                    (rate("kedis_network_sent_bytes_total"), "sent"),
                    width=6,
                ),
                lines(
                    "Pipeline depth quantiles",
                    "Pipelining: how many commands one read brings.",
                    "short",
                    *quantiles("kedis_pipeline_depth"),
                    width=6,
                ),
                lines(
                    "Transactions per second, by outcome",
                    "A second, by how they ended.",
                    "ops",
                    (rate("kedis_transactions_total", by="outcome"), "{{outcome}}"),
                    stacked=True,
                ),
            ],
        ),
        Row(
            "Event loop",
            [
                heatmap(
                    "Request latency heatmap",
                    "From bytes received to reply sent.",
                    "s",
                    "kedis_request_duration_seconds",
                ),
                lines(
                    "Request latency p99: queueing and whole",
                    "p99 of the time before the command began, and of the whole.",
                    "s",
                    (quantiles("kedis_request_wait_seconds")[1][0], "waiting"),
                    (REQUESTS[1][0], "whole"),
                    width=12,
                ),
                lines(
                    "Event-loop turn duration",
                    "How long a turn that served clients kept the loop.",
                    "s",
                    *quantiles("kedis_event_loop_turn_seconds"),
                ),
                lines(
                    "Event-loop lag",
                    "How late periodic work begins.",
                    "s",
                    *quantiles("kedis_event_loop_lag_seconds"),
                    thresholds=[(0.05, YELLOW), (0.1, RED)],
                ),
                lines(
                    "Garbage collector, share of the time",
                    "Share of the time in its pauses, by generation.",
                    "percentunit",
                    (rate("kedis_gc_pause_seconds_sum", by="generation"), "{{generation}}"),
                    stacked=True,
                ),
                lines(
                    "Greenlets in the server",
                    "One for each client, and a few more.",
                    "short",
                    (f"sum(kedis_greenlets{{{INSTANCE}}})", "greenlets"),
                ),
                lines(
                    "Metrics, share of the core",
                    "Share of the core that scrapes take.",
                    "percentunit",
                    (rate("kedis_metrics_render_seconds_total"), "rendering"),
                ),
            ],
        ),
    ],
)

LOAD = Board(
    "kedis-load",
    "Kedis / Load test",
    "Locust's view beside the server's: what the network and the client add.",
    [
        Row(
            "Load",
            [
                lines("Simulated users", "Simulated users.", "short", ("sum(locust_users)", "users")),
                lines(
                    "Locust requests per second, by name",
                    "A second, as Locust counts them.",
                    "reqps",
                    (f"sum by (name) (rate(locust_requests_total{WINDOW}))", "{{name}}"),
                    stacked=True,
                ),
                lines(
                    "Locust failures per second",
                    "A second.",
                    "reqps",
                    (f"sum by (name) (rate(locust_failures_total{WINDOW}))", "{{name}}"),
                    thresholds=[(0.001, RED)],
                ),
                lines(
                    "Request latency at the client",
                    "As Locust measures it, network and client included; without commands that wait for others.",
                    "s",
                    *quantiles("locust_request_duration_seconds", 'method!="wait"', selected=False),
                    width=12,
                ),
                lines(
                    "Request latency in the server",
                    "From bytes received to reply sent.",
                    "s",
                    *REQUESTS,
                    width=12,
                ),
                lines(
                    "Commands per second, by command",
                    "A second, as the server counts them.",
                    "reqps",
                    (rate("kedis_commands_total", by="cmd"), "{{cmd}}"),
                    stacked=True,
                    width=12,
                ),
                lines(
                    "Command latency p99, by command",
                    "p99 of the commands themselves.",
                    "s",
                    (quantiles("kedis_command_duration_seconds", "", ", cmd")[1][0], "{{cmd}}"),
                    width=12,
                ),
            ],
        ),
    ],
)
