"""The table of messages from handsets.

Owns the writes of `inbound_message`, and the questions asked before one. Must not decide what
follows from a message. Each function runs inside the caller's transaction, in one round trip for
any number of messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from dispatch.inbound.owners import plain
from dispatch.inbound.parts import REPEAT_SECONDS
from dispatch.inbound.records import Received
from storage import sql
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load("dispatch")
ANSWER_DAYS = 7  # a reply after this is no answer to what was sent before


class InboundRow(msgspec.Struct, gc=False):
    """One row of `inbound_message`, column for column."""

    id: int
    connector: int
    account: int
    from_enc: bytes
    from_idx: bytes
    destination: str
    text: str
    parts: int
    parts_missing: int
    keyword: str | None
    answers: int | None
    fingerprint: bytes
    unclear: str | None = None
    read_as: str | None = None


_COLUMNS = InboundRow.__struct_fields__


async def without_repeats(
    connection: Connection, received: Sequence[Received], now: datetime
) -> list[Received]:
    """Those that are not stored yet. A carrier sends again what it got no answer to."""
    asked = [message for message in received if not message.certainly_new]
    if not asked:
        return list(received)
    rows = await connection.fetch(
        _SQL["repeats"],
        [message.fingerprint for message in asked],
        id_at(now - timedelta(seconds=REPEAT_SECONDS)),
        [message.id for message in received],
    )
    known = {row["fingerprint"] for row in rows}
    new: list[Received] = []
    for message in received:
        if message.certainly_new or message.fingerprint not in known:
            known.add(message.fingerprint)
            new.append(message)
    return new


async def answered(
    connection: Connection, asked: Sequence[tuple[int, bytes, str]], now: datetime
) -> Mapping[int, tuple[int, int]]:
    """For each (inbound id, handset's index, destination): the (message, account) that it answers.

    Where an id is asked about under several indexes, the last one counts.
    """
    rows = await connection.fetch(
        _SQL["answered"],
        [inbound_id for inbound_id, _, _ in asked],
        [from_idx for _, from_idx, _ in asked],
        [plain(destination) for _, _, destination in asked],
        id_at(now - timedelta(days=ANSWER_DAYS)),
    )
    found: dict[int, tuple[int, int]] = {}
    for row in rows:
        answer = (row["message_id"], row["account"])
        found[row["id"]] = max(answer, found.get(row["id"], answer))
    return found


async def insert(connection: Connection, rows: Sequence[InboundRow]) -> None:
    """Store these messages. After a COMMIT in doubt some may be there already."""
    if rows:
        columns = [[getattr(row, name) for row in rows] for name in _COLUMNS]
        await connection.execute(_SQL["inbound_insert"], *columns)
