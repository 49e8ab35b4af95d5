"""The identity of a data set's history, by which a replica proves that it may go on where it was.

A master numbers the bytes of its stream; the history up to an offset is named by an identity of 40 hexadecimal digits.
A replica that becomes a master begins a new history, and remembers the old one up to the offset of the change: other
replicas of the former master go on with it without a full synchronisation.
"""

from __future__ import annotations

import secrets

from kedis.replication.handshake import NO_ID, Position


class History:
    """The history of one server.

    Attributes:
        replid, offset: the present identity, and the number of bytes of the stream so far.
        second_id, second_offset: the former one, and the offset from which it is not valid any more; -1 is none.
    """

    __slots__ = ("offset", "replid", "second_id", "second_offset")

    def __init__(self) -> None:
        self.replid = secrets.token_hex(20)
        self.offset = 0
        self.second_id = NO_ID
        self.second_offset = -1

    @property
    def position(self) -> Position:
        """The last byte of the stream."""
        return Position(self.replid, self.offset)

    def adopt(self, replid: str, offset: int) -> None:
        """Another data set begins here, with its own history."""
        self.replid, self.offset = replid, offset
        self.second_id, self.second_offset = NO_ID, -1

    def rename(self, replid: str) -> None:
        """The same history goes on under another identity."""
        if replid != self.replid:
            self.second_id, self.second_offset = self.replid, self.offset + 1
            self.replid = replid

    def renew(self) -> None:
        """Begin another history, of which nobody else has any part."""
        self.adopt(secrets.token_hex(20), self.offset)

    def covers(self, asked: str, first: int) -> bool:
        """Whether the byte number ``first`` of the history ``asked`` is the same in this one."""
        return asked == self.replid or (asked == self.second_id and first <= self.second_offset)

    def branch(self) -> None:
        """Begin a history of its own: this server is a master now."""
        self.rename(secrets.token_hex(20))
