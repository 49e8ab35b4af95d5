"""MAXLEN and MINID, the options by which XADD and XTRIM delete the oldest entries of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kedis.commands.parsing.options import integer
from kedis.commands.parsing.stream_ids import parse_id
from kedis.errors import CommandError
from kedis.errors import stream_errors as texts
from kedis.structures.stream import Stream
from kedis.structures.stream_id import id_text

if TYPE_CHECKING:
    from kedis.engine.client import Client


@dataclass(slots=True)
class Trimming:
    """MAXLEN or MINID and what belongs to it.

    Attributes:
        strategy: ``MAXLEN``, ``MINID`` or empty for none.
        threshold: the length, or the id.
        threshold_at: the position of the threshold in the command; the operator stands before it, if anywhere.
        limit: at most so many entries; None when not given.
        limits_at: the positions of the words LIMIT.
    """

    strategy: bytes = b""
    threshold: int = 0
    threshold_at: int = 0
    approximate: bool = False
    limit: int | None = None
    limits_at: tuple[int, ...] = ()

    def parse_option(self, argv: Sequence[bytes], at: int) -> int:
        """Take the option at ``argv[at]``; the position behind it, or ``at`` when it is none of these.

        Raises CommandError.
        """
        option = argv[at].upper()
        if at + 1 == len(argv):
            return at
        if option in (b"MAXLEN", b"MINID"):
            return self._parse_strategy(option, argv, at + 1)
        if option == b"LIMIT":
            self.limit = integer(argv[at + 1])
            if self.limit < 0:
                raise CommandError(texts.LIMIT_NEGATIVE)
            self.limits_at += (at,)
            return at + 2
        return at

    def _parse_strategy(self, option: bytes, argv: Sequence[bytes], at: int) -> int:
        if self.strategy:
            raise CommandError(texts.MAXLEN_AND_MINID)
        if argv[at] in (b"~", b"=") and at + 1 < len(argv):
            self.approximate = argv[at] == b"~"
            at += 1
        if option == b"MAXLEN":
            self.threshold = integer(argv[at])
            if self.threshold < 0:
                raise CommandError(texts.MAXLEN_NEGATIVE)
        else:
            self.threshold = parse_id(argv[at])
        self.strategy = option
        self.threshold_at = at
        return at + 1

    def check(self, client: Client, for_xadd: bool) -> None:
        """Raise CommandError where the options do not go together; choose the limit where none was given."""
        if self.limit and not self.strategy:
            raise CommandError(texts.LIMIT_WITHOUT_STRATEGY)
        if not for_xadd and not self.strategy:
            raise CommandError(texts.NO_STRATEGY)
        if client.trusted:
            self.limit = 0
        elif self.limit is not None:
            if not self.approximate:
                raise CommandError(texts.LIMIT_WITHOUT_TILDE)
        elif self.approximate:
            self.limit = client.db.keyspace.node_limits.trimmed

    def trim(self, stream: Stream) -> int:
        """Trim ``stream``; how many entries went."""
        if self.strategy == b"MAXLEN":
            return stream.trim(self.threshold, self.approximate, self.limit or 0)
        return stream.trim_below(self.threshold, self.approximate, self.limit or 0)

    def deterministic(self, argv: Sequence[bytes], stream: Stream) -> list[bytes]:
        """``argv``, with ``~`` replaced by ``=`` and what it left of ``stream``, and LIMIT by nothing."""
        words = list(argv)
        if self.approximate:
            words[self.threshold_at - 1] = b"="
            if self.strategy == b"MAXLEN":
                words[self.threshold_at] = b"%d" % len(stream)
            else:
                words[self.threshold_at] = id_text(stream.oldest_id)
            for at in reversed(self.limits_at):
                del words[at : at + 2]
        return words
