"""A web service that counts visits and passes messages on, in one process with its store.

uvicorn app:app
"""

from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

import kedis


@asynccontextmanager
async def lifespan(app):
    async with kedis.aconnect(
        decode_responses=True
    ) as app.state.store:  # or kedis.aconnect("data"), to keep it
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/visits/{page}")
async def visit(page: str, request: Request):
    return {"visits": await request.app.state.store.incr(f"visits:{page}")}


@app.post("/say/{channel}")
async def say(channel: str, text: str, request: Request):
    return {"heard by": await request.app.state.store.publish(channel, text)}


@app.get("/listen/{channel}")
async def listen(channel: str, count: int, request: Request):
    async def messages():
        async with request.app.state.store.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(channel)
            left = count
            while left:
                message = await pubsub.get_message(timeout=60)
                if message is not None:
                    left -= 1
                    yield message["data"] + "\n"

    return StreamingResponse(messages(), media_type="text/plain")
