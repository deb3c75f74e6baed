"""What a report may be asked: its query parameters, and what is wrong with them.

Owns their shapes and refusals. Must not answer a question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.counting import SpanTooLarge
from dlr.grouping import grouping_of
from dlr.report import GROUPS_MAX, TooManyRows
from dlr.zones import UNITS, ZoneNotQuarterly, ZoneUnknown, zone_named
from messages.models import FieldError
from storage.ids import AHEAD_MAX
from web.edge.cursors import LIMIT_MAX, PageQuery
from web.edge.endpoints import JSON
from web.edge.parameters import fault, invalid, nearest
from web.edge.problems import ProblemError, TooMany

SPAN_DEFAULT = timedelta(hours=24)
SPAN_MAX = timedelta(days=400)
GROUP_BY_MAX = 4
CSV = "text/csv"

_Answered = TypeVar("_Answered")

_TIME = Meta(tz=True)
_Since = Annotated[
    Annotated[datetime, _TIME] | None,
    Meta(description=f"Messages created from then on, at most {SPAN_MAX.days} days ago."),
]
_Until = Annotated[
    Annotated[datetime, _TIME] | None, Meta(description="Messages created before; else now.")
]
_Format = Annotated[
    Literal["json", "csv"] | None,
    Meta(description="`csv` or `json`; else what `Accept` prefers, and JSON if it says nothing."),
]


class SpanQuery(msgspec.Struct, kw_only=True):
    """The span is [since, until); without one, the last 24 hours."""

    since: _Since = None
    until: _Until = None
    format: _Format = None


class ReportQuery(PageQuery, kw_only=True):
    """A span, what to tell apart, and which page of the groups."""

    since: _Since = None
    until: _Until = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX, description="Groups in one page.")] = LIMIT_MAX
    group_by: Annotated[
        str, Meta(description=f"Up to {GROUP_BY_MAX} different dimensions, with commas between.")
    ] = ""
    zone: Annotated[
        str,
        Meta(description=f"Whose {', '.join(UNITS)} are meant: an IANA name as `Asia/Shanghai`."),
    ] = "UTC"
    format: _Format = None


class Span(NamedTuple):
    """A span. Ids are counted up to `reach`: it is beyond `until` where that is now, as ids may be
    ahead.
    """

    since: datetime
    until: datetime
    reach: datetime


def span_of(since: datetime | None, until: datetime | None, now: datetime) -> Span:
    """The span asked for."""
    end = (until or now).astimezone(UTC)
    begin = (since or end - SPAN_DEFAULT).astimezone(UTC)
    return Span(begin, end, end if until is not None else end + AHEAD_MAX)


def group_by_of(text: str) -> tuple[str, ...]:
    """The names in a `group_by`."""
    return tuple(text.split(",")) if text else ()


async def counted(counting: Awaitable[_Answered]) -> _Answered:
    """What was counted; what cannot be is a problem that names the parameter."""
    try:
        return await counting
    except TooManyRows:
        raise invalid("too_many_rows", "group_by", f"more than {GROUPS_MAX} groups") from None
    except SpanTooLarge as error:
        what = f"{error.messages} messages would be read, at most {error.limit} may be"
        found = fault("span_too_large", "group_by", what)
        raise ProblemError(
            found.code,
            found.detail,
            (found,),
            too_many=TooMany(error.messages, error.limit, error.instead),
        ) from None


def shown_until(counted_until: datetime, span: Span) -> datetime:
    """Where the span ends for the reader: ids that run ahead of the clock are of now."""
    return span.until if counted_until >= span.reach and span.reach > span.until else counted_until


def wants_csv(request: web.Request, form: str | None) -> bool:
    """By `format`, else by the media type that comes first in Accept."""
    if form is not None:
        return form == "csv"
    kinds = [
        each.partition(";")[0].strip() for each in request.headers.get("Accept", "").split(",")
    ]
    known = [kind for kind in kinds if kind in (CSV, JSON)]
    return known[:1] == [CSV]


class Faults:
    """What is wrong with the values of a question, beside their shapes."""

    def __init__(self, dimensions: Sequence[str], now: datetime) -> None:
        self._dimensions = dimensions
        self._now = now

    def __call__(self, values: Mapping[str, object]) -> Iterator[FieldError]:
        """Each fault, with its parameter."""
        wrong = [*self._span(values), *self._groups(str(values.get("group_by", "")))]
        yield from wrong
        yield from self._zone(values, sound=not wrong)

    def _span(self, values: Mapping[str, object]) -> Iterator[FieldError]:
        span = _asked(values, self._now)
        if span.since >= span.until:
            yield fault("bad_span", "since", "not before until")
        elif span.until - span.since > SPAN_MAX:
            yield fault("bad_span", "since", f"more than {SPAN_MAX.days} days before until")

    def _groups(self, text: str) -> Iterator[FieldError]:
        names = group_by_of(text)
        unknown = [name for name in dict.fromkeys(names) if name not in self._dimensions]
        for name in unknown:
            what = f"no dimension {name!r}{nearest(name, self._dimensions)}"
            yield fault("unknown_group", "group_by", what)
        if len(set(names)) < len(names) or len(names) > GROUP_BY_MAX:
            what = f"not up to {GROUP_BY_MAX} different dimensions"
            yield fault("parameter_invalid", "group_by", what)
        elif not unknown and len([name for name in names if name in UNITS]) > 1:
            yield fault("parameter_invalid", "group_by", f"only one of {', '.join(UNITS)}")

    def _zone(self, values: Mapping[str, object], *, sound: bool) -> Iterator[FieldError]:
        name = str(values.get("zone", "UTC"))
        try:
            zone = zone_named(name)
        except ZoneUnknown:
            yield fault("unknown_zone", "zone", f"no time zone {name[:100]!r}")
            return
        if sound:
            yield from _not_quarterly(zone, values, self._now)


def _not_quarterly(
    zone: ZoneInfo, values: Mapping[str, object], now: datetime
) -> Iterator[FieldError]:
    names = group_by_of(str(values.get("group_by", "")))
    grouping = grouping_of([name for name in names if name in UNITS])
    span = _asked(values, now)
    try:
        grouping.units(zone, span.since, span.until)
    except ZoneNotQuarterly as error:
        yield fault("zone_not_quarterly", "zone", str(error))


def _asked(values: Mapping[str, object], now: datetime) -> Span:
    since, until = values.get("since"), values.get("until")
    return span_of(
        since if isinstance(since, datetime) else None,
        until if isinstance(until, datetime) else None,
        now,
    )
