"""A campaign as its author writes it, and everything that can be wrong with that.

Owns these shapes, their limits, and what is refused because it is not built. Must not ask anybody:
whether a template or a segment is there is asked at the test and at the plan. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from campaigns.experiments.assignment import ARMS_MAX
from campaigns.running import experiment_spec
from campaigns.running.durations import duration
from campaigns.running.experiment_spec import Experiment
from campaigns.running.windows import PRESETS, HolidayRule, Window
from campaigns.segments.limits import SOURCE_CHARACTERS_MAX
from messages.models import FieldError
from recipients.hours import DAY_NAMES, EVERY_DAY, MINUTES_PER_DAY, Hours, parse_hours
from recipients.numbers.time_zones import zone_of

WEIGHT_MAX = 1_000
NAME_CHARACTERS_MAX = 100
EXCLUDED_TAGS_MAX = 50
HOLDOUT_MAX = 0.5
RATE_MAX = 10_000
SPREAD_MAX = timedelta(days=7)
AHEAD_MAX = timedelta(days=366)  # of a start or an end
REPORT_SEGMENTS_MAX = 8
NOT_AVAILABLE = "not_available"
RECALL = "recall"  # the goal of a campaign that wins back

_EVENT = re.compile(r"[a-z][a-z0-9_]{0,62}")
# As tags and segments may have it.
_NAME = re.compile(rf"[^\x00-\x1f\x7f-\x9f]{{1,{NAME_CHARACTERS_MAX}}}")
_TEMPLATE = re.compile(r"tpl_[0-9a-z]{13}@[1-9][0-9]{0,8}")


class Audience(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom it is for: contacts in `segment`, without those who have one of the tags `exclude`."""

    segment: Annotated[str, Meta(description="An expression, as of `/v1/segments`.")]
    exclude: Annotated[tuple[str, ...], Meta(description="Tags; up to 50.")] = ()
    unresponsive: Annotated[
        Literal["exclude", "include"] | None,
        Meta(
            description="Whom three recalls in 90 days have moved to no click and no login. "
            "By default a campaign of the goal recall excludes them."
        ),
    ] = None


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the texts. Its share is its weight among all weights."""

    template: Annotated[str, Meta(description="A version of a template, as in `tpl_…@3`.")]
    weight: Annotated[int, Meta(description="1 to 1 000.")] = 1


class Canary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who goes first: this share, and 200 to 2 000 people."""

    share: Annotated[float, Meta(description="0 to 1; 0: nobody does.")] = 0.01


class Hourly(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hours of some days."""

    start: Annotated[str, Meta(description="As in 10:00.")] = msgspec.field(name="from")
    end: Annotated[str, Meta(description="As in 12:00.")] = msgspec.field(name="to")
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | None = None


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When it goes. Without a start it begins when it is started."""

    start: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="With an offset from UTC. Two hours later it waits for a person."),
    ] = None
    end: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="What has not gone by then waits for a person: it is paused."),
    ] = None
    window: Annotated[
        str | Hourly | None,
        Meta(description=f"{', '.join(PRESETS)}, or hours. Without it quiet hours alone hold."),
    ] = None
    zone: Annotated[
        str, Meta(description="Whose clock the window is by: `recipient`, or a zone.")
    ] = "recipient"
    hour: Annotated[
        Literal["best"] | None,
        Meta(description="`best`: each in the hour in which they react most, within the window."),
    ] = None
    holidays: Annotated[
        HolidayRule | None,
        Meta(
            description="What a public holiday of the recipient's country means: `skip`: nobody is "
            "texted; `send`: it is a day like others; `only`: nobody is texted on another day. "
            "Unset: finance and office keep to days that are worked there, retail and young take "
            "days off for weekends, and for other windows it is a day like others."
        ),
    ] = None
    spread: Annotated[
        str | None, Meta(description="Over how long people are spread evenly, as in PT4H.")
    ] = None
    rate: Annotated[int | None, Meta(description="Recipients a second, 1 to 10 000.")] = None
    ramp: Annotated[
        bool, Meta(description="Begin with a tenth of the rate, and double it each hour.")
    ] = False

    def begins(self, now: datetime) -> datetime:
        """When it does, if it is started now."""
        return now if self.start is None else max(now, self.start)


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A campaign."""

    name: Annotated[str, Meta(description="1 to 100 characters.")]
    audience: Audience
    arms: Annotated[tuple[Arm, ...], Meta(description="1 to 20.")]
    goal: Annotated[
        str | None,
        Meta(description="Such as recall: it says which rates the report names first."),
    ] = None
    category: Literal["marketing", "service", "transactional"] = "marketing"
    sender: Annotated[
        str | None, Meta(description="A sender of the account; its first one by default.")
    ] = msgspec.field(default=None, name="from")
    holdout: Annotated[
        float, Meta(description="The share that gets nothing, to compare with: 0 to 0.5.")
    ] = 0.0
    conversion: Annotated[
        str, Meta(description="The event of `/v1/events` by which the holdout is compared.")
    ] = "order_paid"
    canary: Canary = Canary()
    schedule: Schedule = Schedule()
    within_gap: Annotated[
        Literal["skip", "wait"],
        Meta(
            description="Who was texted a moment ago, within the account's gap, is skipped as "
            "who is capped, or gets it when the gap is over."
        ),
    ] = "skip"
    report_segments: Annotated[
        tuple[str, ...],
        Meta(description="Names of segments to report by, as of the plan; up to 8."),
    ] = ()
    budget: Annotated[Any, Meta(description="Not available yet: refused.")] = None
    experiment: Annotated[
        Experiment | None, Meta(description="Which arm is better, found out before most get one.")
    ] = None


# Once it is planned and started.
FIXED = (
    "audience", "holdout", "conversion", "canary", "category", "goal", "report_segments",
)  # fmt: skip


def faults(spec: Spec, now: datetime, stands: datetime | None = None) -> list[FieldError]:
    """Everything that is wrong with it. `stands`: the start that it has already, and may keep."""
    return [
        *_plain(spec), *_said(spec), *_arms(spec), *_timing(spec.schedule, now, stands),
        *_experiment(spec, now), *_unbuilt(spec),
    ]  # fmt: skip


def changed_fixed(before: Spec, after: Spec) -> list[FieldError]:
    """What a campaign that has begun cannot change any more."""
    found = [
        FieldError("state_conflict", f"{name} stands since the plan", f"/{name}")
        for name in FIXED
        if getattr(before, name) != getattr(after, name)
    ]
    if [arm.weight for arm in before.arms] != [arm.weight for arm in after.arms]:
        detail = "how many arms there are, and their weights, stand since the plan"
        found.append(FieldError("state_conflict", detail, "/arms"))
    found += experiment_spec.locked(before.experiment, after.experiment)
    return found


def excludes_unresponsive(spec: Spec) -> bool:
    """Whether whom recalls do not move is left out."""
    wanted = spec.audience.unresponsive
    return spec.goal == RECALL if wanted is None else wanted == "exclude"


def spread_minutes(schedule: Schedule) -> int:
    """Of a checked one."""
    spread = None if schedule.spread is None else duration(schedule.spread)
    return 0 if spread is None else int(spread.total_seconds()) // 60


def window(schedule: Schedule) -> Window | None:
    """Of a checked one; None: any hour that is not quiet."""
    asked, rule = schedule.window, schedule.holidays
    zone = None if schedule.zone == "recipient" else schedule.zone
    if asked is None:
        whole = (Hours(0, MINUTES_PER_DAY),)
        return Window(whole, zone, holidays=rule) if rule in ("skip", "only") else None
    if isinstance(asked, str):
        return Window(PRESETS[asked], zone, preset=True, holidays=rule)
    hours = parse_hours(asked.start, asked.end, _days(asked))
    return Window((hours,), zone, holidays=rule)


def _days(asked: Hourly) -> int:
    if asked.days is None:
        return EVERY_DAY
    return sum({1 << DAY_NAMES.index(day) for day in asked.days})


def _plain(spec: Spec) -> Iterator[FieldError]:
    if not (1 <= len(spec.name) <= NAME_CHARACTERS_MAX and spec.name.isprintable()):
        detail = f"name is 1 to {NAME_CHARACTERS_MAX} printable characters"
        yield FieldError("label_invalid", detail, "/name")
    goal = spec.goal
    if goal is not None and not (1 <= len(goal) <= NAME_CHARACTERS_MAX and goal.isprintable()):
        detail = f"goal is 1 to {NAME_CHARACTERS_MAX} printable characters"
        yield FieldError("label_invalid", detail, "/goal")
    if len(spec.audience.exclude) > EXCLUDED_TAGS_MAX:
        detail = f"exclude names at most {EXCLUDED_TAGS_MAX} tags"
        yield FieldError("out_of_range", detail, "/audience/exclude")
    named = spec.report_segments
    if len(named) > REPORT_SEGMENTS_MAX or len(set(named)) < len(named):
        detail = f"report_segments are up to {REPORT_SEGMENTS_MAX} different names"
        yield FieldError("out_of_range", detail, "/report_segments")
    if not 0 <= spec.holdout <= HOLDOUT_MAX:
        yield FieldError("out_of_range", f"holdout is 0 to {HOLDOUT_MAX}", "/holdout")
    if _EVENT.fullmatch(spec.conversion) is None:
        detail = "conversion is the name of an event, as in order_paid"
        yield FieldError("label_invalid", detail, "/conversion")
    if not 0 <= spec.canary.share <= 1:
        yield FieldError("out_of_range", "share is 0 to 1", "/canary/share")


def _said(spec: Spec) -> Iterator[FieldError]:
    """Texts that nothing could have, and that no table takes."""
    if "\0" in spec.audience.segment or len(spec.audience.segment) > SOURCE_CHARACTERS_MAX:
        detail = f"segment is up to {SOURCE_CHARACTERS_MAX} characters of text"
        yield FieldError("label_invalid", detail, "/audience/segment")
    sender = spec.sender
    if sender is not None and not (
        1 <= len(sender) <= NAME_CHARACTERS_MAX and sender.isprintable()
    ):
        detail = f"from is 1 to {NAME_CHARACTERS_MAX} printable characters"
        yield FieldError("label_invalid", detail, "/from")
    named = []
    for place, tag in enumerate(spec.audience.exclude[:EXCLUDED_TAGS_MAX]):
        named.append((f"/audience/exclude/{place}", tag))
    for place, name in enumerate(spec.report_segments[:REPORT_SEGMENTS_MAX]):
        named.append((f"/report_segments/{place}", name))
    for where, name in named:
        if _NAME.fullmatch(name) is None:
            detail = f"it is 1 to {NAME_CHARACTERS_MAX} characters, and none of them a control"
            yield FieldError("label_invalid", detail, where)


def _arms(spec: Spec) -> Iterator[FieldError]:
    if not 1 <= len(spec.arms) <= ARMS_MAX:
        yield FieldError("out_of_range", f"arms are 1 to {ARMS_MAX}", "/arms")
    for place, arm in enumerate(spec.arms[:ARMS_MAX]):
        if not 1 <= arm.weight <= WEIGHT_MAX:
            detail = f"weight is 1 to {WEIGHT_MAX}"
            yield FieldError("out_of_range", detail, f"/arms/{place}/weight")
        if _TEMPLATE.fullmatch(arm.template) is None:
            detail = "template names a version, as in tpl_0nx25tc8g2000@3"
            yield FieldError("template_unknown", detail, f"/arms/{place}/template")


def _timing(schedule: Schedule, now: datetime, stands: datetime | None) -> Iterator[FieldError]:
    start, end = schedule.start, schedule.end
    if start is not None and start != stands and start < now - timedelta(minutes=1):
        yield FieldError("out_of_range", "start lies in the past", "/schedule/start")
    if end is not None and end <= schedule.begins(now):
        detail = "end lies in the past, or not after start"
        yield FieldError("out_of_range", detail, "/schedule/end")
    for name, moment in (("start", start), ("end", end)):
        if moment is not None and moment > now + AHEAD_MAX:
            detail = f"{name} is at most {AHEAD_MAX.days} days ahead"
            yield FieldError("out_of_range", detail, f"/schedule/{name}")
    if schedule.rate is not None and not 1 <= schedule.rate <= RATE_MAX:
        yield FieldError("out_of_range", f"rate is 1 to {RATE_MAX}", "/schedule/rate")
    if schedule.ramp and schedule.rate is None:
        yield FieldError("out_of_range", "a ramp leads up to a rate: name one", "/schedule/ramp")
    if schedule.spread is not None:
        spread = duration(schedule.spread)
        if spread is None or not timedelta(0) < spread <= SPREAD_MAX:
            detail = "spread is PT1M to PT168H, as in PT4H"
            yield FieldError("out_of_range", detail, "/schedule/spread")
    yield from _hours(schedule)


def _hours(schedule: Schedule) -> Iterator[FieldError]:
    if schedule.hour is not None and schedule.zone != "recipient":
        detail = "the best hour is by the recipient's clock: leave zone out"
        yield FieldError("out_of_range", detail, "/schedule/zone")
    if schedule.zone != "recipient" and zone_of(schedule.zone) is None:
        detail = 'zone is "recipient" or a zone such as "Asia/Shanghai"'
        yield FieldError("unknown_zone", detail, "/schedule/zone")
    asked = schedule.window
    if isinstance(asked, str) and asked not in PRESETS:
        detail = f"window is one of {', '.join(PRESETS)}, or hours"
        yield FieldError("send_window_invalid", detail, "/schedule/window")
    if not isinstance(asked, Hourly):
        return
    if asked.days is not None and not asked.days:
        detail = "days names no day; leave it out for every day"
        yield FieldError("send_window_invalid", detail, "/schedule/window/days")
    try:
        parse_hours(asked.start, asked.end)
    except ValueError as error:
        detail = f"from and to are not {error}"
        yield FieldError("send_window_invalid", detail, "/schedule/window")


def _experiment(spec: Spec, now: datetime) -> Iterator[FieldError]:
    schedule = spec.schedule
    if spec.experiment is not None:
        yield from experiment_spec.faults(
            spec.experiment,
            arms=len(spec.arms),
            spread=timedelta(minutes=spread_minutes(schedule)),
            begins=schedule.begins(now),
            end=schedule.end,
        )


def _unbuilt(spec: Spec) -> Iterator[FieldError]:
    if spec.budget is not None:
        detail = "budget is not available yet: leave it out"
        yield FieldError(NOT_AVAILABLE, detail, "/budget")
