"""The flags of commands: those that COMMAND INFO shows, and those for the engine alone."""

from __future__ import annotations


class Flag:
    """Properties of a command, in the order in which COMMAND INFO lists them.

    Plain integers: an ``&`` of two takes 20 ns, of members of an ``enum.IntFlag`` 800 ns, and a command that is queued
    in a transaction is tested for five of them.

    The flags after ALLOW_BUSY are the engine's own (:data:`INTERNAL`): COMMAND INFO does not show them, and a
    subcommand inherits them from its container.
    """

    WRITE = 1 << 0
    READONLY = 1 << 1
    DENYOOM = 1 << 2
    ADMIN = 1 << 3
    PUBSUB = 1 << 4
    NOSCRIPT = 1 << 5
    BLOCKING = 1 << 6
    LOADING = 1 << 7
    STALE = 1 << 8
    SKIP_MONITOR = 1 << 9
    SKIP_SLOWLOG = 1 << 10
    ASKING = 1 << 11
    FAST = 1 << 12
    NO_AUTH = 1 << 13
    NO_MANDATORY_KEYS = 1 << 14
    NO_ASYNC_LOADING = 1 << 15
    NO_MULTI = 1 << 16
    ALLOW_BUSY = 1 << 17
    # Runs at once inside MULTI, instead of being queued.
    NOT_QUEUED = 1 << 18
    # Begins a transaction (MULTI).
    OPENS_QUEUE = 1 << 19
    # Runs the queued commands: a write, or denied while memory is full, if one of them is (EXEC).
    RUNS_QUEUE = 1 << 20
    # Changes the client's database (SELECT).
    SELECTS_DATABASE = 1 << 21
    # Allowed for a RESP2 client that has subscribed.
    WHILE_SUBSCRIBED = 1 << 22
    # May send something to replicas without being a write: waits under CLIENT PAUSE WRITE.
    MAY_REPLICATE = 1 << 23
    # Answers with the error of the disk while writes are refused for one, though it does not write.
    ANSWERS_DISK_ERROR = 1 << 24
    # Changes keys that its arguments do not name.
    WHOLE_DATABASES = 1 << 25
    # Leaves the choice of CLIENT CACHING to the next command.
    KEEPS_CACHING_CHOICE = 1 << 26
    # Counts as an access of its keys in spite of CLIENT NO-TOUCH.
    TOUCHES_KEYS = 1 << 27
    # What a replica may send: nothing is answered to it, in whose place the stream would be disturbed.
    FROM_REPLICA = 1 << 28


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
FROM_REPLICA = Flag.FROM_REPLICA

#: Flag -> its name as COMMAND INFO shows it, in that order.
NAMES: dict[int, str] = {value: name.lower() for name, value in vars(Flag).items() if name.isupper()}
#: Flags that COMMAND INFO does not show.
INTERNAL: int = sum(flag for flag in NAMES if flag > ALLOW_BUSY)
