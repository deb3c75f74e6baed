"""What verdicts of carriers say about numbers, stored in the transaction that stores the verdicts.

Owns that step: evidence, and the suppressions that it leads to. Must not decide what is evidence
and what it leads to (dlr/hygiene does), nor write the table of suppressions itself (storage does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import asyncpg
import structlog

from dlr.codes import CodesOfConnectors
from dlr.hygiene import evidence, policy, proof
from dlr.hygiene.entries import SOURCE, suppression_of
from dlr.hygiene.evidence import UNDONE, Evidence, Written
from dlr.hygiene.guard import SPAN, Guard
from dlr.hygiene.proof import Kind
from dlr.ledger import AppliedReceipt, SubmissionRow
from dlr.reasons import Reason
from dlr.status import Status
from dlr.webhooks.changes import Happened, happened, tell
from storage import sql, suppression
from storage.crypto import NumberVault
from storage.ids import IdSource, format_id
from storage.pool import Connection
from storage.suppression import Suppression

_SQL = sql.load("dispatch")
_log = structlog.get_logger(__name__)
_VERDICTS = (Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED, Status.DELIVERED)


class Pruning:
    """The step, with the guard of this process. `codes` follows a reload."""

    def __init__(
        self,
        codes: CodesOfConnectors,
        *,
        vault: NumberVault | None = None,
        ids: IdSource | None = None,
    ) -> None:
        """`vault` gives today's index of a number that is stored under another. Without `ids` no
        webhook is told.
        """
        self.codes = codes
        self._vault = vault
        self._ids = ids
        self.guard = Guard()

    async def learn(
        self,
        connection: Connection,
        applied: Sequence[AppliedReceipt],
        rows: Sequence[SubmissionRow] = (),
    ) -> int:
        """Store what these receipts and new results say about numbers. Returns how many are newly
        suppressed.
        """
        verdicts = proof.against(rows, applied, self.codes)
        self._count(applied, rows, verdicts)
        if not verdicts:
            return 0
        found = await self._evidence(connection, verdicts)
        if not found:
            return 0
        written = await evidence.write(connection, found)
        fresh = [each for each in found if each.key in written.new]
        # Told twice on one day, or by parts, it is one.
        fresh = list({each.key: each for each in reversed(fresh)}.values())
        proven = await self._believed(connection, _proven(fresh, written))
        repeated = await _repeated(connection, fresh, written, self._vault)
        if not proven and not repeated:
            return 0
        entries = [suppression_of(each) for each in (*proven, *repeated)]
        new = await suppression.add_new(connection, entries)
        if self._ids is not None:
            await tell(connection, _told([*proven, *repeated], entries, new), self._ids)
        return len(new)

    def _count(
        self,
        applied: Sequence[AppliedReceipt],
        rows: Sequence[SubmissionRow],
        verdicts: Sequence[proof.Verdict],
    ) -> None:
        """Tell the guard. It is told again of what is tried again, which does no harm."""
        counts = Counter(row.connector for row in rows if row.status in _VERDICTS)
        counts.update(
            each.row.connector for each in applied if each.changed and each.row.status in _VERDICTS
        )
        now = _latest(applied, rows)
        if not counts or now is None:
            return
        proofs = Counter(each.connector for each in verdicts if each.kind is Kind.PRUNE)
        for connector, count in counts.items():
            self.guard.count(connector, count, proofs[connector], now)

    async def _evidence(
        self, connection: Connection, verdicts: Sequence[proof.Verdict]
    ) -> list[Evidence]:
        messages = {each.message_id for each in verdicts}
        rows = await connection.fetch(_SQL["recipients_of_messages"], sorted(messages))
        numbers = {row["id"]: (self._index(row), row["to_enc"]) for row in rows}
        return [
            Evidence.of(each, *numbers[each.message_id])
            for each in verdicts
            if each.message_id in numbers
        ]

    def _index(self, row: asyncpg.Record) -> bytes:
        """The release before may have stored the message under another index."""
        stored: bytes = row["to_idx"]
        number = None if self._vault is None else self._vault.open_or_none(row["to_enc"])
        return stored if self._vault is None or number is None else self._vault.index(number)

    async def _believed(self, connection: Connection, proven: list[Evidence]) -> list[Evidence]:
        """Those of them that need no person. Of a connector whose proofs wait, those of the hour
        before wait, too, and their suppressions are taken back.
        """
        believed = proven
        for connector in sorted({each.connector for each in proven}):
            now = max(each.at for each in proven if each.connector == connector)
            if not self.guard.waits(connector, now):
                continue
            believed = [each for each in believed if each.connector != connector]
            held = await evidence.hold(connection, connector, now - SPAN)
            await suppression.lift(connection, held, SOURCE)
            proofs, verdicts = self.guard.share(connector, now)
            _log.error(
                "proofs_wait",
                connector=connector,
                proofs=proofs,
                verdicts=verdicts,
                numbers=len(held),
            )
        return believed


def _latest(applied: Sequence[AppliedReceipt], rows: Sequence[SubmissionRow]) -> datetime | None:
    moments = [each.row.received_at for each in applied]
    moments += [
        moment for row in rows if (moment := row.receipt_at or row.responded_at) is not None
    ]
    return max(moments, default=None)


def _proven(fresh: Sequence[Evidence], written: Written) -> list[Evidence]:
    """Proofs, but for numbers of which a person said on that very day that they live."""
    return [
        each
        for each in fresh
        if each.kind is Kind.PRUNE
        and not any(
            stands.state == UNDONE and stands.day == each.day
            for stands in written.before.get(each.to_idx, ())
        )
    ]


async def _repeated(
    connection: Connection,
    fresh: Sequence[Evidence],
    written: Written,
    vault: NumberVault | None,
) -> list[Evidence]:
    """Ambiguous evidence that has come back often enough, without a delivery between."""
    since: dict[bytes, date] = {}
    last: dict[bytes, Evidence] = {}
    for each in fresh:
        if each.kind is not Kind.AMBIGUOUS:
            continue
        days = [
            stands.day
            for stands in written.before.get(each.to_idx, ())
            if stands.kind is Kind.AMBIGUOUS and stands.state in evidence.COUNTED
        ]
        first = policy.repeated_since([*days, each.day])
        if first is not None:
            since[each.to_idx], last[each.to_idx] = first, each
    if not since:
        return []
    numbers = {to_idx: each.to_enc for to_idx, each in last.items()}
    delivered = await evidence.days_delivered(connection, numbers, vault, since=min(since.values()))
    return [
        each
        for to_idx, each in last.items()
        if all(day < since[to_idx] for day in delivered.get(to_idx, ()))
    ]


def _told(
    proofs: Sequence[Evidence], entries: Sequence[Suppression], new: set[suppression.Key]
) -> list[Happened]:
    """What webhooks tell of those that are new: the account whose message was the proof, and none
    that has nothing to do with the number.
    """
    first: Mapping[suppression.Key, Evidence] = {
        entry.key: each for each, entry in zip(reversed(proofs), reversed(entries), strict=True)
    }
    return [
        happened(
            "recipient.pruned",
            first[key].account,
            first[key].at,
            {
                "scope": "all",
                "category": "all",
                "source": SOURCE,
                "reason": Reason(first[key].reason).label,
                "evidence": format_id("msg", first[key].message_id),
            },
            number=first[key].to_enc,
        )
        for key in sorted(new)
    ]
