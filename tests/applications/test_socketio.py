"""python-socketio: two servers that share their rooms through Kedis, and an emitter from outside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import socketio
from aiohttp import web


async def serve(url: str) -> tuple[socketio.AsyncServer, web.AppRunner, str]:
    server = socketio.AsyncServer(async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(url))

    @server.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        await server.enter_room(sid, "everybody")

    @server.event
    async def say(sid: str, text: str) -> str:
        await server.emit("said", text, room="everybody")
        return "passed on"

    application = web.Application()
    server.attach(application)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    return server, runner, f"http://127.0.0.1:{port}"


class Listener:
    """A client that collects what is said."""

    def __init__(self) -> None:
        self.client = socketio.AsyncClient(reconnection=False)
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.client.on("said", self.heard.put)

    async def hear(self) -> str:
        return await asyncio.wait_for(self.heard.get(), 20)


async def until_subscribed(url: str, channels: int) -> None:
    """Managers subscribe in the background."""
    from redis.asyncio import Redis

    client = Redis.from_url(url)
    async with asyncio.timeout(20):
        while dict(await client.pubsub_numsub("socketio")) != {b"socketio": channels}:
            await asyncio.sleep(0.02)
    await client.aclose()


async def talk(url: str) -> None:
    one, one_runner, one_address = await serve(url)
    _, other_runner, other_address = await serve(url)
    ann, bob = Listener(), Listener()
    await ann.client.connect(one_address)
    await bob.client.connect(other_address)
    await until_subscribed(url, 2)
    for number in range(20):
        assert await ann.client.call("say", f"hello {number}") == "passed on"
        assert await bob.hear() == f"hello {number}"
        assert await ann.hear() == f"hello {number}"
    outside = socketio.RedisManager(url, write_only=True)
    outside.emit("said", "from outside", room="everybody")
    assert await ann.hear() == await bob.hear() == "from outside"
    await one.emit("said", "for ann", to=ann.client.get_sid())
    assert await ann.hear() == "for ann"
    await ann.client.disconnect()
    outside.emit("said", "ann is gone", room="everybody")
    assert await bob.hear() == "ann is gone"
    await bob.client.disconnect()
    await one_runner.cleanup()
    await other_runner.cleanup()


@pytest.mark.filterwarnings("ignore")
def test_rooms_span_servers(url: str) -> None:
    asyncio.run(talk(url))
