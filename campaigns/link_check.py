"""Whether links lead anywhere before a thousand people open them: each answers 200, over TLS.

Owns that question. It is asked through the guarded client of webhooks, so a link reaches no address
within. Must not follow a redirect, nor know whose links they are.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol

from dlr.webhooks.client import Attempt

AT_ONCE_MAX = 8  # requests of one look
UNANSWERED = "no answer in time"

_VARIABLE = re.compile(r"\{\{[^{}]*\}\}")


class Asker(Protocol):
    """Asks an address that somebody gave us."""

    async def get(self, url: str) -> Attempt:
        """Never raises for what is behind it."""


class LinkCheck:
    """Asks links. A value in an address is left out: it belongs to a person."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def faults(
        self, links: Mapping[str, str], seconds: float | None = None
    ) -> dict[str, str | None]:
        """Of each link by its name: what is wrong with it; None: nothing. `seconds`: for all of
        them together; None: as long as the client waits.
        """
        room = asyncio.Semaphore(AT_ONCE_MAX)

        async def one(url: str) -> str | None:
            async with room:
                return await self._fault(_VARIABLE.sub("", url))

        asked = {name: asyncio.ensure_future(one(url)) for name, url in links.items()}
        try:
            if asked:
                await asyncio.wait(asked.values(), timeout=seconds)
            return {
                name: task.result() if task.done() else UNANSWERED for name, task in asked.items()
            }
        finally:
            for task in asked.values():
                task.cancel()

    async def _fault(self, url: str) -> str | None:
        if not url.startswith("https://"):
            return "it is not https"
        attempt = await self._asker.get(url)
        if attempt.error is not None:
            return attempt.error.value.replace("_", " ")
        return None if attempt.status == HTTPStatus.OK else f"it answers {attempt.status}"
