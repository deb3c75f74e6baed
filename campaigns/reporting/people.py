"""The people of a campaign one by one: planned, excluded, and what became of each.

Owns these reads. Must not write, nor count anything. What became of a message is told by who reads
messages (messages/reading).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import asyncpg
import msgspec

from campaigns.running.states import CampaignState
from campaigns.running.store import StoredCampaign
from storage import sql
from storage.crypto import NumberVault
from storage.ids import run_of_ids
from storage.pool import Connection
from storage.reading import reading

_SQL = sql.load("campaigns")
NO_REASON: Mapping[str, None] = MappingProxyType({})
LAST_CAMPAIGNS = 20  # that are looked at for one contact

RecipientStatus = Literal["waiting", "feeding", "holdout", "skipped", "message"]


class RecipientView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the plan. `rule` and `detail`: of a capped one, by what and why."""

    seq: int
    contact: int
    arm: int
    slot: int
    to: str | None
    status: RecipientStatus
    message: int | None = None
    reason: str | None = None
    rule: str | None = None
    detail: str | None = None


class ExcludedView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the segment who is not planned. `to` None: no number, or it cannot be read."""

    contact: int
    to: str | None
    reason: str


class WhyView(msgspec.Struct, frozen=True, kw_only=True):
    """A contact in one campaign: `recipient` if planned, `excluded` with its reason, or neither.

    `instead`: the contact of the same number who is planned. `planned`: whether there is a plan;
    `forgotten`: it is so old that nobody of it is stored any more.
    """

    campaign: int
    name: str
    state: CampaignState
    planned: bool
    forgotten: bool
    recipient: RecipientView | None = None
    excluded: str | None = None
    instead: int | None = None


class CampaignPeople:
    """Implements PeopleReader. All raise StorageDown."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], vault: NumberVault) -> None:
        self._pool = pool
        self._vault = vault

    async def recipients(
        self, campaign: StoredCampaign, *, after: int, limit: int
    ) -> list[RecipientView]:
        """Those planned from place `after` on, in the order of sending."""
        async with reading(self._pool) as connection:
            return await self._views(connection, campaign.id, campaign.account, after, limit)

    async def excluded(
        self, campaign: StoredCampaign, *, reason: str | None, after: int, limit: int
    ) -> list[ExcludedView]:
        """Who is not planned, with one reason or any, behind a contact, in the order of theirs."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                _SQL["excluded_page"], campaign.id, campaign.account, reason, after, limit
            )
        return [
            ExcludedView(contact=row["contact"], to=self._opened(row), reason=row["reason"])
            for row in rows
        ]

    async def why(self, account: int, contact: int, campaign: int | None) -> list[WhyView] | None:
        """What happened to a contact, or to those merged into it. None: there is no such contact.

        It is told of one campaign, or of those of the last LAST_CAMPAIGNS that had the contact.
        """
        async with (
            reading(self._pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            contacts = await connection.fetchval(_SQL["why_contacts"], account, contact)
            if not contacts:
                return None
            rows = await connection.fetch(_SQL["why"], account, contacts, campaign, LAST_CAMPAIGNS)
            found = []
            for row in rows:
                views: list[RecipientView] = []
                if row["seq"] is not None:
                    views = await self._views(connection, row["id"], account, row["seq"], 1)
                found.append(
                    WhyView(
                        campaign=row["id"],
                        name=row["name"],
                        state=CampaignState(row["state"]),
                        planned=row["planned_at"] is not None,
                        forgotten=row["forgotten"],
                        recipient=views[0] if views else None,
                        excluded=None if views else row["reason"],
                        instead=None if views else row["instead"],
                    )
                )
        return [each for each in found if campaign is not None or each.recipient or each.excluded]

    async def _views(
        self, connection: Connection, campaign: int, account: int, after: int, limit: int
    ) -> list[RecipientView]:
        rows = await connection.fetch(_SQL["recipients_page"], campaign, account, after, limit)
        ids = {row["seq"]: _message_ids(row) for row in rows}
        asked = [each for some in ids.values() for each in some]
        there = {row["id"] for row in await connection.fetch(_SQL["messages_there"], asked)}
        return [self._view(row, ids[row["seq"]], there) for row in rows]

    def _opened(self, row: asyncpg.Record) -> str | None:
        sealed = row["to_enc"]
        return None if sealed is None else self._vault.open_or_none(sealed)

    def _view(self, row: asyncpg.Record, messages: Sequence[int], there: set[int]) -> RecipientView:
        """Whom an edit's chunk left out has the message of an earlier one."""
        status: RecipientStatus
        message = None
        if row["arm"] < 0:
            status = "holdout"
        elif not messages:
            status = "waiting"
        elif messages[0] in there:
            status, message = "message", messages[0]
        elif row["reason"] is not None:
            status = "skipped"
        else:
            earlier = [each for each in messages[1:] if each in there] if row["done"] else []
            status, message = ("message", earlier[0]) if earlier else ("feeding", None)
        why = row if status == "skipped" else NO_REASON
        return RecipientView(
            seq=row["seq"],
            contact=row["contact"],
            arm=row["arm"],
            slot=row["slot"],
            to=self._opened(row),
            status=status,
            message=message,
            reason=why.get("reason"),
            rule=why.get("rule"),
            detail=why.get("detail"),
        )


def _message_ids(row: asyncpg.Record) -> list[int]:
    """That they may have, by the chunks that reached them, the last one first."""
    return [
        run_of_ids(first_id, to_seq - from_seq + 1)[row["seq"] - from_seq]
        for first_id, from_seq, to_seq in zip(
            row["first_ids"], row["from_seqs"] or (), row["to_seqs"] or (), strict=True
        )
    ]
