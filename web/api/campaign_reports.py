"""The endpoints that tell what became of campaigns and their people, and what a figure is.

Owns their paths and problems. Must not count: figures come through campaign_services.py.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from campaigns.contacts.desk import PREFIX as CONTACT_PREFIX
from campaigns.reporting.metrics import UnknownDefinition, chosen
from campaigns.reporting.people import WhyView
from campaigns.reporting.reports import ReportWish
from campaigns.reporting.why import outcome_of, sentence_of
from campaigns.running.stopping import PREFIX
from storage.ids import format_id, parse_id
from web.api.campaign_report_shapes import (
    CampaignReportQuery,
    CampaignReportResource,
    ExcludedPage,
    ExcludedQuery,
    MetricsRegistry,
    WhyList,
    WhyMessage,
    WhyQuery,
    WhyResource,
    csv_answer,
    excluded_resource,
    metrics_registry,
)
from web.api.campaign_views import IN_PATH, ONE, READ, WHAT, named
from web.api.click_reports import steps_fault, steps_in
from web.api.contacts import PATH_ID
from web.api.experiment_shapes import experiment_resource, holdout_resource
from web.api.report_questions import wants_csv
from web.edge.access import Access
from web.edge.arguments import not_found, path_id
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, held, invalid
from web.edge.reveals import shown
from web.services import Services


class CampaignReportsApi:
    """Handlers of what became of campaigns."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._campaigns = services.campaigns
        self._access = access
        self._query = QueryReader(CampaignReportQuery)
        self._excluded_query = QueryReader(ExcludedQuery)
        self._why_query = QueryReader(WhyQuery)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path=f"{ONE}/report",
                handler=self.report,
                summary="What became of a campaign",
                description="By arm, and by `version`, `segment`, `template`, `hour` or "
                "`operator`. It outlives messages and contacts.",
                scope=READ,
                path_parameters=IN_PATH,
                query=CampaignReportQuery,
                answers={200: CampaignReportResource},
                problems=("report_too_slow",),
            ),
            Endpoint(
                method="GET",
                path=f"{ONE}/excluded",
                handler=self.excluded,
                summary="Who of its segment is not planned, and why",
                scope=READ,
                path_parameters=IN_PATH,
                query=ExcludedQuery,
                answers={
                    200: Answer(ExcludedPage, headers={"Link": "The next page, if there is one."})
                },
            ),
            Endpoint(
                method="GET",
                path="/v1/contacts/{id}/why",
                handler=self.why,
                summary="What happened to a contact in campaigns, and why",
                scope=READ,
                path_parameters=PATH_ID,
                query=WhyQuery,
                answers={200: WhyList},
            ),
            Endpoint(
                method="GET",
                path="/v1/metrics-registry",
                handler=self.registry,
                summary="What each figure of a campaign's report is",
                scope=READ,
                answers={200: MetricsRegistry},
            ),
        ]

    async def report(self, request: web.Request) -> web.Response:
        """As of now, or of the last count."""
        key = await self._access.key(request, READ)
        query = self._query.read(request, held(definition=_definition_fault, steps=steps_fault))
        wish = ReportWish(
            by=query.by,
            definitions=chosen(query.definition),
            site_uv=query.site_uv,
            steps=steps_in(query.steps),
            compliance=query.compliance,
        )
        stored = await named(self._campaigns, key, request)
        now, experiments = self._campaigns.now(), self._services.experiments
        made = await self._campaigns.reports.report(stored, wish, now)
        if wants_csv(request, query.format):
            return csv_answer(made)
        answer = CampaignReportResource(
            id=format_id(PREFIX, stored.id),
            experiment=experiment_resource(await experiments.experiment(stored, now)),
            holdout=holdout_resource(await experiments.holdout(stored, now)),
            **{name: getattr(made, name) for name in made.__struct_fields__},
        )
        return json_response(answer)

    async def excluded(self, request: web.Request) -> web.Response:
        """In the order of contacts' ids."""
        key = await self._access.key(request, READ)
        query = self._excluded_query.read(request)
        stored = await named(self._campaigns, key, request)
        page = self._services.cursors.page(request, key.account, query)
        after = int(page.after[0]) if page.after else 0
        found = await self._campaigns.people.excluded(
            stored, reason=query.because, after=after, limit=page.limit + 1
        )
        kept, next_cursor = page.cut(found, lambda each: (each.contact,))
        counts = stored.counts.get("excluded", {})
        assert isinstance(counts, dict)
        answer = ExcludedPage([excluded_resource(each) for each in kept], next_cursor, counts)
        return json_response(answer, headers=page.headers(next_cursor))

    async def why(self, request: web.Request) -> web.Response:
        """The latest campaign first."""
        key = await self._access.key(request, READ)
        query = self._why_query.read(request)
        contact = path_id(request, CONTACT_PREFIX, "contact")
        campaign = None
        if query.campaign is not None:
            try:
                campaign = parse_id(PREFIX, query.campaign)
            except ValueError as error:
                raise invalid("parameter_invalid", "campaign", str(error)) from None
        found = await self._campaigns.people.why(key.account, contact, campaign)
        if found is None:
            raise not_found("contact")
        if campaign is not None and not found:
            raise not_found(WHAT)
        told = await asyncio.gather(*(self._why(key.account, each) for each in found))
        return json_response(WhyList(list(told)))

    async def registry(self, request: web.Request) -> web.Response:
        """The same for everybody."""
        await self._access.key(request, READ)
        return json_response(metrics_registry())

    async def _why(self, account: int, view: WhyView) -> WhyResource:
        told = WhyResource(
            campaign=format_id(PREFIX, view.campaign),
            name=view.name,
            state=view.state.label,
            outcome=outcome_of(view),
            text=sentence_of(view),
        )
        who = view.recipient
        if view.excluded is not None:
            told.reason = view.excluded
        if view.instead is not None:
            told.instead = format_id(CONTACT_PREFIX, view.instead)
        if who is None:
            return told
        told.to, told.arm, told.slot = shown(who.to), who.arm, who.slot
        if who.reason is not None:
            told.reason = who.reason
        if who.message is not None:
            message = await self._services.messages.message(account, who.message)
            told.message = WhyMessage(
                id=format_id("msg", who.message),
                status=None if message is None else message.status,
                reason=None if message is None else message.reason,
            )
        return told


def _definition_fault(text: str) -> str | None:
    try:
        chosen(text)
    except UnknownDefinition as error:
        return str(error)
    return None
