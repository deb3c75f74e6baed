"""Numbers to be given up, looked for in all evidence: who and why.

Owns that walk and what it suppresses. Must not print anything. A page is a transaction of its own;
killed anywhere, the next walk finds what is left.

Receipts suppress by themselves as they come. The walk finds what stands already, and what a lower
bar than theirs, or a rule that has changed, would give up, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

import asyncpg
import msgspec
import structlog

from dlr.hygiene import evidence, policy
from dlr.hygiene.proof import Kind
from dlr.hygiene.score import DEAD_BELOW, Day, score
from dlr.reasons import Reason
from storage import audit, sql, suppression
from storage.audit import AuditEntry
from storage.crypto import NumberVault
from storage.pool import Connection
from storage.suppression import HYGIENE, Suppression

_SQL = sql.load("dlr")
_log = structlog.get_logger(__name__)
NUMBERS_PER_PAGE = 500
PAGES_PER_TURN_MAX = 10
CODES_TOLD_MAX = 5


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A number to be given up, and why. `days`: with evidence against it; `delivered`: the last.

    `standing`: it is suppressed already, by hygiene or otherwise. `until` None: for good.
    """

    to_idx: bytes
    to_enc: bytes
    kind: Kind
    reason: int
    days: int
    last: date
    codes: tuple[str, ...]
    connectors: tuple[int, ...]
    message_id: int
    delivered: date | None
    validity: float
    until: datetime | None
    standing: bool

    def entry(self) -> Suppression:
        """What suppresses it."""
        told = f"validity {self.validity:.2f}"
        return Suppression(
            to_idx=self.to_idx,
            reason=self.reason,
            source=HYGIENE,
            message_id=self.message_id,
            detail=f"{told}, carrier code {self.codes[0]}" if self.codes else told,
            expires_at=self.until,
            to_enc=self.to_enc,
        )


class Page(msgspec.Struct, frozen=True):
    """`place`: behind which the next page begins, None at the end."""

    given: list[Given]
    place: bytes | None


async def page(
    connection: Connection,
    place: bytes,
    now: datetime,
    *,
    vault: NumberVault,
    below: float = DEAD_BELOW,
) -> Page:
    """The next numbers behind a place (b"" at first) that are or would be given up.

    Their validity is below that, and a proof or repeated ambiguous evidence stands against them.
    Those that hygiene has suppressed are told whatever their validity.
    """
    today = now.date()
    since = evidence.oldest_day(today)
    found = await connection.fetch(_SQL["prune_candidates"], place, since, NUMBERS_PER_PAGE)
    indexes = [row["to_idx"] for row in found]
    if not indexes:
        return Page([], None)
    rows: dict[bytes, list[asyncpg.Record]] = {}
    for row in await connection.fetch(_SQL["prune_evidence"], indexes, since):
        rows.setdefault(row["to_idx"], []).append(row)
    numbers = {to_idx: of_one[0]["to_enc"] for to_idx, of_one in rows.items()}
    delivered = await evidence.days_delivered(connection, numbers, vault, since=since)
    standing = {
        entry.to_idx: entry
        for entry in await suppression.of_number(connection, indexes, [suppression.EVERY_ACCOUNT])
        if entry.category == suppression.EVERY_CATEGORY
        and (entry.expires_at is None or entry.expires_at > now)
    }
    given = [
        each
        for to_idx in indexes
        if (
            each := _given(
                rows[to_idx], delivered.get(to_idx, ()), standing.get(to_idx), now, below
            )
        )
        is not None
    ]
    return Page(given, indexes[-1] if len(indexes) == NUMBERS_PER_PAGE else None)


def _given(
    rows: Sequence[asyncpg.Record],
    delivered: Sequence[date],
    standing: Suppression | None,
    now: datetime,
    below: float,
) -> Given | None:
    days = [Day(row["day"], Kind(row["kind"])) for row in rows]
    days += [Day(day, Kind.DELIVERED) for day in delivered]
    found = score(days, now.date())
    last_delivered = delivered[-1] if delivered else None
    left = [row for row in rows if last_delivered is None or row["day"] > last_delivered]
    repeated = _ever_repeated(row["day"] for row in left if row["kind"] == Kind.AMBIGUOUS)
    wanted = found.validity < below and (found.proven or repeated)
    if not wanted and (standing is None or standing.source != HYGIENE):
        return None
    kind = Kind.PRUNE if found.proven else Kind.AMBIGUOUS
    why = next((row for row in left if row["kind"] == kind), rows[0])
    codes = dict.fromkeys(row["error"] for row in rows if row["error"])
    return Given(
        to_idx=why["to_idx"],
        to_enc=why["to_enc"],
        kind=kind,
        reason=why["reason"],
        days=len({row["day"] for row in rows}),
        last=rows[0]["day"],
        codes=tuple(codes)[:CODES_TOLD_MAX],
        connectors=tuple(dict.fromkeys(row["connector"] for row in rows)),
        message_id=why["message_id"],
        delivered=last_delivered,
        validity=found.validity,
        until=policy.until(kind, now) if standing is None else standing.expires_at,
        standing=standing is not None,
    )


def _ever_repeated(days: Iterable[date]) -> bool:
    ordered = sorted(set(days))
    return any(
        policy.repeated_since(ordered[:count]) is not None for count in range(1, len(ordered) + 1)
    )


async def suppress_given(
    connection: Connection, given: Sequence[Given], new_id: Callable[[], int], actor: str
) -> Counter[str]:
    """Suppress those that are not, in the caller's transaction, which the audit records. Returns
    how many, by reason.
    """
    wanted = [each.entry() for each in given if not each.standing]
    new = await suppression.add_new(connection, wanted)
    reasons = Counter(Reason(each.reason).label for each in wanted if each.key in new)
    if reasons:
        detail = {"suppressed": reasons.total(), "reasons": sorted(reasons)}
        entry = AuditEntry(new_id(), 0, actor, "numbers.prune", None, detail)
        await audit.append(connection, [entry])
    return reasons


class PruneJob:
    """The walk of this process, every so often. `every_hours` 0: never; both settings may change.

    `pruned` is counted since start.
    """

    def __init__(
        self, new_id: Callable[[], int], *, vault: NumberVault, every_hours: int, below: float
    ) -> None:
        self._new_id = new_id
        self._vault = vault
        self.every_hours = every_hours
        self.below = below
        self.pruned = 0
        self._place = b""
        self._next: datetime | None = None

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Go on with a walk, or begin one if it is time; a bounded number of pages."""
        if not self.every_hours or (self._next is not None and now < self._next):
            return
        for _ in range(PAGES_PER_TURN_MAX):
            async with connection.transaction():
                found = await page(
                    connection, self._place, now, vault=self._vault, below=self.below
                )
                reasons = await suppress_given(connection, found.given, self._new_id, audit.JOB)
            self.pruned += reasons.total()
            if reasons:
                _log.info("numbers_pruned", **reasons)
            self._place = found.place or b""
            if found.place is None:
                self._next = now + timedelta(hours=self.every_hours)
                return
