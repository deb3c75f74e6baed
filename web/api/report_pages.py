"""A page of a report that goes by groups, as it was asked for.

Owns how a request becomes a question, and where the next page goes on. Must not answer it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec
from aiohttp import web

from dlr.report import GROUPS_MAX
from dlr.report_desk import Asked, GroupPage
from dlr.zones import zone_named
from messages.models import FieldError
from web.api.report_questions import Faults, ReportQuery, Span, group_by_of, span_of, wants_csv
from web.edge.access import Access
from web.edge.cursors import Page
from web.edge.parameters import QueryReader
from web.services import Services

READ = "reports:read"

Query = TypeVar("Query", bound=ReportQuery)
Further = Callable[[Mapping[str, object]], Iterable[FieldError]]


def _nothing_more(_values: Mapping[str, object]) -> Iterable[FieldError]:
    return ()


class Wanted(msgspec.Struct, Generic[Query]):
    """One page: what was asked, of whom, and as what it goes out."""

    query: Query
    asked: Asked
    groups: GroupPage
    span: Span
    as_csv: bool
    page: Page
    first_ms: int

    def more(self, after: Sequence[str] | None) -> str | None:
        """The cursor behind this place."""
        return self.page.more(None if after is None else (self.first_ms, *after))


class PageReader(Generic[Query]):
    """Reads requests for the pages of one report."""

    def __init__(
        self,
        services: Services,
        access: Access,
        kind: type[Query],
        further: Further = _nothing_more,
    ) -> None:
        """`further`: what else may be wrong with the values of this report."""
        self._further = further
        self._services = services
        self._access = access
        self._query = QueryReader(kind)

    async def read(self, request: web.Request, dimensions: Sequence[str]) -> Wanted[Query]:
        """What is wanted. Raises ProblemError that names each parameter that is wrong."""
        key = await self._access.key(request, READ)
        now_ms = self._services.wall_ms()
        faults = Faults(dimensions, time_of_ms(now_ms))
        query = self._query.read(request, lambda values: (*faults(values), *self._further(values)))
        as_csv = wants_csv(request, query.format)
        page = self._services.cursors.page(request, key.account, query)
        # The first page decides what "now" is, so that all pages are about one span.
        first_ms, *after = page.after or (now_ms,)
        now = time_of_ms(int(first_ms))
        span = span_of(query.since, query.until, now)
        asked = Asked(
            key.account,
            span.since,
            span.reach,
            now,
            group_by_of(query.group_by),
            zone_named(query.zone),
        )
        # A file is whole, unless a page of it is asked for.
        whole = as_csv and "limit" not in request.query
        groups = GroupPage(GROUPS_MAX if whole else page.limit, tuple(map(str, after)))
        return Wanted(query, asked, groups, span, as_csv, page, int(first_ms))


def time_of_ms(wall_ms: int) -> datetime:
    """The moment of these milliseconds since 1970."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC)
