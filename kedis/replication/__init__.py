"""Replication: what a master and a replica say to each other, without sockets."""
