"""limits: rate limits of every strategy, all of which are scripts."""

from __future__ import annotations

import limits
import pytest
from limits.storage import RedisStorage
from limits.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    RateLimiter,
    SlidingWindowCounterRateLimiter,
)


@pytest.mark.parametrize(
    "strategy", [FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter]
)
def test_strategies(url: str, strategy: type[RateLimiter]) -> None:
    limiter = strategy(RedisStorage(url))
    limit = limits.parse("5/hour")
    assert limiter.test(limit, "user")
    assert [limiter.hit(limit, "user") for _ in range(7)] == [True] * 5 + [False] * 2
    assert not limiter.test(limit, "user")
    assert limiter.hit(limit, "another")
    statistics = limiter.get_window_stats(limit, "user")
    assert statistics.remaining == 0
    limiter.clear(limit, "user")
    assert limiter.hit(limit, "user", cost=5)
    assert not limiter.hit(limit, "user")
