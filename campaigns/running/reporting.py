"""What became of a campaign, by arm, and of each of its recipients.

Owns these counts and rates. Must not write. Tests have no label of a campaign, so they are in none.
Recalled messages are `canceled`; whoever got another in their place is counted with that one, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import asyncpg
import msgspec

from campaigns.running.stopping import PREFIX
from campaigns.running.store import StoredCampaign
from dlr.grouping import Grouping
from dlr.rates import Rate, delivery_rates, rate_of
from dlr.report import COUNTS, Span, message_counts
from shortlinks.classify import ClickClass
from storage import sql
from storage.crypto import NumberVault
from storage.ids import format_id, run_of_ids
from storage.pool import Connection
from storage.reading import ReportTooSlow, reading

_SQL = sql.load("campaigns")
NO_REASON: Mapping[str, None] = MappingProxyType({})
_BY_ARM = Grouping(("variant",), None, ("variant",))


class ArmReport(msgspec.Struct, frozen=True, kw_only=True):
    """One arm, or all of them. `rates` by the name of their formula."""

    counts: Mapping[str, int]
    rates: Mapping[str, Rate]
    arm: int | None = None
    template: str | None = None
    planned: int | None = None


class CampaignReport(msgspec.Struct, frozen=True, kw_only=True):
    """`provisional`: messages are still on their way, or recipients wait."""

    as_of: datetime
    provisional: bool
    planned: int
    waiting: int
    skipped: Mapping[str, int]
    arms: list[ArmReport]
    total: ArmReport


class RecipientView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the plan. `status`: waiting, feeding, holdout, skipped or message. `rule` and
    `detail`: of a capped one, by what and why.
    """

    seq: int
    contact: int
    arm: int
    slot: int
    to: str | None
    status: str
    message: int | None = None
    reason: str | None = None
    rule: str | None = None
    detail: str | None = None


class CampaignReports:
    """Implements CampaignReader. Both raise StorageDown, ReportTooSlow."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], vault: NumberVault) -> None:
        self._pool = pool
        self._vault = vault

    async def report(self, campaign: StoredCampaign, now: datetime) -> CampaignReport:
        """By arm, as of now."""
        try:
            async with (
                reading(self._pool) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute("SET LOCAL enable_nestloop = off")
                return await _report(connection, campaign, now)
        except asyncpg.QueryCanceledError as error:
            raise ReportTooSlow(str(error)) from error

    async def recipients(
        self, campaign: StoredCampaign, *, after: int, limit: int
    ) -> list[RecipientView]:
        """Those planned from place `after` on, in the order of sending."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                _SQL["recipients_page"], campaign.id, campaign.account, after, limit
            )
            ids = {row["seq"]: _message_ids(row) for row in rows}
            asked = [each for some in ids.values() for each in some]
            there = {row["id"] for row in await connection.fetch(_SQL["messages_there"], asked)}
        return [self._view(row, ids[row["seq"]], there) for row in rows]

    def _view(self, row: asyncpg.Record, messages: Sequence[int], there: set[int]) -> RecipientView:
        """Whom an edit's chunk left out has the message of an earlier one."""
        sealed, message = row["to_enc"], None
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
            to=None if sealed is None else self._vault.open(sealed),
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


async def _report(
    connection: Connection, campaign: StoredCampaign, now: datetime
) -> CampaignReport:
    label = format_id(PREFIX, campaign.id)
    reach = await connection.fetchrow(_SQL["campaign_reach"], campaign.id)
    assert reach is not None  # an aggregate
    counted: dict[str, dict[str, int]] = {}
    clicked: dict[str, int] = {}
    if reach["first"] is not None:
        span = Span(reach["first"], reach["last"] + 1, account=campaign.account, campaign=label)
        groups = await message_counts(connection, span, _BY_ARM)
        counted = {str(key[0]): counts for key, counts in groups.items()}
        rows = await connection.fetch(
            _SQL["campaign_clickers"], span.since_id, span.until_id, label, ClickClass.HUMAN
        )
        clicked = {row["variant"]: row["people"] for row in rows}
    planned = campaign.counts.get("arms", {})
    assert isinstance(planned, dict)
    arms = [
        _arm(
            counted.get(str(place), {}),
            clicked.get(str(place), 0),
            arm=place,
            template=arm.template,
            planned=planned.get(str(place), 0),
        )
        for place, arm in enumerate(campaign.spec.arms)
    ]
    total = {name: sum(each.counts[name] for each in arms) for name in COUNTS}
    waiting = max(0, campaign.planned - campaign.fed)
    return CampaignReport(
        as_of=now,
        provisional=bool(waiting or total["pending"] or total["unconfirmed"]),
        planned=sum(planned.values()),
        waiting=waiting,
        skipped=campaign.skipped,
        arms=arms,
        total=_arm(total, sum(clicked.values()), planned=sum(planned.values())),
    )


def _arm(
    counts: Mapping[str, int],
    clickers: int,
    *,
    planned: int,
    arm: int | None = None,
    template: str | None = None,
) -> ArmReport:
    counts = {name: counts.get(name, 0) for name in COUNTS}
    rates = delivery_rates(counts)
    rates["uctr_delivered"] = rate_of(min(clickers, counts["delivered"]), counts["delivered"])
    return ArmReport(
        counts={**counts, "clicked": clickers},
        rates=rates,
        arm=arm,
        template=template,
        planned=planned,
    )
