"""Rows for the tests of ledger and reports: a small world of messages, parts and receipts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, TypedDict

from dlr.ledger import SubmissionRow
from dlr.reasons import Reason
from dlr.receipt_rows import ReceiptRow
from dlr.status import Status
from storage.ids import EPOCH_UNIX_MS, IdSource, id_at

if TYPE_CHECKING:
    from storage.pool import Connection

CONNECTOR = 7


class DayAround(TypedDict):
    """The ids of a span of time, as dlr.report.Span names them."""

    since_id: int
    until_id: int


class World:
    """Makes rows at one instant that moves only when told; each id is later than the last."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.ids = IdSource(3, self._clock_ms)
        self._numbers = count(1)

    def _clock_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def wait(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    @property
    def span(self) -> DayAround:
        """The ids of everything made within a day of now, as the reports want it."""
        day = timedelta(days=1)
        return DayAround(since_id=id_at(self.now - day), until_id=id_at(self.now + day))

    def part(
        self,
        carrier_id: str | None = None,
        *,
        message_id: int | None = None,
        part: int = 1,
        parts: int = 1,
        status: Status = Status.SENT,
        reason: Reason = Reason.NONE,
        error: str | None = None,
        connector: int = CONNECTOR,
        category: int = 1,
        account: int = 1,
    ) -> SubmissionRow:
        message_id = message_id or self.ids.next()
        return SubmissionRow(
            id=self.ids.next(),
            message_id=message_id,
            part=part,
            parts=parts,
            account=account,
            category=category,
            connector=connector,
            status=status,
            reason=reason,
            error=error,
            carrier_id=carrier_id,
            submitted_at=self.now if part else None,
            responded_at=self.now if part else None,
        )

    def receipt(
        self,
        carrier_id: str,
        status: Status = Status.DELIVERED,
        *,
        submission_id: int | None = None,
        connector: int = CONNECTOR,
        reason: Reason = Reason.NONE,
        error: str | None = "000",
        alternate_id: str | None = None,
    ) -> ReceiptRow:
        return ReceiptRow(
            connector=connector,
            carrier_id=carrier_id,
            submission_id=submission_id,
            status=status,
            reason=reason,
            error=error,
            done_at=self.now,
            received_at=self.now,
            alternate_id=alternate_id,
        )

    async def message(
        self,
        connection: Connection,
        *,
        account: int = 1,
        category: int = 1,
        connector: int = CONNECTOR,
        parts: int = 1,
        campaign_id: str | None = None,
        variant: str | None = None,
        recipient: int | None = None,
        waiting: bool = False,
    ) -> int:
        """A message, with its outbox row if it still waits; returns its id."""
        message_id = self.ids.next()
        number = recipient or next(self._numbers)
        await connection.execute(
            "INSERT INTO message (id, account, category, connector, data_coding, parts, sender,"
            " to_enc, to_idx, text, campaign_id, variant)"
            " VALUES ($1, $2, $3, $4, 0, $5, 'S', $6, $6, '', $7, $8)",
            message_id,
            account,
            category,
            connector,
            parts,
            number.to_bytes(16, "big"),
            campaign_id,
            variant,
        )
        if waiting:
            await connection.execute(
                "INSERT INTO outbox (id, owner, connector, category, account, parts)"
                " VALUES ($1, 0, $2, $3, $4, $5)",
                message_id,
                connector,
                category,
                account,
                parts,
            )
        return message_id


def accepted_at(message_id: int) -> datetime:
    """The instant in a message's id."""
    return datetime.fromtimestamp(((message_id >> 22) + EPOCH_UNIX_MS) / 1000, UTC)
