"""The errors of masters, replicas and failovers, in Redis's words."""

from __future__ import annotations

from kedis.errors import shown

# SYNC, REPLCONF, WAIT.
NO_REPLICAS_HERE = "ERR an engine without a network has no replicas"
PENDING_OUTPUT = "ERR SYNC and PSYNC are invalid with pending output"
FEW_REPLICAS = "NOREPLICAS Not enough good replicas to write."
REPLCONF_ADDRESS_TOO_LONG = "ERR REPLCONF ip-address provided by replica instance is too long: %d bytes"
WAIT_ON_REPLICA = (
    "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured "
    "to be writable (which is not the default) writes to replicas are just local and are not propagated."
)
NO_MASTER_LINK = "NOMASTERLINK Can't SYNC while not connected with my master"
NO_SYNC_WHILE_FAILING_OVER = "NOMASTERLINK Can't SYNC while failing over"


def unknown_snapshot_part(name: bytes) -> str:
    """The error for a part of a snapshot that REPLCONF rdb-filter-only does not know."""
    return f"ERR Unsupported rdb-filter-only option: {shown(name)}"


def unknown_replconf_option(option: bytes) -> str:
    """The error for an option that REPLCONF does not know."""
    return f"ERR Unrecognized REPLCONF option: {shown(option)}"


# REPLICAOF, FAILOVER.
BECAME_REPLICA = (
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
)
NO_REPLICATION = "ERR this server cannot be a replica"
INVALID_MASTER_PORT = "ERR Invalid master port"
REPLICAOF_WHILE_FAILING_OVER = "ERR REPLICAOF not allowed while failing over."
NO_FAILOVER = "ERR No failover in progress."
FAILOVER_TIMEOUT = "ERR FAILOVER timeout must be greater than 0"
FAILOVER_WITHOUT_REPLICAS = "ERR FAILOVER requires connected replicas."
FAILOVER_ON_REPLICA = "ERR FAILOVER is not valid when server is a replica."
FAILOVER_UNDER_WAY = "ERR FAILOVER already in progress."
FAILOVER_FORCE = "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
FAILOVER_NOT_A_REPLICA = "ERR FAILOVER target HOST and PORT is not a replica."
FAILOVER_NOT_ONLINE = "ERR FAILOVER target replica is not online."
TAKEOVER_OF_MASTER = "ERR PSYNC FAILOVER can't be sent to a master."
TAKEOVER_OF_OTHER = "ERR PSYNC FAILOVER replid must match my replid."
