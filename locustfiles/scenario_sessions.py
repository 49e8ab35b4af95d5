"""*sessions*: a hash for each person who has logged in, that ends by itself when it is not touched."""

from __future__ import annotations

import itertools
import uuid

from locust import task

from locustfiles.kedis_user import KedisUser

TTL_SECONDS = 120
_numbers = itertools.count()


class SessionUser(KedisUser):
    """Logs in, looks at pages, puts things into a basket, logs out, and again."""

    def on_start(self) -> None:
        super().on_start()
        self._name = f"user{next(_numbers)}"
        self._log_in()

    def _log_in(self) -> None:
        self._key = f"session:{uuid.uuid4()}"
        self._pages = 0
        self._basket: dict[bytes, int] = {}
        pipe = self.client.pipeline(transaction=True)
        pipe.hset(self._key, mapping={"name": self._name, "pages": 0})
        pipe.expire(self._key, TTL_SECONDS)
        answer = pipe.execute()
        self.check(answer == [2, True], "sessions: a new session", answer)

    @task(10)
    def look_at_a_page(self) -> None:
        name = self.client.hget(self._key, "name")
        self.check(name == self._name.encode(), "sessions: somebody else's session", name)
        self._pages += 1
        pages = self.client.hincrby(self._key, "pages", 1)
        self.check(pages == self._pages, "sessions: pages counted", pages)
        self.client.expire(self._key, TTL_SECONDS)

    @task(3)
    def fill_the_basket(self) -> None:
        thing = f"basket:{self.random.randrange(5)}"
        self._basket[thing.encode()] = self._basket.get(thing.encode(), 0) + 1
        count = self.client.hincrby(self._key, thing, 1)
        self.check(count == self._basket[thing.encode()], "sessions: things in the basket", count)

    @task(2)
    def look_at_the_basket(self) -> None:
        session = self.client.hgetall(self._key)
        expected = {
            b"name": self._name.encode(),
            b"pages": b"%d" % self._pages,
            **{thing: b"%d" % count for thing, count in self._basket.items()},
        }
        self.check(session == expected, "sessions: the whole session", session)
        seconds = self.client.ttl(self._key)
        self.check(0 < seconds <= TTL_SECONDS, "sessions: time left", seconds)

    @task(1)
    def log_out(self) -> None:
        removed = self.client.delete(self._key)
        self.check(removed == 1, "sessions: the end of a session", removed)
        self._log_in()
