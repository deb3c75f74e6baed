"""Coroutines that work for as long as somebody else does.

Owns their start and their end. Must not know what they do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterable


@contextlib.asynccontextmanager
async def working(works: Iterable[Coroutine[object, object, None]]) -> AsyncIterator[None]:
    """Run them for as long as this is entered. Raises what one of them has raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for each in ended:
        if isinstance(each, Exception):
            raise each
