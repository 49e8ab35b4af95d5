import asyncio

import httpx
import pytest
from app import app


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def client(anyio_backend):
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


@pytest.mark.anyio
async def test_visits(client):
    for number in (1, 2, 3):
        assert (await client.post("/visits/home")).json() == {"visits": number}


@pytest.mark.anyio
async def test_messages(client):
    listening = asyncio.create_task(client.get("/listen/news", params={"count": 2}))
    for text in ("one", "two"):
        while not (await client.post("/say/news", params={"text": text})).json()["heard by"]:
            await asyncio.sleep(0.01)
    assert (await listening).text == "one\ntwo\n"
