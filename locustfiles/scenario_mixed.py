"""*mixed*: the users of all the other scenarios at the same time, readers of a cache the most."""

from __future__ import annotations

from locustfiles import (
    scenario_cache,
    scenario_leaderboard,
    scenario_queue,
    scenario_sessions,
    scenario_transactions,
)


class MixedCacheUser(scenario_cache.CacheUser):
    weight = 5


class MixedSessionUser(scenario_sessions.SessionUser):
    weight = 3


class MixedLeaderboardUser(scenario_leaderboard.LeaderboardUser):
    weight = 2


class MixedQueueUser(scenario_queue.QueueUser):
    weight = 1


class MixedTransactionUser(scenario_transactions.TransactionUser):
    weight = 1
