"""A message on its way through a lane of the accepter.

Owns the shapes that the flush and its rules share. Must not decide or write anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from dispatch.holds import Hold
from dispatch.message import Ended
from messages.models import IfCapped, Prepared, Refused, Verdict
from storage.pool import Connection

NO_ID = 0  # of a message in a preview, of which nothing is written


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
    paced: bool = False  # counted by its account's rate, also if its flush is repeated
    not_before: datetime | None = None
    hold: Hold = Hold.NONE
    ended: Ended | None = None
    again: bool = False  # its id was given out before, so it may be stored
    if_capped: IfCapped = IfCapped.STORE
    instead: Sequence[int] = ()  # messages of the same person that it goes in place of
    batch: BatchOpening | None = None
    old_idx: tuple[bytes, ...] = ()  # by which the release before may have indexed the recipient
    # What has its client_ref, or why it may not have it. This message is not stored.
    repeat_of: Accepting | Verdict | Refused | None = None
    # Of what is asked for, and its earlier id; only with a client_ref
    fingerprint: bytes | None = None


class BatchOpening(msgspec.Struct, eq=False):
    """A batch on its way in. Its messages have ids up to `until_id`."""

    id: int
    account: int
    until_id: int
    stored: bool = False


class FlushCheck(Protocol):
    """One rule over the messages of a flush. It sets `ended`, or `not_before` and `hold`."""

    def concerns(self, item: Accepting) -> bool:
        """Whether it may have to say anything about this message, beyond the suppression list."""

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        """Judge `items`, which no earlier check has ended. A few statements at most for all of
        them.
        """
