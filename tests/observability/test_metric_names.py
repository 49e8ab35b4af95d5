"""The names and labels that dashboards and alerts of redis_exporter ask Prometheus for: every one of them is served."""

from __future__ import annotations

import re
import urllib.request

import kedis
from tests.ports import free_port

#: A name, and its labels.
ASKED = """
redis_up
redis_uptime_in_seconds
redis_instance_info role redis_version redis_mode os maxmemory_policy tcp_port run_id process_id
redis_commands_total cmd
redis_commands_duration_seconds_total cmd
redis_commands_failed_calls_total cmd
redis_commands_rejected_calls_total cmd
redis_commands_processed_total
redis_connected_clients
redis_blocked_clients
redis_config_maxclients
redis_connections_received_total
redis_rejected_connections_total
redis_memory_used_bytes
redis_memory_max_bytes
redis_memory_used_rss_bytes
redis_memory_used_peak_bytes
redis_mem_fragmentation_ratio
redis_total_system_memory_bytes
redis_db_keys db
redis_db_keys_expiring db
redis_db_avg_ttl_seconds db
redis_keyspace_hits_total
redis_keyspace_misses_total
redis_expired_keys_total
redis_evicted_keys_total
redis_net_input_bytes_total
redis_net_output_bytes_total
redis_cpu_sys_seconds_total
redis_cpu_user_seconds_total
redis_aof_enabled
redis_aof_current_size_bytes
redis_aof_base_size_bytes
redis_aof_rewrite_in_progress
redis_aof_last_rewrite_duration_sec
redis_aof_last_write_status
redis_aof_last_bgrewrite_status
redis_aof_delayed_fsync
redis_loading_dump_file
redis_slowlog_length
redis_slowlog_last_id
redis_latency_spike_duration_seconds event_name
redis_pubsub_channels
redis_pubsub_patterns
"""
_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? \S+$")
_LABEL = re.compile(r'(\w+)="')


def test_every_name_that_dashboards_ask_for_is_served() -> None:
    port = free_port()
    with (
        kedis.Server(port=0, metrics_port=port, appendonly="yes", enable_debug_command="local") as server,
        server.client() as client,
    ):
        client.config_set("latency-monitor-threshold", 1)
        client.execute_command("DEBUG", "SLEEP", "0.01")
        client.set("k", "v", ex=1000)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
    served = {
        match[1]: set(_LABEL.findall(match[2] or "")) for line in lines if (match := _SAMPLE.match(line))
    }
    asked = {words[0]: set(words[1:]) for words in map(str.split, ASKED.strip().splitlines())}
    assert asked.keys() - served.keys() == set()
    assert {name: labels for name, labels in asked.items() if not labels <= served[name]} == {}
