"""A receiver of webhooks on this machine, for a rehearsal.

Owns its port, and what a gateway must be told to reach it. Must not know what it answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from ssl import SSLContext

from aiohttp import web

# The section of smsgate.toml: else webhooks go to public addresses alone, by https.
LOCAL_WEBHOOKS = '[webhooks]\nallow_networks = ["127.0.0.0/8"]\nallow_http = true\n'
STOP_SECONDS = 0.1  # for answers under way, which nobody reads any more


@contextlib.asynccontextmanager
async def serving(
    application: web.Application,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    tls: SSLContext | None = None,
) -> AsyncIterator[str]:
    """The application on this port, 0: a free one; its URL without a path. `tls`: by https."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
