"""Replication: this server as the replica of a master, without sockets (those are in :mod:`kedis.server`)."""
