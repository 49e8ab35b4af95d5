"""Going on without the server: the engine in this process, and the way back.

home         the folder: snapshots, the data of standing alone, the lock
link         StandaloneLink: commands are answered by the engine in this process, and synced
snapshot     the copy of a server's data
divergence   what was changed alone, against what the data were in the beginning
reconcile    that, compared with the server key by key; push: writing it there; both_sides: into files
settled      which differences were resolved, durably
fallback, colon, dialogue   what the user sees of it, on the small interface of `terminal`
"""
