"""``oom-score-adj``: the server's score follows the setting and its part, master or replica."""

from __future__ import annotations

import logging

from kedis.config import Config, SettingRefused
from kedis.engine.engine import Engine
from kedis.process import oom_score

log = logging.getLogger("kedis.server")


class OomScore:
    """The adjustment of the server's own process.

    Its children adjust theirs themselves (:func:`kedis.process.oom_score.adjust_child`).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: What the process had before; None while the setting is off.
        self._before: int | None = None
        self._part = oom_score.MASTER
        engine.config.subscribe("oom-score-adj", self._change)
        engine.config.subscribe("oom-score-adj-values", self._change)

    def start(self) -> None:
        """Follow the setting that the server starts with; a failure is logged."""
        try:
            self._apply(self._engine.config)
        except OSError as error:
            log.warning("cannot set oom_score_adj: %s", error.strerror)

    def follow_part(self) -> None:
        """The server may have become a replica, or a master."""
        part = oom_score.REPLICA if self._engine.keyspace.follows else oom_score.MASTER
        if part != self._part:
            self._part = part
            self.start()

    def _change(self, config: Config) -> None:
        try:
            self._apply(config)
        except OSError as error:
            log.warning("cannot set oom_score_adj: %s", error.strerror)
            raise SettingRefused(
                "Failed to apply new oom_score_adj configuration, check server logs."
            ) from None

    def _apply(self, config: Config) -> None:
        mode = config.oom_score_adj
        if mode == "no":
            if self._before is not None:
                oom_score.write(self._before)
                self._before = None
            return
        before = oom_score.read() if self._before is None else self._before
        value = config.oom_score_adj_values[self._part]
        oom_score.write(value if mode == "absolute" else before + value)
        self._before = before
