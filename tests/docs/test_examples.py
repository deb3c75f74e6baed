"""The examples where the gateway refuses: they say so and end."""

from __future__ import annotations

import asyncio
import os

from aiohttp import web

from gateway.rehearsal.receiving import serving

REFUSED = {"code": "scope_missing", "detail": "the key lacks the scope messages:read"}


async def sent(_request: web.Request) -> web.Response:
    return web.Response(text='{"id":"msg_1","status":"accepted"}', status=202)


async def refused(_request: web.Request) -> web.Response:
    return web.json_response(REFUSED, status=403)


async def test_a_refusal_ends_the_example_in_a_shell() -> None:
    application = web.Application()
    application.router.add_post("/v1/messages", sent)
    application.router.add_get("/v1/messages/msg_1", refused)
    async with serving(application) as url:
        process = await asyncio.create_subprocess_exec(
            "sh", "docs/examples/send.sh",
            env=os.environ | {"SMSGATE_URL": url, "SMSGATE_API_KEY": "sk_test"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(10):
                printed, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 1
    assert printed == b"msg_1 accepted\n"
    assert b"scope_missing" in said
