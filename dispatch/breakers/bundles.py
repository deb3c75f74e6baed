"""The bundle of a breaker, read from what was sent.

Owns the reading: the latest parts of the hour before its opening, and of the same hour the day
before. Bounded in rows and in time. Must not keep a breaker from opening: what cannot be read is
told as nothing. Numbers leave masked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from dispatch.breakers.evidence import Bundle, Rules, Submission, octets, samples, stretch
from dispatch.breakers.rows import Stored
from dispatch.breakers.scopes import Scope, Target
from dlr.webhooks.events import moment
from storage import sql
from storage.crypto import NumberVault, mask
from storage.ids import format_id, id_at
from storage.pool import Connection

_SQL = sql.load("dispatch")
SPAN: Final = timedelta(hours=1)
BEFORE: Final = timedelta(days=1)
PARTS_MAX: Final = 20_000
SLICE_ITEMS: Final = 500


class Bundles:
    """Makes bundles."""

    def __init__(self, vault: NumberVault, operator_of: Callable[[str], str | None]) -> None:
        self._vault = vault
        self._operator_of = operator_of

    async def of(
        self,
        connection: Connection,
        stored: Stored,
        test: Mapping[str, object] | None,
        rules: Rules,
    ) -> bytes:
        """The octets of one that has just opened."""
        opened = datetime.fromtimestamp(stored.breaker.since / 1000, UTC)
        now, complete = await self._read(connection, stored.target, opened)
        then, whole = await self._read(connection, stored.target, opened - BEFORE)
        bundle = Bundle(
            scope=str(stored.target.scope),
            subject=stored.target.subject,
            state=stored.breaker.state.label,
            opened_at=moment(opened),
            actor=stored.actor,
            reason=stored.reason,
            baseline=stored.breaker.baseline,
            test=test,
            now=stretch(moment(opened - SPAN), moment(opened), now, complete=complete),
            then=stretch(
                moment(opened - BEFORE - SPAN), moment(opened - BEFORE), then, complete=whole
            ),
            samples=samples(now),
            rules=rules,
        )
        return octets(bundle)

    async def _read(
        self, connection: Connection, target: Target, until: datetime
    ) -> tuple[list[Submission], bool]:
        """The parts of the hour until then, latest first, and whether they are all."""
        span = (id_at(until - SPAN), id_at(until), target.connector, target.account)
        met = await connection.fetchval(_SQL["breaker_submissions_met"], *span, PARTS_MAX)
        rows = await connection.fetch(
            _SQL["breaker_submissions"],
            *span,
            target.batch_id,
            target.name if target.scope is Scope.CAMPAIGN else None,
            target.name if target.scope is Scope.SENDER else None,
            PARTS_MAX,
        )
        found: list[Submission] = []
        for place, row in enumerate(rows):
            if place % SLICE_ITEMS == 0:
                await asyncio.sleep(0)
            number = self._vault.open_or_none(row["to_enc"])
            if target.scope is Scope.OPERATOR and (
                number is None or self._operator_of(number) != target.name
            ):
                continue
            found.append(_submission(row, number))
        return found, met < PARTS_MAX


def _submission(row: asyncpg.Record, number: str | None) -> Submission:
    submitted, responded, receipt = row["submitted_at"], row["responded_at"], row["receipt_at"]
    return Submission(
        message=format_id("msg", row["message_id"]),
        part=row["part"],
        status=row["status"],
        reason=row["reason"],
        code=row["error"],
        submitted_at=None if submitted is None else moment(submitted),
        responded_at=None if responded is None else moment(responded),
        receipt_at=None if receipt is None else moment(receipt),
        answer_seconds=_seconds(submitted, responded),
        receipt_seconds=_seconds(submitted, receipt),
        number=None if number is None else mask(number),
    )


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else (end - begin).total_seconds()
