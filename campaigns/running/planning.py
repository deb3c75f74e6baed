"""The plan: the audience of a campaign frozen, each with an arm and a slot, or with a reason.

Owns `campaign_recipient` and `campaign_excluded`. Must not feed anybody. Everybody in the segment
is in one of the two afterwards, and the counts say so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

import asyncpg
import msgspec

from campaigns.caps import foretelling
from campaigns.caps.foretelling import CapsInForce
from campaigns.decisions.sizes import warnings
from campaigns.experiments.assignment import BUCKETS, GLOBAL_HOLDOUT, HOLDOUT, weighted
from campaigns.running.foresight import Foresight
from campaigns.running.number_forms import note_forms
from campaigns.running.plan_warnings import PlanWarning
from campaigns.running.schedule import CANARY_MAX, CANARY_MIN, canary_size
from campaigns.running.spec import Spec, excludes_unresponsive, spread_minutes
from campaigns.running.stopping import PREFIX
from campaigns.segments.compiling import compiled
from campaigns.segments.mistakes import SegmentRefused
from campaigns.segments.names import Moment, Names
from campaigns.segments.presets import RECALLED_IN_VAIN
from campaigns.segments.reading import names_of
from messages.models import FieldError
from storage import sql
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import format_id
from storage.pool import Connection

_SQL = sql.load("campaigns")
PLAN_SECONDS_MAX = 120.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan counted. `arms`: recipients by arm; both holdouts are apart from them.

    `test`: those of the arms who are in the test of an experiment.
    """

    at: datetime
    today: str
    segment: int
    planned: int  # who gets a message
    holdout: int
    arms: Mapping[str, int]
    excluded: Mapping[str, int]
    canary: int
    global_holdout: int = 0
    test: Mapping[str, int] = {}
    warnings: Sequence[PlanWarning] = ()
    capped: int = 0  # of those who get a message: whom a cap would keep from it now
    segments: Mapping[str, int] = {}  # who gets a message, by segment of the report
    foresight: Foresight = Foresight()


class PlanRefused(Exception):
    """The audience cannot be read: every mistake. Nothing is planned."""

    def __init__(self, faults: list[FieldError]) -> None:
        super().__init__(faults[0].detail)
        self.faults = faults


async def plan(
    connection: Connection,
    campaign: int,
    account: int,
    spec: Spec,
    *,
    moment: Moment,
    sender: str,
    needs_consent: bool,
    global_holdout: float,
    caps: CapsInForce,
    vault: NumberVault,
    foresee: Callable[[int], Awaitable[tuple[Foresight, Sequence[PlanWarning]]]],
) -> Plan:
    """Plan anew, in the caller's transaction, which holds the campaign's row.

    `global_holdout`: the account's share, of marketing alone. `foresee`: what so many messages lead
    to; asked once everybody has a place. Raises SegmentRefused, PlanRefused.
    """
    await connection.execute(_SQL["plan_hold"])
    names = await names_of(connection, account, spec.audience.segment)
    tags = _tags(names, spec)
    await connection.execute(_SQL["plan_forget"], campaign, timeout=PLAN_SECONDS_MAX)
    await connection.execute(_SQL["plan_forget_excluded"], campaign, timeout=PLAN_SECONDS_MAX)
    await connection.execute(_SQL["plan_table"])
    found = compiled(spec.audience.segment, names, moment)
    audience = _SQL["plan_audience"].format(segment=found.sql)
    await connection.execute(audience, *found.parameters, timeout=PLAN_SECONDS_MAX)
    await connection.execute("ANALYZE planned_audience")
    await note_forms(connection, account, vault)
    await _unresponsive(connection, account, spec, moment)
    await _mark(connection, account, spec, moment)
    rows = await connection.fetch(
        _SQL["plan"], campaign, account, Category.of(spec.category), tags, needs_consent,
        list(weighted([arm.weight for arm in spec.arms])), round(spec.holdout * BUCKETS),
        spec.canary.share, CANARY_MIN, CANARY_MAX, spread_minutes(spec.schedule),
        format_id(PREFIX, campaign), sender, quarter_salt(account, moment.today),
        round(global_holdout * BUCKETS) if spec.category == "marketing" else 0, _tested(spec),
        timeout=PLAN_SECONDS_MAX,
    )  # fmt: skip
    made = _counted(spec, moment, rows)
    capped = await foretelling.capped(
        connection, campaign, account, Category.of(spec.category), caps, moment.now
    )
    made = msgspec.structs.replace(
        made, capped=capped, warnings=[*made.warnings, *_capped(capped, made.planned)]
    )
    seen, warnings = await foresee(made.planned)
    made = msgspec.structs.replace(made, foresight=seen, warnings=(*made.warnings, *warnings))
    await connection.execute(
        _SQL["plan_made"], campaign, made.at, made.planned + made.holdout + made.global_holdout,
        made.canary, msgspec.to_builtins(made),
        _kind(rows, "test_end")[""] if spec.experiment is not None else None,
    )  # fmt: skip
    return made


async def _unresponsive(connection: Connection, account: int, spec: Spec, moment: Moment) -> None:
    """Whom the plan leaves out since recalls do not move them; nobody where they are wanted."""
    await connection.execute(_SQL["plan_unresponsive_table"])
    if not excludes_unresponsive(spec):
        return
    found = compiled(RECALLED_IN_VAIN, Names(account=account), moment)
    select = _SQL["plan_unresponsive"].format(segment=found.sql)
    await connection.execute(select, *found.parameters, timeout=PLAN_SECONDS_MAX)
    await connection.execute("ANALYZE planned_unresponsive")


def _capped(capped: int, planned: int) -> Iterator[PlanWarning]:
    if capped:
        detail = (
            f"{capped} of {planned} have had as many as a cap allows: now they would be skipped"
        )
        yield PlanWarning("capped", detail, "/audience")


def quarter_salt(account: int, today: date) -> str:
    """By which an account's global holdout is drawn: other people in each quarter."""
    return f"global|{account}|{today.year}Q{(today.month + 2) // 3}"


def _tested(spec: Spec) -> int:
    """Who is in the test, in ten-thousandths."""
    return BUCKETS if spec.experiment is None else round(spec.experiment.test_share * BUCKETS)


def _kind(rows: Sequence[asyncpg.Record], kind: str) -> dict[str, int]:
    return {row["name"]: row["people"] for row in rows if row["kind"] == kind}


def _counted(spec: Spec, moment: Moment, rows: Sequence[asyncpg.Record]) -> Plan:
    arms, excluded, tested = (_kind(rows, kind) for kind in ("arm", "excluded", "test"))
    holdout, global_holdout = arms.pop(str(HOLDOUT), 0), arms.pop(str(GLOBAL_HOLDOUT), 0)
    planned = sum(arms.values())
    names = [str(arm) for arm in range(len(spec.arms))]
    test = {name: tested.get(name, 0) for name in names} if spec.experiment is not None else {}
    return Plan(
        at=moment.now,
        today=moment.today.isoformat(),
        segment=planned + holdout + global_holdout + sum(excluded.values()),
        planned=planned,
        holdout=holdout,
        global_holdout=global_holdout,
        arms={name: arms.get(name, 0) for name in names},
        excluded=excluded,
        canary=canary_size(planned + holdout + global_holdout, spec.canary.share),
        test=test,
        warnings=list(warnings(spec, test)),
        segments=_by_segment(spec, rows),
    )


async def _mark(connection: Connection, account: int, spec: Spec, moment: Moment) -> None:
    """Who is in which segment of the report. Raises PlanRefused."""
    await connection.execute(_SQL["plan_segments_table"])
    for bit, name in enumerate(spec.report_segments):
        source = f"segment({_quoted(name)})"
        try:
            found = compiled(source, await names_of(connection, account, source), moment)
        except SegmentRefused as refused:
            where = f"/report_segments/{bit}"
            faults = [FieldError("segment_invalid", str(each), where) for each in refused.mistakes]
            raise PlanRefused(faults) from None
        place = len(found.parameters) + 1
        statement = _SQL["plan_segment"].format(segment=found.sql, place=place)
        await connection.execute(statement, *found.parameters, 1 << bit, timeout=PLAN_SECONDS_MAX)


def _quoted(name: str) -> str:
    marked = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{marked}"'


def _by_segment(spec: Spec, rows: Sequence[asyncpg.Record]) -> dict[str, int]:
    marked = [(int(bits), people) for bits, people in _kind(rows, "segments").items()]
    return {
        name: sum(people for bits, people in marked if bits >> bit & 1)
        for bit, name in enumerate(spec.report_segments)
    }


def _tags(names: Names, spec: Spec) -> list[int]:
    """The ids of the tags that are left out. Raises PlanRefused for one that nobody has."""
    faults = [
        FieldError("tag_unknown", f"this account has no tag {tag}", f"/audience/exclude/{place}")
        for place, tag in enumerate(spec.audience.exclude)
        if tag not in names.tags
    ]
    if faults:
        raise PlanRefused(faults)
    return [names.tags[tag] for tag in spec.audience.exclude]
