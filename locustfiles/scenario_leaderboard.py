"""*leaderboard*: points in a sorted set, who leads, and one's own rank."""

from __future__ import annotations

import itertools

import redis
from locust import task

from locustfiles.kedis_user import KedisUser

BOARD = "leaderboard"
OTHERS = 10_000
_numbers = itertools.count()


class LeaderboardUser(KedisUser):
    """Plays, wins points, and looks at where that leads.  Nobody else changes a player's points."""

    @classmethod
    def prepare(cls, client: redis.Redis) -> None:
        client.delete(BOARD)
        for start in range(0, OTHERS, 1000):
            client.zadd(BOARD, {f"other:{number}": number for number in range(start, start + 1000)})

    def on_start(self) -> None:
        super().on_start()
        self._name = f"player:{next(_numbers)}"
        self._points = 0.0

    @task(10)
    def win(self) -> None:
        won = self.random.randrange(1, 100)
        self._points += won
        points = self.client.zincrby(BOARD, won, self._name)
        self.check(points == self._points, "leaderboard: points after a win", points)

    @task(5)
    def look_at_my_rank(self) -> None:
        rank = self.client.zrevrank(BOARD, self._name)
        playing = self._points > 0
        self.check((rank is not None) == playing, "leaderboard: whether a player is ranked", rank)
        score = self.client.zscore(BOARD, self._name)
        self.check(score == (self._points if playing else None), "leaderboard: a player's points", score)

    @task(5)
    def look_at_the_best(self) -> None:
        best = self.client.zrevrange(BOARD, 0, 9, withscores=True)
        points = [row[1] for row in best]
        self.check(len(best) == 10 and points == sorted(points, reverse=True), "leaderboard: the order", best)

    @task(2)
    def look_around_me(self) -> None:
        near = self.client.zrangebyscore(BOARD, self._points, "+inf", start=0, num=5, withscores=True)
        good = len(near) <= 5 and all(row[1] >= self._points for row in near)
        self.check(good, "leaderboard: players with more points", near)
