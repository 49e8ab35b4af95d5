"""The standalone mode: an engine in this process instead of the server, and reconciliation with the server afterwards.

home                 the folder: snapshots, the data of standing alone, the lock
standalone_link      StandaloneLink: commands are answered by the engine in this process, and synced
server_snapshot      the copy of a server's data
key_values           values of keys, as read from either side
divergence           the changes made alone: the data now, compared with the data at the beginning
reconcile            those changes, compared with the server key by key; push: writing them there; export: into files
settled              the differences already resolved, durably
offline_session      the interactive session, as the standalone mode uses it
fallback, dialogue, actions, standalone_commands   the questions and meta-commands, on the Protocols of `terminal`
"""
