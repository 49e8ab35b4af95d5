"""channels_redis: Django Channels' layer, whose group_send is a script."""

from __future__ import annotations

import asyncio

from channels_redis.core import RedisChannelLayer


def test_groups(url: str) -> None:
    async def talk() -> None:
        layer = RedisChannelLayer(hosts=[url], capacity=10)
        names = [await layer.new_channel() for _ in range(3)]
        for name in names:
            await layer.group_add("room", name)
        await layer.group_send("room", {"type": "said", "text": "hello"})
        for name in names:
            message = await asyncio.wait_for(layer.receive(name), 30)
            assert message == {"type": "said", "text": "hello"}
        await layer.group_discard("room", names[0])
        for number in range(20):  # more than the capacity: what is too much is dropped
            await layer.group_send("room", {"type": "said", "number": number})
        received = [(await asyncio.wait_for(layer.receive(names[1]), 30))["number"] for _ in range(10)]
        assert received == list(range(10))
        await layer.send(names[0], {"type": "alone"})
        assert await asyncio.wait_for(layer.receive(names[0]), 30) == {"type": "alone"}
        await layer.flush()
        await layer.close_pools()

    asyncio.run(talk())
