"""What a running gateway says of itself at /readyz, as commands ask it.

Owns the request. Must not judge the answer. $SMSGATE_API_KEY goes with it: without the scope
`connectors:read` the answer has neither connectors nor reasons.
"""

from __future__ import annotations

import os

import aiohttp
import msgspec

from gateway.commands.asking import KEY_VARIABLE
from gateway.commands.own_gateway import connector, url_of
from gateway.config import Config
from web.services import Component

ANSWER_SECONDS_MAX = 5


class Ready(msgspec.Struct):
    """The body of /readyz, as far as it is read here. `detailed`: it has connectors."""

    components: list[Component]
    detailed: bool


async def readiness(config: Config) -> Ready:
    """Raises aiohttp.ClientError, TimeoutError or ValueError when no gateway answers."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    key = os.environ.get(KEY_VARIABLE)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        aiohttp.ClientSession(
            connector=connector(config), timeout=timeout, headers=headers
        ) as session,
        session.get(url_of(config, "/readyz")) as response,
    ):
        return msgspec.convert(await response.json(content_type=None), Ready)
