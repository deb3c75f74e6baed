"""Changes to a batch after it was accepted: pause, resume, cancel, another rate.

Owns every change of a batch's row, but for a campaign's waves (waves.py). Must not touch the
messages. Each process leaves a stopped batch alone (dispatch/queue/batch_pace.py), and watch.py
ends what a canceled one left.

A change is made under an exclusive lock: no intent is written meanwhile. So the answer names
exactly what can no longer be stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import asyncpg
import msgspec

from dlr.webhooks.changes import Happened, happened, tell
from messages.batch_states import BatchState
from storage import audit, sql
from storage.audit import AuditEntry
from storage.ids import IdSource, format_id, time_of
from storage.pool import Connection, Dedicated
from storage.turns import Turns

_SQL = sql.load("messages")
LIVE_MAX = 1_000  # batches that are stopped or have a rate: every claim steps over each
CHANGES_WAITING_MAX = 100
_ACTIONS = {
    BatchState.PAUSED: "pause", BatchState.ACTIVE: "resume", BatchState.CANCELED: "cancel",
}  # fmt: skip


class BatchChange(msgspec.Struct, frozen=True):
    """What is to change. `state`: a label of messages/batch_states.py, or None.

    `rate`: unset, None for no rate of its own, or as ratelimit/spec.py writes it.
    """

    state: str | None = None
    rate: str | msgspec.UnsetType | None = msgspec.UNSET


class BatchConflict(Exception):
    """The batch cannot be changed like that. `code` is one of web/problems.py."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class BatchView(msgspec.Struct, kw_only=True):
    """A batch as it stands. Its messages have ids up to `until_id`. `campaign`: whose it is."""

    id: int
    until_id: int
    state: str
    rate: str | None
    in_flight: int  # messages that can no longer be stopped; an upper bound
    changed_at: datetime | None
    campaign: int | None = None
    counts: Mapping[str, int] = msgspec.field(default_factory=dict)  # by outcome
    expected_finish_at: datetime | None = None  # None, too: it was not asked for


class BatchChanges:
    """Changes on one database connection, one after the other."""

    def __init__(self, dedicated: Dedicated, changed: Callable[[], None], *, ids: IdSource) -> None:
        """`changed` is told after each commit, so that this process knows at once."""
        self._turns = Turns(dedicated, CHANGES_WAITING_MAX)
        self._changed = changed
        self._ids = ids

    async def change(
        self, account: int, batch_id: int, change: BatchChange, *, actor: str
    ) -> BatchView | None:
        """Make a change. Returns the batch once it is committed; None if it is not this account's.

        What was changed is on record as `actor`'s. Raises BatchConflict, Overloaded, StorageDown.
        """
        async with self._turns.one() as connection:
            await connection.execute(_SQL["control_alone"])
            view = await _changed(connection, account, batch_id, change, self._ids, actor)
        self._changed()
        return view


async def _changed(
    connection: Connection,
    account: int,
    batch_id: int,
    change: BatchChange,
    ids: IdSource,
    actor: str,
) -> BatchView | None:
    row = await connection.fetchrow(_SQL["batch"], batch_id, account)
    if row is None:
        return None
    _refuse_wave(row, change)
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
    if wanted is BatchState.PAUSED is not state:
        await tell(connection, [_paused(found, account, time_of(ids.next()))], ids)
    if (wanted, rate) != (state, row["rate"]):
        action = "rate" if wanted is state else _ACTIONS[wanted]
        entry = AuditEntry(ids.next(), account, actor, f"batch.{action}", None, _said(found))
        await audit.append(connection, [entry])
    return found


def _said(batch: BatchView) -> dict[str, object]:
    """What the audit tells of it."""
    rate = None if batch.rate is None else "".join(batch.rate.split())
    return {"batch": format_id("bat", batch.id), "in_flight": batch.in_flight, "rate": rate}


def _refuse_wave(row: asyncpg.Record, change: BatchChange) -> None:
    """What a campaign sends stops with the campaign. A rate from before may be taken away.

    Raises BatchConflict, also where nothing would change: canceled, its people may be in the next.
    """
    slower = change.rate is not msgspec.UNSET and change.rate is not None
    if row["campaign"] is not None and (change.state is not None or slower):
        name = format_id("cmp", row["campaign"])
        detail = f"it is a wave of the campaign {name}: pause, edit, resume or cancel that"
        raise BatchConflict("batch_of_campaign", detail)


def _paused(batch: BatchView, account: int, now: datetime) -> Happened:
    """What webhooks tell of it."""
    data = {
        "id": format_id("bat", batch.id),
        "state": batch.state,
        "rate": batch.rate,
        "in_flight": batch.in_flight,
        "reason": "by hand",
    }
    return happened("batch.paused", account, now, data, subject=batch.id)


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
        campaign=row["campaign"],
    )
