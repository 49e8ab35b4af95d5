"""The identity of a replication history: its id, and the id before it.

A history is a numbered stream of bytes. Two servers with the same id have the same bytes up to the smaller of their
offsets, so a replica that was cut off asks for the rest by id and offset. When a replica becomes the master, its
history goes on under a new id; the old one is kept as the second id, valid up to the offset of the change, so that the
other replicas of the old master can go on with the new one.
"""

from __future__ import annotations

import secrets

#: The second id of a history that has no other before it.
NO_ID = "0" * 40


def new_id() -> str:
    """A random id: 40 hexadecimal digits."""
    return secrets.token_hex(20)


class Identity:
    """The ids of one server's history.

    Attributes:
        id: of the history as it goes on.
        second_id: the id before it; ``NO_ID`` where there is none.
        second_offset: number of the first byte that is no longer part of ``second_id``; -1 where there is none.
    """

    __slots__ = ("id", "second_id", "second_offset")

    def __init__(self) -> None:
        self.id = new_id()
        self.forget_second()

    def renew(self) -> None:
        """Begin another history, which no other server shares."""
        self.id = new_id()
        self.forget_second()

    def forget_second(self) -> None:
        """Have no id before this one."""
        self.second_id = NO_ID
        self.second_offset = -1

    def shift(self, offset: int) -> None:
        """Go on under a new id; the present one is the second, valid for the ``offset`` bytes up to now."""
        self.second_id, self.second_offset = self.id, offset + 1
        self.id = new_id()

    def adopt(self, other: str) -> None:
        """Take the id of a master, with whose history this one now agrees; there is no second."""
        self.id = other
        self.forget_second()

    def covers(self, asked: str, first: int) -> bool:
        """Whether the byte number ``first`` of the history ``asked`` is the same in this one."""
        return asked == self.id or (asked == self.second_id and first <= self.second_offset)
