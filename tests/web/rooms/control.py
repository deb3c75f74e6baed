"""Batches and single messages under control, what waits, and what is in doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from messages.control.batches import BatchChange, BatchConflict, BatchView
from messages.control.cancel import CancelOutcome
from messages.control.doubts import Resolution
from messages.control.waiting import QueueKind, QueueView
from tests.web.rooms.messages import NOW_MS, Messages


class Control(Messages):
    """Implements MessageControl, FinishReader, QueueReader and DoubtResolver in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: dict[int, BatchView] = {}
        self.waves: set[int] = set()  # batches that are a campaign's
        self.anew: dict[int, int] = {}  # a message, and which went in its place
        self.resolutions: dict[int, str] = {}
        self.resolved: list[int] = []
        self.finish_asked: list[dict[str, int]] = []

    async def of_parts(self, parts: Mapping[str, int]) -> datetime | None:
        """A second a part."""
        self.fail()
        self.finish_asked.append(dict(parts))
        now = datetime.fromtimestamp(NOW_MS / 1000, UTC)
        return now + timedelta(seconds=sum(parts.values())) if parts else None

    async def queue(self, account: int) -> QueueView:
        self.fail()
        mine = [item for item, _ in self.stored.values() if item.account == account]
        kind = QueueKind(
            connector="carrier-a", category="otp", messages=len(mine), parts=len(mine),
            in_memory=0, oldest_seconds=1.5,
        )  # fmt: skip
        return QueueView([kind], {"paused": 2})

    async def batch(self, account: int, batch_id: int) -> BatchView | None:
        self.fail()
        mine = [item for item, batch in self.stored.values() if batch == batch_id]
        if not mine or mine[0].account != account:
            return None
        change = self.batches.get(batch_id, BatchView(
            id=batch_id, until_id=0, state="active", rate=None, in_flight=0, changed_at=None
        ))  # fmt: skip
        change.counts = {"accepted": len(mine)}
        return change

    async def change_batch(
        self, account: int, batch_id: int, change: BatchChange, *, actor: str
    ) -> BatchView | None:
        view = await self.batch(account, batch_id)
        if view is None:
            return None
        if batch_id in self.waves:
            raise BatchConflict("batch_of_campaign", "it is a wave of the campaign cmp_1")
        if view.state == "canceled" != change.state:
            raise BatchConflict("batch_canceled", "canceled")
        view.state = change.state or view.state
        view.rate = view.rate if change.rate is msgspec.UNSET else change.rate
        view.in_flight = 3
        self.batches[batch_id] = view
        return view

    async def cancel(self, account: int, message_id: int, *, actor: str) -> CancelOutcome:
        self.fail()
        latest = self.anew.get(message_id, message_id)
        item, _ = self.stored.get(latest, (None, None))
        if item is None or item.account != account or latest in self.sending:
            return CancelOutcome(False, latest)
        self.canceled.add(latest)
        return CancelOutcome(True, latest)

    async def resolve(
        self, account: int, key_id: int, action: str, message_ids: Sequence[int]
    ) -> list[Resolution]:
        self.resolved += message_ids
        return [Resolution(each, self.resolutions.get(each, "not_found")) for each in message_ids]
