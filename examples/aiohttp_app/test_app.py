import asyncio

import pytest
from aiohttp import ClientSession, web
from app import STORE, make_app


@pytest.mark.asyncio
async def test_jobs():
    app = make_app()
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/jobs"
    try:
        async with ClientSession() as client:

            async def take():
                async with client.get(url) as response:
                    return await response.text()

            async def waiting(count):
                while (await app[STORE].info("clients"))["blocked_clients"] != count:
                    await asyncio.sleep(0.01)

            gone, waits = asyncio.create_task(take()), None
            await waiting(1)
            gone.cancel()
            await waiting(0)
            waits = asyncio.create_task(take())
            await waiting(1)
            async with client.put(url, data="wash up") as response:
                assert response.status == 204
            assert await waits == "wash up"
    finally:
        await runner.cleanup()
