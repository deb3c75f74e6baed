"""What the HTTP edge asks of the control of what waits: protocols and the shapes that cross them.

Owns these alone, as services.py does the others. Must not import what implements them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class BatchChange(msgspec.Struct, frozen=True):
    """What is to be different: `state` a label of messages/batch_states.py or None; `rate` unset,
    None for none of its own, or as ratelimit/spec.py writes it.
    """

    state: str | None = None
    rate: str | msgspec.UnsetType | None = msgspec.UNSET


class BatchConflict(Exception):
    """The batch cannot be changed like that; `code` is one of web/problems.py."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class BatchView(msgspec.Struct, kw_only=True):
    """A batch as it stands. Its messages have ids up to `until_id`."""

    id: int
    until_id: int
    state: str
    rate: str | None
    in_flight: int  # messages that can no longer be stopped, at most
    changed_at: datetime | None
    counts: Mapping[str, int] = msgspec.field(default_factory=dict)  # by outcome


class QueueKind(msgspec.Struct, kw_only=True):
    """What waits of one category for one connector, in memory and in the outbox."""

    connector: str | None
    category: str
    messages: int
    parts: int
    in_memory: int  # messages about to go, in any process
    oldest_seconds: float | None  # of those that wait for nothing but their turn


class QueueView(msgspec.Struct):
    """All that waits of an account; `held` counts messages by the rule they wait for."""

    data: Sequence[QueueKind]
    held: Mapping[str, int]
    next_cursor: str | None = None


class QueueReader(Protocol):
    """What waits."""

    async def queue(self, account: int) -> QueueView:
        """Raises StorageDown, ReportTooSlow."""


class MessageControl(Protocol):
    """What may still be done about messages that were accepted."""

    async def batch(self, account: int, batch_id: int) -> BatchView | None:
        """With its counts. Raises StorageDown, ReportTooSlow."""

    async def change_batch(
        self, account: int, batch_id: int, change: BatchChange
    ) -> BatchView | None:
        """As it is once the change is committed. Raises BatchConflict, Overloaded, StorageDown."""

    async def cancel(self, account: int, message_id: int) -> bool:
        """Whether the message was not on the wire and never will be. Raises Overloaded,
        StorageDown.
        """
