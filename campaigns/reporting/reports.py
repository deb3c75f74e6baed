"""What became of a campaign: its funnel, in groups, with each rate by the registry.

Owns the report. Must not count (counting.py) nor define a rate (metrics.py). Tests have no label of
a campaign, so they are in none. Recalled messages are `canceled`; whoever got another in their
place is counted with that one, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from msgspec.structs import asdict

from campaigns.clicks import half_life_hours
from campaigns.reporting import compliance, counting
from campaigns.reporting.cells import (
    COUNTS,
    GROUP_MIN,
    OTHERS,
    CellKey,
    Sums,
    grouped,
    told_apart,
    total_of,
)
from campaigns.reporting.compliance import Compliance
from campaigns.reporting.counting import DECAY_HOURS, Told
from campaigns.reporting.metrics import Maker, Measured
from campaigns.reporting.registry import kpis_of
from campaigns.reporting.steps import StepFigures, steps_of
from campaigns.running.spec import Spec
from campaigns.running.store import StoredCampaign, specs_of
from dlr.report_desk import snapshot
from shortlinks.conversions import Attribution
from storage.crypto import NumberVault
from storage.pool import Connection

By = Literal["arm", "version", "segment", "template", "hour", "operator"]
PRIVATE: frozenset[str] = frozenset({"segment", "hour", "operator"})
"""What tells of a person: small groups of these are merged."""

FUNNEL = ("accepted", "sent", "delivered", "clicked", "converted", "opted_out", "replied")


class ReportWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is asked for. `definitions`: by metric, where not the first. `site_uv`: the
    visitors that the site counted; None: not told. `steps`: events in the order of a funnel.
    """

    by: By = "arm"
    definitions: Mapping[str, str] = {}
    site_uv: int | None = None
    steps: tuple[str, ...] = ()
    compliance: bool = False


class CampaignFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Of some messages: counts, rates by their names, clicks by full hours since they went."""

    counts: Mapping[str, int]
    funnel: Mapping[str, int]
    rates: Mapping[str, Measured]
    click_hours: Sequence[int]
    half_life_hours: int | None
    planned: int | None = None
    steps: Sequence[StepFigures] = ()


class ArmReport(CampaignFigures, frozen=True, kw_only=True):
    """One arm."""

    arm: int
    template: str


class GroupReport(CampaignFigures, frozen=True, kw_only=True):
    """One group. `key` None: what is not known, or in none of the segments."""

    key: str | None


class CampaignReport(msgspec.Struct, frozen=True, kw_only=True):
    """`provisional`: messages are on their way, or recipients wait. `merged`: so many groups are
    told as one. `kpis`: the rates to look at first. `window_hours`: in which a click counts for a
    conversion.
    """

    as_of: datetime
    provisional: bool
    planned: int
    waiting: int
    skipped: Mapping[str, int]
    kpis: Sequence[str]
    window_hours: int
    by: By
    arms: list[ArmReport]
    groups: list[GroupReport]
    merged: int
    total: CampaignFigures
    compliance: Compliance | None = None


class OperatorNames(Protocol):
    """What operators are called."""

    def operator_name(self, number: int) -> str | None:
        """Of the number in `message.operator`; None: not known."""


class CampaignReports:
    """Reports over the reading connections."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        *,
        zones: Callable[[int], ZoneInfo],
        rules: Callable[[int], Attribution],
        names: OperatorNames,
        vault: NumberVault,
        looked_for: compliance.Rules,
    ) -> None:
        """`zones` and `rules`: of accounts."""
        self._pool = pool
        self._zones = zones
        self._rules = rules
        self._names = names
        self._vault = vault
        self._looked_for = looked_for

    async def report(
        self, campaign: StoredCampaign, wish: ReportWish, now: datetime
    ) -> CampaignReport:
        """As of now, or of the last count. Raises StorageDown, ReportTooSlow."""
        zone = self._zones(campaign.account)
        async with snapshot(self._pool) as connection:
            found = await counting.told(
                connection, campaign.id, campaign.account, zone=zone.key, now=now
            )
            specs = await specs_of(connection, campaign.id)
            steps = await _steps(connection, campaign, wish, found)
            complied = (
                await self._complied(connection, campaign, found) if wish.compliance else None
            )
        making = _Making(campaign, wish, found, specs, steps, zone, self._names)
        return making.report(self._rules(campaign.account), complied)

    async def _complied(
        self, connection: Connection, campaign: StoredCampaign, found: Told
    ) -> Compliance:
        """What is stored, and of other batches what is found now. While the number key changes none
        is looked at, as in keeping.py.
        """
        kept = {each.batch: compliance.stored_of(each.compliance) for each in found.batches}
        fresh = [each for each in found.live if kept[each.batch] is None and not self._vault.moving]
        now = await compliance.look(
            connection, self._vault, self._looked_for, campaign.account, fresh
        )
        return compliance.shown([now, *(each for each in kept.values() if each is not None)])


Steps = Mapping[int | None, Sequence[StepFigures]]
"""By arm; None: of all."""


async def _steps(
    connection: Connection, campaign: StoredCampaign, wish: ReportWish, found: Told
) -> Steps:
    if not wish.steps:
        return {}
    return await steps_of(connection, campaign.id, campaign.account, found.batches, wish.steps)


class _Making:
    """One report in the making."""

    def __init__(
        self,
        campaign: StoredCampaign,
        wish: ReportWish,
        found: Told,
        specs: Mapping[int, Spec],
        steps: Steps,
        zone: ZoneInfo,
        names: OperatorNames,
    ) -> None:
        self._campaign = campaign
        self._wish = wish
        self._found = found
        self._specs = specs
        self._steps = steps
        self._zone = zone
        self._names = names
        self._total = total_of(found.cells)
        self._waiting = max(0, campaign.planned - campaign.fed)
        counts = self._total.counts
        self._open = bool(self._waiting or counts["pending"] or counts["unconfirmed"])
        self._maker = Maker(
            wanted=wish.definitions,
            as_of=found.as_of,
            last=found.last,
            open_now=self._open,
            linked=found.linked,
        )

    def report(self, rule: Attribution, complied: Compliance | None) -> CampaignReport:
        groups, merged = self._groups()
        planned = self._planned("arms")
        return CampaignReport(
            as_of=self._found.as_of,
            provisional=self._open,
            planned=sum(planned.values()),
            waiting=self._waiting,
            skipped=self._campaign.skipped,
            kpis=kpis_of(self._campaign.spec.goal),
            window_hours=rule.window_hours,
            by=self._wish.by,
            arms=self._arms(planned),
            groups=groups,
            merged=merged,
            compliance=complied,
            total=self._figures(
                self._total, sum(planned.values()), self._steps.get(None, ()),
                site_uv=self._wish.site_uv,
            ),
        )  # fmt: skip

    def _arms(self, planned: Mapping[str, int]) -> list[ArmReport]:
        """Those of the version that is sent now; and of earlier ones all that have messages."""
        by_arm = grouped(self._found.cells, lambda key: [str(key.arm)])
        templates = {arm: each.template for arm, each in enumerate(self._campaign.spec.arms)}
        for version in sorted(self._specs):
            for arm, each in enumerate(self._specs[version].arms):
                if str(arm) in by_arm:
                    templates.setdefault(arm, each.template)
        return [
            ArmReport(
                **asdict(
                    self._figures(
                        by_arm.get(str(arm), Sums()), planned.get(str(arm), 0),
                        self._steps.get(arm, ()),
                    )
                ),
                arm=arm,
                template=template,
            )
            for arm, template in sorted(templates.items())
        ]  # fmt: skip

    def _groups(self) -> tuple[list[GroupReport], int]:
        by = self._wish.by
        if by == "arm":
            return [], 0
        least = GROUP_MIN if by in PRIVATE else 0
        groups, merged = told_apart(self._found.cells, self._keys(by), least=least)
        planned = self._planned("segments") if by == "segment" else {}
        order = sorted(groups, key=lambda key: (key == OTHERS, key is None, _place(key)))
        return [
            GroupReport(**asdict(self._figures(groups[key], planned.get(str(key)))), key=key)
            for key in order
        ], merged

    def _keys(self, by: By) -> Callable[[CellKey], Iterable[str | None]]:
        if by == "version":
            return lambda key: [str(key.version)]
        if by == "template":
            return lambda key: [self._template(key)]
        if by == "operator":
            return lambda key: [self._names.operator_name(key.operator)]
        if by == "hour":
            return lambda key: [self._hour(key.hour)]
        return self._segments

    def _template(self, key: CellKey) -> str | None:
        spec = self._specs.get(key.version)
        return spec.arms[key.arm].template if spec and key.arm < len(spec.arms) else None

    def _hour(self, hour: int) -> str:
        return datetime.fromtimestamp(hour * 3600, UTC).astimezone(self._zone).isoformat()

    def _segments(self, key: CellKey) -> list[str | None]:
        names = self._campaign.spec.report_segments
        return [name for bit, name in enumerate(names) if key.segments >> bit & 1] or [None]

    def _planned(self, what: str) -> Mapping[str, int]:
        planned = self._campaign.counts.get(what, {})
        assert isinstance(planned, dict)
        return planned

    def _figures(
        self,
        sums: Sums,
        planned: int | None,
        steps: Sequence[StepFigures] = (),
        *,
        site_uv: int | None = None,
    ) -> CampaignFigures:
        counts = {name: sums.counts[name] for name in COUNTS}
        hours = [sums.clicks[hour] for hour in range(DECAY_HOURS)]
        while hours and not hours[-1]:
            hours.pop()
        asked = counts if site_uv is None else {**counts, "site_uv": site_uv}
        return CampaignFigures(
            counts=counts,
            funnel={name: counts[name] for name in FUNNEL},
            rates=self._maker.rates(asked),
            click_hours=hours,
            half_life_hours=half_life_hours(hours),
            planned=planned,
            steps=steps,
        )


def _place(key: str | None) -> tuple[int, str]:
    """Numbers in their order, before words in theirs."""
    if key is not None and key.isdecimal():
        return int(key), ""
    return 0, key or ""
