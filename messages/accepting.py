"""A message on its way through a lane of the accepter.

Owns the shapes that the flush and the rules share. Decides nothing, writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from dispatch.holds import Hold
from dispatch.message import Ended
from messages.models import Prepared, Refused, Verdict
from storage.pool import Connection

NO_ID = 0  # of a message in a preview: nothing about it is written


class Accepting(msgspec.Struct, gc=False):
    """One message on its way through a lane."""

    id: int
    prepared: Prepared
    to_enc: bytes
    to_idx: bytes
    batch_id: int | None
    text: str
    expires_at: datetime | None
    owner: int = 0
    paced: bool = False  # counted by its account's rate, also if its flush has to be repeated
    not_before: datetime | None = None
    hold: Hold = Hold.NONE
    ended: Ended | None = None
    again: bool = False  # its id was given out before: it may be stored
    batch: BatchOpening | None = None
    old_idx: tuple[bytes, ...] = ()  # by which the release before may have indexed the recipient
    # Has its client_ref, or why it may not have it; this one is not stored.
    repeat_of: Accepting | Verdict | Refused | None = None
    fingerprint: bytes | None = None  # of what is asked for, with its id before; with a client_ref


class BatchOpening(msgspec.Struct, eq=False):
    """One batch on its way in. Its messages have ids up to `until_id`."""

    id: int
    account: int
    until_id: int
    stored: bool = False


class FlushCheck(Protocol):
    """One rule over the messages of a flush. Sets `ended`, or `not_before` and `hold`."""

    def concerns(self, item: Accepting) -> bool:
        """Whether it might have to say anything about this message, beyond the suppression list."""

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        """`items` are those that no earlier check has ended. At most a few statements in all."""
