"""Batches that are made before their messages: each begins empty and grows; several stop as one.

Owns their rows inside the caller's transaction. Must not touch messages, nor know what they are
about: it is a campaign that sends in waves.

A wave stops and goes on with its campaign alone. Were it changed by itself, the campaign would undo
that, or say that it runs where nothing does. batches.py refuses it, until the wave is let go.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlr.status import Status
from messages.batch_states import BatchState
from storage import sql
from storage.pool import Connection

_SQL = sql.load("messages")


async def reach(
    connection: Connection, batch_id: int, account: int, until_id: int, campaign: int
) -> None:
    """Make the campaign's wave, or have it reach further: its messages may have ids up to
    `until_id`.
    """
    await connection.execute(_SQL["wave_reach"], batch_id, account, until_id, campaign)


async def hold_intents(connection: Connection) -> None:
    """Until the end of the transaction no process writes an intent. What is changed meanwhile is
    known before the next one. Call it last: everybody's sending waits for this transaction.
    """
    await connection.execute(_SQL["control_alone"])


async def turn(
    connection: Connection, batch_ids: Sequence[int], state: BatchState, campaign: int
) -> None:
    """Bring these waves of a campaign into a state; one that is canceled stays so. Call it after
    hold_intents().
    """
    await connection.execute(
        _SQL["waves_turn"], list(batch_ids), state, state is not BatchState.ACTIVE, campaign
    )


async def let_go(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Their campaign is over. What is sent again of them later is stopped like any batch."""
    await connection.execute(_SQL["waves_let_go"], list(batch_ids))


async def in_flight(connection: Connection, batch_ids: Sequence[int]) -> int:
    """How many of their messages can no longer be stopped. Exact after hold_intents()."""
    found: int = await connection.fetchval(_SQL["waves_in_flight"], list(batch_ids))
    return found


async def waiting(connection: Connection, batch_ids: Sequence[int], up_to: int) -> int:
    """How many of their messages wait to be sent, counted as far as `up_to`."""
    found: int = await connection.fetchval(_SQL["waves_waiting"], list(batch_ids), up_to)
    return found


async def ended(connection: Connection, batch_ids: Sequence[int]) -> bool:
    """Whether nothing of these batches waits, nor awaits its receipt or somebody's word."""
    for batch_id in batch_ids:
        until_id = await connection.fetchval(_SQL["wave_until"], batch_id)
        if until_id is not None and not await connection.fetchval(
            _SQL["batch_ended"], batch_id, until_id, Status.SENT, Status.UNCONFIRMED
        ):
            return False
    return True
