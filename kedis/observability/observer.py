"""The engine's observer: its figures, and INFO as their text.

The program that assembles a server makes one :class:`Observer`, which the engine finds as ``engine.observer``, and
calls :meth:`Observer.sample` about ten times a second.
"""

from __future__ import annotations

from collections.abc import Sequence

from kedis.engine.engine import Engine
from kedis.observability.figures import Figures
from kedis.observability.info import fields, render
from kedis.observability.network_figures import NetworkFigures
from kedis.store.expiry import ActiveExpiry


class Observer(Figures):
    """Observes ``engine``, which gets this object as ``engine.observer``."""

    def __init__(
        self, engine: Engine, expiry: ActiveExpiry | None = None, network: NetworkFigures | None = None
    ) -> None:
        super().__init__(engine, expiry, network)
        engine.observer = self

    def begin_scrape(self) -> None:
        """Take the snapshot of INFO that the metrics are written from; the totals of clients are not counted anew."""
        self.scrapes.begun += 1
        self.scrapes.info = dict(fields(self))

    def info(self, sections: Sequence[bytes]) -> bytes:
        """The text of INFO; no section named means the default ones.  O(commands + databases + clients)."""
        return render(self, sections)
