"""The table of messages from handsets.

Owns the writes of `inbound_message`, and the questions asked before one. Must not decide what
follows from a message. Each function runs inside the caller's transaction, in one round trip for
any number of messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from dispatch.inbound.parts import REPEAT_SECONDS
from dispatch.inbound.records import Received
from recipients.replies import OTHER, Reply, ReplyClass
from recipients.scopes import plain
from storage import sql
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load("dispatch")
ANSWER_DAYS = 7  # a reply after this is no answer to what was sent before
WAIT_DAYS = 45  # between a message's acceptance and its submit: a schedule, then quiet hours
CANDIDATES_MAX = 200  # messages from one sender to one handset that are looked at, the newest


class Answered(msgspec.Struct, frozen=True, gc=False):
    """The message that a reply answers; `submitted_at` None: its result is not stored yet."""

    message_id: int
    account: int
    submitted_at: datetime | None


class InboundRow(msgspec.Struct, gc=False):
    """One row of `inbound_message`."""

    id: int
    connector: int
    account: int
    from_enc: bytes
    from_idx: bytes
    destination: str
    text: str
    parts: int
    parts_missing: int
    answers: int | None
    fingerprint: bytes
    unclear: str | None = None
    read_as: str | None = None
    reply: Reply = OTHER
    text_days: int | None = None

    @property
    def keyword(self) -> str | None:
        """As the release before wrote it: opt_out or opt_in."""
        return self.kind if self.reply.kind in KEYWORDS else None

    @property
    def kind(self) -> str:
        """The label of the class."""
        return self.reply.kind.value

    @property
    def name(self) -> str | None:
        """What the account calls its word."""
        return self.reply.name

    @property
    def rating(self) -> int | None:
        """The number of a rating."""
        return self.reply.rating


KEYWORDS = (ReplyClass.OPT_OUT, ReplyClass.OPT_IN)
_COLUMNS = (
    "id", "connector", "account", "from_enc", "from_idx", "destination", "text", "parts",
    "parts_missing", "keyword", "answers", "fingerprint", "unclear", "read_as", "kind", "name",
    "rating", "text_days",
)  # fmt: skip


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
) -> Mapping[int, Answered]:
    """For each (inbound id, handset's index, destination) the message that it answers.

    An id may be asked about under several indexes.
    """
    rows = await connection.fetch(
        _SQL["answered"],
        [inbound_id for inbound_id, _, _ in asked],
        [from_idx for _, from_idx, _ in asked],
        [plain(destination) for _, _, destination in asked],
        id_at(now - timedelta(days=ANSWER_DAYS)),
        id_at(now - timedelta(days=ANSWER_DAYS + WAIT_DAYS)),
        CANDIDATES_MAX,
    )
    return {
        row["id"]: Answered(row["message_id"], row["account"], row["submitted_at"]) for row in rows
    }


async def insert(connection: Connection, rows: Sequence[InboundRow]) -> list[InboundRow]:
    """Store these messages. Answers with those that did not stand before: after a COMMIT in doubt,
    some may.
    """
    if not rows:
        return []
    columns = [[getattr(row, name) for row in rows] for name in _COLUMNS]
    new = {row["id"] for row in await connection.fetch(_SQL["inbound_insert"], *columns)}
    return [row for row in rows if row.id in new]
