"""What is said of a batch after it was accepted: pause, resume, cancel, another rate.

Owns every change of a batch's row, made alone: no intent is being written meanwhile, so the answer
names exactly what can no longer be stopped. Must not touch the messages: each process leaves a
stopped batch alone (dispatch/queue/batch_pace.py), and sweep.py ends what a canceled one left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import msgspec

from messages.batch_states import BatchState
from messages.models import Overloaded, StorageDown
from storage import sql
from storage.faults import UNAVAILABLE, is_unavailable
from storage.pool import Connection, Dedicated
from web.control_services import BatchChange, BatchConflict, BatchView

_SQL = sql.load("messages")
LIVE_MAX = 1_000  # batches that are not as they were accepted: every claim steps over each
CHANGES_WAITING_MAX = 100
RETRY_AFTER_SECONDS = 1


class BatchChanges:
    """One connection's changes, one after the other."""

    def __init__(self, dedicated: Dedicated, changed: Callable[[], None]) -> None:
        """`changed` is told after each commit, so that this process knows at once."""
        self._dedicated = dedicated
        self._changed = changed
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def change(self, account: int, batch_id: int, change: BatchChange) -> BatchView | None:
        """The batch as it is once the change is committed; None if it is not this account's.

        Raises BatchConflict, Overloaded, StorageDown.
        """
        if self._waiting >= CHANGES_WAITING_MAX:
            raise Overloaded(RETRY_AFTER_SECONDS)
        self._waiting += 1
        try:
            async with self._turn, self._dedicated.transaction() as connection:
                await connection.execute(_SQL["control_alone"])
                view = await _changed(connection, account, batch_id, change)
        except UNAVAILABLE as error:
            if not is_unavailable(error):
                raise
            raise StorageDown(RETRY_AFTER_SECONDS) from error
        finally:
            self._waiting -= 1
        self._changed()
        return view


async def _changed(
    connection: Connection, account: int, batch_id: int, change: BatchChange
) -> BatchView | None:
    row = await connection.fetchrow(_SQL["batch"], batch_id, account)
    if row is None:
        return None
    state = BatchState(row["state"])
    wanted = state if change.state is None else BatchState[change.state.upper()]
    rate = row["rate"] if change.rate is msgspec.UNSET else change.rate
    if state is BatchState.CANCELED and (wanted, rate) != (state, row["rate"]):
        raise BatchConflict("batch_canceled", "the batch is canceled, and stays so")
    live = wanted is not BatchState.ACTIVE or rate is not None
    if live and not row["live"] and await connection.fetchval(_SQL["batches_live"]) >= LIVE_MAX:
        raise BatchConflict(
            "batches_controlled", f"{LIVE_MAX} batches are paused or have a rate already"
        )
    await connection.execute(_SQL["batch_change"], batch_id, wanted, rate, live)
    found = await read_batch(connection, account, batch_id)
    assert found is not None
    return found


async def read_batch(connection: Connection, account: int, batch_id: int) -> BatchView | None:
    """The batch without its counts; None if it is not this account's."""
    row = await connection.fetchrow(_SQL["batch"], batch_id, account)
    return None if row is None else await _view(connection, row)


async def _view(connection: Connection, row: asyncpg.Record) -> BatchView:
    return BatchView(
        id=row["id"],
        until_id=row["until_id"],
        state=BatchState(row["state"]).label,
        rate=row["rate"],
        in_flight=await connection.fetchval(_SQL["batch_in_flight"], row["id"]),
        changed_at=row["changed_at"],
    )
