"""The least that aiohttp can do with a request, as a process of its own.

A POST is read and answered 202, a GET is answered 302.

Owns that process: prints its address, and ends when its standard input does. Must not do more: it
is the limit that the gateway's accept path is measured against.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web

ANSWER = b'{"id":"msg_0000000000000000000","status":"accepted"}'

TARGET = "https://shop.example/sale/0"


async def _send(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, status=202, content_type="application/json")


async def _lead(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": TARGET})


async def _serve() -> None:
    application = web.Application()
    application.router.add_post("/v1/messages", _send)
    application.router.add_get("/{code}", _lead)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(_serve())
