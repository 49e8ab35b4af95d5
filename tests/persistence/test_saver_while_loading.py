"""While data are loaded no save begins: what is in memory is a part of them, or nothing."""

from __future__ import annotations

from kedis.persistence.saver import Saver
from tests.commands.driver import Client


def test_a_save_point_waits_for_the_end_of_loading() -> None:
    engine = Client().engine
    saver = Saver(engine, fork=False)
    saver.scheduled = True
    engine.restrictions.set_loading(True)
    assert not saver.wants_to_start()
    engine.restrictions.set_loading(False)
    assert saver.wants_to_start()
