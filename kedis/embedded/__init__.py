"""The embedded engine: runs in the program's own process without socket, thread or start-up, driven by its clients."""
