"""Stores and servers in a forked child of the process that owns them.

A fork copies the memory, the descriptors and the lock of a folder, but none of the threads. A child that used
its copy of a store would write to its parent's files without the parent's knowledge. So after a fork every store
and every server of the parent is *abandoned* in the child: it closes its copies of the descriptors, touches no
file, and raises :class:`ForkedError` on every use. The parent is not affected.

This adds no cost to a use: Python itself calls the functions of :func:`os.register_at_fork`. gevent, multiprocessing
and uWSGI fork through it, too.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

import redis


class ForkedError(redis.RedisError):
    """Raised on the use of a store, or a server, in a forked child of the process that owns it.

    It is not a ``redis.ConnectionError``: retrying does not help.
    """


class Abandoned(Protocol):
    """An object that can be abandoned; ``noun`` names it in messages to the user."""

    noun: str

    def abandon(self, reason: str) -> None:
        """In a forked child: close the descriptors, write nothing, and raise ForkedError(reason) on every use."""


_owned: weakref.WeakSet[Abandoned] = weakref.WeakSet()
_process = os.getpid()


def abandon_in_children(owner: Abandoned) -> None:
    """Abandon ``owner`` in the forked children of this process. Keeps a weak reference only."""
    _owned.add(owner)


def _abandon_all() -> None:
    global _process
    parent, _process = _process, os.getpid()
    owners = list(_owned)
    _owned.clear()
    for owner in owners:
        owner.abandon(
            f"this {owner.noun} belongs to process {parent}, and this is process {_process}, forked from it: make one "
            "here, after the fork (store.fork() makes one with the same data, in memory), or connect to the port of a "
            "kedis.Server that the parent has"
        )


if hasattr(os, "register_at_fork"):  # else nothing forks
    os.register_at_fork(after_in_child=_abandon_all)
