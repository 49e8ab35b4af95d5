"""A queue over HTTP: GET waits for a job, as long as need be; who goes away takes none.

python app.py
"""

from aiohttp import web

import kedis

STORE = web.AppKey("store", object)


async def put(request):
    await request.app[STORE].rpush("jobs", await request.text())
    return web.Response(status=204)


async def take(request):
    _, job = await request.app[STORE].blpop("jobs", timeout=0)
    return web.Response(text=job)


async def store(app):
    async with kedis.aconnect(decode_responses=True) as app[STORE]:
        yield


def make_app():
    app = web.Application()
    app.add_routes([web.put("/jobs", put), web.get("/jobs", take)])
    app.cleanup_ctx.append(store)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), handler_cancellation=True)
