"""*transactions*: money from one account to another under WATCH, tried again when somebody was quicker.

Whatever happens, the total stays what it was; it is looked at during the run, in one MGET, and at the end.
"""

from __future__ import annotations

import redis
from locust import task
from redis.exceptions import WatchError

from locustfiles.kedis_user import KedisUser

ACCOUNTS, BEGINNING = 50, 1_000
TOTAL = ACCOUNTS * BEGINNING
TRIES = 100
NAMES = [f"account:{number}" for number in range(ACCOUNTS)]


def total_of(balances: list[bytes | None]) -> int:
    """The money there is."""
    return sum(int(balance or 0) for balance in balances)


class TransactionUser(KedisUser):
    """Moves money, and now and then counts it."""

    @classmethod
    def prepare(cls, client: redis.Redis) -> None:
        client.mset(dict.fromkeys(NAMES, BEGINNING))

    @task(10)
    def move(self) -> None:
        source, destination = self.random.sample(NAMES, 2)
        amount = self.random.randrange(1, 50)
        with self.client.pipeline() as pipe:
            for _ in range(TRIES):
                try:
                    pipe.watch(source, destination)
                    balance = int(pipe.get(source))  # type: ignore[arg-type]
                    if balance < amount:
                        pipe.unwatch()
                        return
                    pipe.multi()
                    pipe.decrby(source, amount)
                    pipe.incrby(destination, amount)
                    left, _ = pipe.execute()
                except WatchError:
                    continue
                self.check(left == balance - amount, "transactions: a balance after EXEC", left)
                return
        self.check(False, "transactions: tries of one transfer", TRIES)

    @task(1)
    def count(self) -> None:
        total = total_of(self.client.mget(NAMES))  # type: ignore[arg-type]
        self.check(total == TOTAL, "transactions: the total", total)

    @classmethod
    def check_at_end(cls, client: redis.Redis) -> str:
        total = total_of(client.mget(NAMES))  # type: ignore[arg-type]
        return "" if total == TOTAL else f"the total is {total} instead of {TOTAL}"
