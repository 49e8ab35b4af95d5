"""The flags of commands: those that COMMAND INFO shows, and those for the engine alone."""

from __future__ import annotations

import enum


class Flag(enum.IntFlag):
    """What a command does and where it may run, in the order in which COMMAND INFO lists them.

    Those after ALLOW_BUSY are the engine's own (:data:`INTERNAL`): COMMAND INFO does not show them, and a subcommand
    inherits them from its container.
    """

    WRITE = enum.auto()
    READONLY = enum.auto()
    DENYOOM = enum.auto()
    ADMIN = enum.auto()
    PUBSUB = enum.auto()
    NOSCRIPT = enum.auto()
    BLOCKING = enum.auto()
    LOADING = enum.auto()
    STALE = enum.auto()
    SKIP_MONITOR = enum.auto()
    SKIP_SLOWLOG = enum.auto()
    ASKING = enum.auto()
    FAST = enum.auto()
    NO_AUTH = enum.auto()
    NO_MANDATORY_KEYS = enum.auto()
    NO_ASYNC_LOADING = enum.auto()
    NO_MULTI = enum.auto()
    ALLOW_BUSY = enum.auto()
    # Runs at once inside MULTI, instead of being queued.
    NOT_QUEUED = enum.auto()
    # Begins a transaction (MULTI).
    OPENS_QUEUE = enum.auto()
    # Runs the queued commands: a write, or denied while memory is full, if one of them is (EXEC).
    RUNS_QUEUE = enum.auto()
    # Changes the client's database (SELECT).
    SELECTS_DATABASE = enum.auto()
    # Allowed for a RESP2 client that has subscribed.
    WHILE_SUBSCRIBED = enum.auto()
    # May send something to replicas without being a write: waits under CLIENT PAUSE WRITE.
    MAY_REPLICATE = enum.auto()
    # Answers with the error of the disk while writes are refused for one, though it does not write.
    ANSWERS_DISK_ERROR = enum.auto()
    # Changes keys that its arguments do not name.
    WHOLE_DATABASES = enum.auto()
    # Leaves the choice of CLIENT CACHING to the next command.
    KEEPS_CACHING_CHOICE = enum.auto()
    # Counts as an access of its keys in spite of CLIENT NO-TOUCH.
    TOUCHES_KEYS = enum.auto()


WRITE = Flag.WRITE
READONLY = Flag.READONLY
DENYOOM = Flag.DENYOOM
ADMIN = Flag.ADMIN
PUBSUB = Flag.PUBSUB
NOSCRIPT = Flag.NOSCRIPT
BLOCKING = Flag.BLOCKING
LOADING = Flag.LOADING
STALE = Flag.STALE
SKIP_MONITOR = Flag.SKIP_MONITOR
SKIP_SLOWLOG = Flag.SKIP_SLOWLOG
ASKING = Flag.ASKING
FAST = Flag.FAST
NO_AUTH = Flag.NO_AUTH
NO_MANDATORY_KEYS = Flag.NO_MANDATORY_KEYS
NO_ASYNC_LOADING = Flag.NO_ASYNC_LOADING
NO_MULTI = Flag.NO_MULTI
ALLOW_BUSY = Flag.ALLOW_BUSY
NOT_QUEUED = Flag.NOT_QUEUED
OPENS_QUEUE = Flag.OPENS_QUEUE
RUNS_QUEUE = Flag.RUNS_QUEUE
SELECTS_DATABASE = Flag.SELECTS_DATABASE
WHILE_SUBSCRIBED = Flag.WHILE_SUBSCRIBED
MAY_REPLICATE = Flag.MAY_REPLICATE
ANSWERS_DISK_ERROR = Flag.ANSWERS_DISK_ERROR
WHOLE_DATABASES = Flag.WHOLE_DATABASES
KEEPS_CACHING_CHOICE = Flag.KEEPS_CACHING_CHOICE
TOUCHES_KEYS = Flag.TOUCHES_KEYS

#: Flags that COMMAND INFO does not show.
INTERNAL = Flag(sum(flag for flag in Flag if flag > ALLOW_BUSY))
