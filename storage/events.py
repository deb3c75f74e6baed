"""The event table: what a message's other rows do not say about it.

Owns the writes of `event`. Must not decide anything. An ordinary message has no row here: the rows
in `message` and `submission` tell of acceptance, submission and receipt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from storage import sql
from storage.pool import Connection

_SQL = sql.load("storage")


EventKind = Literal[
    "held",
    "throttled",
    "retry",
    "rerouted",
    "another_way",
    "another_way_ended",
    "in_doubt",
    "resolved",
    "receipt_unknown_state",
]


class Event(msgspec.Struct, gc=False, frozen=True):
    """One thing that happened to a message. `id` is ordered by time, and so says when."""

    id: int
    message_id: int
    kind: EventKind
    detail: Mapping[str, object]


async def append(connection: Connection, events: Sequence[Event]) -> None:
    """Append these rows inside the caller's transaction."""
    if events:
        await connection.execute(_SQL["event_append"], *_columns(events))


async def append_new(connection: Connection, events: Sequence[Event]) -> None:
    """As append(), without events that a message's timeline has already."""
    new = {(event.message_id, event.kind, _json(event.detail)): event for event in events}
    if new:
        first = min(event.message_id for event in events)
        await connection.execute(_SQL["event_append_new"], *_columns(list(new.values())), first)


def _columns(events: Sequence[Event]) -> tuple[list[int], list[int], list[str], list[str]]:
    return (
        [event.id for event in events],
        [event.message_id for event in events],
        [event.kind for event in events],
        [_json(event.detail) for event in events],
    )


def _json(detail: Mapping[str, object]) -> str:
    return msgspec.json.encode(detail).decode()


async def of_message(connection: Connection, message_id: int) -> list[Event]:
    """What happened to one message, oldest first."""
    rows = await connection.fetch(_SQL["events_of_message"], message_id)
    return [Event(row["id"], message_id, row["kind"], row["detail"] or {}) for row in rows]
