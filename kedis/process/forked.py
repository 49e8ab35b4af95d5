"""What becomes of stores and servers in a forked child of the process that they belong to.

A fork copies the memory, the descriptors and the lock of a folder, but none of the threads.  A child that went on with
its copy of a store would write into its parent's files what the parent does not know of.  So after a fork every store
and every server of the parent is *abandoned* in the child: it gives back its copies of the descriptors, touches no
file, and answers every use with :class:`ForkedError`.  The parent notices nothing.

That costs a use nothing: Python itself calls :func:`os.register_at_fork`'s functions, and so do gevent, multiprocessing
and uWSGI, which fork through it.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

import redis


class ForkedError(redis.RedisError):
    """A store, or a server, was used in a forked child of the process that it belongs to.

    It is no ``redis.ConnectionError``: trying again does not help.
    """


class Abandoned(Protocol):
    """What can be abandoned; ``noun`` names it to the user."""

    noun: str

    def abandon(self, reason: str) -> None:
        """This is a forked child: give back descriptors, write nothing, and raise ForkedError(reason) when used."""


_owned: weakref.WeakSet[Abandoned] = weakref.WeakSet()
_process = os.getpid()


def abandon_in_children(owner: Abandoned) -> None:
    """Have ``owner`` abandoned in the forked children of this process.  It is referred to weakly."""
    _owned.add(owner)


def _abandon_all() -> None:
    global _process
    parent, _process = _process, os.getpid()
    owners = list(_owned)
    _owned.clear()
    for owner in owners:
        owner.abandon(
            f"this {owner.noun} belongs to process {parent}, and this is process {_process}, forked from it: make one "
            "here, after the fork, or connect to the port of a kedis.Server that the parent has"
        )


os.register_at_fork(after_in_child=_abandon_all)
