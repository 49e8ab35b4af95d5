"""The errors of the server, its configuration and its command table, in Redis's words."""

from __future__ import annotations

from kedis.errors import shown

NOT_A_COMMAND = "ERR Invalid command specified"
COMMAND_WITHOUT_KEYS = "ERR The command has no key arguments"
COMMAND_ARITY = "ERR Invalid number of arguments specified for command"
COMMAND_ARGUMENTS = "ERR Invalid arguments specified for command"
SLOWLOG_COUNT = "ERR count should be greater than or equal to -1"
NO_SHUTDOWN = "ERR No shutdown in progress."


def no_latency_samples(event: bytes) -> str:
    """The error for a class of events without samples in LATENCY GRAPH."""
    return f"ERR No samples available for event '{shown(event)}'"


# Cluster and modules, which Kedis lacks.
CLUSTER_DISABLED = "ERR This instance has cluster support disabled"
MODULE_NOT_ALLOWED = (
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from '
    "a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
