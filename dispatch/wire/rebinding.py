"""A running connector's binds replaced, or the connector taken out of use.

Owns the order. Nothing new is written, what is in flight is answered, the binds end, and what
waited is free for others. Must not decide when: gateway/reload.py does.
"""

from __future__ import annotations

import asyncio

from dispatch.wire.connector_dispatch import ConnectorDispatch
from smpp.bind_pool import BindPool

REBINDING = "rebinding"
RETIRED = "configured away"
IDLE_SECONDS = 0.05


async def rebind(dispatch: ConnectorDispatch, pool: BindPool, drain_seconds: float) -> None:
    """End the present binds, then start with these: a carrier may allow no more at once."""
    dispatch.withhold(REBINDING)
    if dispatch.pool is not None:
        await dispatch.pool.stop(drain_seconds)
    dispatch.start(pool)
    dispatch.release(REBINDING)


async def retire(dispatch: ConnectorDispatch, drain_seconds: float) -> None:
    """Take the connector out of use. Returns when nothing of it is in memory any more.

    What it had is then stored, or free in the outbox.
    """
    dispatch.withhold(RETIRED)
    if dispatch.pool is not None:
        await dispatch.pool.stop(drain_seconds)
    while not dispatch.idle:
        dispatch.free_waiting()
        await asyncio.sleep(IDLE_SECONDS)
    await dispatch.stop(0.0)
