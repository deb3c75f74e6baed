"""A connector's binds exchanged, or the connector taken out of use, while it is running.

Owns the order: nothing new is written, what is in flight is answered, the binds end, what waited is
free for others. Must not decide when: gateway/reload.py does.
"""

from __future__ import annotations

import asyncio

from dispatch.wire.connector_dispatch import ConnectorDispatch
from smpp.bind_pool import BindPool

REBINDING = "rebinding"
RETIRED = "configured away"
IDLE_SECONDS = 0.05


async def rebind(dispatch: ConnectorDispatch, pool: BindPool, drain_seconds: float) -> None:
    """End the binds there are, then begin with these: a carrier may allow no more than so many."""
    dispatch.withhold(REBINDING)
    if dispatch.pool is not None:
        await dispatch.pool.stop(drain_seconds)
    dispatch.start(pool)
    dispatch.release(REBINDING)


async def retire(dispatch: ConnectorDispatch, drain_seconds: float) -> None:
    """Returns when nothing of this connector is in memory any more: what it had is stored, or free
    in the outbox.
    """
    dispatch.withhold(RETIRED)
    if dispatch.pool is not None:
        await dispatch.pool.stop(drain_seconds)
    while not dispatch.idle:
        dispatch.free_waiting()
        await asyncio.sleep(IDLE_SECONDS)
    await dispatch.stop(0.0)
