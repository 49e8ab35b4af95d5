"""Django's own Redis cache."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.conf import settings

if not settings.configured:
    settings.configure(USE_TZ=True)

from django.core.cache.backends.redis import RedisCache


@pytest.fixture
def cache(url: str) -> Any:
    return RedisCache(url, {"KEY_PREFIX": "app", "VERSION": 1})


def test_one_key(cache: Any) -> None:
    assert cache.get("a") is None
    assert cache.get("a", "otherwise") == "otherwise"
    cache.set("a", {"x": [1, 2.5, None]}, timeout=30)
    assert cache.get("a") == {"x": [1, 2.5, None]}
    assert cache.add("a", 1) is False
    assert cache.add("b", 1) is True
    assert cache.incr("b", 5) == 6
    assert cache.decr("b") == 5
    with pytest.raises(ValueError, match="not found"):
        cache.incr("nothing")
    assert cache.has_key("b")
    assert cache.touch("b", 100)
    assert not cache.touch("nothing", 100)
    assert cache.delete("b")
    assert not cache.delete("b")


def test_many_keys_and_versions(cache: Any) -> None:
    assert cache.set_many({"a": 1, "b": "two"}, timeout=60) == []
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": "two"}
    assert cache.get_or_set("c", lambda: 3) == 3
    assert cache.incr_version("a") == 2
    assert cache.get("a") is None
    assert cache.get("a", version=2) == 1
    cache.delete_many(["b", "c"])
    assert cache.get_many(["b", "c"]) == {}
    cache.clear()
    assert cache.get("a", version=2) is None


def test_time_to_live(cache: Any) -> None:
    cache.set("brief", 1, timeout=0)
    assert cache.get("brief") is None
    cache.set("lasting", 1, timeout=None)
    cache.set("short", 1, timeout=1)
    deadline = time.monotonic() + 20
    while cache.get("short") is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert cache.get("lasting") == 1
