"""A session that expires after half an hour, tested without waiting. Run it by ``pytest frozen_time.py``."""

import freezegun


def log_in(store, user):
    store.set(f"session:{user}", "1", ex=1800)


def test_a_session_ends(kedis_store):
    with freezegun.freeze_time("2031-05-17 12:00") as clock:
        log_in(kedis_store, "ann")
        clock.tick(1799)
        assert kedis_store.exists("session:ann")
        clock.tick(1)
        assert not kedis_store.exists("session:ann")
