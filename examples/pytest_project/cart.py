"""A program that knows nothing of Kedis: it makes its client from an address."""

import os

import redis

client = redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379/0"), decode_responses=True)


def add(user: str, article: str, count: int = 1) -> int:
    """Put articles into a user's cart for an hour; returns how many of them are in it."""
    with client.pipeline() as pipe:
        pipe.hincrby(f"cart:{user}", article, count).expire(f"cart:{user}", 3600)
        return pipe.execute()[0]


def articles(user: str) -> dict[str, int]:
    return {name: int(count) for name, count in client.hgetall(f"cart:{user}").items()}
